"""A memoryset on disk: its facts, its texts and their vectors, published as one folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from embedtune_nb.data.datasource import Datasource
from embedtune_nb.errors import IntegrityError, NotFoundError, did_you_mean
from embedtune_nb.store import publish
from embedtune_nb.store.home import memorysets_folder
from embedtune_nb.store.leases import hold
from embedtune_nb.store.names import named_folder

RECORD = "memoryset.json"
FORMAT = 1
_VECTORS = "vectors.npy"
_DATA = "data"


@dataclass(frozen=True)
class MemorysetRecord:
    """The readable part of a published memoryset.

    Attributes
    ----------
    path
        ``home()/memorysets/<name>``.
    facts
        The content of its ``memoryset.json``: name, kind, created, instruction, reading (how the model
        read the texts) and model (name, spec, fingerprint).
    """

    path: Path
    facts: Mapping[str, Any]

    @cached_property
    def data(self) -> Datasource:
        """The texts with their labels or scores."""
        return Datasource.read(self.path / _DATA)

    @cached_property
    def vectors(self) -> np.ndarray:
        """float32, (texts, dimension), rows of unit length, not writable."""
        vectors = np.load(self.path / _VECTORS, allow_pickle=False)
        vectors.setflags(write=False)
        return vectors


def publish_memoryset(
    path: Path, facts: Mapping[str, Any], data: Datasource, vectors: np.ndarray, needs: list[Path]
) -> MemorysetRecord:
    """Publish a memoryset as *path*, which must not exist; *needs* are the folders it cannot do without."""
    created = datetime.now(timezone.utc).isoformat(timespec="seconds")
    content = {"format": FORMAT, "name": path.name, "kind": data.kind, "created": created, **facts}

    def build(folder: Path) -> None:
        data.write(folder / _DATA)
        np.save(folder / _VECTORS, np.ascontiguousarray(vectors, dtype=np.float32))
        hold(folder, *needs)
        (folder / RECORD).write_text(json.dumps(content, indent=1, ensure_ascii=False), encoding="utf-8")

    return MemorysetRecord(publish.publish(path, build), content)


def find_memoryset(name: str) -> MemorysetRecord | None:
    """Return the memoryset *name* (regardless of case), None if there is none.

    Raises
    ------
    IntegrityError
        If files are missing, have another size than recorded, or were written by another version.
    """
    folder = named_folder(memorysets_folder(), name)
    if not folder.is_dir():
        return None
    remedy = f"restore it from a copy, or LabeledMemoryset.drop({folder.name!r}) and build it again."
    try:
        publish.check(folder)
        facts = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except IntegrityError as damage:
        raise IntegrityError(damage.found, expected=damage.expected, fix=remedy) from damage
    except (OSError, ValueError) as cause:
        raise IntegrityError(
            f"{folder} has no readable {RECORD}.", expected="a published memoryset", fix=remedy
        ) from cause
    if facts.get("format") != FORMAT:
        raise IntegrityError(
            f"{folder} has format {facts.get('format')!r}.",
            expected=f"format {FORMAT}",
            fix="open it with the version of embedtune_nb that wrote it.",
        )
    return MemorysetRecord(folder, facts)


def memoryset_names() -> list[str]:
    """Return the names of all memorysets, oldest first."""
    parent = memorysets_folder()
    if not parent.is_dir():
        return []
    folders = [path for path in parent.iterdir() if path.is_dir() and not path.name.startswith(".")]
    return [path.name for path in sorted(folders, key=lambda path: path.stat().st_mtime_ns)]


def no_such_memoryset(name: str) -> NotFoundError:
    """Return the error for a name that no memoryset has."""
    names = memoryset_names()
    return NotFoundError(
        f"There is no memoryset {name!r} in {memorysets_folder()}. {did_you_mean(name, names)}".rstrip(),
        expected=f"one of: {', '.join(names) or 'nothing yet'}",
        fix="check the name, and whether EMBEDTUNE_HOME is the one it was made with.",
    )
