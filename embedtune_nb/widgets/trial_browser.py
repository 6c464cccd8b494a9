"""A sweep to browse: its trials as table, history, parallel coordinates, curves, slices and importance."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import traitlets
from ipywidgets import widget_serialization

from embedtune_nb.sweep.feed import SweepFeed
from embedtune_nb.sweep.importance import importance
from embedtune_nb.sweep.reading import trials_of_job
from embedtune_nb.sweep.snapshot import SweepSnapshot
from embedtune_nb.sweep.trial import Trial
from embedtune_nb.sweep.trials import Trials
from embedtune_nb.widgets import sweep_twin
from embedtune_nb.widgets.base import Widget
from embedtune_nb.widgets.control import JobControl
from embedtune_nb.widgets.errands import Errands
from embedtune_nb.widgets.summary import recipe_of
from embedtune_nb.widgets.trial_detail import detail_of
from embedtune_nb.widgets.trial_publisher import TrialPublisher
from embedtune_nb.widgets.trial_rows import sweep_summary

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd

KEYS_MAX = 24


class TrialBrowser(Widget, stem="trial_browser"):
    """A sweep while it runs and after; what is selected or filtered in one view is so in all.

    Drag along an axis of the parallel coordinates to filter, click a trial for its plan, its differences
    from the defaults and its code. Several browsers may show the same sweep, from several kernels too.

    Parameters
    ----------
    source
        A sweep's job, or the trials of a published model, `model.trials`.

    Examples
    --------
    >>> job = PretrainedEmbeddingModel.MINILM_L6.finetune(
    ...     "api-docs", data, trial_count=9, background=True
    ... )  # doctest: +SKIP
    >>> TrialBrowser(job)  # the same as showing `job`  # doctest: +SKIP
    """

    summary = traitlets.Dict().tag(sync=True)
    recipe = traitlets.Dict().tag(sync=True)
    rows = traitlets.List().tag(sync=True)
    importance = traitlets.Dict(allow_none=True, default_value=None).tag(sync=True)
    control = traitlets.Instance(JobControl, allow_none=True).tag(sync=True, **widget_serialization)

    _publisher: TrialPublisher | None = None

    def __init__(self, source: Any) -> None:
        self._trials: Trials | None = source if isinstance(source, Trials) else None
        self._job = source.job if isinstance(source, Trials) else source
        self._feed = _StillFeed(source.snapshot) if self._job is None else SweepFeed(self._job.folder)
        self._feed.poll()
        self._errands = Errands("embedtune-trials")
        #: called when the sweep goes on after its end, whoever gave it more trials
        self.when_grown: Callable[[], None] = lambda: None
        self._publisher = TrialPublisher(self._feed, self)
        with self._feed.lock:
            summary = sweep_summary(self._feed.snapshot, can_grow=self.can_grow)
            recipe = recipe_of(self._feed.snapshot.job)
        commands: dict[str, Callable[..., None]] = {
            "stop": self._stop,
            "snapshot": self._publisher.want_snapshot,
            "log": self._publisher.want_log,
            "importance": self._publisher.want_importance,
            "look": self._look,
            "add_trials": self._add_trials,
            "publish": self._publish,
            "train_again": self._train_again,
        }
        super().__init__(
            summary=summary,
            recipe=recipe,
            rows=self._publisher.rows(),
            control=JobControl.detached(commands),
        )
        self._publisher.start()

    @property
    def job(self) -> Any:
        """The sweep's job; None where only the published model is left."""
        return self._job

    @property
    def can_grow(self) -> bool:
        """Whether trials can be added to the sweep."""
        return self._job is not None

    @property
    def trials(self) -> Trials:
        """The trials as they stand now."""
        if self._job is not None:
            return trials_of_job(self._job)
        assert self._trials is not None
        return self._trials

    def to_frame(self) -> pd.DataFrame:
        """Return one row a trial, as `model.trials.to_frame()` does."""
        return self.trials.to_frame()

    def chart(self) -> alt.Chart:
        """Return the history of the sweep as an Altair chart; `.trials` has all the others."""
        return self.trials.history()

    def close(self) -> None:
        """End the background threads and remove the widget from the page. The sweep itself goes on."""
        if self._publisher is not None:  # a constructor that was refused leaves none
            self._errands.close()
            self._publisher.close()
        if self.control is not None:
            self.control.close()
        super().close()

    def fallback_html(self) -> str:
        with self._feed.lock:
            return sweep_twin.text_html(self._feed.snapshot)

    def read_log(self) -> str:
        """Return the end of the job's log, for the Log fold-out."""
        return "" if self._job is None else self._job.log()

    def reckon_importance(self) -> None:
        """Have the importance of the hyperparameters reckoned and shown."""
        with self._feed.lock:
            snapshot = replace(self._feed.snapshot, trials=list(self._feed.snapshot.trials))
        self._errands.ask(
            "importance", lambda: _shares(snapshot), self._publisher.show_importance, self._complain
        )

    def _stop(self) -> None:
        self._errands.ask("stop", lambda: self._job and self._job.stop(), lambda _: None, self._complain)

    def _add_trials(self, count: Any) -> None:
        self._errands.ask(
            "add",
            lambda: self._job.add_trials(count),
            lambda _: self._publisher.complain(""),  # what was wrong before is not so any more
            self._complain,
        )

    def _look(self, keys: Any) -> None:
        wanted = [key for key in keys if isinstance(key, str)][:KEYS_MAX] if isinstance(keys, list) else []
        self._publisher.want_curves(wanted)
        self._errands.ask(f"look {wanted}", lambda: self._details(wanted), self._tell_details, self._complain)

    def _details(self, keys: list[str]) -> dict[str, dict[str, Any]]:
        trials = self.trials
        found = {trial.record.key: trial for trial in (*trials, *trials.confirmations)}
        name = trials.snapshot.job.name
        return {key: detail_of(found[key], name) for key in keys if key in found}

    def _tell_details(self, details: dict[str, dict[str, Any]]) -> None:
        for key, detail in details.items():
            self._publisher.post({"type": "detail", "key": key, "detail": detail})

    def _publish(self, key: Any, name: Any) -> None:
        self._make("publish", key, name, lambda trial: trial.publish(name, background=True))

    def _train_again(self, key: Any, name: Any) -> None:
        self._make("train_again", key, name, lambda trial: trial.train_again(name))

    def _make(self, what: str, key: Any, name: Any, make: Callable[[Trial], Any]) -> None:
        """Have a model made of a trial by a job of its own, and tell what came of the asking."""
        verb = {
            "publish": "Trial {} is being published",
            "train_again": "Training with the settings of trial {}",
        }

        def work() -> dict[str, Any]:
            trials = self.trials
            trial = next(one for one in (*trials, *trials.confirmations) if one.record.key == key)
            job = make(trial)
            text = f"{verb[what].format(trial.index)} as {name!r}."
            return {"text": text, "ok": True, "python": f'import embedtune_nb as et; et.Job.open("{job.id}")'}

        self._errands.ask(
            what,
            work,
            lambda told: self._publisher.post({"type": "told", **told}),
            lambda error: self._publisher.post(
                {"type": "told", "text": str(error), "ok": False, "python": ""}
            ),
        )

    def _complain(self, error: Exception) -> None:
        self._publisher.complain(str(error))

    def __repr__(self) -> str:
        with self._feed.lock:
            return f"TrialBrowser({sweep_twin.top_line(self._feed.snapshot)})"


class _StillFeed:
    """A feed of a sweep that is over."""

    def __init__(self, snapshot: SweepSnapshot) -> None:
        self.snapshot = snapshot
        self.lock = threading.RLock()

    def poll(self) -> bool:
        """Nothing happens any more."""
        return False


def _shares(snapshot: SweepSnapshot) -> dict[str, Any]:
    frame = importance(snapshot)
    return {
        "rows": [[str(row.dimension), float(row.importance)] for row in frame.itertuples()],
        "caution": frame.attrs["caution"],
    }
