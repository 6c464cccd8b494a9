"""What happened in a job, one JSON object a line, written by one writer, readable at any moment."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar


@dataclass(frozen=True)
class Event:
    """Base of all events; ``t`` (wall seconds since the run began) is stamped by the writer."""

    type: ClassVar[str]


@dataclass(frozen=True)
class State(Event):
    """The job entered a state: running, stopping, done, failed or stopped."""

    type: ClassVar[str] = "state"
    state: str
    reason: str = ""
    detail: str = ""
    levers: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Phase(Event):
    """A named part of the work began; *total* counts its units, 0 where nobody can tell."""

    type: ClassVar[str] = "phase"
    name: str
    total: int = 0


@dataclass(frozen=True)
class Progress(Event):
    """*done* of *total* units of the current phase are behind us."""

    type: ClassVar[str] = "progress"
    done: int
    total: int


@dataclass(frozen=True)
class Metrics(Event):
    """Values at an optimizer step; *epoch* is the float beside it."""

    type: ClassVar[str] = "metrics"
    step: int
    epoch: float
    values: dict[str, float]


@dataclass(frozen=True)
class Base(Event):
    """The metrics of the untouched base model, before the first step."""

    type: ClassVar[str] = "base"
    values: dict[str, float]


@dataclass(frozen=True)
class Measured(Event):
    """Settings that the worker measured; they replace the plan's estimates."""

    type: ClassVar[str] = "measured"
    settings: dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Best(Event):
    """The best value of the selecting metric so far."""

    type: ClassVar[str] = "best"
    name: str
    value: float
    step: int


@dataclass(frozen=True)
class Decided(Event):
    """A sweep named its winner, as the dict of :mod:`embedtune_nb.sweep.decide`."""

    type: ClassVar[str] = "decided"
    decision: dict[str, Any]


@dataclass(frozen=True)
class VerdictReached(Event):
    """The paired comparison before/after, as a dict of :class:`embedtune_nb.evaluation.verdict.Verdict`."""

    type: ClassVar[str] = "verdict"
    verdict: dict[str, Any]


@dataclass(frozen=True)
class Published(Event):
    """A model stands in the store."""

    type: ClassVar[str] = "published"
    name: str
    path: str


@dataclass(frozen=True)
class Notice(Event):
    """Something the user should know: a fallback, a truncation, a retry.

    *level* is ``"info"``, ``"warning"``, or ``"advice"`` on what to try next.
    """

    type: ClassVar[str] = "notice"
    text: str
    level: str = "info"


EVENT_TYPES: dict[str, type[Event]] = {cls.type: cls for cls in Event.__subclasses__()}


def _plain(value: Any) -> Any:
    """Turn NaN and infinities into text: JSON has no word for them."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value.item() if hasattr(value, "item") else value


class EventWriter:
    """Append events to a file; whole lines only, so a reader sees all of an event or nothing.

    A torn last line, left by a writer that was killed, is cut off first: it would swallow the next event.

    Parameters
    ----------
    path
        The file; it is created when missing.
    """

    def __init__(self, path: Path) -> None:
        _cut_torn_tail(path)
        self._started = time.monotonic() - _last_second(path)
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def emit(self, event: Event) -> None:
        """Write one event with its time stamp."""
        record = {
            "type": event.type,
            "t": round(time.monotonic() - self._started, 3),
            **_plain(dataclasses.asdict(event)),
        }
        os.write(self._file, (json.dumps(record, ensure_ascii=False) + "\n").encode())

    def close(self) -> None:
        """Flush to the disk and close."""
        os.fsync(self._file)
        os.close(self._file)


class EventReader:
    """Read the events that were added since the last call; a line still being written is left for later."""

    def __init__(self, path: Path) -> None:
        self._path, self._offset = path, 0

    def new(self) -> Iterator[dict[str, Any]]:
        """Yield the new events as dicts, in order; lines that are no JSON objects are passed over."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                block = file.read()
        except FileNotFoundError:
            return
        whole = block.rfind(b"\n") + 1
        self._offset += whole
        for line in block[:whole].splitlines():
            event = _parsed(line)
            if event is not None:
                yield event


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) and event.get("type") in EVENT_TYPES else None


def _cut_torn_tail(path: Path) -> None:
    if path.exists() and (content := path.read_bytes()) and not content.endswith(b"\n"):
        os.truncate(path, content.rfind(b"\n") + 1)


def _last_second(path: Path) -> float:
    """Return the time stamp of the last event, so that a resumed run's clock goes on where it stopped."""
    times = [event.get("t", 0.0) for event in EventReader(path).new()]
    return float(times[-1]) if times else 0.0
