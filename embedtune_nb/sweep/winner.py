"""The winner of a sweep becomes a model: judged once, on data that no trial has seen."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from embedtune_nb.data.split import Split
from embedtune_nb.encoder.encoder import Encoder
from embedtune_nb.errors import AlreadyExistsError, InUseError
from embedtune_nb.evaluation.vectors import VectorCache
from embedtune_nb.plan.metrics import lower_is_better, selecting_metric
from embedtune_nb.plan.plan import Plan
from embedtune_nb.store.events import Event, EventReader, Notice, Phase, Published, VerdictReached
from embedtune_nb.store.home import models_folder
from embedtune_nb.store.job_folder import JobFolder
from embedtune_nb.store.leases import holders
from embedtune_nb.store.publish import publish
from embedtune_nb.sweep.ranking import best_base
from embedtune_nb.sweep.snapshot import TRIALS_FILE
from embedtune_nb.sweep.trial_folder import COUNTED, TRIALS, TrialFolder, TrialRecord
from embedtune_nb.training.finish import Finish, Judged, publish_judged
from embedtune_nb.training.forgetting_guard import ForgettingGuard
from embedtune_nb.training.held_out import HeldOut
from embedtune_nb.training.publish_model import RECORD, published_by
from embedtune_nb.training.shared import Shared, load_base
from embedtune_nb.training.telling import Telling
from embedtune_nb.training.trained_part import part_to_train

Emit = Callable[[Event], None]
_JUDGED = "judged.json"
_DIGITS = 6
_CURVES = ("train/loss", "eval/", "forgetting/")


def publish_winner(
    job: JobFolder,
    plan: Plan,
    split: Split,
    trial: TrialFolder,
    *,
    emit: Emit,
    should_stop: Callable[[], bool],
    trials: Sequence[Mapping[str, Any]],
    decision: Mapping[str, Any],
    replace: bool = False,
) -> None:
    """Judge the kept weights of *trial* beside their base, and publish them with the list of all trials.

    What an earlier attempt did is not done again. Where the same trial stands in the store already, only
    the list of trials beside it is brought up to date.

    Parameters
    ----------
    job
        Who publishes: the job of the sweep, or another one later.
    plan
        That of the trial, under the name that the model will have.
    split
        The data, of which the verdict part is now read for the first time.
    trial
        Its folder, weights included.
    emit
        Takes the events.
    should_stop
        Asked between batches.
    trials
        The record of each trial and of each run that confirms one, as dicts; their settings, code and curves
        are added from their folders.
    decision
        How the winner was found, see :mod:`embedtune_nb.sweep.decide`.
    replace
        Whether a model that an earlier decision of this job published may be replaced.

    Raises
    ------
    JobStoppedError
        If a stop was asked for.
    AlreadyExistsError
        If another job published a model of this name.
    InUseError
        If a memoryset needs the model that would be replaced.
    IntegrityError
        If the saved model is not the one that was judged.
    """
    index = trial.record().index
    listed = json.dumps(_all_about(trial, plan, trials, decision), ensure_ascii=False)
    facts = {
        "trial": index,
        "trials": sum(record["state"] in COUNTED and record.get("confirms") is None for record in trials),
        "metric": _metric(plan),
        "decision": dict(decision),
    }
    target = models_folder() / plan.name
    standing = published_by(target, job.id)
    if standing is not None and standing["sweep"]["trial"] == index:
        _bring_up_to_date(target, standing, facts, listed, emit)
        return
    if standing is not None:
        _refuse_replacing(plan.name, target, standing["sweep"]["trial"], replace)
    _forget_other_winner(job, trial)
    telling = Telling(
        emit,
        should_stop,
        at_stop="Stopped while the base model was evaluated; the trials are kept.",
        fix="carry on with job.resume().",
    )
    tuned, held_out, judged = _judge(job, plan, split, trial, emit, telling)
    publish_judged(
        job,
        plan,
        tuned,
        held_out,
        judged,
        emit=emit,
        sweep=facts,
        beside={TRIALS_FILE: listed},
        replace=replace,
    )


def _judge(
    job: JobFolder, plan: Plan, split: Split, trial: TrialFolder, emit: Emit, telling: Telling
) -> tuple[Encoder, HeldOut, Judged]:
    """Compare the kept weights with their base model on the verdict part."""
    emit(Phase("loading"))
    settings = plan.objectives[0]
    known = Shared().about(plan.base, settings)
    finish = Finish(plan, split, job.path, emit=emit, telling=telling)
    part = part_to_train(settings, emit, known)
    untrained = part.on(lambda: load_base(plan.base, settings, known), plan.base)
    base = part.base_beside(untrained, lambda: untrained)
    guard = ForgettingGuard(
        job.path / "evaluation" / "general_probe.npy",
        lambda: base,
        "query" if settings.get("adapter_side") == "query" else None,
    )
    if finish.main.before is None:
        emit(Phase("evaluating base"))
        vectors = VectorCache()
        before = finish.judge_base(base, guard, vectors)
        finish.keep_base(base, before, vectors)
    tuned = part.trained(trial.weights, untrained)
    forgotten, vectors = finish.judge(tuned, guard)
    return tuned, finish.main, finish.conclude(forgotten, vectors, trial.events)


def _bring_up_to_date(
    target: Path, standing: dict[str, Any], facts: dict[str, Any], listed: str, emit: Emit
) -> None:
    """Say what stands, and write the list of trials anew if more were tried since."""
    if (target / TRIALS_FILE).read_text(encoding="utf-8") == listed:
        emit(Notice("The model was published by an earlier attempt; nothing was left to be done."))
    else:
        emit(Notice("The model stays as it is; the list of trials beside it is brought up to date."))
        record = {**standing, "sweep": {**facts, "trial": standing["sweep"]["trial"]}}

        def build(folder: Path) -> None:
            shutil.copytree(target, folder, dirs_exist_ok=True)
            (folder / TRIALS_FILE).write_text(listed, encoding="utf-8")
            (folder / RECORD).write_text(json.dumps(record, indent=1, ensure_ascii=False), encoding="utf-8")

        publish(target, build, replace=True)
    emit(VerdictReached(standing["verdict"]))
    emit(Published(standing["name"], str(target)))


def _refuse_replacing(name: str, target: Path, trial: int, replace: bool) -> None:
    if not replace:
        raise AlreadyExistsError(
            f"The model {name!r} in the store is trial {trial} of this sweep.",
            fix="choose another name, or drop that model first.",
        )
    if sets := holders(target):
        named = ", ".join(map(repr, sets))
        raise InUseError(
            f"Another trial is the best now, but the model {name!r} is in use by "
            f"{'memoryset' if len(sets) == 1 else 'memorysets'} {named}, which would no longer fit it.",
            fix="drop these, for example with LabeledMemoryset.drop(...), and carry on with job.resume(); or "
            "publish the new best trial under another name.",
        )


def _forget_other_winner(job: JobFolder, trial: TrialFolder) -> None:
    """Throw away what was kept of evaluations for another trial, whose base model may be another too."""
    folder = job.path / "evaluation"
    mark = folder / _JUDGED
    if not mark.is_file() or json.loads(mark.read_text()) != trial.path.name:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        mark.write_text(json.dumps(trial.path.name))


def _all_about(
    trial: TrialFolder, plan: Plan, trials: Sequence[Mapping[str, Any]], decision: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the content of the file that tells of all trials when the job's folder is gone."""
    metric, sweep = _metric(plan), JobFolder(trial.path.parent.parent)
    told = []
    for record in trials:
        folder = TrialFolder(sweep.path / TRIALS / TrialRecord.from_json(record).key)
        own = folder.plan() if folder.plan_file.is_file() else {}
        settings, code = own.get("settings", {}), own.get("code", "")
        told.append({"settings": settings, "code": code, "curves": curves_of(folder), **record})
    higher_is_better = not lower_is_better(metric)
    return {
        "metric": metric,
        "higher_is_better": higher_is_better,
        "base_score": best_base((base_score(row["curves"], metric) for row in told), higher_is_better),
        "space": list(sweep.plan().get("space", [])),
        "trials": told,
        "decision": dict(decision),
    }


def base_score(curves: Mapping[str, Mapping[str, Sequence[float]]], metric: str) -> float | None:
    """Return what the base model of a trial had of *metric*, by the trial's curves; None if not measured."""
    curve = curves.get(f"eval/{metric}", {"step": [], "value": []})
    return curve["value"][0] if curve["step"] and curve["step"][0] == 0 else None


def curves_of(trial: TrialFolder) -> dict[str, dict[str, list[float]]]:
    """Return loss and evaluations over the steps of a trial: metric -> ``step``, ``epoch``, ``value``.

    Values are rounded to six digits; those that are no numbers are left out.
    """
    curves: dict[str, dict[str, list[float]]] = {}
    for event in EventReader(trial.events).new():
        if event["type"] != "metrics":
            continue
        for name, value in event["values"].items():
            if name.startswith(_CURVES) and math.isfinite(float(value)):
                curve = curves.setdefault(name, {"step": [], "epoch": [], "value": []})
                curve["step"].append(event["step"])
                curve["epoch"].append(round(event["epoch"], _DIGITS))
                curve["value"].append(float(f"{value:.{_DIGITS}g}"))
    return curves


def _metric(plan: Plan) -> str:
    return selecting_metric(plan["eval_method"], plan["metric"])
