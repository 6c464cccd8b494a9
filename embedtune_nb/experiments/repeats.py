"""Several runs one after another, each an ordinary job under its own name: nothing is done twice."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from embedtune_nb.data.split import Split
from embedtune_nb.errors import AlreadyExistsError, JobFailedError, PlanError
from embedtune_nb.evaluation.result import Evaluation
from embedtune_nb.jobs.feed import ALIVE_STATES
from embedtune_nb.jobs.job import Job, latest_job, submit
from embedtune_nb.jobs.progress import show_progress
from embedtune_nb.models.finetuned import FinetunedEmbeddingModel
from embedtune_nb.models.record import find_record
from embedtune_nb.plan.plan import Plan
from embedtune_nb.store.home import name_lock, writable_folder
from embedtune_nb.store.job_folder import create
from embedtune_nb.store.locks import locked
from embedtune_nb.training.kept import load_evaluation

_CARRIED_ON = ("stopped", "failed", "lost")


@dataclass(frozen=True)
class Repeat:
    """One run to be made.

    Attributes
    ----------
    plan, split
        What the worker is given.
    same_base_as
        Name of a run that comes before, whose evaluation of the base holds for this one too: the same
        held-out part, and where neighbours answer, the same training part. None evaluates it anew.
    """

    plan: Plan
    split: Split
    same_base_as: str | None = None


def carry_out(repeats: Sequence[Repeat], *, what: str, if_exists: str, keep: Collection[str]) -> list[Job]:
    """Make the runs one after another and return their jobs, all done.

    An interrupt of the cell ends the waiting only; the run at work goes on, and the same call later takes
    over what is done, attaches to what is at work and carries on what was stopped.

    Parameters
    ----------
    repeats
        What to make, in this order.
    what
        Shown before the bar.
    if_exists
        ``"open"``, or ``"error"``: refuse if any of these runs was made or begun before.
    keep
        Names of the models that stay; the weights of each other one go as soon as its figures are there.

    Raises
    ------
    AlreadyExistsError
        If a name is taken by something else, or by such a run and *if_exists* is ``"error"``.
    JobFailedError, JobStoppedError
        If a run failed or was stopped.
    """
    if if_exists not in ("open", "error"):
        raise PlanError(
            f"if_exists={if_exists!r}.", expected="'open' or 'error'", fix="choose one of the two."
        )
    if if_exists == "error":
        for repeat in repeats:
            _refuse_if_there(repeat.plan.name)
    jobs = []
    for number, repeat in enumerate(repeats, start=1):
        job = _job_of(repeat)
        show_progress(job, f"{what}: run {number} of {len(repeats)}")
        if job.status != "done":
            job.result()  # raises with the reason
        if repeat.plan.name not in keep:
            _drop(job)
        jobs.append(job)
    return jobs


def evaluations_of(job: Job) -> tuple[Evaluation, Evaluation]:
    """Return what a done job found on its verdict part, before and after."""
    kept = job.folder.path / "evaluation"
    before, after = (load_evaluation(kept / side) for side in ("before", "after"))
    if before is None or after is None:
        raise JobFailedError(
            f"Job {job.id} no longer keeps its evaluations.",
            fix="delete its folder, and the same call makes the run again.",
        )
    return before, after


def _job_of(repeat: Repeat) -> Job:
    name = repeat.plan.name
    writable_folder("jobs")
    with locked(name_lock(name)):
        record, job = find_record(name), latest_job(name)
        ours = job is not None and not Plan.from_json(job.plan).diff(repeat.plan)
        if record is not None and not (ours and job is not None and record.job_id == job.id):
            raise AlreadyExistsError(
                f"The name {name!r} is taken by a model of another recipe.",
                fix=f"FinetunedEmbeddingModel.drop({name!r}), or give another name.",
            )
        if job is not None and ours:
            if job.status in _CARRIED_ON:
                return job.resume()
            return job
        if job is not None and job.status in ALIVE_STATES:
            raise AlreadyExistsError(
                f"Job {job.id} is making another model {name!r} right now.",
                fix="wait for it, or stop it with Job.open(...).stop().",
            )
        folder = create(name, repeat.plan.to_json(), repeat.split.write)
        earlier = latest_job(repeat.same_base_as) if repeat.same_base_as else None
        if earlier is not None:
            kept = Path("evaluation", "before")
            shutil.copytree(earlier.folder.path / kept, folder.path / kept)
        return submit(folder, repeat.plan.executor)


def _refuse_if_there(name: str) -> None:
    if find_record(name) is not None or latest_job(name) is not None:
        raise AlreadyExistsError(
            f"The run {name!r} was made or begun before.",
            fix="pass if_exists='open' to take over what is done, or give another name.",
        )


def _drop(job: Job) -> None:
    record = find_record(job.name)
    if record is not None and record.job_id == job.id:
        FinetunedEmbeddingModel.drop(job.name)
