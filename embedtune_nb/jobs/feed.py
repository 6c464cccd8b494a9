"""From the events of a job to what a watcher wants to know: state, progress, curves, time left."""

from __future__ import annotations

import platform
import threading
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from embedtune_nb.plan.metrics import lower_is_better, selecting_metric
from embedtune_nb.store.events import EventReader
from embedtune_nb.store.job_folder import JobFolder
from embedtune_nb.store.locks import is_held

ALIVE_STATES = frozenset({"queued", "running", "stopping", "unknown"})
FINAL_STATES = frozenset({"done", "failed", "stopped", "lost"})
_RECENT_STEPS = 20
_TRIALS = "trials"
#: Kind of job -> the setting that tells how many steps it has. Jobs of other kinds train nothing.
_LENGTH = {"finetune": "steps_total", "sweep": "trial_count"}


@dataclass
class Series:
    """One metric over the run; the four lists have equal length."""

    step: list[float] = field(default_factory=list)
    epoch: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)
    value: list[float] = field(default_factory=list)

    def cut_from(self, step: float) -> None:
        """Drop what was recorded at *step* and later."""
        while self.step and self.step[-1] >= step:
            for column in (self.step, self.epoch, self.wall, self.value):
                column.pop()


def unit_of(kind: str) -> str:
    """Return what a job of this kind counts: ``"step"``, or ``"trial"`` in a sweep."""
    return "trial" if kind == "sweep" else "step"


def take_metrics(series: dict[str, Series], event: dict[str, Any]) -> None:
    """Add the values of a ``metrics`` event to *series*; a run that was resumed repeats steps."""
    for name, value in event["values"].items():
        points = series.setdefault(name, Series())
        points.cut_from(event["step"])
        points.step.append(event["step"])
        points.epoch.append(event["epoch"])
        points.wall.append(event["t"])
        points.value.append(float(value))


@dataclass
class JobSnapshot:
    """Everything a watcher shows of a job, as of the last poll. Times are seconds.

    Steps are optimizer steps; of a sweep they are trials.
    """

    id: str
    kind: str
    name: str
    state: str = "queued"
    reason: str = ""
    levers: list[str] = field(default_factory=list)
    phase: str = ""
    phase_done: int = 0
    phase_total: int = 0
    steps_total: int = 0
    steps_completed: int = 0
    epoch: float = 0.0
    epochs_total: float = 0.0
    eta_seconds: float | None = None
    texts_per_second: float | None = None
    elapsed: float = 0.0
    series: dict[str, Series] = field(default_factory=dict)
    base: dict[str, float] = field(default_factory=dict)
    best: dict[str, Any] | None = None
    primary: str = ""
    higher_is_better: bool = True
    verdict: dict[str, Any] | None = None
    decision: dict[str, Any] | None = None
    notices: list[dict[str, str]] = field(default_factory=list)
    measured: dict[str, dict[str, Any]] = field(default_factory=dict)
    plan: dict[str, Any] = field(default_factory=dict)
    code: str = ""

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self.state in FINAL_STATES


