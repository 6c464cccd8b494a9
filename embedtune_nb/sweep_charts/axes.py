"""Where a value lies on the axis of its dimension, and what is written beside the axis."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt
import pandas as pd

from embedtune_nb import charts
from embedtune_nb.plan.dimension import Dimension

#: Where a parallel axis shows trials in which its dimension has no effect: below its own range.
NOWHERE = -0.16
_LONGEST = 14
_APART = 0.12
_FEW_DECADES = 1.9


@dataclass(frozen=True)
class Axis:
    """One axis of the parallel coordinates.

    Attributes
    ----------
    name
        Its title.
    column
        Of the frame of trials.
    places
        Height of each value of that column, 0 at the bottom to 1.
    ticks
        Height and text of each label.
    spread
        How far lines through one place may lie apart.
    """

    name: str
    column: str
    places: list[float]
    ticks: list[tuple[float, str]]
    spread: float = 0.0


def finished(trials: pd.DataFrame) -> pd.DataFrame:
    """Return the trials that ran to their end with a score: that of a pruned one compares with nothing."""
    done = (trials["state"] == "done") & trials["score"].notna() & trials["confirms"].isna()
    return trials[done].reset_index(drop=True)


def axis_of(dimension: Dimension, values: Sequence[Any]) -> Axis:
    """Return the axis of *dimension* with the places of *values*, missing ones below it."""
    if dimension.kind == "choice":
        order = ordered(dimension)
        texts = labels(order)
        share = 1 / len(order)
        heights = [(number + 0.5) * share for number in range(len(order))]
        where = dict(zip(map(identity, order), heights, strict=True))
        places = [
            NOWHERE
            if is_missing(value) and None not in dimension.choices
            else where.get(identity(value), NOWHERE)
            for value in values
        ]
        return Axis(
            dimension.name, dimension.name, places, list(zip(heights, texts, strict=True)), 0.25 * share
        )
    places = [NOWHERE if is_missing(value) else height(dimension, float(value)) for value in values]
    ticks = [(height(dimension, tick), short(tick)) for tick in tick_values(dimension)]
    few = dimension.kind == "int" and (dimension.size or 99) <= 10
    return Axis(dimension.name, dimension.name, places, ticks, 0.02 if few else 0.0)


def height(dimension: Dimension, value: float) -> float:
    """Return where *value* lies between the bounds of a range, 0 to 1."""
    low, high = float(dimension.low or 0.0), float(dimension.high or 0.0)
    if dimension.log:
        low, high, value = math.log(low), math.log(high), math.log(value)
    return (value - low) / ((high - low) or 1.0)


def tick_values(dimension: Dimension) -> list[float]:
    """Return what is labelled along a range: both ends, and round numbers between them."""
    low, high = float(dimension.low or 0.0), float(dimension.high or 0.0)
    if dimension.log:
        between = _round_ratios(low, high)
    else:
        step = even_step(high - low, whole=dimension.kind == "int")
        between = [step * number for number in range(math.ceil(low / step), math.floor(high / step) + 1)]
    ticks = [low]
    for value in between:
        if height(dimension, value) - height(dimension, ticks[-1]) > _APART < 1 - height(dimension, value):
            ticks.append(value)
    return [*ticks, high]


def _round_ratios(low: float, high: float) -> list[float]:
    """Return powers of ten between *low* and *high*; of two where both ends are; else 1, 2, 5 times ten."""
    if math.log2(low).is_integer() and math.log2(high).is_integer():
        return [2.0**power for power in range(int(math.log2(low)), int(math.log2(high)) + 1)]
    powers = [10.0**power for power in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)]
    wide = math.log10(high / low) > _FEW_DECADES
    return [factor * power for power in powers for factor in ((1,) if wide else (1, 2, 5))]


def even_step(length: float, *, whole: bool = False) -> float:
    """Return a step of 1, 2 or 5 times a power of ten that parts *length* into three to six."""
    rough = (length or 1.0) / 4
    power = 10.0 ** math.floor(math.log10(rough))
    step = min((1, 2, 5, 10), key=lambda factor: abs(math.log(factor * power / rough))) * power
    return max(1.0, round(step)) if whole else step


def ordered(dimension: Dimension) -> list[Any]:
    """Return the choices as they stand along an axis: numbers by size, all else as they were given."""
    numbers = all(isinstance(c, (int, float)) and not isinstance(c, bool) for c in dimension.choices)
    return sorted(dimension.choices) if numbers else list(dimension.choices)


def labels(choices: Sequence[Any]) -> list[str]:
    """Return choices as they stand beside an axis; those that would look alike are written out."""
    texts = [short(choice) for choice in choices]
    return [
        str(choice) if texts.count(text) > 1 else text for choice, text in zip(choices, texts, strict=True)
    ]


def identity(value: Any) -> Any:
    """Return what tells a value from others, whatever type the column of a frame has made of it."""
    if is_missing(value):
        return None
    number = not isinstance(value, (bool, str)) and hasattr(value, "__float__")
    return float(value) if number else str(value)


def short(value: Any) -> str:
    """Return a value as it stands beside an axis."""
    if is_missing(value):
        return "none"
    if isinstance(value, (bool, str)):
        text = str(value).rstrip("/").rsplit("/", 1)[-1]
        return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
    if isinstance(value, (int, float)) or hasattr(value, "__float__"):
        return f"{float(value):.3g}".replace("e-0", "e-").replace("e+0", "e")
    return str(value)


def is_missing(value: Any) -> bool:
    """Return whether nothing was tried: the dimension has no effect there."""
    return value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value))


def base_rule(base: float | None) -> list[alt.Chart]:
    """Return the layer that marks the base's score; none where it is not known."""
    if base is None:
        return []
    rule = alt.Chart(pd.DataFrame({"score": [base]})).mark_rule(
        color=charts.BEFORE, strokeWidth=1.5, strokeDash=[5, 3]
    )
    return [rule.encode(y=alt.Y("score:Q", title=None))]
