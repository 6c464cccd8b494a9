"""Show a job while somebody waits for it: a monitor in a notebook, lines of text in a terminal."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Any, TextIO

from embedtune_nb.jobs.feed import FINAL_STATES
from embedtune_nb.widgets import static_twin
from embedtune_nb.widgets.control import running_kernel

POLL_SECONDS = 0.1
_LAST_SECONDS = 15.0


def watch(job: Any) -> None:
    """Show *job* live and wait for its end; an interrupt of the cell ends the waiting only.

    In a notebook this displays a :class:`TrainingMonitor`, of a sweep a :class:`TrialBrowser`, and below
    it, when the job ends, its static twin: ordinary output, so that the saved notebook tells its story
    without a kernel.
    Elsewhere it writes text to standard error, in place on a terminal, else a line for every tenth.

    Parameters
    ----------
    job
        The job to show.
    """
    shown = show(job)
    job.wait()
    shown.finish()


def display_job(job: Any) -> None:
    """Display *job* at the end of a cell: a monitor in a notebook, its one-line repr in a terminal."""
    if running_kernel() is not None:
        shown = NotebookWatch(job)
        if job.status in FINAL_STATES:  # its picture is ready at once, so that a notebook run unseen keeps it
            shown.finish()
    else:
        sys.stdout.write(f"{job!r}\n")


def show(job: Any) -> NotebookWatch | TerminalWatch:
    """Show *job* as :func:`watch` does and return at once; a background thread keeps it up to date.

    Parameters
    ----------
    job
        The job to show.

    Returns
    -------
    NotebookWatch or TerminalWatch
        Its `finish()` waits until the end of an ended job has been shown.
    """
    return NotebookWatch(job) if running_kernel() is not None else TerminalWatch(job)


class NotebookWatch:
    """A displayed monitor and the place below it where the static twin will stand."""

    def __init__(self, job: Any) -> None:
        from IPython.display import HTML, display

        from embedtune_nb.widgets.job_view import view_of
        from embedtune_nb.widgets.trial_browser import TrialBrowser

        self._job, self._feed = job, job.feed()
        self.monitor = view_of(job)
        display(self.monitor)
        self._place = display(HTML(""), display_id=True)
        self._follow()
        if isinstance(self.monitor, TrialBrowser):
            self.monitor.when_grown = self._follow  # the picture of a sweep that went on is drawn anew

    def finish(self) -> None:
        """Wait until the static twin stands in the notebook."""
        self._thread.join(_LAST_SECONDS)

    def _follow(self) -> None:
        self._thread = threading.Thread(target=self._leave_twin, name="embedtune-twin", daemon=True)
        self._thread.start()

    def _leave_twin(self) -> None:
        from IPython.display import HTML

        if _until_final(self._feed, lambda snapshot: None):
            self._place.update(HTML(self._twin()))

    def _twin(self) -> str:
        if self._feed.snapshot.kind == "sweep":
            from embedtune_nb.sweep.reading import trials_of_job
            from embedtune_nb.widgets.sweep_twin import picture_html

            return picture_html(trials_of_job(self._job))
        return static_twin.picture_html(self._feed.snapshot)


class TerminalWatch:
    """Lines of text about a job on *stream*."""

    def __init__(self, job: Any, stream: TextIO | None = None) -> None:
        self._feed, self._printer = job.feed(), ProgressPrinter(stream or sys.stderr)
        self._thread = threading.Thread(target=self._print, name="embedtune-progress", daemon=True)
        self._thread.start()

    def finish(self) -> None:
        """Wait until the last line has been written."""
        self._thread.join(_LAST_SECONDS)

    def _print(self) -> None:
        _until_final(self._feed, self._printer.show)


def _until_final(feed: Any, show: Callable[[Any], None]) -> bool:
    """Poll *feed* and call *show* with each snapshot until the job has ended; False if it cannot be read."""
    pause = threading.Event()
    while True:
        try:
            feed.poll()
        except OSError:
            return False
        show(feed.snapshot)
        if feed.snapshot.state in FINAL_STATES:
            return True
        pause.wait(POLL_SECONDS)


class ProgressPrinter:
    """Write a job's progress as text: one line kept up to date on a terminal, else a line per tenth.

    Parameters
    ----------
    stream
        Where to write.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._in_place = stream.isatty()
        self._last, self._milestone, self._notices, self._ended = "", ("", -1), 0, False

    def show(self, snapshot: Any) -> None:
        """Write what is new in *snapshot*."""
        for notice in snapshot.notices[self._notices :]:
            self._write(f"{notice['level']}: {notice['text']}", keep=True)
        self._notices = len(snapshot.notices)
        if snapshot.state in FINAL_STATES:
            self._end(snapshot)
            return
        done = fraction_done(snapshot)
        milestone = (snapshot.phase or "", -1 if done is None else int(10 * done))
        if self._in_place or milestone != self._milestone:
            self._milestone = milestone
            self._write(progress_line(snapshot), keep=not self._in_place)

    def _end(self, snapshot: Any) -> None:
        if not self._ended:
            self._ended = True
            self._write("\n  ".join([static_twin.top_line(snapshot), *snapshot.levers]), keep=True)

    def _write(self, line: str, *, keep: bool) -> None:
        if line == self._last and not keep:
            return
        start = "\r\x1b[K" if self._in_place else ""
        self._stream.write(start + line + ("\n" if keep else ""))
        self._stream.flush()
        self._last = line


def fraction_done(snapshot: Any) -> float | None:
    """Return how much of the current phase is done, 0 to 1, or None where nobody can tell."""
    if snapshot.phase == "training" and snapshot.steps_total:
        return snapshot.steps_completed / snapshot.steps_total
    return snapshot.phase_done / snapshot.phase_total if snapshot.phase_total else None


def progress_line(snapshot: Any) -> str:
    """Return e.g. `api-docs: training 56 %, step 84/150, loss 0.412, 271 texts/s, ETA 0:48`.

    Of a sweep: `api-docs: trial 4/9, best NDCG@10 0.613, ETA 3:20`.
    """
    done = fraction_done(snapshot)
    parts = [
        f"{snapshot.name}: {snapshot.phase or snapshot.state}" + ("" if done is None else f" {done:.0%}")
    ]
    if snapshot.phase == "trials" and snapshot.steps_total:
        parts = [f"{snapshot.name}: trial {snapshot.steps_completed}/{snapshot.steps_total}"]
    if snapshot.kind == "sweep" and snapshot.best:
        parts.append(f"best {static_twin.title(snapshot.best['name'])} {snapshot.best['value']:.3f}")
    if snapshot.phase == "training" and snapshot.steps_total:
        parts.append(f"step {snapshot.steps_completed}/{snapshot.steps_total}")
        loss = snapshot.series.get(static_twin.LOSS)
        if loss is not None and len(loss.value):
            parts.append(f"loss {loss.value[-1]:.3f}")
        if snapshot.texts_per_second:
            parts.append(f"{snapshot.texts_per_second:.0f} texts/s")
    if snapshot.eta_seconds is not None:
        parts.append(f"ETA {static_twin.clock(snapshot.eta_seconds)}")
    return ", ".join(parts)
