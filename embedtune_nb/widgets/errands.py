"""Work that takes longer than a click may: one piece after the other, on one thread beside the kernel's."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class _Errand:
    work: Callable[[], Any]
    then: Callable[[Any], None]
    failed: Callable[[Exception], None]


class Errands:
    """Runs errands by topic; a newer one of a topic replaces the older, whose result is dropped.

    Nothing runs, and no thread exists, before the first errand.

    Parameters
    ----------
    name
        Of the thread.
    """

    def __init__(self, name: str = "embedtune-studio") -> None:
        self._name = name
        self._changed = threading.Condition()
        self._waiting: dict[str, _Errand] = {}
        self._running: str | None = None
        self._thread: threading.Thread | None = None
        self._closed = False

    def ask(
        self,
        topic: str,
        work: Callable[[], Any],
        then: Callable[[Any], None],
        failed: Callable[[Exception], None],
    ) -> None:
        """Have *work* done, and its result handed to *then* or its error to *failed*, on this thread."""
        with self._changed:
            self._waiting.pop(topic, None)
            self._waiting[topic] = _Errand(work, then, failed)
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def settle(self, timeout: float | None = None) -> bool:
        """Wait until nothing is left to do; False if *timeout* seconds were not enough."""
        deadline = None if timeout is None else time.monotonic() + timeout
        with self._changed:
            while self._waiting or self._running:
                left = None if deadline is None else deadline - time.monotonic()
                if self._closed or (left is not None and left <= 0):
                    return False
                self._changed.wait(left)
        return True

    def close(self) -> None:
        """Drop what waits and end the thread after what it is doing."""
        with self._changed:
            self._closed = True
            self._waiting.clear()
            self._changed.notify_all()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._waiting and not self._closed:
                    self._changed.wait()
                if self._closed:
                    return
                topic = next(iter(self._waiting))
                errand = self._waiting.pop(topic)
                self._running = topic
            self._do(topic, errand)
            with self._changed:
                self._running = None
                self._changed.notify_all()

    def _do(self, topic: str, errand: _Errand) -> None:
        try:
            result = errand.work()
            if not self._outdated(topic):
                errand.then(result)
        except Exception as error:  # shown beside the control that asked: nobody else would see it
            if not self._outdated(topic):
                errand.failed(error)

    def _outdated(self, topic: str) -> bool:
        with self._changed:
            return self._closed or topic in self._waiting
