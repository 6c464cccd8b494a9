"""Follow a job from a studio, at the pace at which a summary is worth changing."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from embedtune_nb.jobs.job import Job

_SECONDS = 0.5


class Follower:
    """Calls *changed* with the job's snapshot now and after each change, until the job has ended.

    Parameters
    ----------
    job
        The job; it gets a feed of its own here.
    changed
        Called on the follower's thread.
    """

    def __init__(self, job: Job, changed: Callable[[Any], None]) -> None:
        self._feed, self._changed = job.feed(), changed
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"follow-{job.id}", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop following; the job goes on."""
        self._ended.set()

    def wait(self, timeout: float | None = None) -> None:
        """Wait until the job has ended and its end has been passed on."""
        self._thread.join(timeout)

    def _run(self) -> None:
        told = False
        while not self._ended.is_set():
            try:
                changed = self._feed.poll()
            except OSError:
                return
            if changed or not told:
                told = True
                self._changed(self._feed.snapshot)
            if self._feed.snapshot.ended:
                return
            self._ended.wait(_SECONDS)
