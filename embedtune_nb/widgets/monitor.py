"""The live picture of a training job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import traitlets
from ipywidgets import widget_serialization

from embedtune_nb.widgets import static_twin
from embedtune_nb.widgets.base import Widget
from embedtune_nb.widgets.control import JobControl, outside_the_cell
from embedtune_nb.widgets.publisher import Publisher
from embedtune_nb.widgets.regressions_table import RegressionsTable
from embedtune_nb.widgets.summary import recipe_of, series_frame, summary_of

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd


class TrainingMonitor(Widget, stem="monitor"):
    """A job while it runs and after: phases, curves, plan, log, code, verdict, what got worse, and Stop.

    Several monitors may show the same job, from several kernels too; each one only reads.

    Parameters
    ----------
    job
        The job to show. Its `feed()` is polled on one background thread until the job has ended.

    Examples
    --------
    >>> job = PretrainedEmbeddingModel.MINILM_L6.finetune("api-docs", data, background=True)  # doctest: +SKIP
    >>> TrainingMonitor(job)  # the same as showing `job`  # doctest: +SKIP
    """

    summary = traitlets.Dict().tag(sync=True)
    recipe = traitlets.Dict().tag(sync=True)
    log_tail = traitlets.Unicode("").tag(sync=True)
    regressions = traitlets.Instance(RegressionsTable, allow_none=True).tag(sync=True, **widget_serialization)
    """What got worse, once somebody has asked for it."""
    regressions_problem = traitlets.Unicode("").tag(sync=True)
    control = traitlets.Instance(JobControl, allow_none=True).tag(sync=True, **widget_serialization)

    _publisher: Publisher | None = None

    def __init__(self, job: Any) -> None:
        self._job, self._feed = job, job.feed()
        self._feed.poll()
        self._publisher = Publisher(self._feed, self)
        commands = {
            "stop": self._stop,
            "snapshot": self._publisher.want_snapshot,
            "log": self._publisher.want_log,
            "regressions": self._publisher.want_regressions,
        }
        super().__init__(
            summary=summary_of(self._feed.snapshot),
            recipe=recipe_of(self._feed.snapshot),
            control=JobControl.detached(commands),
        )
        self._publisher.start()

    @property
    def job(self) -> Any:
        """The job that is shown."""
        return self._job

    def to_frame(self) -> pd.DataFrame:
        """Return every value so far, one row each: `metric`, `step`, `epoch`, `seconds`, `value`."""
        with self._feed.lock:
            return series_frame(self._feed.snapshot)

    def chart(self) -> alt.Chart:
        """Return the two curves, training loss and evaluation metric, as an Altair chart."""
        with self._feed.lock:
            return static_twin.chart_of(self._feed.snapshot)

    def close(self) -> None:
        """End the background thread and remove the widget from the page. The job itself goes on."""
        if self._publisher is not None:  # a constructor that was refused leaves none
            self._publisher.close()
        for part in (self.control, self.regressions):
            if part is not None:
                part.close()
        super().close()

    def fallback_html(self) -> str:
        with self._feed.lock:
            return static_twin.text_html(self._feed.snapshot)

    def read_log(self) -> str:
        """Return the end of the job's log, for the Log fold-out."""
        return self._job.log()

    def find_regressions(self) -> None:
        """Show what got worse, or why that cannot be told."""
        if self.regressions is not None:
            return
        self.regressions_problem = ""
        try:
            found = self._job.result().regressions()
        except Exception as error:  # a thread's traceback would go nowhere a user looks
            self.regressions_problem = f"What got worse cannot be told: {error}"
        else:
            self.regressions, _ = outside_the_cell(lambda: RegressionsTable(found))

    def _stop(self) -> None:
        try:
            self._job.stop()
        except Exception as error:  # a callback's traceback would go nowhere a user looks
            self._publisher.complain(f"Stop did not work: {error}")

    def __repr__(self) -> str:
        with self._feed.lock:
            return f"TrainingMonitor({static_twin.top_line(self._feed.snapshot)})"
