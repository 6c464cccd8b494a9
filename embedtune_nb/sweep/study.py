"""The study of one sweep: an ordinary Optuna study, named as its job."""

from __future__ import annotations

import platform
from collections.abc import Iterable
from importlib.metadata import version
from typing import Any

import optuna
from optuna import Study
from optuna.trial import FrozenTrial, TrialState, create_trial

from embedtune_nb import __version__
from embedtune_nb.errors import JobError, NotFoundError
from embedtune_nb.jobs.job import Job
from embedtune_nb.plan.metrics import lower_is_better, selecting_metric
from embedtune_nb.plan.plan import Plan
from embedtune_nb.sweep.encoding import shown, shown_distribution
from embedtune_nb.sweep.pruning import pruner
from embedtune_nb.sweep.sampling import Sampling
from embedtune_nb.sweep.studies import open_storage, quiet, shown_address, studies_url
from embedtune_nb.sweep.trial_folder import TrialRecord

_STATES = {"done": TrialState.COMPLETE, "pruned": TrialState.PRUNED}


def metric_of(plan: Plan) -> str:
    """Return the metric that chooses among the trials of a sweep."""
    return selecting_metric(plan["eval_method"], plan["metric"])


def sampling_of(plan: Plan) -> Sampling:
    """Return how a sweep searches."""
    return Sampling(
        sampler=plan["sampler"],
        startup=plan["sampler_startup"],
        higher_is_better=not lower_is_better(metric_of(plan)),
        seed=plan["seed"],
    )


def open_study(job_id: str, plan: Plan, known: Iterable[TrialRecord]) -> Study:
    """Return the study of a sweep for its workers; it is made when it is missing.

    Parameters
    ----------
    job_id
        The study's name.
    plan
        Of the sweep.
    known
        Trials that have a record. A study that lacks them, because its database was deleted or is another
        one today, gets them again.

    Raises
    ------
    JobError
        If the study of that name searches something else.
    StoreError
        If the database cannot be opened.
    """
    with quiet():
        study = optuna.create_study(
            storage=open_storage(),
            study_name=job_id,
            direction=sampling_of(plan).direction,
            load_if_exists=True,
            # asked for nothing: every value is proposed beforehand, see sampling.propose
            sampler=optuna.samplers.RandomSampler(seed=plan["seed"]),
            pruner=pruner(plan["pruning"]),
        )
        _same_space(study, plan)
        for name, value in _facts(plan).items():
            if name not in study.user_attrs:
                study.set_user_attr(name, value)
        _restore(study, plan, known)
    return study


def study_of_job(job: Job) -> Study:
    """Return the Optuna study of a sweep, as :func:`optuna.load_study` would.

    Raises
    ------
    JobError
        If the job is no sweep.
    NotFoundError
        If its worker has not made the study yet, or it is in another database.
    """
    if job.kind != "sweep":
        raise JobError(
            f"Job {job.id} is no sweep, so it has no study.",
            expected="a job of finetune(..., trial_count=9), for example",
        )
    plan = Plan.from_json(job.plan)
    try:
        return optuna.load_study(
            study_name=job.id,
            storage=open_storage(),
            sampler=sampling_of(plan).of_optuna(plan["seed"]),
            pruner=pruner(plan["pruning"]),
        )
    except KeyError:
        raise NotFoundError(
            f"The database {shown_address(studies_url())} holds no study {job.id!r}.",
            fix="wait until the job's first trial began, or set EMBEDTUNE_STUDIES as it was for the worker.",
        ) from None


def state_in_study(record: TrialRecord) -> TrialState:
    """Return what a trial that ended is called in its study."""
    return _STATES.get(record.state, TrialState.FAIL)


def _facts(plan: Plan) -> dict[str, Any]:
    return {
        "name": plan.name,
        "metric": metric_of(plan),
        "plan": plan.recipe_fingerprint,
        "data": plan.data["fingerprint"],
        "seed": plan["seed"],
        "space": {dimension.name: dimension.extent() for dimension in plan.space},
        "versions": {
            "python": platform.python_version(),
            "embedtune-nb": __version__,
            **{name: version(name) for name in ("optuna", "sentence-transformers", "torch")},
        },
    }


def _same_space(study: Study, plan: Plan) -> None:
    there, here = study.user_attrs.get("space"), _facts(plan)["space"]
    if there is None or there == here:
        return
    changes = [
        f"  {name}: there {there.get(name, 'not searched')}, here {here.get(name, 'not searched')}"
        for name in dict.fromkeys([*there, *here])
        if there.get(name) != here.get(name)
    ]
    raise JobError(
        f"The study {study.study_name!r} searches another space:\n" + "\n".join(changes),
        fix="start a sweep of another name.",
    )


def _restore(study: Study, plan: Plan, known: Iterable[TrialRecord]) -> None:
    """Add the trials that have a record and are missing in the study, with their numbers."""
    records = {record.index: record for record in known if record.confirms is None}
    for number in range(len(study.get_trials(deepcopy=False)), max(records, default=-1) + 1):
        study.add_trial(_restored(records.get(number), plan))


def _restored(record: TrialRecord | None, plan: Plan) -> FrozenTrial:
    if record is None:
        return create_trial(state=TrialState.FAIL)
    searched = [dimension for dimension in plan.space if dimension.name in record.values]
    state = state_in_study(record)
    if state is TrialState.COMPLETE and record.score is None:
        state = TrialState.FAIL
    try:
        return create_trial(
            state=state,
            value=record.score if state is TrialState.COMPLETE else None,
            params={one.name: shown(record.values[one.name]) for one in searched},
            distributions={one.name: shown_distribution(one) for one in searched},
        )
    except ValueError:  # values queued by hand, outside the space
        return create_trial(state=TrialState.FAIL)
