"""What a published folder needs to stay usable, so that nobody deletes it meanwhile."""

from __future__ import annotations

import json
from pathlib import Path

from embedtune_nb.store.home import home, memorysets_folder

LEASES = "leases.json"


def hold(folder: Path, *needed: Path) -> None:
    """Record in *folder*, before it is published, that it needs the folders *needed* of the same home."""
    names = [path.relative_to(home()).as_posix() for path in needed]
    (folder / LEASES).write_text(json.dumps({"needs": names}), encoding="utf-8")


def holders(needed: Path) -> list[str]:
    """Return the names of the published folders that need *needed*, in order."""
    wanted = needed.relative_to(home()).as_posix().casefold()
    return sorted(
        file.parent.name
        for file in memorysets_folder().glob(f"*/{LEASES}")
        if not file.parent.name.startswith(".") and wanted in _needs(file)
    )


def _needs(file: Path) -> list[str]:
    try:
        return [str(name).casefold() for name in json.loads(file.read_text(encoding="utf-8"))["needs"]]
    except (OSError, ValueError, KeyError, TypeError):
        return []  # a damaged folder cannot be used, so it needs nothing
