"""The trials of a sweep as a list, a table and pictures."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, overload

from embedtune_nb.errors import NotFoundError
from embedtune_nb.evaluation.metrics import directed_name
from embedtune_nb.jobs.job import Job
from embedtune_nb.latebound import late
from embedtune_nb.sweep.importance import importance
from embedtune_nb.sweep.ranking import best_first
from embedtune_nb.sweep.snapshot import SweepSnapshot
from embedtune_nb.sweep.trial import Trial

if TYPE_CHECKING:
    import pandas as pd

_FIRST = ("index", "state", "rank")
_LAST = ("seconds", "seed", "retry_of", "confirms", "is_default", "has_weights", "reason")
_CURVES = 5
_SHOWN_LAST = ("seconds", "reason")


class Trials(Sequence[Trial]):
    """The trials of one sweep, as of the moment it was asked for; ``trials[3]`` is the trial of index 3.

    A worker that is killed as it claims a trial can leave an index out.

    Runs that confirm a trial with another seed are no trials: they stand in :attr:`confirmations`, and in
    :meth:`to_frame` below the trials with `confirms` set.

    Parameters
    ----------
    name
        Of the model that the sweep makes.
    snapshot
        The sweep; None of a single run, which has no trials.
    trials
        All its trials and confirming runs.
    job
        The sweep's; None where only the model is left.
    """

    def __init__(
        self,
        name: str,
        snapshot: SweepSnapshot | None,
        trials: Iterable[Trial] = (),
        *,
        job: Job | None = None,
    ) -> None:
        every = list(trials)
        self._name, self._sweep, self._job = name, snapshot, job
        self._trials = [trial for trial in every if trial.record.confirms is None]
        self._confirmations = [trial for trial in every if trial.record.confirms is not None]

    @overload
    def __getitem__(self, place: int) -> Trial: ...
    @overload
    def __getitem__(self, place: slice) -> list[Trial]: ...
    def __getitem__(self, place: int | slice) -> Trial | list[Trial]:
        if isinstance(place, slice) or place < 0:
            return self._trials[place]
        found = [trial for trial in self._trials if trial.index == place]
        if not found:
            last = f"0 to {self._trials[-1].index}" if self._trials else "none yet"
            raise IndexError(f"There is no trial {place}; there are: {last}.")
        return found[0]

    def __iter__(self) -> Iterator[Trial]:
        return iter(self._trials)

    def __reversed__(self) -> Iterator[Trial]:
        return reversed(self._trials)

    def __len__(self) -> int:
        return len(self._trials)

    @property
    def snapshot(self) -> SweepSnapshot:
        """All that is known of the sweep, as plain values.

        Raises
        ------
        NotFoundError
            If there was no sweep.
        """
        if self._sweep is None:
            raise NotFoundError(
                f"{self._name!r} was made by a single run, which has no trials.",
                fix="finetune(..., trial_count=9) searches for better settings.",
            )
        return self._sweep

    @property
    def best(self) -> Trial:
        """The trial that won: on new seeds, once the confirming runs are done; before that, by its score.

        Raises
        ------
        NotFoundError
            If no trial has a score yet.
        """
        snapshot = self.snapshot
        best = snapshot.best
        wanted = (snapshot.decision or {}).get("winner", None if best is None else best.index)
        found = [trial for trial in self._trials if trial.index == wanted]
        if not found:
            raise NotFoundError(
                f"No trial of {self._name!r} has ended with a score: {_counts(self._trials)}.",
                fix="wait for the first one; of failed trials, trial.reason says why.",
            )
        return found[0]

    @property
    def confirmations(self) -> list[Trial]:
        """The runs that repeated the best trials with new seeds; they are not counted as trials."""
        return list(self._confirmations)

    @property
    def job(self) -> Job | None:
        """The sweep's job; None where only the published model is left."""
        return self._job

    @property
    def decision(self) -> dict[str, Any] | None:
        """How the winner was named; None before.

        ``winner`` and ``proposed`` (the cheaper one of a tie) are indices, ``tie``, ``reason``, ``band``
        (two that differ by less are a tie), ``optimism_gap`` (what the winning score lost on new seeds) and
        ``confirmed`` (index, seeds, scores, mean, seconds of each that was confirmed).
        """
        return self.snapshot.decision

    def to_frame(self) -> pd.DataFrame:
        """Return one row a trial, confirming runs last.

        Returns
        -------
        pandas.DataFrame
            `index`, `state`, `rank`, a column for each dimension that was searched, `score`, a column for
            each metric (``eval/loss`` is the loss on the selection part), `seconds`, `seed`, `retry_of`,
            `confirms`, `is_default`, `has_weights`, `reason`. What has no effect or is not known yet is
            missing, and so is a choice of None.
        """
        import pandas as pd

        searched = [dimension.name for dimension in self._sweep.dimensions] if self._sweep else []
        every = [*self._trials, *self._confirmations]
        metrics = dict.fromkeys(_column(name) for trial in every for name in trial.metrics)
        columns = [*_FIRST, *searched, "score", *metrics, *_LAST]
        rows = []
        for trial in every:
            record = trial.record
            rows.append(
                {"index": trial.index, "state": trial.state, "rank": trial.rank}
                | {"score": trial.score}
                | {_column(name): value for name, value in trial.metrics.items()}
                | {name: getattr(record, name) for name in _LAST}
                | trial.hyperparameters
            )
        frame = pd.DataFrame(rows, columns=columns)
        whole = {"rank", "retry_of", "confirms"} | {
            dimension.name
            for dimension in (self._sweep.dimensions if self._sweep else ())
            if dimension.kind == "int"
        }
        return frame.astype(dict.fromkeys(sorted(whole), "Int64"))

    def importance(self) -> pd.DataFrame:
        """Return how much each dimension mattered for being among the best (PED-ANOVA).

        Returns
        -------
        pandas.DataFrame
            `dimension` and `importance`, shares that add up to 1, the largest first. Below 15 finished
            trials the order is mostly chance, as :attr:`caution` says.
        """
        return importance(self.snapshot)

    @property
    def caution(self) -> str:
        """What to bear in mind about :meth:`importance`; empty where there are enough trials."""
        return str(self.importance().attrs["caution"])

    def history(self) -> Any:
        """Draw the score of each trial and the best so far (Altair)."""
        return late("sweep_history")(self._drawn(), **self._look())

    def parallel(self) -> Any:
        """Draw each trial as a line across all dimensions, coloured by its score (Altair)."""
        return late("sweep_parallel")(self._drawn(), self.snapshot.dimensions, **self._look())

    def slices(self) -> Any:
        """Draw the score over each dimension, one panel each (Altair)."""
        return late("sweep_slices")(self._drawn(), self.snapshot.dimensions, **self._look())

    def curves(self, indices: Iterable[int] | None = None) -> Any:
        """Draw the learning curves of trials over each other (Altair).

        Parameters
        ----------
        indices
            Which trials. None: the five best.

        Raises
        ------
        NotFoundError
            If there is no trial of an index.
        """
        import pandas as pd

        by_index = {trial.index: trial for trial in self._trials}
        if indices is None:
            snapshot = self.snapshot
            indices = [t.index for t in best_first(snapshot.trials, snapshot.higher_is_better)[:_CURVES]]
        wanted = list(indices) or list(by_index)[:_CURVES]
        unknown = [index for index in wanted if index not in by_index]
        if unknown:
            raise NotFoundError(
                f"There is no trial {unknown[0]}.", expected=f"one of {', '.join(map(str, by_index))}"
            )
        frames = [by_index[index].curve.assign(trial=index) for index in wanted]
        frame = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()
        return late("sweep_curves")(frame, metric=self.snapshot.metric, base=self.snapshot.base_score)

    def importance_chart(self) -> Any:
        """Draw :meth:`importance` as bars (Altair)."""
        return late("sweep_importance")(self.importance(), caution=self.caution)

    def browse(self) -> Any:
        """Show the sweep in a notebook: table, history, parallel coordinates, curves, importance."""
        _ = self.snapshot  # a single run says so
        return late("trial_browser")(self)

    def __repr__(self) -> str:
        if self._sweep is None:
            return (
                f"Trials([]): {self._name!r} was made by a single run; finetune(..., trial_count=9) searches."
            )
        table = self._table().to_string(index=False, na_rep="") if self._trials else ""
        return f"{self._headline()}\n{table}".rstrip()

    def _repr_html_(self) -> str:
        if self._sweep is None:
            return f"<p>{html.escape(repr(self))}</p>"
        table = self._table().to_html(index=False, border=0, na_rep="", escape=True)
        return f"<div><p><b>{html.escape(self._headline())}</b></p>{table}</div>"

    def _headline(self) -> str:
        snapshot = self.snapshot
        line = f"{len(self)} trials of {self._name!r} ({_counts(self._trials)})"
        best = snapshot.best
        if best is not None:
            line += f", best {directed_name(snapshot.metric)} {best.score:.3f} in trial {best.index}"
        if snapshot.base_score is not None:
            line += f", base {snapshot.base_score:.3f}"
        if snapshot.decision:
            reason = str(snapshot.decision["reason"])
            line += f". Winner: trial {snapshot.decision['winner']}. {reason[:1].upper()}{reason[1:]}"
        return line

    def _table(self) -> pd.DataFrame:
        frame = self.to_frame()
        searched = [dimension.name for dimension in self.snapshot.dimensions]
        optional = [one.name for one in self.snapshot.dimensions if None in one.choices]
        frame = frame.fillna(dict.fromkeys(optional, "none"))
        kept = [
            *_FIRST,
            *searched,
            "score",
            *(["confirms", "seed"] * bool(self._confirmations)),
            *_SHOWN_LAST,
        ]
        frame = frame[[name for name in kept if name != "reason" or frame["reason"].any()]]
        numbers = frame.select_dtypes("float").columns
        return frame.assign(
            **{name: frame[name].map("{:.4g}".format, na_action="ignore") for name in numbers}
        )

    def _drawn(self) -> pd.DataFrame:
        snapshot, frame = self.snapshot, self.to_frame()
        if not snapshot.trials:
            raise NotFoundError(
                f"The sweep {self._name!r} has no trials yet.", fix="wait for the first one to begin."
            )
        return frame

    def _look(self) -> dict[str, Any]:
        snapshot = self.snapshot
        return {
            "metric": snapshot.metric,
            "higher_is_better": snapshot.higher_is_better,
            "base": snapshot.base_score,
        }


def _column(metric: str) -> str:
    """Return the column of a metric: a searched loss has one of that name."""
    return "eval/loss" if metric == "loss" else metric


def _counts(trials: Sequence[Trial]) -> str:
    counted = Counter(trial.state for trial in trials)
    return ", ".join(f"{count} {state}" for state, count in counted.most_common()) or "none yet"
