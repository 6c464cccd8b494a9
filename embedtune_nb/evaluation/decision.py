"""From an interval and a p-value to one of three answers, and what would help where nothing is shown."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from embedtune_nb.plan.metrics import lower_is_better


BETTER, WORSE, UNCLEAR = "better", "worse", "no difference shown"
LEVEL = 0.05
# Below 20 queries bootstrap intervals come out too narrow: with 8 to 12 queries and no true difference about
# 11 % of them excluded zero where 5 % should.
ROWS_MIN = 20
# If k rows differ, chance alone lets all of them point one way with
# probability 2 ** (1 - k): under 5 % from 6.
DIFFERING_MIN = 6
# Groups of unequal size: see benchmarks/calibration.py.
GROUPS_MIN = 10
_POWER_80 = 1.96 + 0.84
_NEEDED_MAX = 100_000


def decide(
    low: float, high: float, p: float, *, rows: int, differing: int, groups: int | None = None
) -> str:
    """Return the answer.

    Parameters
    ----------
    low, high
        Ends of the 95 % interval of the gain: the difference, or of an error its negative.
    p
        Of the permutation test, corrected where several comparisons were made. Interval and test must
        agree: the one trusts many rows, the other signs that fall either way.
    rows, differing
        How many there are, and how many differ.
    groups
        How many were resampled; None where each row stands for itself.
    """
    if rows < ROWS_MIN or differing < DIFFERING_MIN or p > LEVEL:
        return UNCLEAR
    if groups is not None and groups < GROUPS_MIN:
        return UNCLEAR
    if low > 0:
        return BETTER
    return WORSE if high < 0 else UNCLEAR


def decide_row(row: Mapping[str, Any], p: float, groups: int | None) -> str:
    """Return the answer for a row of :meth:`embedtune_nb.evaluation.comparison.Comparison.judge`."""
    low, high = row["low"], row["high"]
    if lower_is_better(row["metric"]):
        low, high = -high, -low
    differing = row["wins"] + row["losses"]
    return decide(low, high, p, rows=differing + row["ties"], differing=differing, groups=groups)


def why_unclear(
    low: float,
    high: float,
    p: float,
    *,
    rows: int,
    differing: int,
    groups: int | None,
    error: float,
    size: float,
    unit: str,
) -> str:
    """Say why no difference is shown, and how many rows would be needed.

    Parameters
    ----------
    low, high, p, rows, differing, groups
        As for :func:`decide`.
    error, size
        Standard error and absolute value of the difference.
    unit
        What a row is, in the plural.
    """
    if differing == 0:
        return f"Not one of the {rows:,} {unit} changed."
    if rows < ROWS_MIN:
        return f"{rows} {unit} are too few to tell a gain from chance; at least {ROWS_MIN} are needed."
    if groups is not None and groups < GROUPS_MIN:
        return (
            f"The {rows:,} {unit} belong to {groups} groups, too few to tell a gain from chance; at least "
            f"{GROUPS_MIN} are needed."
        )
    if differing < DIFFERING_MIN:
        return (
            f"Only {differing} of {rows:,} {unit} changed; even if all had changed the same way, "
            f"that happens by chance. At least {DIFFERING_MIN} are needed."
        )
    if low > 0 or high < 0:
        return (
            f"The interval lies beside zero, but the permutation test does not agree (p = {p:.2g}): too much "
            f"hangs on few {unit}. More of them would tell."
        )
    return _rows_needed(rows, error, size, unit)


def _rows_needed(rows: int, error: float, size: float, unit: str) -> str:
    """Say how many rows a difference of this size needs to be shown four times out of five.

    The standard error shrinks with the root of the rows.
    """
    needed = rows * (_POWER_80 * error / size) ** 2 if size > 0 else math.inf
    if needed > _NEEDED_MAX:
        return f"A difference this small would need more than {_NEEDED_MAX:,} {unit} to be shown."
    rounded = max(int(float(f"{needed:.2g}")), rows + 1)
    return f"To show a difference of this size, about {rounded:,} {unit} would be needed."
