"""One trial of a sweep as a value: what it tried, what came of it, and what can be made of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from embedtune_nb.errors import NotFoundError
from embedtune_nb.evaluation.metrics import display_name
from embedtune_nb.jobs.feed import Series
from embedtune_nb.latebound import late
from embedtune_nb.plan.defaults import default_of
from embedtune_nb.plan.dimension import Dimension
from embedtune_nb.plan.hyperparams import HYPERPARAMS
from embedtune_nb.plan.losses import DEFAULT_LOSS
from embedtune_nb.plan.plan import Plan
from embedtune_nb.sweep.trial_folder import TrialFolder, TrialRecord

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, repr=False)
class Trial:
    """One trial, or one run that confirms a trial with another seed.

    Attributes
    ----------
    record
        What became of it.
    curves
        Its series by name.
    rank
        Among all trials, 1 for the best; those that nobody can tell apart share one. None without a score.
    dimensions
        What the sweep searched.
    read_plan
        Returns the resolved plan.
    folder
        Where its plan, curves and weights lie; None when the sweep's job was deleted.
    """

    record: TrialRecord
    curves: Mapping[str, Series]
    rank: int | None
    dimensions: tuple[Dimension, ...]
    read_plan: Callable[[], Plan]
    folder: TrialFolder | None

    @property
    def index(self) -> int:
        """Its number in the sweep, from 0; of a confirming run that of the trial it repeats."""
        return self.record.index

    @property
    def state(self) -> str:
        """``running, done, pruned, failed, stopped`` or ``lost``; *reason* says why."""
        return self.record.state

    @property
    def reason(self) -> str:
        """Why it failed, was pruned, stopped or lost; else empty."""
        return self.record.reason

    @property
    def hyperparameters(self) -> dict[str, Any]:
        """What the sweep chose for it; all other settings stand in *plan*."""
        return dict(self.record.values)

    @property
    def score(self) -> float | None:
        """The best value of the selecting metric, on the selection part; None before the first evaluation."""
        return self.record.score

    @property
    def metrics(self) -> dict[str, float]:
        """All metrics of the selection part, and the training loss, at the best step."""
        return dict(self.record.metrics)

    @property
    def seconds(self) -> float | None:
        """Wall time."""
        return self.record.seconds

    @property
    def seed(self) -> int:
        """Of shuffling and new weights."""
        return self.record.seed

    @property
    def curve(self) -> pd.DataFrame:
        """All its metrics: columns metric, step, epoch, seconds, value."""
        import pandas as pd

        rows = [
            (name, *point)
            for name, series in self.curves.items()
            for point in zip(series.step, series.epoch, series.wall, series.value, strict=True)
        ]
        return pd.DataFrame(rows, columns=["metric", "step", "epoch", "seconds", "value"])

    @cached_property
    def plan(self) -> Plan:
        """Every setting of this trial, resolved, with its source and reason."""
        return self.read_plan()

    @property
    def code(self) -> str:
        """The Python cell that repeats it as a single run."""
        return self.plan.code

    @property
    def weights(self) -> Path:
        """The folder with its weights at the best step, an ordinary sentence-transformers model.

        Raises
        ------
        NotFoundError
            If they were not kept.
        """
        if self.folder is not None and self.folder.weights.is_dir():
            return self.folder.weights
        if self.folder is None:
            raise NotFoundError(
                f"The weights of {self} are gone: the folder of its sweep's job was deleted.",
                fix="trial.code trains it again.",
            )
        if self.state != "done":
            raise NotFoundError(
                f"There are no weights of {self}.",
                expected="a trial that ran to its end",
                fix="wait until it is done."
                if self.state == "running"
                else 'trial.train_again("new-name") trains it again as a run of its own.',
            )
        raise NotFoundError(
            f"The weights of {self} were not kept.",
            expected="one of the best trials: a sweep keeps the weights of as many as keep_trials says",
            fix='trial.train_again("new-name") trains it again; next time pass '
            'hyperparams={"keep_trials": 5}, say, beside trial_count.',
        )

    def diff(self) -> pd.DataFrame:
        """Return in what it differs from the defaults of its loss: columns setting, default, tried.

        What was asked for with the sweep is listed beside what the sweep chose. The default of what was
        searched is what the first trial tried, except where it follows the loss; one that depends on data or
        model and was not searched is None.
        """
        import pandas as pd

        loss = str(self.plan["loss"])
        tried = {
            name: setting.value for name, setting in self.plan.settings.items() if setting.source == "user"
        } | self.hyperparameters
        rows = []
        for name, value in tried.items():
            default = self._default(name, loss)
            if default != value:
                rows.append((name, default, value))
        return pd.DataFrame(rows, columns=["setting", "default", "tried"], dtype=object)

    def open(self) -> Any:
        """Return its kept weights as a model that embeds, evaluates and can be fine-tuned.

        Returns
        -------
        PretrainedEmbeddingModel
            Over the folder of the weights.

        Raises
        ------
        NotFoundError
            If its weights were not kept.
        """
        return late("open_folder")(str(self.weights))

    def publish(self, name: str, *, background: bool = False, executor: str = "process") -> Any:
        """Judge its kept weights on the verdict part and publish them under *name*.

        Parameters
        ----------
        name
            Unique, as for ``finetune``.
        background
            True: return the job at once.
        executor
            ``"process"`` or ``"thread"``.

        Returns
        -------
        FinetunedEmbeddingModel or Job
            The job if *background*.

        Raises
        ------
        NotFoundError
            If its weights were not kept.
        AlreadyExistsError
            If *name* is taken.
        """
        return late("publish_trial")(self, name, background=background, executor=executor)

    def train_again(
        self, name: str, *, continue_from: bool = False, executor: str = "process", **changes: Any
    ) -> Any:
        """Train with its settings on the same rows as a run of its own, and publish the model as *name*.

        Parameters
        ----------
        name
            Unique, as for ``finetune``.
        continue_from
            True: start from its kept weights instead of the base model.
        executor
            ``"process"`` or ``"thread"``.
        **changes
            Hyperparameters, ``loss`` or ``seed`` that shall differ.

        Returns
        -------
        Job
            At work; ``.result()`` waits for the model.

        Raises
        ------
        NotFoundError
            If the data is no longer kept with the sweep's job, or, with *continue_from*, the weights.
        AlreadyExistsError
            If *name* is taken.
        PlanError
            If a change is no good.
        """
        return late("train_trial_again")(self, name, changes, continue_from=continue_from, executor=executor)

    def _default(self, name: str, loss: str) -> Any:
        starts = {dimension.name: dimension.start for dimension in self.dimensions}
        if "loss" in starts and (of_loss := default_of(name, loss)) is not None:
            return of_loss
        if name in starts:
            return starts[name]
        if name == "loss":
            return DEFAULT_LOSS[self.plan.data["kind"]]
        return HYPERPARAMS[name].default_for(loss) if name in HYPERPARAMS else None

    def __repr__(self) -> str:
        who = f"trial {self.index}"
        if self.record.confirms is not None:
            who += f" with seed {self.seed}"
        parts = [self.state]
        if self.score is not None:
            parts.append(f"{display_name(self.record.metric)} {self.score:.3f}")
        parts += [f"{name}={written(value)}" for name, value in self.record.values.items()]
        return f"{who} ({', '.join(parts)})"


def written(value: Any) -> str:
    """Return a searched value as people read it."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
