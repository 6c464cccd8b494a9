"""What one trial of a sweep can become: a published model, or a run of its own."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from embedtune_nb.catalogue import resolve_base
from embedtune_nb.data.split import Split
from embedtune_nb.errors import AlreadyExistsError, NotFoundError, PlanError
from embedtune_nb.jobs.feed import ALIVE_STATES
from embedtune_nb.jobs.job import Job, latest_job, submit
from embedtune_nb.jobs.progress import show_progress
from embedtune_nb.models.record import find_record
from embedtune_nb.plan.hyperparams import HYPERPARAMS
from embedtune_nb.plan.losses import check_loss
from embedtune_nb.plan.plan import Plan
from embedtune_nb.plan.resolve import check_executor
from embedtune_nb.plan.trial import ground_of, plan_of_trial
from embedtune_nb.plan.values import is_whole
from embedtune_nb.plan.wishes import check_hyperparams
from embedtune_nb.store.home import name_lock, writable_folder
from embedtune_nb.store.job_folder import JobFolder, create, new_job_id
from embedtune_nb.store.locks import locked
from embedtune_nb.store.names import check_name
from embedtune_nb.sweep.reading import PUBLISHED_TRIAL
from embedtune_nb.sweep.trial import Trial

_BASE = "base"


def publish_trial(trial: Trial, name: str, *, background: bool, executor: str) -> Any:
    """Start the job that judges and publishes the kept weights of *trial*; see :meth:`Trial.publish`."""
    check_executor(executor)
    name = check_name(name)
    weights, sweep = trial.weights, _job_folder(trial)
    code = _cell(sweep, trial, f"publish({name!r})")
    plan = replace(trial.plan, name=name, executor=executor, kind="publish", code=code)
    content = plan.to_json() | {PUBLISHED_TRIAL: {"job": sweep.id, "trial": weights.parent.name}}
    job = _submit(name, content, lambda data: _copy(sweep.data, data), executor)
    return job if background else show_progress(job).result()


def train_trial_again(
    trial: Trial, name: str, changes: Mapping[str, Any], *, continue_from: bool, executor: str
) -> Job:
    """Start a run of its own with the settings of *trial*; see :meth:`Trial.train_again`."""
    check_executor(executor)
    name = check_name(name)
    sweep = _job_folder(trial)
    job_id = new_job_id(name)
    base = writable_folder("jobs") / job_id / _BASE
    weights = trial.weights if continue_from else None
    split = Split.read(sweep.data)
    plan = _settled(trial, Plan.from_json(sweep.plan()), split, changes, weights)
    if weights is not None:
        plan = replace(plan, base={**plan.base, "id": str(base), "path": str(base)})
    asked = [repr(name), *(f"{key}={value!r}" for key, value in changes.items())]
    asked += ["continue_from=True"] * continue_from
    code = _cell(sweep, trial, f"train_again({', '.join(asked)})")
    plan = replace(plan, name=name, executor=executor, code=code)

    def write(data: Path) -> None:
        _copy(sweep.data, data)
        if weights is not None:  # a copy: the sweep keeps the best only, and which those are may change
            _copy(weights, data.parent / _BASE)

    return _submit(name, plan.to_json(), write, executor, job_id)


def _settled(
    trial: Trial, sweep: Plan, split: Split, changes: Mapping[str, Any], weights: Path | None
) -> Plan:
    """Return the plan of a single run: what the trial had, and *changes*, all of it fixed."""
    changes = dict(changes)
    seed = changes.pop("seed", trial.seed)
    if not is_whole(seed) or seed < 0:
        raise PlanError(f"seed is {seed!r}.", expected="a whole number from 0")
    loss = str(trial.plan["loss"])
    wanted = changes.pop("loss", None) or loss
    if wanted != loss:
        check_loss(sweep.data["kind"], wanted)
    ground = ground_of(sweep, split)
    call = ground.call(trial.hyperparameters)
    kept = {
        key: value
        for key, value in call.given.items()
        if key not in changes and wanted in (HYPERPARAMS[key].losses or (wanted,))
    }
    fixed = kept | check_hyperparams(changes, loss=wanted)
    base = call.base if weights is None else resolve_base(weights)
    losses = [wanted, *list(sweep.asked["losses"])[1:]]
    settings = dict(sweep.settings)
    settings["loss"] = replace(settings["loss"], value=wanted)
    alone = replace(
        sweep,
        base=base.to_dict(),
        settings=settings,
        space=(),
        asked={**sweep.asked, "hyperparams": fixed, "losses": losses, "bases": {}},
    )
    return plan_of_trial(alone, split, {}, seed=seed)


def _cell(sweep: JobFolder, trial: Trial, call: str) -> str:
    """Return the Python cell that asks for this."""
    found = f"trials[{trial.index}]"
    if trial.record.confirms is not None:
        wanted = f"(run.index, run.seed) == ({trial.index}, {trial.seed})"
        found = f"next(run for run in trials.confirmations if {wanted})"
    trials = f"import embedtune_nb as et\n\ntrials = et.Job.open({sweep.id!r}).trials"
    return f"{trials}\ntrial = {found}\ntrial.{call}"


def _submit(name: str, plan: dict[str, Any], write: Any, executor: str, job_id: str | None = None) -> Job:
    with locked(name_lock(name)):
        job = latest_job(name)
        if find_record(name) is not None or (job is not None and job.status in ALIVE_STATES):
            raise AlreadyExistsError(
                f"The name {name!r} is taken.", fix="give another name, or drop that model first."
            )
        return submit(create(name, plan, write, job_id=job_id), executor)


def _job_folder(trial: Trial) -> JobFolder:
    """Return the folder of the trial's sweep.

    Raises
    ------
    NotFoundError
        If it, or the data in it, is gone.
    """
    if trial.folder is not None:
        sweep = JobFolder(trial.folder.path.parent.parent)
        if sweep.has_plan() and (sweep.data / "split.json").is_file():
            return sweep
    raise NotFoundError(
        f"The data of {trial} is gone: the folder of its sweep's job was deleted.",
        fix="trial.code trains it again, with the data at hand.",
    )


def _copy(source: Path, target: Path) -> None:
    shutil.copytree(source, target, dirs_exist_ok=True)
