"""The folder of one trial inside its sweep's job folder, and the record that tells what became of it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from embedtune_nb.store.locks import is_held

TrialState = Literal["running", "done", "pruned", "failed", "stopped", "lost"]
#: States in which a trial has used up its part of the budget.
COUNTED = frozenset({"done", "pruned", "failed"})
TRIALS = "trials"


@dataclass(frozen=True)
class TrialRecord:
    """What is known of one trial, or of one run that confirms it with another seed.

    Attributes
    ----------
    index
        Number of the trial in its study, from 0.
    seed
        Of shuffling and new weights.
    state
        ``lost`` is a trial whose worker died; it is retried under a new index.
    values
        What the sweep chose, by dimension; those without effect are left out.
    confirms
        Index of the trial that this run repeats with another seed; None for a trial.
    metric
        Name of the metric that selects, without ``eval/``.
    score
        Its best value on the selection part; None before the first evaluation.
    metrics
        All metrics of the selection part, and the training loss, at the best step.
    best_step, steps_done, steps_total
        Optimizer steps.
    started
        ISO 8601, UTC; for display only.
    seconds
        Wall time of the trial.
    reason
        Why it failed, was pruned, stopped or lost; else empty.
    retry_of
        Index of the lost or stopped trial that this one repeats.
    attempt
        How often a worker set out on it, this time included and stops left out.
    is_default
        Whether it tried what the loss would do by default.
    has_weights
        Whether its weights are kept in the folder.
    """

    index: int
    seed: int
    state: TrialState
    values: Mapping[str, Any]
    confirms: int | None = None
    metric: str = ""
    score: float | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    best_step: int | None = None
    steps_done: int = 0
    steps_total: int = 0
    started: str = ""
    seconds: float | None = None
    reason: str = ""
    retry_of: int | None = None
    attempt: int = 1
    is_default: bool = False
    has_weights: bool = False

    @property
    def key(self) -> str:
        """Name of the trial's folder: ``0003``, or ``0003-seed-43`` where it confirms trial 3."""
        return trial_key(self.index, None if self.confirms is None else self.seed)

    def to_json(self) -> dict[str, Any]:
        """Return the record as a dict that JSON can carry."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> TrialRecord:
        """Return the record that :meth:`to_json` described; keys of later versions are passed over."""
        known = {entry.name for entry in fields(cls)}
        return cls(**{key: value for key, value in content.items() if key in known})


def trial_key(index: int, seed: int | None = None) -> str:
    """Return the folder name of trial *index*, or of the run that confirms it with *seed*."""
    return f"{index:04d}" if seed is None else f"{index:04d}-seed-{seed}"


@dataclass(frozen=True)
class TrialFolder:
    """Paths inside one trial's folder, ``jobs/<id>/trials/<key>``.

    Parameters
    ----------
    path
        That folder.
    """

    path: Path

    @property
    def plan_file(self) -> Path:
        """The resolved plan of this trial alone."""
        return self.path / "plan.json"

    @property
    def record_file(self) -> Path:
        """What became of it."""
        return self.path / "trial.json"

    @property
    def events(self) -> Path:
        """Its curves, as events of a run."""
        return self.path / "events.jsonl"

    @property
    def lease(self) -> Path:
        """Locked by the worker that carries it out, as long as that lives."""
        return self.path / "lease.lock"

    @property
    def weights(self) -> Path:
        """The model at its best step, an ordinary sentence-transformers folder, where it is kept."""
        return self.path / "model"

    def plan(self) -> dict[str, Any]:
        """Read the plan."""
        return json.loads(self.plan_file.read_text())

    def record(self) -> TrialRecord:
        """Read the record; a trial said to run whose lease nobody holds is lost."""
        alive = is_held(self.lease)  # asked first: a trial that ends in between is seen as it ended
        record = TrialRecord.from_json(json.loads(self.record_file.read_text()))
        if record.state == "running" and not alive:
            return TrialRecord.from_json({**record.to_json(), "state": "lost"})
        return record

    def drop_unfinished(self) -> None:
        """Delete what an attempt that never ended left beside plan, record and events: weights, whole or not.

        The caller holds the lease, or knows that nobody does.
        """
        told = {self.plan_file, self.record_file, self.events, self.lease}
        for path in set(self.path.iterdir()) - told:
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)

    def write(self, record: TrialRecord) -> None:
        """Replace the record; a reader sees the old one or the new one."""
        temporary = self.record_file.with_suffix(".tmp")
        temporary.write_text(json.dumps(record.to_json(), ensure_ascii=False))
        temporary.replace(self.record_file)


def trial_folders(job: Path) -> list[TrialFolder]:
    """Return the trials of the job folder *job* that have a record, by index, confirming runs last."""
    found = [TrialFolder(path) for path in (job / TRIALS).glob("[0-9]*") if (path / "trial.json").is_file()]
    return sorted(found, key=lambda folder: ("seed" in folder.path.name, folder.path.name))
