"""Folders that are either there whole or not there at all: manifest, atomic rename, verified opening."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import uuid
from collections.abc import Callable
from pathlib import Path

from embedtune_nb.errors import AlreadyExistsError, IntegrityError, StoreError
from embedtune_nb.store.exchange import exchange

MANIFEST = "embedtune.manifest.json"


def publish(destination: Path, build: Callable[[Path], None], *, replace: bool = False) -> Path:
    """Let *build* fill a temporary folder, then move it to *destination* in one step.

    Parameters
    ----------
    destination
        The final folder; must not exist, unless *replace*.
    build
        Called with the temporary folder, on the same filesystem. If it raises, nothing is left behind,
        and what stood in *destination* stands there still.
    replace
        Whether the folder may take the place of another, which is removed when this one stands.

    Raises
    ------
    AlreadyExistsError
        If *destination* exists when the folder is ready, and *replace* is not set.
    StoreError
        If the disk refuses, for want of space for example.
    """
    parent = destination.parent
    draft = f".tmp-{destination.name}."
    temporary = parent / f"{draft}{uuid.uuid4().hex}"
    try:
        temporary.mkdir(parents=True)
        _remove_abandoned(parent, draft, keep=temporary)
        build(temporary)
        write_manifest(temporary)
        _sync_folder(temporary)
        try:
            if replace and destination.exists():
                exchange(temporary, destination)
            else:
                temporary.rename(destination)
        except OSError as cause:
            if destination.exists() and not replace:
                raise AlreadyExistsError(
                    f"{destination} exists.", fix="choose another name, or drop the old one first."
                ) from cause
            raise
        _sync_folder(parent)
    except OSError as cause:
        if isinstance(cause, StoreError):
            raise
        free = shutil.disk_usage(parent).free if parent.is_dir() else 0
        raise StoreError(
            f"Could not publish {destination}: {cause.strerror or cause} ({free:,} bytes are free there).",
            fix="free space or mend the permissions, then run the job again; nothing half-written is left.",
        ) from cause
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return destination


def _remove_abandoned(parent: Path, draft: str, keep: Path) -> None:
    """Remove what a publisher of the same folder left when it was killed."""
    for path in parent.iterdir():
        if re.fullmatch(re.escape(draft) + "[0-9a-f]{32}", path.name) and path != keep:
            shutil.rmtree(path, ignore_errors=True)


def write_manifest(folder: Path) -> None:
    """Record size and SHA-256 of every file below *folder*; written last, so its presence means complete."""
    files = {
        str(path.relative_to(folder)): {"size": path.stat().st_size, "sha256": sha256_of_file(path)}
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != MANIFEST
    }
    for name in files:
        _sync_file(folder / name)
    target = folder / MANIFEST
    target.write_text(json.dumps({"format": 1, "files": files}, indent=1))
    _sync_file(target)


def check(folder: Path, *, hashes: bool = False) -> None:
    """Compare *folder* with its manifest: sizes always, contents when *hashes*.

    Raises
    ------
    IntegrityError
        If a file is missing, has another size, or (with *hashes*) other bytes.
    """
    try:
        files = json.loads((folder / MANIFEST).read_text())["files"]
    except (OSError, ValueError, KeyError) as cause:
        raise IntegrityError(
            f"{folder} has no readable manifest, so it was never completely written.",
            fix="drop it and train again, or restore it from a copy.",
        ) from cause
    for name, facts in files.items():
        path = folder / name
        found = path.stat().st_size if path.is_file() else None
        if found != facts["size"]:
            size = "is missing" if found is None else f"has {found:,} bytes"
            raise IntegrityError(
                f"{path} {size}.",
                expected=f"{facts['size']:,} bytes, as its manifest records",
                fix="restore the file from a copy, or drop the model and train again.",
            )
        if hashes and sha256_of_file(path) != facts["sha256"]:
            raise IntegrityError(
                f"The bytes of {path} changed since it was published.",
                expected=f"SHA-256 {facts['sha256']}",
                fix="restore the file from a copy, or drop the model and train again.",
            )


def remove(folder: Path) -> None:
    """Delete *folder* so that nobody ever sees half of it: renamed to a trash name first."""
    trash = folder.parent / f".trash-{uuid.uuid4().hex}"
    folder.rename(trash)
    shutil.rmtree(trash, ignore_errors=True)


def sha256_of_file(path: Path) -> str:
    """Return the SHA-256 of the bytes of *path* in hex."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _sync_file(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _sync_folder(folder: Path) -> None:
    if hasattr(os, "O_DIRECTORY"):  # Windows cannot open folders; its rename is journaled anyway
        _sync_file(folder)
