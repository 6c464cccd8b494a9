"""What a sampler sees of a search space, and what the study shows of it.

The study shows plain values, so that any browser of studies can read them. A sampler is told more: choices
that are numbers lie on a line in their order, and ones that are not are apart from each other.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from embedtune_nb.plan.dimension import Dimension

Values = dict[str, Any]
#: More points than this are searched like a range without end.
_MOST_POINTS = 4096
_DIGITS = 3


def parents_first(space: Sequence[Dimension]) -> list[Dimension]:
    """Return the dimensions in an order in which each follows those that it depends on."""
    left, ordered = list(space), []
    while left:
        waiting = {dimension.name for dimension in left}
        ready = [dimension for dimension in left if not waiting & set(dimension.only_with)]
        if not ready:
            raise ValueError(f"dimensions that depend on each other: {sorted(waiting)}")
        ordered += ready
        left = [dimension for dimension in left if dimension not in ready]
    return ordered


def start_values(space: Sequence[Dimension]) -> Values:
    """Return what the first trial tries: the defaults of the loss, or what is nearest to them."""
    values: Values = {}
    for dimension in parents_first(space):
        if dimension.applies(values):
            values[dimension.name] = dimension.start
    return values


def point(space: Sequence[Dimension], values: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    """Return *values* as something that equals another exactly if both would train the same model."""
    return tuple(
        (dimension.name, _key(values.get(dimension.name)))
        for dimension in parents_first(space)
        if dimension.applies(values)
    )


def every_point(space: Sequence[Dimension]) -> list[Values] | None:
    """Return all there is to try; None where that has no end, or is more than anybody tries."""
    sizes = [dimension.size for dimension in space]
    if None in sizes or math.prod(size or 1 for size in sizes) > _MOST_POINTS:
        return None
    ordered = parents_first(space)
    found: dict[tuple[tuple[str, Any], ...], Values] = {}
    for combination in itertools.product(*(_all_of(dimension) for dimension in ordered)):
        values: Values = {}
        for dimension, value in zip(ordered, combination, strict=True):
            if dimension.applies(values):
                values[dimension.name] = value
        found.setdefault(point(space, values), values)
    return list(found.values())


def shown_distribution(dimension: Dimension) -> BaseDistribution:
    """Return the dimension as the study shows it."""
    if dimension.kind == "choice":
        return CategoricalDistribution([shown(choice) for choice in dimension.choices])
    return _range(dimension)


def shown(value: Any) -> Any:
    """Return *value* as the study shows it: as itself, or as JSON where Optuna knows no such type."""
    known = value is None or isinstance(value, (bool, int, float, str))
    return value if known else json.dumps(value, sort_keys=True)


def meant(dimension: Dimension, value: Any) -> Any:
    """Return what the study shows as *value*; itself where it is none of the choices."""
    return next((choice for choice in dimension.choices if _key(shown(choice)) == _key(value)), value)


def suggest_shown(trial: optuna.Trial, space: Sequence[Dimension]) -> Values:
    """Return what *trial*, of the study that is shown, tries."""
    values: Values = {}
    for dimension in parents_first(space):
        if not dimension.applies(values):
            continue
        found = _suggest(trial, dimension.name, shown_distribution(dimension))
        values[dimension.name] = meant(dimension, found)
    return values


def suggest(trial: optuna.Trial, space: Sequence[Dimension]) -> Values:
    """Return what *trial*, of a study that only a sampler sees, tries."""
    values: Values = {}
    for dimension in parents_first(space):
        if dimension.applies(values):
            found = _suggest(trial, dimension.name, _coded_distribution(dimension))
            values[dimension.name] = _decoded(dimension, found)
    return values


def coded(
    space: Sequence[Dimension], values: Mapping[str, Any]
) -> tuple[Values, dict[str, BaseDistribution]] | None:
    """Return *values* for a study that only a sampler sees; None if they lie outside the space."""
    codes: Values = {}
    distributions: dict[str, BaseDistribution] = {}
    for dimension in parents_first(space):
        if not dimension.applies(values):
            continue
        distribution = _coded_distribution(dimension)
        code = _coded(dimension, values.get(dimension.name))
        if code is None or not distribution._contains(distribution.to_internal_repr(code)):
            return None
        codes[dimension.name], distributions[dimension.name] = code, distribution
    return codes, distributions


def _suggest(trial: optuna.Trial, name: str, distribution: BaseDistribution) -> Any:
    if isinstance(distribution, CategoricalDistribution):
        return trial.suggest_categorical(name, distribution.choices)
    if isinstance(distribution, IntDistribution):
        return trial.suggest_int(name, distribution.low, distribution.high, log=distribution.log)
    assert isinstance(distribution, FloatDistribution)
    return trial.suggest_float(name, distribution.low, distribution.high, log=distribution.log)


def _range(dimension: Dimension) -> BaseDistribution:
    assert dimension.low is not None and dimension.high is not None, "a range has two ends"
    if dimension.kind == "int":
        return IntDistribution(int(dimension.low), int(dimension.high), log=dimension.log)
    return FloatDistribution(float(dimension.low), float(dimension.high), log=dimension.log)


def _coded_distribution(dimension: Dimension) -> BaseDistribution:
    if dimension.kind != "choice":
        return _range(dimension)
    last = len(dimension.choices) - 1
    if _is_ordered(dimension):
        return IntDistribution(0, last)
    return CategoricalDistribution(range(last + 1))


def _is_ordered(dimension: Dimension) -> bool:
    return all(isinstance(item, (int, float)) and not isinstance(item, bool) for item in dimension.choices)


def _places(dimension: Dimension) -> list[Any]:
    return sorted(dimension.choices) if _is_ordered(dimension) else list(dimension.choices)


def _coded(dimension: Dimension, value: Any) -> Any:
    if dimension.kind != "choice":
        return value if isinstance(value, (int, float)) else None
    keys = [_key(choice) for choice in _places(dimension)]
    return keys.index(_key(value)) if _key(value) in keys else None


def _decoded(dimension: Dimension, code: Any) -> Any:
    if dimension.kind == "choice":
        return _places(dimension)[code]
    if dimension.kind == "int":
        return int(code)
    assert dimension.low is not None and dimension.high is not None, "a range has two ends"
    # nobody reads, or needs, 0.00044087674582831265 by ratios, and 5.43e-18 between 0 and 0.3
    if dimension.log:
        rounded = float(f"{code:.{_DIGITS}g}")
    else:
        rounded = round(code, _DIGITS - math.floor(math.log10(dimension.high - dimension.low)))
    return min(max(rounded, float(dimension.low)), float(dimension.high))


def _all_of(dimension: Dimension) -> Iterator[Any]:
    if dimension.kind == "choice":
        return iter(dimension.choices)
    assert dimension.low is not None and dimension.high is not None, "a range has two ends"
    return iter(range(int(dimension.low), int(dimension.high) + 1))


def _key(value: Any) -> str:
    """Return *value* as text that is equal for equal values: 1 and 1.0 are, 1 and True are not."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return json.dumps(float(value) if number else value, sort_keys=True)
