"""Follow a sweep from its files, from any process, while it runs and after: what became of each trial."""

from __future__ import annotations

import json
import math
import os
import threading
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from embedtune_nb.jobs.feed import JobFeed, JobSnapshot, Series, take_metrics
from embedtune_nb.plan.dimension import Dimension
from embedtune_nb.plan.sweep_settings import CONFIRMED, FRESH_SEEDS
from embedtune_nb.store.events import EventReader
from embedtune_nb.store.job_folder import JobFolder
from embedtune_nb.sweep.ranking import best_base, best_first
from embedtune_nb.sweep.snapshot import SweepSnapshot, snapshot_of_model
from embedtune_nb.sweep.trial_folder import COUNTED, TRIALS, TrialFolder, TrialRecord

__all__ = ["SweepFeed", "SweepJobFeed", "SweepSnapshot", "snapshot_of_model"]

#: A trial that has ended is looked at when the job has news, and every so many polls: there may be hundreds.
_ALL_EVERY = 10
_SEARCHING, _CONFIRMING = "trials", "confirming"


class SweepFeed:
    """Follow one sweep from its beginning, however late one joins; reads files only, never the study.

    Parameters
    ----------
    folder
        The job's folder; its workers may live in any process.
    """

    def __init__(self, folder: JobFolder) -> None:
        self._job = JobFeed(folder)
        self._folder = folder
        self._followed: dict[str, _FollowedTrial] = {}
        self._polls = 0
        #: held while the snapshot changes; readers of its lists on other threads hold it too
        self.lock: threading.RLock = self._job.lock
        job = self._job.snapshot
        self.snapshot = SweepSnapshot(
            job=job,
            metric=job.primary.removeprefix("eval/"),
            higher_is_better=job.higher_is_better,
            trial_count=job.steps_total,
            dimensions=tuple(map(Dimension.from_json, job.plan.get("space", ()))),
        )

    def poll(self) -> bool:
        """Read what is new; return whether anything changed."""
        with self.lock:
            return self._poll()

    def _poll(self) -> bool:
        changed = self._job.poll()
        self._polls += 1
        everything = changed or self._job.snapshot.ended or self._polls % _ALL_EVERY == 0
        for followed in self._present():
            if everything or not followed.has_ended:
                changed |= followed.poll(f"eval/{self.snapshot.metric}", self.snapshot.higher_is_better)
        if changed:
            self._take()
        return changed

    def _present(self) -> list[_FollowedTrial]:
        """Return the trials that have a record by now; those known already cost no look at their files."""
        try:
            with os.scandir(self._folder.path / TRIALS) as entries:
                names = [entry.name for entry in entries]
        except FileNotFoundError:
            return []
        for name in sorted(set(names) - self._followed.keys()):
            folder = TrialFolder(self._folder.path / TRIALS / name)
            if name[:1].isdigit() and folder.record_file.is_file():
                self._followed[name] = _FollowedTrial(folder)
        return [self._followed[name] for name in names if name in self._followed]

    def _take(self) -> None:
        snapshot, job = self.snapshot, self._job.snapshot
        shown = sorted(self._followed.values(), key=_FollowedTrial.place)
        snapshot.trials = [trial.record for trial in shown]
        snapshot.curves = {trial.record.key: trial.curves for trial in shown}
        snapshot.settings = {trial.record.key: trial.plan.get("settings", {}) for trial in shown}
        snapshot.codes = {trial.record.key: trial.plan.get("code", "") for trial in shown}
        snapshot.trial_count, snapshot.decision = job.steps_total, job.decision
        name = f"eval/{snapshot.metric}"
        # the trials', on the selection part: that of the job is judged on the verdict part
        snapshot.base_score = best_base((trial.base.get(name) for trial in shown), snapshot.higher_is_better)
        job.eta_seconds = self._seconds_left()

    def _seconds_left(self) -> float | None:
        """Time left: trials and confirming runs still due, at the mean length of the trials that ended."""
        snapshot, job = self.snapshot, self.snapshot.job
        trials = [trial for trial in snapshot.trials if trial.confirms is None]
        lasted = [trial.seconds for trial in trials if trial.state in COUNTED and trial.seconds]
        if job.ended or not lasted or job.phase not in (_SEARCHING, _CONFIRMING):
            return None
        left = max(0, snapshot.trial_count - sum(trial.state in COUNTED for trial in trials))
        begun = sum(
            trial.steps_done / trial.steps_total
            for trial in snapshot.trials
            if trial.state == "running" and trial.steps_total
        )
        workers = _setting(job.plan, "trial_workers", 1) or 1
        due = left + self._confirming_runs_left() - begun
        return max(0.0, due) * (sum(lasted) / len(lasted)) / workers

    def _confirming_runs_left(self) -> int:
        """Return how many runs of the best trials with new seeds are to come; earlier winners have theirs."""
        snapshot, job = self.snapshot, self.snapshot.job
        if job.phase == _CONFIRMING:
            return job.phase_total - job.phase_done
        if not _setting(job.plan, "confirm", True):
            return 0
        best = {trial.index for trial in best_first(snapshot.trials, snapshot.higher_is_better)[:CONFIRMED]}
        confirmed = [trial for trial in snapshot.trials if trial.confirms in best and trial.state in COUNTED]
        return CONFIRMED * FRESH_SEEDS - len(confirmed)


