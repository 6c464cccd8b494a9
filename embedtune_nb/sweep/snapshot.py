"""Everything that a watcher shows of a sweep, from its files or from the model it made."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from embedtune_nb.errors import NotFoundError
from embedtune_nb.jobs.feed import JobSnapshot, Series
from embedtune_nb.plan.dimension import Dimension
from embedtune_nb.sweep.ranking import best_so_far, best_trial, ranks
from embedtune_nb.sweep.trial_folder import COUNTED, TrialRecord

#: Beside the weights of a model that a sweep made.
TRIALS_FILE = "trials.json"


@dataclass
class SweepSnapshot:
    """A sweep as of the last poll.

    Attributes
    ----------
    job
        State, phase, notices and verdict of the job as a whole.
    metric
        Name of the metric that selects, without ``eval/``.
    higher_is_better
        Of that metric.
    base_score
        Its value on the selection part before any training, of several base models the best one; None before
        it is known.
    trial_count
        The budget: trials that end done, pruned or failed. Confirming runs are not counted.
    dimensions
        What is searched.
    trials
        By index, runs that confirm another with a new seed last. A running trial has the steps, the seconds
        and the best score that its curve has reached.
    curves
        By the key of the trial: its series by name (``train/loss``, ``eval/ndcg@10``).
    settings
        By the key of the trial: its resolved settings, ``{"value", "source", "reason"}`` by name.
    codes
        By the key of the trial: the cell that repeats it as a single run.
    decision
        What the confirming runs decided; None before.
    """

    job: JobSnapshot
    metric: str
    higher_is_better: bool
    base_score: float | None = None
    trial_count: int = 0
    dimensions: tuple[Dimension, ...] = ()
    trials: list[TrialRecord] = field(default_factory=list)
    curves: dict[str, dict[str, Series]] = field(default_factory=dict)
    settings: dict[str, dict[str, Any]] = field(default_factory=dict)
    codes: dict[str, str] = field(default_factory=dict)
    decision: dict[str, Any] | None = None

    @property
    def band(self) -> float | None:
        """Trials that differ by less are a tie; None before the confirming runs."""
        return (self.decision or {}).get("band")

    @property
    def best(self) -> TrialRecord | None:
        """The trial with the best score of the search; which one won is said by *decision*."""
        return best_trial(self.trials, self.higher_is_better)

    @property
    def best_so_far(self) -> list[tuple[int, float]]:
        """``(index, best score up to this trial)`` of each scored trial."""
        return best_so_far(self.trials, self.higher_is_better)

    @property
    def ranks(self) -> dict[str, int]:
        """Rank of each scored trial by its key; those within *band* share one."""
        return ranks(self.trials, self.higher_is_better, band=self.band, decision=self.decision)


def snapshot_of_model(folder: Path) -> SweepSnapshot:
    """Return the sweep that made the model in *folder*, from the files beside its weights.

    Raises
    ------
    NotFoundError
        If no sweep made it.
    """
    try:
        kept = json.loads((folder / TRIALS_FILE).read_text())
    except FileNotFoundError:
        raise NotFoundError(
            f"The model in {folder} was not made by a sweep: there is no {TRIALS_FILE}.",
            fix="finetune(..., trial_count=9) makes one with trials.",
        ) from None
    facts = json.loads((folder / "embedtune.json").read_text())
    records = [TrialRecord.from_json(trial) for trial in kept["trials"]]
    by_key = {record.key: trial for record, trial in zip(records, kept["trials"], strict=True)}
    counted = sum(record.confirms is None and record.state in COUNTED for record in records)
    metric = kept["metric"]
    job = JobSnapshot(
        id=facts["job"],
        kind="sweep",
        name=facts["name"],
        state="done",
        steps_total=counted,
        steps_completed=counted,
        primary=f"eval/{metric}",
        higher_is_better=kept["higher_is_better"],
        verdict=facts["verdict"],
        decision=kept["decision"],
        plan=facts["plan"],
        code=facts["plan"].get("code", ""),
    )
    return SweepSnapshot(
        job=job,
        metric=metric,
        higher_is_better=kept["higher_is_better"],
        base_score=kept["base_score"],
        trial_count=counted,
        dimensions=tuple(map(Dimension.from_json, kept["space"])),
        trials=records,
        curves={key: _series(trial.get("curves", {})) for key, trial in by_key.items()},
        settings={key: trial.get("settings", {}) for key, trial in by_key.items()},
        codes={key: trial.get("code", "") for key, trial in by_key.items()},
        decision=kept["decision"],
    )


def _series(curves: Mapping[str, Mapping[str, list[float]]]) -> dict[str, Series]:
    return {
        name: Series(points["step"], points["epoch"], [float("nan")] * len(points["step"]), points["value"])
        for name, points in curves.items()
    }
