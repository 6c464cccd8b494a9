"""How long a sweep will take: the mean of trials drawn from its space, times their number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from embedtune_nb.plan.advice import FULL
from embedtune_nb.plan.estimate import FIXED_SECONDS
from embedtune_nb.plan.machine import Machine
from embedtune_nb.plan.settle import Run
from embedtune_nb.plan.sweep_settings import CONFIRMED, FRESH_SEEDS
from embedtune_nb.plan.trained_part import is_adapter

# Of one trial: loading the model, making loss and trainer, keeping the best weights.
_TRIAL_SECONDS = (1.0, 5.0)
# Pruned trials end about half way, and about half of those that may be pruned are.
_PRUNED_SHARE = 0.25


def estimate_sweep(
    runs: Sequence[Run],
    trials: Sequence[Mapping[str, Any]],
    settings: Mapping[str, Any],
    machine: Machine,
) -> dict[str, Any]:
    """Return time and memory of a sweep, as :func:`embedtune_nb.plan.estimate.estimate` does for a run.

    Parameters
    ----------
    runs
        The first trial, and others drawn at random from the space.
    trials
        What each of them is estimated to take.
    settings
        Those of the sweep, as plain values.
    machine
        Where it will run.
    """
    _, whole = runs[0].estimate(machine)
    unknown = next((one for one in trials if one["seconds_low"] is None), None)
    if unknown is not None:
        return {**unknown, "evaluation_share": whole["evaluation_share"]}
    count, workers = settings["trial_count"], settings["trial_workers"]
    again = CONFIRMED * FRESH_SEEDS if settings["confirm"] else 0
    may_be_pruned = max(count - settings["sampler_startup"], 0) if settings["pruning"] else 0
    low, high = (_mean_of_trial(trials, end) for end in ("low", "high"))
    runs_low, runs_high = count - _PRUNED_SHARE * may_be_pruned + again, count + again
    once = _once(runs, trials, machine)
    memory = [one["peak_memory_bytes"] for one in trials]
    return {
        "seconds_low": round(FIXED_SECONDS[0] + once[0] + runs_low * low / workers, 1),
        "seconds_high": round(FIXED_SECONDS[1] + once[1] + runs_high * high / workers, 1),
        "peak_memory_bytes": max(memory) * workers,
        "evaluation_share": whole["evaluation_share"],
        "trial_seconds_low": round(low, 1),
        "trial_seconds_high": round(high, 1),
        "reason": _reason(count, again, workers, (low, high), len(trials), bool(may_be_pruned))
        + f" One trial: {whole['reason']}",
    }


def trials_in_memory(trials: Sequence[Mapping[str, Any]], machine: Machine) -> int | None:
    """Return how many trials, by their estimates, the main memory holds at once; None if not known."""
    needed = [one["peak_memory_bytes"] for one in trials]
    if any(one is None for one in needed):
        return None
    return max(1, int(FULL * machine.memory_bytes / max(needed)))


def _once(runs: Sequence[Run], trials: Sequence[Mapping[str, Any]], machine: Machine) -> tuple[float, float]:
    """Return the seconds, at least and at most, of what is done once: judging, and reading for adapters.

    A frozen base model reads all texts for the first adapter on it; base and winner are judged at the end.
    """
    bases: dict[Any, tuple[float, float]] = {}
    for place, (run, trial) in enumerate(zip(runs, trials, strict=True)):
        base = run.call.base.id if is_adapter(run.choices) else None
        if base not in bases and (place == 0 or base is not None):
            _, whole = run.estimate(machine)
            bases[base] = (
                whole["seconds_low"] - trial["seconds_low"],
                whole["seconds_high"] - trial["seconds_high"],
            )
    return sum(low for low, _ in bases.values()), sum(high for _, high in bases.values())


def _mean_of_trial(trials: Sequence[Mapping[str, Any]], end: str) -> float:
    place = ("low", "high").index(end)
    mean = sum(one[f"seconds_{end}"] for one in trials) / len(trials)
    return mean - FIXED_SECONDS[place] + _TRIAL_SECONDS[place]


def _reason(
    count: int, again: int, workers: int, seconds: tuple[float, float], drawn: int, pruned: bool
) -> str:
    sentences = [
        f"{count} trials" + (f" and {again} runs that confirm the best {CONFIRMED}" if again else ""),
        f"{seconds[0]:.0f} to {seconds[1]:.0f} s each, the mean of {drawn} trials drawn from the space",
    ]
    if workers > 1:
        sentences.append(f"{workers} at once")
    if pruned:
        sentences.append("the low end counts on pruning to save a quarter of the later trials")
    return "; ".join(sentences) + "."
