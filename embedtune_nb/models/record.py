"""What stands beside the weights of a published model: its plan, its verdict, where it came from."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from embedtune_nb.errors import IntegrityError, NotFoundError, did_you_mean
from embedtune_nb.jobs.job import Job
from embedtune_nb.store.events import EventWriter, Published, State, VerdictReached
from embedtune_nb.store.home import models_folder
from embedtune_nb.store.job_folder import create
from embedtune_nb.store.names import named_folder

RECORD = "embedtune.json"


@dataclass(frozen=True)
class ModelRecord:
    """The readable part of a published model.

    Parameters
    ----------
    path
        ``home()/models/<name>``.
    facts
        The content of its ``embedtune.json``.
    """

    path: Path
    facts: dict[str, Any]

    @property
    def name(self) -> str:
        """The name it was published under."""
        return self.facts["name"]

    @property
    def created(self) -> str:
        """When it was published, UTC, ISO 8601."""
        return self.facts["created"]

    @property
    def when(self) -> str:
        """The same for people: date, hour, minute."""
        return self.created[:16].replace("T", " ")

    @property
    def job_id(self) -> str:
        """The job that made it."""
        return self.facts["job"]

    @property
    def plan(self) -> dict[str, Any]:
        """The plan it was made by."""
        return self.facts["plan"]

    def restore_job(self) -> Job:
        """Return the job that made the model; if its folder was deleted, a done one that says as much."""
        try:
            return Job.open(self.job_id)
        except NotFoundError:
            folder = create(self.name, self.plan, lambda data: None, job_id=self.job_id)
            writer = EventWriter(folder.events)
            writer.emit(VerdictReached(self.facts["verdict"]))
            writer.emit(Published(self.name, str(self.path)))
            writer.emit(State("done", reason="The folder of the job was deleted; its model is here."))
            writer.close()
            return Job(folder)


def read_record(path: Path) -> ModelRecord:
    """Read the record of the model in *path*.

    Raises
    ------
    IntegrityError
        If it is missing or unreadable.
    """
    try:
        return ModelRecord(path, json.loads((path / RECORD).read_text()))
    except (OSError, ValueError) as cause:
        raise IntegrityError(
            f"{path} has no readable {RECORD}.",
            expected="a model that this package published",
            fix="drop it by name and train again, or load it with SentenceTransformer if it is another's.",
        ) from cause


def find_record(name: str) -> ModelRecord | None:
    """Return the record of the published model *name* (regardless of case), None if there is none."""
    folder = named_folder(models_folder(), name)
    return read_record(folder) if folder.is_dir() else None


def model_names() -> list[str]:
    """Return the names of all published models, oldest first."""
    models = models_folder()
    if not models.is_dir():
        return []
    folders = [path for path in models.iterdir() if path.is_dir() and not path.name.startswith(".")]
    return [path.name for path in sorted(folders, key=lambda path: path.stat().st_mtime_ns)]


def no_such_model(name: str) -> NotFoundError:
    """Return the error for a name that no model has."""
    names = model_names()
    return NotFoundError(
        f"There is no model {name!r} in {models_folder()}. {did_you_mean(name, names)}".rstrip(),
        expected=f"one of: {', '.join(names) or 'nothing yet'}",
        fix="check the name, and whether EMBEDTUNE_HOME is the one the model was trained with.",
    )
