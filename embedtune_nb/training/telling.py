"""How far long work has come, told at a pace that a watcher can follow; a stop is heard in between."""

from __future__ import annotations

import time
from collections.abc import Callable

from embedtune_nb.errors import JobStoppedError
from embedtune_nb.store.events import Event, Progress

_SECONDS_BETWEEN = 0.25


class Telling:
    """Call it with (done, total) between batches.

    Parameters
    ----------
    emit
        Takes a progress event, at most four a second and the last of all.
    should_stop
        Asked each time.
    at_stop
        What to say when a stop was asked for.
    fix
        What the user can do then.

    Attributes
    ----------
    at_stop
        May be set anew as the work goes on.
    """

    def __init__(
        self,
        emit: Callable[[Event], None],
        should_stop: Callable[[], bool],
        *,
        at_stop: str = "",
        fix: str,
    ) -> None:
        self.emit, self.should_stop, self.at_stop, self.fix = emit, should_stop, at_stop, fix
        self._told = 0.0

    def __call__(self, done: int, total: int) -> None:
        """Tell that *done* of *total* are behind us.

        Raises
        ------
        JobStoppedError
            If a stop was asked for.
        """
        if self.should_stop():
            raise JobStoppedError(self.at_stop, fix=self.fix)
        now = time.monotonic()
        if done == total or now - self._told > _SECONDS_BETWEEN:
            self._told = now
            self.emit(Progress(done, total))