class JobFeed:
    """Follow the events of one job from its beginning, however late one joins.

    Parameters
    ----------
    folder
        The job's folder; its worker may live in any process.
    """

    def __init__(self, folder: JobFolder) -> None:
        #: held while the snapshot changes; readers of its lists on other threads hold it too
        self.lock = threading.RLock()
        self._folder = folder
        self._reader = EventReader(folder.events)
        self._step_times: deque[tuple[int, float]] = deque(maxlen=_RECENT_STEPS)
        self._phase_began: dict[str, float] = {}
        self._phase_lasted: dict[str, float] = {}
        plan = folder.plan()
        settings = {key: setting["value"] for key, setting in plan.get("settings", {}).items()}
        metric = settings.get("metric")
        if settings.get("eval_steps") not in ("end", "off"):
            metric = metric and selecting_metric(settings.get("eval_method", ""), metric)
        self._told_state = "queued"
        self.snapshot = JobSnapshot(
            id=folder.id,
            kind=plan["kind"],
            name=plan["name"],
            steps_total=settings.get(_LENGTH.get(plan["kind"], "")) or 0,
            epochs_total=float(settings.get("epochs") or 0),
            primary=f"eval/{metric}" if metric else "",
            higher_is_better=not lower_is_better(metric or ""),
            plan=plan,
            code=plan.get("code", ""),
        )

    def poll(self) -> bool:
        """Read what is new; return whether anything changed."""
        with self.lock:
            return self._poll()

    def _poll(self) -> bool:
        # asked before reading: a worker that ends in between is then seen as alive once more, never as lost
        alive = is_held(self._folder.lock)
        new = list(self._reader.new())
        for event in new:
            self._take(event)
        before = self.snapshot.state
        self.snapshot.state = self._state(alive)
        if self.snapshot.state == "lost" and not self.snapshot.reason:
            self.snapshot.reason = (
                "The worker ended without a word: killed from outside, or the machine ran out of memory "
                "or went down."
                if self._folder.path.is_dir()
                else f"The job's folder {self._folder.path} is gone: somebody deleted or moved it."
            )
        self._estimate()
        return bool(new) or self.snapshot.state != before

    def _state(self, alive: bool) -> str:
        if self._told_state in FINAL_STATES and not alive:
            return self._told_state
        if alive:
            return "running" if self._told_state in FINAL_STATES else self._told_state
        host = self._folder.worker().get("host")
        return "unknown" if host not in (None, platform.node()) else "lost"

    def _take(self, event: dict[str, Any]) -> None:
        snapshot = self.snapshot
        snapshot.elapsed = event["t"]
        kind = event["type"]
        if kind == "state":
            self._told_state = event["state"]
            snapshot.reason, snapshot.levers = event["reason"], event["levers"]
        elif kind == "phase":
            self._begin_phase(event["name"], event["total"], event["t"])
        elif kind == "progress":
            self._take_progress(event)
        elif kind == "metrics":
            self._take_metrics(event)
        elif kind == "base":
            snapshot.base |= event["values"]
        elif kind == "best":
            snapshot.best = {key: event[key] for key in ("name", "value", "step")}
        elif kind == "decided":
            snapshot.decision = event["decision"]
        elif kind == "verdict":
            snapshot.verdict = event["verdict"]
        elif kind == "measured":
            snapshot.measured |= event["settings"]
            total = event["settings"].get("steps_total")
            snapshot.steps_total = total["value"] if total else snapshot.steps_total
        elif kind == "notice":
            snapshot.notices.append({"text": event["text"], "level": event["level"]})

    def _begin_phase(self, name: str, total: int, now: float) -> None:
        snapshot = self.snapshot
        if snapshot.phase in self._phase_began:
            self._phase_lasted[snapshot.phase] = now - self._phase_began[snapshot.phase]
        snapshot.phase, snapshot.phase_done, snapshot.phase_total = name, 0, total
        self._phase_began[name] = now
        self._step_times.clear()
        if name == _TRIALS:
            snapshot.steps_total = total or snapshot.steps_total

    def _take_progress(self, event: dict[str, Any]) -> None:
        snapshot = self.snapshot
        snapshot.phase_done, snapshot.phase_total = event["done"], event["total"]
        if snapshot.phase == _TRIALS:
            snapshot.steps_completed, snapshot.steps_total = event["done"], event["total"]

    def _take_metrics(self, event: dict[str, Any]) -> None:
        snapshot = self.snapshot
        take_metrics(snapshot.series, event)
        if "train/loss" in event["values"]:
            snapshot.steps_completed = event["step"]
            snapshot.epoch = event["epoch"]
            snapshot.texts_per_second = event["values"].get("train/texts_per_second")
            self._step_times.append((event["step"], event["t"]))

    def _estimate(self) -> None:
        """Time left: the recent pace, plus the closing evaluation, which takes as long as the first.

        That of a sweep is told by its trials, which are followed elsewhere.
        """
        snapshot = self.snapshot
        if snapshot.kind == "sweep":
            return
        snapshot.eta_seconds = None
        if snapshot.ended or len(self._step_times) < 2 or snapshot.phase != "training":
            return
        (first_step, first_time), (last_step, last_time) = self._step_times[0], self._step_times[-1]
        if last_step > first_step:
            pace = (last_time - first_time) / (last_step - first_step)
            closing = 2 * self._phase_lasted.get("evaluating base", 0.0)
            left = max(0, snapshot.steps_total - snapshot.steps_completed)
            snapshot.eta_seconds = left * pace + closing


def log_tail(folder: JobFolder, lines: int) -> str:
    """Return the end of the worker's log and, after a failure, the traceback from the events."""
    try:
        text = folder.log.read_text(errors="replace")
    except FileNotFoundError:
        text = ""
    details = [
        event["detail"]
        for event in EventReader(folder.events).new()
        if event["type"] == "state" and event.get("detail")
    ]
    return "\n".join([*text.splitlines(), *"\n".join(details[-1:]).splitlines()][-lines:])
