"""How a sweep is carried out: how many trials, who proposes them, how many at once, what is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from embedtune_nb.errors import PlanError
from embedtune_nb.plan.choices import ASKED, Choices
from embedtune_nb.plan.dimension import Dimension
from embedtune_nb.plan.machine import usable_cores, visible_gpus
from embedtune_nb.plan.plan import Setting
from embedtune_nb.plan.sweep_hyperparams import SWEEP_HYPERPARAMS
from embedtune_nb.plan.workload import evaluations

#: Seeds beside the sweep's own, on which the best two are trained again.
FRESH_SEEDS = 2
#: How many of the best are trained again.
CONFIRMED = 2
# With fewer trials, or fewer points on a trial's curve, the median of the others says nothing.
_PRUNED_TRIALS, _PRUNED_LOOKS = 6, 3
# Fewer cores than this make a trial slower by more than a second one beside it gains.
_CORES_OF_TRIAL = 4
# Trials that run at once cannot learn from each other.
_ROUNDS = 3


def sweep_settings(
    trial_count: int,
    possible: int | None,
    space: Sequence[Dimension],
    asked: Mapping[str, Any],
    trials: Sequence[Choices],
    executor: str,
    fitting: int | None,
) -> dict[str, Setting]:
    """Return the settings of the sweep itself.

    Parameters
    ----------
    trial_count
        As asked for.
    possible
        How many different trials the space holds; None if there is no end of them.
    space
        What is searched.
    asked
        The keys of ``SWEEP_HYPERPARAMS`` that were given.
    trials
        The settings of the first trial, and of others drawn from the space.
    executor
        Where the job runs.
    fitting
        How many trials fit into memory at once; None where that is not known.

    Raises
    ------
    PlanError
        If several workers are asked for in a thread.
    """
    count = trial_count if possible is None else min(trial_count, possible)
    return {
        "trial_count": _count(trial_count, possible, len(space)),
        "sampler": _sampler(space),
        "sampler_startup": _startup(count),
        "pruning": _pruning(count, round(median(map(evaluations, trials)))),
        "confirm": _confirm(asked, trials[0]["seed"]),
        "keep_trials": _taken("keep_trials", asked),
        "trial_workers": _workers(asked, count, executor, fitting),
    }


def _count(asked: int, possible: int | None, searched: int) -> Setting:
    if possible is not None and possible < asked:
        reason = f"you asked for {asked}, but there are only {possible} different trials"
        return Setting(possible, "inferred", reason)
    rule = f"the rule is 2n + 1 = {2 * searched + 1} for {searched} searched key{'s' * (searched > 1)}"
    return Setting(asked, "user", f"{ASKED}; {rule}")


def _sampler(space: Sequence[Dimension]) -> Setting:
    conditional = next((axis for axis in space if axis.only_with), None)
    if conditional is None:
        reason = "a Gaussian process (Optuna's GP): every searched key has an effect in every trial"
        return Setting("gp", "inferred", reason)
    part = next(iter(conditional.only_with))
    reason = f"tree-structured (Optuna's TPE): {conditional.name} has an effect only with some of {part}"
    return Setting("tpe", "inferred", reason)


def _startup(count: int) -> Setting:
    startup = max(2, min(4, count // 3))
    reason = f"the defaults and {startup - 1} random trial{'s' * (startup > 2)} before the sampler proposes"
    return Setting(startup, "inferred", reason)


def _pruning(count: int, looks: int) -> Setting:
    if count < _PRUNED_TRIALS:
        return Setting(False, "inferred", f"off: {count} trials are too few to compare one with on its way")
    if looks < _PRUNED_LOOKS:
        times = "once" if looks == 1 else f"{looks} times"
        reason = f"off: most trials are evaluated {times}, so there is little to end early"
        return Setting(False, "inferred", reason)
    reason = "ends a trial that is below the median of the others at the same share of its way"
    return Setting(True, "inferred", f"{reason}; most have {looks} evaluations")


def _confirm(asked: Mapping[str, Any], seed: int) -> Setting:
    setting = _taken("confirm", asked)
    if not setting.value:
        return Setting(False, "user", f"{ASKED}: the best score wins, luck included")
    fresh = " and ".join(str(seed + place) for place in range(1, FRESH_SEEDS + 1))
    reason = f"the best {CONFIRMED} are trained again with seeds {fresh}; {SWEEP_HYPERPARAMS['confirm'].why}"
    return Setting(True, setting.source, reason)


def _workers(asked: Mapping[str, Any], count: int, executor: str, fitting: int | None) -> Setting:
    wanted = asked.get("trial_workers")
    if executor == "thread":
        if wanted is not None and wanted > 1:
            raise PlanError(
                f"trial_workers={wanted} needs processes, and executor='thread' has one.",
                expected="executor='process', or trial_workers=1",
                fix="leave executor or trial_workers out.",
            )
        return Setting(1, "inferred", "executor='thread' has one process")
    if wanted is not None:
        if wanted <= count:
            crowded = fitting is not None and wanted > fitting
            note = f"; but memory holds about {fitting} at once" if crowded else ""
            return Setting(wanted, "user", f"{ASKED}{note}")
        return Setting(count, "inferred", f"you asked for {wanted}, but there are only {count} trials")
    gpus, cores = visible_gpus(), usable_cores()
    workers = gpus or max(1, cores // _CORES_OF_TRIAL)
    told = f"{cores} cores, and a trial uses {_CORES_OF_TRIAL} well"
    if gpus:
        told = f"{gpus} GPU{'s' * (gpus > 1)}"
    if fitting is not None and workers > fitting:
        workers, told = fitting, f"{told}; memory holds about {fitting} at once"
    most = max(1, count // _ROUNDS)
    if workers > most:
        workers, told = most, f"{told}; no more than {most}, so that later trials learn from earlier ones"
    return Setting(workers, "inferred", told)


def _taken(name: str, asked: Mapping[str, Any]) -> Setting:
    if name in asked:
        return Setting(asked[name], "user", ASKED)
    entry = SWEEP_HYPERPARAMS[name]
    return Setting(entry.default, "default", entry.why)