class SweepJobFeed:
    """A sweep as a watcher of jobs sees it: its snapshot is that of the job, with the time that is left.

    Parameters
    ----------
    folder
        The job's folder.
    """

    def __init__(self, folder: JobFolder) -> None:
        self._sweep = SweepFeed(folder)
        self.lock = self._sweep.lock

    @property
    def snapshot(self) -> JobSnapshot:
        """The job as of the last poll."""
        return self._sweep.snapshot.job

    def poll(self) -> bool:
        """Read what is new; return whether anything changed."""
        return self._sweep.poll()


class _FollowedTrial:
    """One trial: its record and its curves, read again only where a file changed."""

    def __init__(self, folder: TrialFolder) -> None:
        self._folder = folder
        self._events = EventReader(folder.events)
        self._seen: tuple[int, int, int] | None = None
        self._read = -1
        self._written: TrialRecord | None = None
        self._seconds: float | None = None
        self.record = folder.record()
        self.curves: dict[str, Series] = {}
        self.base: dict[str, float] = {}
        self.plan = _plan_of(folder.plan_file)

    @property
    def has_ended(self) -> bool:
        """Whether little more will be heard of it: its weights may make room for those of a better one."""
        return self.record.state in COUNTED

    def place(self) -> tuple[bool, int, int]:
        """By index, confirming runs last."""
        return self.record.confirms is not None, self.record.index, self.record.seed

    def poll(self, metric: str, higher_is_better: bool) -> bool:
        """Read what is new; return whether anything changed."""
        news = self._read_events()
        status = self._folder.record_file.stat()
        stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
        # a record that says "running" tells nothing of the end of its worker
        settled = self.record.state not in ("running", "lost")
        if stamp == self._seen and settled:
            return news
        self._seen = stamp
        before, self._written = self._written, self._folder.record()
        self.record = self._written
        if self._written.state == "running":
            self.record = self._so_far(self._written, metric, higher_is_better)
        return news or self._written != before

    def _read_events(self) -> bool:
        try:
            size = self._folder.events.stat().st_size
        except FileNotFoundError:
            return False
        if size == self._read:
            return False
        if size < self._read:  # the trial began anew
            self._events, self.curves = EventReader(self._folder.events), {}
        self._read = size
        for event in self._events.new():
            self._seconds = event["t"]
            if event["type"] == "metrics":
                take_metrics(self.curves, event)
            elif event["type"] == "base":
                self.base |= event["values"]
        return True

    def _so_far(self, record: TrialRecord, metric: str, higher_is_better: bool) -> TrialRecord:
        """Return the record of a running trial with what its curves already tell."""
        loss = self.curves.get("train/loss", Series())
        series = self.curves.get(metric, Series())
        values = _trained(series)
        best = (max if higher_is_better else min)(values) if values else None
        return replace(
            record,
            steps_done=int(loss.step[-1]) if loss.step else record.steps_done,
            seconds=self._seconds if record.seconds is None else record.seconds,
            score=best if record.score is None else record.score,
        )


def _trained(series: Series) -> list[float]:
    """Return the finite values after the first step: what stands at step 0 is the base model's."""
    points: Iterable[tuple[float, float]] = zip(series.step, series.value, strict=True)
    return [value for step, value in points if step > 0 and math.isfinite(value)]


def _plan_of(file: Path) -> dict[str, Any]:
    try:
        return json.loads(file.read_text())
    except (OSError, ValueError):
        return {}


def _setting(plan: dict[str, Any], name: str, default: Any) -> Any:
    return plan.get("settings", {}).get(name, {}).get("value", default)
