"""Where everything lives: ``EMBEDTUNE_HOME``, else ``~/.embedtune``."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from embedtune_nb.errors import StoreError


def home() -> Path:
    """Return the home folder; it is not created by asking for it.

    Raises
    ------
    StoreError
        If neither ``EMBEDTUNE_HOME`` nor a user folder is known.
    """
    given = os.environ.get("EMBEDTUNE_HOME")
    if given:
        return Path(given).expanduser().absolute()
    try:
        return Path.home() / ".embedtune"
    except RuntimeError as cause:
        raise StoreError(
            "This user has no home folder, so there is no place for models and jobs.",
            fix="set the environment variable EMBEDTUNE_HOME to a folder you may write to.",
        ) from cause


def writable_folder(*parts: str) -> Path:
    """Return ``home()/parts`` after creating it and proving that it can be written.

    Raises
    ------
    StoreError
        If the folder cannot be created or written.
    """
    folder = home().joinpath(*parts)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as cause:
        raise StoreError(
            f"Cannot write to {folder}: {cause.strerror or cause}.",
            expected="a folder this user may write to",
            fix="set EMBEDTUNE_HOME to such a folder, or mend the permissions.",
        ) from cause
    return folder


def models_folder() -> Path:
    """Return ``home()/models``: one folder for each published model."""
    return home() / "models"


def memorysets_folder() -> Path:
    """Return ``home()/memorysets``: one folder for each memoryset."""
    return home() / "memorysets"


def name_lock(name: str) -> Path:
    """Return the file that is locked while the model *name* is given, taken away or about to be used."""
    return jobs_folder() / ".names" / f"{name.casefold()}.lock"


def jobs_folder() -> Path:
    """Return ``home()/jobs``: one folder for each job."""
    return home() / "jobs"


def cache_dir(*parts: str) -> Path:
    """Return ``home()/cache/parts``, created; everything below may be deleted at any time."""
    return writable_folder("cache", *parts)
