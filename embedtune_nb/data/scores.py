"""Columns of numbers: scores as they are, similarities brought to 0..1 in sight of everybody, grades."""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np
import pandas as pd

from embedtune_nb.data.clean import Cleaned
from embedtune_nb.data.visible import written
from embedtune_nb.errors import DataError

_MOST_GRADES = 11
_SCALES = ((0.0, 1.0), (-1.0, 1.0), (0.0, 5.0), (0.0, 10.0), (0.0, 100.0))


def clean_scores(series: pd.Series, column: Hashable) -> Cleaned:
    """Read a column as finite numbers; missing ones are marked.

    Raises
    ------
    DataError
        If an entry is no number or infinite.
    """
    numbers, absent = _numbers(series, column, "a score")
    infinite = np.flatnonzero(~absent & ~np.isfinite(numbers))
    if len(infinite):
        row = int(infinite[0])
        raise DataError(
            f"Row {row} of column {column!r} holds {written(series.iloc[row])} ({len(infinite):,} rows do).",
            expected="finite numbers as scores",
            fix=f"drop these rows first: df = df[numpy.isfinite(df[{column!r}])].",
        )
    return Cleaned(numbers, {f"no {column}": absent}, [])


def clean_relevance(series: pd.Series, column: Hashable) -> Cleaned:
    """Read a column as relevance grades; missing ones are marked. Above 0 means relevant.

    Raises
    ------
    DataError
        If an entry is no number or infinite.
    """
    numbers, absent = _numbers(series, column, "a grade of relevance")
    infinite = np.flatnonzero(~absent & np.isposinf(numbers))
    if len(infinite):
        raise DataError(
            f"Row {int(infinite[0])} of column {column!r} holds an infinite grade.",
            expected="finite numbers; above 0 means relevant",
            fix="replace it by the highest grade.",
        )
    return Cleaned(numbers, {f"no {column}": absent}, [])


def to_unit_range(
    scores: np.ndarray, column: Hashable, score_range: tuple[float, float] | None, rows: np.ndarray
) -> tuple[np.ndarray, tuple[float, float], str]:
    """Bring similarities to 0..1.

    Parameters
    ----------
    scores
        Shape (n,), finite.
    column
        Where they came from.
    score_range
        The lowest and the highest score there can be, or ``None`` to take it from the scores: whole
        numbers of at most eleven values reach from their least to their greatest; anything else gets the
        first of 0..1, -1..1, 0..5, 0..10, 0..100 that holds it, or 1..5 where both its ends occur.
    rows
        Shape (n,): their rows in the source.

    Returns
    -------
    scores, range, note
        The scores in 0..1, the range they came from, and a sentence that tells it.

    Raises
    ------
    DataError
        If a score lies outside of *score_range*.
    """
    told = score_range is not None
    low, high = _checked_range(score_range) if score_range is not None else _range_of(scores)
    outside = (scores < low) | (scores > high)
    if outside.any():
        raise DataError(
            f"Row {rows[outside][0]} of column {column!r} holds {float(scores[outside][0]):g}, outside of "
            f"the range {low:g} to {high:g} ({int(outside.sum()):,} such rows).",
            expected=f"scores from {low:g} to {high:g}",
            fix="pass the range the scores really have: score_range=(lowest, highest).",
        )
    if (low, high) == (0.0, 1.0):
        return scores, (low, high), f"The scores of column {column!r} were taken to range from 0 to 1."
    how = "you named it" if told else "pass score_range=(lowest, highest) if the scale is another"
    note = f"The scores of column {column!r} range from {low:g} to {high:g} and became 0 to 1 ({how})."
    return (scores - low) / (high - low), (low, high), note


def _checked_range(score_range: tuple[float, float]) -> tuple[float, float]:
    try:
        low, high = (float(end) for end in score_range)
    except (TypeError, ValueError):
        low = high = np.nan
    if not (np.isfinite(low) and np.isfinite(high) and low < high):
        raise DataError(
            f"score_range is {score_range!r}.",
            expected="two finite numbers, the lowest and the highest score, such as (0, 5)",
        )
    return low, high


def _range_of(scores: np.ndarray) -> tuple[float, float]:
    low, high = float(scores.min()), float(scores.max())
    distinct = np.unique(scores)
    if len(distinct) > 1 and len(distinct) <= _MOST_GRADES and (distinct % 1 == 0).all():
        return low, high
    if (low, high) == (1.0, 5.0):
        return low, high
    for scale in _SCALES:
        if scale[0] <= low and high <= scale[1]:
            return scale
    return (low, high) if low < high else (low - 1, high)


def _numbers(series: pd.Series, column: Hashable, what: str) -> tuple[np.ndarray, np.ndarray]:
    numbers = pd.to_numeric(series, errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    absent = series.isna().to_numpy(dtype=bool)
    wrong = np.isnan(numbers) & ~absent
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise DataError(
            f"Row {row} of column {column!r} holds {written(series.iloc[row])}, not {what}.",
            expected="numbers; above 0 means relevant" if "relevance" in what else "one number in each row",
            fix="replace the words by numbers, or leave this column out.",
        )
    return numbers, absent
