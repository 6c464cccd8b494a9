"""From wishes to the space of a sweep: ranges and choices with their bounds, starts and conditions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import product
from math import prod
from typing import Any

from embedtune_nb.catalogue import BaseSpec
from embedtune_nb.errors import PlanError
from embedtune_nb.plan.conditions import conditions
from embedtune_nb.plan.dimension import Dimension
from embedtune_nb.plan.hyperparams import HYPERPARAMS
from embedtune_nb.plan.ranges import ORDER, AutomaticRange, Trained, automatic_ranges
from embedtune_nb.plan.rows import most_negatives
from embedtune_nb.plan.settle import Run
from embedtune_nb.plan.trained_part import is_adapter, is_lora
from embedtune_nb.plan.wishes import Range

# By ratios: from 1e-5 to 2e-5 is as far as from 1e-4 to 2e-4.
_BY_RATIOS = ("learning_rate", "head_learning_rate")


def choice_axis(name: str, choices: Sequence[Any], start: Any, what: str) -> Dimension:
    """Return the dimension of *choices* of the structure; *what* they are is told as its reason."""
    return Dimension(
        name,
        "choice",
        start if start in choices else choices[0],
        "user",
        f"you listed these {what}",
        choices=tuple(choices),
    )


def asked_space(
    searched: Mapping[str, Range | list[Any]],
    structure: Mapping[str, Dimension],
    bases: Mapping[str, BaseSpec],
    run: Run,
    beside: Callable[[dict[str, Any]], Run],
) -> tuple[Dimension, ...]:
    """Return the dimensions that a user asked for, those of the structure first.

    Parameters
    ----------
    searched
        Checked ranges and choices by key.
    structure
        The dimensions of the structure, by name.
    bases
        The base models to choose from, by id.
    run
        The run that has the default of everything searched; it bounds batches and lengths.
    beside
        Settles such a run with other choices of the structure, for what has no effect in the usual one.

    Raises
    ------
    PlanError
        If a dimension has no effect anywhere, or nothing of it is left within its bounds.
    """
    found = []
    for key, wish in searched.items():
        if key in structure:
            continue
        needs = conditions(key, structure, bases)
        impossible = [part for part, allowed in needs.items() if not allowed]
        if impossible:
            part = impossible[0]
            raise PlanError(
                f"{key} is searched, but has no effect with {part}={' or '.join(_names(structure[part]))}.",
                expected=f"a choice of {part} that uses it",
                fix=f"leave {key} out, or add such a choice.",
            )
        usual = all(structure[part].start in allowed for part, allowed in needs.items())
        own = run if usual else beside({part: allowed[0] for part, allowed in needs.items()})
        found.append(replace(_bounded(key, wish, bases, own), only_with=needs))
    parts = [replace(axis, only_with=conditions(axis.name, structure, bases)) for axis in structure.values()]
    return (*parts, *found)


def automatic_space(
    run: Run, fixed: Mapping[str, Any], trial_count: int
) -> tuple[tuple[Dimension, ...], list[str]]:
    """Return what is searched where no range was given, and what was passed over and why.

    Of *trial_count* trials, ``(trial_count - 1) // 2`` parameters are searched, at least one.

    Raises
    ------
    PlanError
        If all that could be searched is fixed.
    """
    most = max(1, (trial_count - 1) // 2)
    found: list[Dimension] = []
    told: list[str] = []
    trained = _trained(run)
    rows, rate = max(len(one.rows) for one in run.objectives), run.choices["learning_rate"]
    for name, entry in automatic_ranges(run.choices.loss, trained, rows=rows, rate=rate):
        if len(found) == most:
            break
        if name in fixed or (name == "epochs" and "max_steps" in fixed):
            continue
        if isinstance(entry, str):
            told.append(f"{name} is not searched: {entry}.")
            continue
        found.append(_automatic(name, entry, run))
    if not found:
        raise PlanError(
            f"trial_count={trial_count} asks for a sweep, but everything it would search is fixed.",
            expected=f"one of {', '.join(ORDER)} left out, or given as a range or a list",
            fix="give a range, such as learning_rate=(1e-5, 1e-3), or leave trial_count out.",
        )
    return tuple(found), told


def combinations(space: Sequence[Dimension]) -> int | None:
    """Return how many different trials a space holds; None if there is no end of them."""
    structure = [axis for axis in space if any(axis.name in other.only_with for other in space)]
    others = [axis for axis in space if axis not in structure]
    counted, total = set(), 0
    for chosen in product(*(axis.choices for axis in structure)):
        values: dict[str, Any] = {}
        for axis, choice in zip(structure, chosen, strict=True):
            if axis.applies(values):
                values[axis.name] = choice
        if (key := repr(values)) in counted:
            continue
        counted.add(key)
        sizes = [axis.size for axis in others if axis.applies(values)]
        if None in sizes:
            return None
        total += prod(size for size in sizes if size is not None)
    return total


def _trained(run: Run) -> Trained:
    if is_adapter(run.choices):
        return "adapter"
    if is_lora(run.choices):
        return "lora"
    return "static" if run.call.base.architecture == "static" else "encoder"


def _automatic(name: str, entry: AutomaticRange, run: Run) -> Dimension:
    axis = Dimension(
        name, entry.kind, None, "default", entry.reason, low=entry.low, high=entry.high, log=entry.log
    )
    return replace(axis, start=axis.nearest(_default(axis, run)))


def _bounded(key: str, wish: Range | list[Any], bases: Mapping[str, BaseSpec], run: Run) -> Dimension:
    """Return a range or a choice as a dimension, within what rows and models allow."""
    most, why = _most(key, bases, run)
    if isinstance(wish, list):
        choices, reason = wish, "you listed these"
        if most is not None:
            over = [choice for choice in wish if isinstance(choice, int) and choice > most]
            choices = list(dict.fromkeys(most if choice in over else choice for choice in wish))
            if over:
                reason += f"; {' and '.join(map(str, over))} became {most}: {why}"
        if len(choices) < 2:
            raise _nothing_left(key, f"all choices come to {choices[0]}", why)
        axis = Dimension(key, "choice", None, "user", reason, choices=tuple(choices))
    else:
        low, high, reason = wish.low, wish.high, "you asked for this range"
        if most is not None and high > most:
            reason += f"; {high} became {most}: {why}"
            high = most
            if low >= high:
                raise _nothing_left(key, f"the range begins at {low}", why)
        whole = isinstance(low, int)
        if key == "warmup":
            reason += ", in steps" if whole else ", shares of all steps"
        axis = Dimension(
            key,
            "int" if whole else "float",
            None,
            "user",
            reason,
            low=low,
            high=high,
            log=key in _BY_RATIOS,
        )
    return replace(axis, start=axis.nearest(_default(axis, run)))


def _most(key: str, bases: Mapping[str, BaseSpec], run: Run) -> tuple[int | None, str]:
    if key == "batch_size":
        rows = max(len(one.rows) for one in run.objectives)
        return rows, f"there are only {rows:,} training rows"
    if key == "max_seq_length":
        read = [spec for spec in (bases.values() or [run.call.base]) if spec.architecture != "static"]
        limits = [spec.max_length for spec in read]
        if limits and None not in limits:
            longest = max(read, key=lambda spec: spec.max_length or 0)
            return longest.max_length, f"{longest.max_length} tokens are all that {longest.id} reads"
    if key == "hard_negatives":
        most = most_negatives(run.parts.train)
        return most, f"no row has more than {most}"
    return None, ""


def _default(axis: Dimension, run: Run) -> Any:
    """Return what a run without the search would take; as it is written, not as it is resolved."""
    usual = HYPERPARAMS[axis.name].default_for(run.choices.loss)
    settled = run.choices.settings.get(axis.name)
    as_written = (axis.name == "warmup" and axis.kind != "int") or usual in axis.choices
    return usual if as_written or settled is None or settled.value is None else settled.value


def _nothing_left(key: str, what: str, why: str) -> PlanError:
    return PlanError(
        f"{key} cannot be searched: {what}, and {why}.",
        expected="different values within these bounds",
        fix=f"lower the bounds of {key}, or bring more rows."
        if key == "batch_size"
        else f"lower the bounds of {key}.",
    )


def _names(axis: Dimension) -> list[str]:
    return [repr(choice) for choice in axis.choices]
