"""The one writer of a widget: a background thread that carries a job's feed to the browser."""

from __future__ import annotations

import threading
import time
from array import array
from typing import TYPE_CHECKING, Any

from embedtune_nb.jobs.feed import FINAL_STATES
from embedtune_nb.widgets.summary import recipe_of, summary_of

if TYPE_CHECKING:
    from embedtune_nb.widgets.monitor import TrainingMonitor

POLL_SECONDS = 0.1
CURVE_SECONDS = 0.25
SUMMARY_SECONDS = 0.5


class FeedPublisher:
    """Poll a feed on a thread of its own until the job has ended; what to send is a subclass's matter.

    Only this thread writes to the widget: two writers could interleave their messages. What the
    browser asks for is noted as an event and answered here.

    Parameters
    ----------
    feed
        With `poll()` and `snapshot`.
    widget
        The widget to write to.
    """

    poll_seconds = POLL_SECONDS
    #: how often a job that has ended is looked at again, as it may be carried on from anywhere; None: never
    rest_seconds: float | None = None

    def __init__(self, feed: Any, widget: Any) -> None:
        self._feed, self._widget = feed, widget
        self._wake, self._closed = threading.Event(), threading.Event()
        self._complaint: str | None = None
        #: whether the feed changed since this was last set to False
        self._fresh = True
        self._settled = threading.Event()
        self._lifecycle = threading.Lock()
        self._running = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread if none is running; it never keeps the kernel alive."""
        with self._lifecycle:
            if self._closed.is_set() or self._running:
                return
            self._running = True
            self._thread = threading.Thread(target=self._run, name="embedtune-monitor", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """End the thread; wait for it unless it is the caller."""
        self._closed.set()
        self._wake.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout=5)

    def join(self, timeout: float) -> None:
        """Wait until everything about an ended job has been sent, *timeout* seconds at most."""
        self._settled.wait(timeout)

    def complain(self, text: str) -> None:
        """Show *text* in the widget's error area; an empty one takes away what stands there."""
        self._complaint = text
        self._ask(self._wake)

    def _ask(self, wish: threading.Event) -> None:
        with self._lifecycle:
            wish.set()
            self._settled.clear()
            self._wake.set()
        self.start()  # a job that had ended has no thread any more, or one that was resumed needs one

    def _run(self) -> None:
        try:
            self._follow()
        except Exception as error:  # nobody reads a thread's traceback
            self._running = False
            self._settled.set()
            if not self._closed.is_set():
                self._widget.error = f"The monitor cannot read this job: {error}"

    def _follow(self) -> None:
        while not self._closed.is_set():
            self._wake.clear()
            self._fresh |= self._feed.poll()
            final = self._state() in FINAL_STATES
            if not final:
                self._settled.clear()
            self._answer()
            if self._complaint is not None:
                self._widget.error, self._complaint = self._complaint, None
            self._send(time.monotonic(), final)
            if final and self._rest():
                return
            self._wake.wait(self.rest_seconds if final else self.poll_seconds)

    def _rest(self) -> bool:
        """Agree to end, unless a wish arrived meanwhile; a later one starts a new thread."""
        with self._lifecycle:
            if self._wake.is_set():
                return False
            self._settled.set()
            self._running = self.rest_seconds is not None
            return not self._running

    def _state(self) -> str:
        return self._feed.snapshot.state

    def _answer(self) -> None:
        """Send what the browser asked for."""
        raise NotImplementedError

    def _send(self, now: float, final: bool) -> None:
        """Send what is new and due at *now*, everything if the job is *final*."""
        raise NotImplementedError


class Publisher(FeedPublisher):
    """Send new points of the curves as binary deltas and the summary as a trait.

    Parameters
    ----------
    feed
        A job's feed.
    monitor
        The widget to write to.
    """

    def __init__(self, feed: Any, monitor: TrainingMonitor) -> None:
        super().__init__(feed, monitor)
        # how many points of a series were sent, and step and time of the last of them
        self._sent: dict[str, tuple[int, tuple[float, float]]] = {}
        self._snapshot_wanted, self._log_wanted = threading.Event(), threading.Event()
        self._regressions_wanted = threading.Event()
        self._curves_due = self._summary_due = 0.0

    def want_snapshot(self) -> None:
        """Send every series from its first point: a view is new or has missed something."""
        self._ask(self._snapshot_wanted)

    def want_log(self) -> None:
        """Send the end of the job's log."""
        self._ask(self._log_wanted)

    def want_regressions(self) -> None:
        """Look for what got worse; that takes seconds, and a job that has ended has nothing else to tell."""
        self._ask(self._regressions_wanted)

    def _send(self, now: float, final: bool) -> None:
        if final or now >= self._curves_due:
            self._curves_due = now + CURVE_SECONDS
            self._send_new_points()
        if final or now >= self._summary_due:
            self._summary_due = now + SUMMARY_SECONDS
            self._write_summary(final)

    def _answer(self) -> None:
        if self._snapshot_wanted.is_set():
            self._snapshot_wanted.clear()
            self._sent.clear()
            self._send_new_points(kind="snapshot")
        if self._log_wanted.is_set():
            self._log_wanted.clear()
            self._widget.send({"type": "log", "text": self._widget.read_log()})
        if self._regressions_wanted.is_set():
            self._regressions_wanted.clear()
            self._widget.find_regressions()

    def _send_new_points(self, kind: str = "append") -> None:
        if self._rewritten():
            self._sent.clear()
            kind = "snapshot"
        parts, buffers = [], []
        for name, series in self._feed.snapshot.series.items():
            start, end = self._sent[name][0] if name in self._sent else 0, len(series.value)
            if end > start:
                columns = (series.step, series.epoch, series.wall, series.value)
                parts.append({"series": name, "start": start, "n": end - start})
                buffers.append(b"".join(array("f", column[start:end]).tobytes() for column in columns))
                self._sent[name] = end, (series.step[-1], series.wall[-1])
        if parts or kind == "snapshot":
            self._widget.send({"type": kind, "parts": parts}, buffers=buffers)

    def _rewritten(self) -> bool:
        """Whether points that were sent are no more: a resumed run repeats steps after its checkpoint."""
        for name, (count, last) in self._sent.items():
            series = self._feed.snapshot.series[name]
            if len(series.step) < count or (series.step[count - 1], series.wall[count - 1]) != last:
                return True
        return False

    def _write_summary(self, final: bool) -> None:
        snapshot = self._feed.snapshot
        # The traits compare their values, so what has not changed is not sent again.
        self._widget.recipe = recipe_of(snapshot)
        if final:
            self._widget.log_tail = self._widget.read_log()
        self._widget.summary = summary_of(snapshot)
