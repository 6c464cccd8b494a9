"""How many trials a sweep may use up: a number that may grow while it is at work, and after."""

from __future__ import annotations

import json
from pathlib import Path

from embedtune_nb.store.job_folder import JobFolder

_FILE = "budget.json"


def claims_lock(folder: JobFolder) -> Path:
    """Return the file that is locked while a trial is claimed or the budget changes."""
    return folder.path / "claims.lock"


def trial_budget(folder: JobFolder) -> int:
    """Return how many trials the sweep may use up in all."""
    return _read(folder)[0]


def is_closed(folder: JobFolder) -> bool:
    """Return whether the worker looked at the budget for the last time, and will end."""
    return _read(folder)[1]


def write_budget(folder: JobFolder, trial_count: int, *, closed: bool = False) -> None:
    """Set the budget; to be called with the lock of the claims held."""
    temporary = folder.path / f"{_FILE}.tmp"
    temporary.write_text(json.dumps({"trial_count": trial_count, "closed": closed}))
    temporary.replace(folder.path / _FILE)


def _read(folder: JobFolder) -> tuple[int, bool]:
    try:
        facts = json.loads((folder.path / _FILE).read_text())
    except FileNotFoundError:  # never changed since it was planned
        return int(folder.plan()["settings"]["trial_count"]["value"]), False
    return int(facts["trial_count"]), bool(facts["closed"])
