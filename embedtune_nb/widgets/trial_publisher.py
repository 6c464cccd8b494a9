"""The one writer of a trial browser: rows that changed, curves of the trials that somebody looks at."""

from __future__ import annotations

import queue
import threading
from array import array
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from embedtune_nb.widgets.publisher import FeedPublisher
from embedtune_nb.widgets.summary import recipe_of
from embedtune_nb.widgets.trial_rows import RowMaker, sweep_summary

if TYPE_CHECKING:
    from embedtune_nb.widgets.trial_browser import TrialBrowser

#: Trials move by the second, and there may be hundreds of them to look after.
POLL_SECONDS = 0.25
NEWS_SECONDS = 0.4
#: Another cell, or another kernel, may give a sweep that has ended more trials.
REST_SECONDS = 2.0
#: As many trials as may be looked at together, in a few views.
FOLLOWED_MAX = 48
_LEFT_OUT = ("train/learning_rate", "train/grad_norm", "train/texts_per_second")


class TrialPublisher(FeedPublisher):
    """Send rows that changed, curves as binary deltas and the summary as a trait.

    Parameters
    ----------
    feed
        A sweep's feed.
    browser
        The widget to write to.
    """

    poll_seconds = POLL_SECONDS

    def __init__(self, feed: Any, browser: TrialBrowser) -> None:
        super().__init__(feed, browser)
        self.rest_seconds = REST_SECONDS if browser.can_grow else None
        self._maker = RowMaker()
        self._rows: dict[str, dict[str, Any]] = {}
        self._followed: dict[str, None] = {}
        # how many points of a curve were sent, and step and value of the last of them
        self._points: dict[tuple[str, str], tuple[int, tuple[float, float]]] = {}
        self._snapshot_wanted, self._log_wanted = threading.Event(), threading.Event()
        self._importance_wanted, self._importance_of = threading.Event(), -1
        self._importance: dict[str, Any] | None = None
        self._outbox: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._new_keys: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._news_due = 0.0
        self._ended = False

    def want_snapshot(self) -> None:
        """Send every row and every followed curve: a view is new or has missed something."""
        self._ask(self._snapshot_wanted)

    def want_log(self) -> None:
        """Send the end of the job's log."""
        self._ask(self._log_wanted)

    def want_importance(self) -> None:
        """Keep the importance of the hyperparameters up to date from now on."""
        self._ask(self._importance_wanted)

    def show_importance(self, shares: dict[str, Any]) -> None:
        """Show the importance of the hyperparameters, as it was reckoned elsewhere."""
        self._importance = shares
        self._ask(self._wake)

    def want_curves(self, keys: Iterable[str]) -> None:
        """Follow the curves of these trials from now on."""
        for key in keys:
            self._new_keys.put(key)
        self._ask(self._wake)

    def post(self, message: dict[str, Any]) -> None:
        """Have *message* sent by the one thread that writes."""
        self._outbox.put(message)
        self._ask(self._wake)

    def rows(self) -> list[dict[str, Any]]:
        """Return all rows as of the last poll."""
        with self._feed.lock:
            return self._maker.rows(self._feed.snapshot)

    def _state(self) -> str:
        return self._feed.snapshot.job.state

    def _answer(self) -> None:
        if self._snapshot_wanted.is_set():
            self._snapshot_wanted.clear()
            self._points.clear()
            self._send_rows(whole=True)
            self._send_curves()
        for key in _drained(self._new_keys):
            self._follow_trial(key)
        if self._log_wanted.is_set():
            self._log_wanted.clear()
            self._widget.send({"type": "log", "text": self._widget.read_log()})
        for message in _drained(self._outbox):
            self._widget.send(message)
        self._widget.importance = self._importance

    def _follow_trial(self, key: str) -> None:
        self._followed.pop(key, None)
        self._followed[key] = None
        for oldest in list(self._followed)[:-FOLLOWED_MAX]:
            del self._followed[oldest]
        for sent in [sent for sent in self._points if sent[0] == key]:
            del self._points[sent]
        self._send_curves()

    def _send(self, now: float, final: bool) -> None:
        if self._fresh and (final or now >= self._news_due):
            self._news_due, self._fresh = now + NEWS_SECONDS, False
            self._send_news(final)
        self._reckon_importance()

    def _send_news(self, final: bool) -> None:
        if self._ended:  # somebody gave the sweep more trials
            self._widget.send({"type": "started"})
            self._widget.when_grown()
        self._send_rows()
        self._send_curves()
        self._write_summary()
        if final:
            self._widget.rows = list(self._rows.values())
        self._ended = final

    def _send_rows(self, *, whole: bool = False) -> None:
        rows = self.rows()
        changed = rows if whole else [row for row in rows if self._rows.get(row["key"]) is not row]
        self._rows = {row["key"]: row for row in rows}
        if changed or whole:
            self._widget.send({"type": "rows", "rows": changed, "count": len(rows), "whole": whole})

    def _send_curves(self) -> None:
        parts, columns = [], array("f")
        with self._feed.lock:
            for key in self._followed:
                for metric, series in self._feed.snapshot.curves.get(key, {}).items():
                    if metric in _LEFT_OUT:
                        continue
                    start, last = self._points.get((key, metric), (0, (0.0, 0.0)))
                    end = len(series.value)
                    if start and (end < start or (series.step[start - 1], series.value[start - 1]) != last):
                        start = 0  # the trial began anew
                    if end == start:
                        continue
                    for column in (series.step, series.epoch, series.value):
                        columns.extend(column[start:end])
                    parts.append({"key": key, "metric": metric, "start": start, "n": end - start})
                    self._points[key, metric] = end, (series.step[-1], series.value[-1])
        if parts:
            self._widget.send({"type": "curves", "parts": parts}, buffers=[columns.tobytes()])

    def _write_summary(self) -> None:
        with self._feed.lock:
            snapshot = self._feed.snapshot
            summary, recipe = sweep_summary(snapshot, can_grow=self._widget.can_grow), recipe_of(snapshot.job)
        # The traits compare their values, so what has not changed is not sent again.
        self._widget.recipe, self._widget.summary = recipe, summary

    def _reckon_importance(self) -> None:
        if not self._importance_wanted.is_set():
            return
        finished = sum(row["state"] == "done" and row["confirms"] is None for row in self._rows.values())
        if finished != self._importance_of:
            self._importance_of = finished
            self._widget.reckon_importance()


def _drained(waiting: queue.SimpleQueue[Any]) -> Iterable[Any]:
    while True:
        try:
            yield waiting.get_nowait()
        except queue.Empty:
            return
