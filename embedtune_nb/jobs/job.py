"""The handle of a job: look, wait, stop, carry on, from any kernel."""

from __future__ import annotations

import time
from typing import Any

import pandas as pd

from embedtune_nb.errors import JobError, JobFailedError, JobStoppedError
from embedtune_nb.jobs.budget import claims_lock, is_closed, trial_budget, write_budget
from embedtune_nb.jobs.executors import start
from embedtune_nb.jobs.feed import ALIVE_STATES, JobFeed, log_tail, unit_of
from embedtune_nb.latebound import late
from embedtune_nb.plan.values import is_whole
from embedtune_nb.store.job_folder import JobFolder, find, job_folders
from embedtune_nb.store.locks import locked
from embedtune_nb.store.names import PATTERN, check_name

_POLL_SECONDS = 0.1
_MAKE_MODELS = ("finetune", "sweep", "publish")


class Job:
    """One plan being carried out, now or in the past.

    A job belongs to nobody: the kernel that started it may end, and ``Job.open(id)`` in another one
    shows the same curves. Shown at the end of a cell it is a live monitor.

    Parameters
    ----------
    folder
        Where the worker writes. Use :meth:`open` or :meth:`all` instead of this constructor.
    """

    def __init__(self, folder: JobFolder) -> None:
        self._folder = folder
        self._feed = JobFeed(folder)

    @classmethod
    def open(cls, name: str) -> Job:
        """Return the latest job that made or makes the model *name*, or the job with that id.

        Raises
        ------
        NotFoundError
            If there is none.
        """
        named = latest_job(name) if PATTERN.fullmatch(name) else None
        return named or cls(find(name))

    @classmethod
    def all(cls) -> list[Job]:
        """Return all jobs of this home, latest first."""
        return [cls(folder) for folder in reversed(job_folders())]

    @property
    def id(self) -> str:
        """The job's id, unique in this home."""
        return self._folder.id

    @property
    def kind(self) -> str:
        """``"finetune"``, ``"sweep"``, ``"publish"``, ``"evaluate"``, ``"merge"`` or ``"map"``."""
        return self._feed.snapshot.kind

    @property
    def name(self) -> str:
        """The name of what the job makes."""
        return self._feed.snapshot.name

    @property
    def folder(self) -> JobFolder:
        """Where kernel and worker meet."""
        return self._folder

    @property
    def plan(self) -> dict[str, Any]:
        """The frozen plan, as JSON-able values."""
        return self._feed.snapshot.plan

    @property
    def status(self) -> str:
        """``queued, running, stopping, done, failed, stopped, lost`` or, on another host, ``unknown``."""
        self._feed.poll()
        return self._feed.snapshot.state

    @property
    def reason(self) -> str:
        """Why the job failed, stopped or was lost; else empty."""
        self._feed.poll()
        return self._feed.snapshot.reason

    @property
    def steps_total(self) -> int:
        """Optimizer steps in the plan; of a sweep its trials, which may become more."""
        self._feed.poll()
        return self._feed.snapshot.steps_total

    @property
    def steps_completed(self) -> int:
        """Optimizer steps done so far; of a sweep trials that ended done, pruned or failed."""
        self._feed.poll()
        return self._feed.snapshot.steps_completed

    @property
    def eta(self) -> float | None:
        """Seconds left at the present pace; None while nobody can tell."""
        feed = self.feed() if self.kind == "sweep" else self._feed  # a sweep's trials tell it, not its events
        feed.poll()
        return feed.snapshot.eta_seconds

    @property
    def verdict(self) -> dict[str, Any] | None:
        """The paired comparison before/after, None before the job reached it."""
        self._feed.poll()
        return self._feed.snapshot.verdict

    def feed(self) -> JobFeed:
        """Return a fresh reader of this job, for a watcher of its own."""
        return late("feed_of_sweep")(self._folder) if self.kind == "sweep" else JobFeed(self._folder)

    def wait(self, timeout: float | None = None) -> Job:
        """Wait until the job ends; an interrupt of the cell ends the waiting only.

        Parameters
        ----------
        timeout
            Seconds; None waits for ever.

        Raises
        ------
        TimeoutError
            If the job has not ended by then. It goes on.
        JobError
            If *timeout* is not a number.
        """
        if timeout is not None and (isinstance(timeout, bool) or not isinstance(timeout, (int, float))):
            raise JobError(
                f"timeout is {timeout!r} ({type(timeout).__name__}).",
                expected="seconds as a number, or None to wait for ever",
            )
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            self._feed.poll()
            if self._feed.snapshot.ended:
                return self
            if deadline is not None and time.monotonic() > deadline:
                raise TimeoutError(f"Job {self.id} is still {self.status} after {timeout} s; it goes on.")
            time.sleep(_POLL_SECONDS)

    def watch(self) -> Job:
        """Show the job live (a monitor in a notebook, lines of text elsewhere) and wait for its end.

        A cell interrupt ends the watching; the job goes on.
        """
        late("watch")(self)
        return self

    def result(self) -> Any:
        """Wait for the end and return what the job made, for a finetune job the model.

        Raises
        ------
        JobFailedError
            If it failed or was lost; the message carries the reason.
        JobStoppedError
            If it was stopped before it could publish.
        """
        self.wait()
        snapshot = self._feed.snapshot
        if snapshot.state == "done":
            return late(f"result_of_{snapshot.kind}")(self)
        if snapshot.state == "stopped":
            counted = f"{unit_of(self.kind)} {snapshot.steps_completed} of {snapshot.steps_total}"
            raise JobStoppedError(
                f"Job {self.id} was stopped{f' at {counted}' if snapshot.steps_total else ''}.",
                fix="carry on with job.resume().",
            )
        fix = "see job.log() for the whole story."
        if snapshot.levers:
            fix = f"try, in this order: {'; '.join(snapshot.levers)}."
        elif "What to do:" in snapshot.reason:
            fix = ""  # the worker's error says it
        raise JobFailedError(
            f"Job {self.id} {'was lost' if snapshot.state == 'lost' else 'failed'}: {snapshot.reason}",
            fix=fix,
        )

    def stop(self) -> Job:
        """Ask the job to end early, keeping a checkpoint, or the trials that ended.

        Asking twice, or after the end, changes nothing.
        """
        if not self._ended():
            self._folder.stop_flag.touch()
        return self

    def resume(self) -> Job:
        """Carry on a stopped, failed or lost job from its last complete checkpoint, else from the start.

        A sweep goes on with the rest of its budget; a trial that was at work starts anew.

        Raises
        ------
        JobError
            If the job is still at work or has done its work, or another one makes a model of this name.
        """
        state = self.status
        if state not in ("stopped", "failed", "lost"):
            fix = (
                "job.result() returns what it made." if state == "done" else "wait for it, or stop it first."
            )
            raise JobError(f"Job {self.id} is {state}.", expected="a stopped, failed or lost job", fix=fix)
        self._check_alone()
        start(self._folder, self.plan.get("executor", "process"))
        return self

    def add_trials(self, count: int) -> Job:
        """Let a sweep try *count* more; a running one goes on with them, an ended one starts again.

        What was tried is not tried again. When they are done the best are confirmed anew, and the published
        model is replaced only if another trial wins.

        Parameters
        ----------
        count
            At least 1.

        Raises
        ------
        JobError
            If the job is no sweep, *count* no such number, or another job makes a model of this name.
        NotFoundError
            If its folder was deleted.
        """
        if self.kind != "sweep":
            raise JobError(
                f"Job {self.id} is no sweep.", expected="a job of finetune(..., trial_count=9), for example"
            )
        if not is_whole(count) or count < 1:
            raise JobError(f"count is {count!r}.", expected="how many trials to add: 1 or more")
        self._folder.plan()  # a deleted folder is told, not made anew by the lock in it
        self._check_alone()
        with locked(claims_lock(self._folder)):
            ending = is_closed(self._folder)
            write_budget(self._folder, trial_budget(self._folder) + int(count))
        while ending and self.status in ("running", "stopping"):  # it saw the old budget and is about to end
            time.sleep(_POLL_SECONDS)
        if self._ended():
            start(self._folder, self.plan.get("executor", "process"))
        return self

    @property
    def study(self) -> Any:
        """The Optuna study of a sweep: all that Optuna, and whatever reads its studies, can do with one.

        Raises
        ------
        JobError
            If the job is no sweep.
        NotFoundError
            If no trial has begun.
        """
        return late("study_of_job")(self)

    @property
    def trials(self) -> Any:
        """The trials of a sweep as they stand now; a list without any for every other kind of job.

        Returns
        -------
        Trials
            A sequence; ``.best``, ``.to_frame()``, ``.history()`` and other pictures.
        """
        return late("trials_of_job")(self)

    def to_frame(self) -> pd.DataFrame:
        """Return all metrics so far: columns metric, step, epoch, seconds, value."""
        with self._feed.lock:
            self._feed.poll()
            rows = [
                (name, *row)
                for name, series in self._feed.snapshot.series.items()
                for row in zip(series.step, series.epoch, series.wall, series.value, strict=True)
            ]
        return pd.DataFrame(rows, columns=["metric", "step", "epoch", "seconds", "value"])

    def log(self, lines: int = 50) -> str:
        """Return the last *lines* of what the worker printed, and the traceback of a failure."""
        return log_tail(self._folder, lines)

    def __repr__(self) -> str:
        self._feed.poll()
        snapshot = self._feed.snapshot
        parts = [f"{self.kind} {self.name!r}", snapshot.state]
        if snapshot.steps_total:
            done = f"{snapshot.steps_completed}/{snapshot.steps_total}"
            parts.append(f"{unit_of(self.kind)} {done}")
        if snapshot.kind == "sweep" and snapshot.best:
            parts.append(f"best {snapshot.best['value']:.3f}")
        if snapshot.verdict:
            parts.append(snapshot.verdict["text"])
        elif snapshot.reason and snapshot.ended:  # else of an earlier attempt
            parts.append(snapshot.reason.splitlines()[0])
        return f"Job({self.id}: {', '.join(parts)})"

    def _ipython_display_(self) -> None:
        late("display_job")(self)

    def _check_alone(self) -> None:
        """Refuse to start a second job of one name: it would train, and find the name taken at its end."""
        for other in Job.all():
            same = other.kind in _MAKE_MODELS and other.name.casefold() == self.name.casefold()
            if same and other.id != self.id and other.status in ALIVE_STATES:
                raise JobError(
                    f"Job {other.id} is making a model of this name right now.",
                    fix=f"wait for it, or stop it first: Job.open({other.id!r}).stop().",
                )

    def _ended(self) -> bool:
        self._feed.poll()
        return self._feed.snapshot.ended


def latest_job(name: str) -> Job | None:
    """Return the latest job that made or makes the model *name* (regardless of case), or None."""
    folded = check_name(name).casefold()
    for folder in reversed(job_folders()):
        plan = folder.plan()
        if plan["kind"] in _MAKE_MODELS and plan["name"].casefold() == folded:
            return Job(folder)
    return None


def submit(folder: JobFolder, executor: str) -> Job:
    """Start the worker of a new job folder and return the handle."""
    start(folder, executor)
    return Job(folder)
