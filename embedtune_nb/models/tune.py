"""From a call of ``finetune`` to a job: new, running, stopped and carried on, or long done."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

from embedtune_nb.catalogue import BaseSpec
from embedtune_nb.data.split import Split
from embedtune_nb.errors import AlreadyExistsError, PlanError
from embedtune_nb.jobs.feed import ALIVE_STATES
from embedtune_nb.jobs.job import Job, latest_job, submit
from embedtune_nb.models.record import ModelRecord, find_record
from embedtune_nb.plan.plan import Plan
from embedtune_nb.plan.resolve import resolve
from embedtune_nb.store.home import name_lock, writable_folder
from embedtune_nb.store.job_folder import create
from embedtune_nb.store.locks import locked
from embedtune_nb.store.names import check_name, named_folder

_CARRIED_ON = ("stopped", "failed", "lost")
_FOLLOW_TRIAL_COUNT = {"trial_count", "sampler_startup", "pruning"}


def begin(
    spec: BaseSpec,
    name: str,
    data: Any,
    *,
    eval_datasource: Any,
    loss: str | list[str] | None,
    hyperparams: dict[str, Any] | None,
    trial_count: int,
    if_exists: str,
    executor: str,
    resume_from_checkpoint: bool,
    seed: int,
) -> Job:
    """Return the job that makes, or made, the model *name*; at most one is ever at work for a name.

    Raises
    ------
    AlreadyExistsError
        If the name is taken and *if_exists* is ``"error"``.
    PlanError
        If the settings are wrong, or contradict what stands under the name.
    StoreError
        If a sweep's database of studies cannot be opened.
    """
    name = check_name(name)
    if if_exists not in ("error", "open"):
        raise PlanError(
            f"if_exists={if_exists!r}.", expected="'error' or 'open'", fix="choose one of the two."
        )
    plan, split = resolve(
        spec,
        data,
        name=name,
        eval_datasource=eval_datasource,
        loss=loss,
        hyperparams=hyperparams,
        trial_count=trial_count,
        seed=seed,
        executor=executor,
    )
    # a lock on the name, so that two kernels that ask at once still start one job
    writable_folder("jobs")
    with locked(name_lock(name)):
        record, job = find_record(name), latest_job(name)
        if record is not None:
            return _existing(record, job, plan, if_exists)
        if job is not None and job.status in ALIVE_STATES:
            return _running(job, plan, if_exists)
        wanted = if_exists == "open" or resume_from_checkpoint
        if job is not None and job.status in _CARRIED_ON:
            if wanted:
                return _carry_on(job, plan)
            warnings.warn(
                f"Training starts afresh, although job {job.id} of this name was {job.status}: "
                f"if_exists='error' carries nothing on. if_exists='open' or Job.open({job.id!r}).resume() "
                "would have.",
                stacklevel=3,
            )
        return _new(plan, split, executor)


def _existing(record: ModelRecord, job: Job | None, plan: Plan, if_exists: str) -> Job:
    if if_exists == "error":
        raise AlreadyExistsError(
            f"The name {record.name!r} is taken by a model trained {record.when} UTC.",
            fix=f"choose another name, pass if_exists='open' to get that model, "
            f"or FinetunedEmbeddingModel.drop({record.name!r}).",
        )
    recipe = _recipe(record, job)
    _same_base(recipe.base, plan)
    changes = recipe.diff(plan)
    told = f"Opened the model {record.name!r}, trained {record.when} UTC; nothing new was started"
    if changes:
        told += (
            f", although this call asks for something else:\n{_table(changes)}\n"
            f"For a new training choose another name, or drop that model first{_or_add(changes, 'model.job')}"
        )
    warnings.warn(f"{told}.", stacklevel=4)
    if job is None or job.id != record.job_id:
        return record.restore_job()
    # killed after publishing, it has yet to say that it is done
    return job.resume() if job.status in _CARRIED_ON else job


def _running(job: Job, plan: Plan, if_exists: str) -> Job:
    if if_exists == "error":
        raise AlreadyExistsError(
            f"Job {job.id} is making a model of this name right now.",
            fix="pass if_exists='open' to attach to it, or stop it with Job.open(...).stop().",
        )
    _same_base(job.plan["base"], plan)
    changes = Plan.from_json(job.plan).diff(plan)
    note = "."
    if changes:
        more = _or_add(changes, f"Job.open({job.name!r})")
        note = f", although this call asks for something else:\n{_table(changes)}{more}"
    warnings.warn(f"Attached to the running job {job.id}; nothing new was started{note}", stacklevel=4)
    return job


def _carry_on(job: Job, plan: Plan) -> Job:
    changes = Plan.from_json(job.plan).diff(plan)
    if changes:
        raise PlanError(
            f"Job {job.id} ({job.status}) cannot be carried on, because this call asks for something else:\n"
            f"{_table(changes)}",
            fix="use the old settings, or start afresh with if_exists='error' (the default)"
            f"{_or_add(changes, f'Job.open({job.name!r})')}.",
        )
    warnings.warn(f"Carrying on job {job.id}, which was {job.status}.", stacklevel=4)
    return job.resume()


def _new(plan: Plan, split: Split, executor: str) -> Job:
    target = named_folder(writable_folder("models"), plan.name)
    if target.exists():
        raise AlreadyExistsError(
            f"{target} is a file, and the model would be a folder of that name.",
            fix="move the file elsewhere, or choose another name.",
        )
    if plan.kind == "sweep":
        from embedtune_nb.sweep.studies import open_storage

        open_storage()  # one that cannot be opened is told here, not by a worker
    return submit(create(plan.name, plan.to_json(), split.write), executor)


def _recipe(record: ModelRecord, job: Job | None) -> Plan:
    """Return the plan that made the model: of the sweep, where it is the best of one that is still kept."""
    of_sweep = job is not None and job.id == record.job_id and job.kind == "sweep"
    return Plan.from_json(job.plan if job is not None and of_sweep else record.plan)


def _or_add(changes: list[tuple[str, Any, Any]], job: str) -> str:
    """Return how a sweep gets more trials, where that is all that this call asks for."""
    counts = [(there, here) for what, there, here in changes if what == "trial_count"]
    if not counts or not {what for what, *_ in changes} <= _FOLLOW_TRIAL_COUNT:
        return ""
    [(there, here)] = counts
    return f"; or {job}.add_trials({here - there}) carries the sweep on" if there and here > there else ""


def _same_base(theirs: Mapping[str, Any], plan: Plan) -> None:
    if theirs["id"] != plan.base["id"]:
        raise PlanError(
            f"The name {plan.name!r} stands for a model tuned from {theirs['id']}, "
            f"this call starts from {plan.base['id']}.",
            fix="choose another name, or drop the old model first.",
        )


def _table(changes: list[tuple[str, Any, Any]]) -> str:
    return "\n".join(f"  {what}: there {mine!r}, here {theirs!r}" for what, mine, theirs in changes)
