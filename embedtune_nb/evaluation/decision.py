"""From an interval and a p-value to one of three answers, and what would help where nothing is shown."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from embedtune_nb.plan.metrics import lower_is_better

BETTER, WORSE, UNCLEAR = "better", "worse", "no difference shown"
LEVEL = 0.05
# Tests of a mean err by about 1 / rows where changes are skewed (Hall, 1992), so the level gives way by as
# much: 4.0 % for 50 rows, 4.7 % for 200. The constant was chosen on some data sets and holds on others;
# see benchmarks/README.md.
_ROWS_OF_ERROR = 12
# Below 20 queries bootstrap intervals come out too narrow: with 8 to 12 queries and no true difference about
# 11 % of them excluded zero where 5 % should.
ROWS_MIN = 20
# If k rows differ, chance alone lets all of them point one way with
# probability 2 ** (1 - k): under 5 % from 6.
DIFFERING_MIN = 6
# Drawn from real groups of very unequal size, 10 of them gave 2 % of false answers on either side, 6 of them
# up to 4 %; with the interval alone it would be 5 % and 7 %.
GROUPS_MIN = 10
_POWER_80 = 1.96 + 0.84
_NEEDED_MAX = 100_000


def decide(
    low: float,
    high: float,
    p: float,
    *,
    rows: int,
    differing: int,
    groups: int | None = None,
    opposed_p: float = 0.0,
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
    opposed_p
        Of :func:`embedtune_nb.evaluation.tails.opposed_p_values`: above the level where rare large
        changes the other way might yet turn the answer.

    Returns
    -------
    str
        ``BETTER``, ``WORSE`` or ``UNCLEAR``.
    """
    resampled = rows if groups is None else groups
    if rows < ROWS_MIN or resampled < GROUPS_MIN or differing < DIFFERING_MIN:
        return UNCLEAR
    if max(p, opposed_p) > level_of(resampled):
        return UNCLEAR
    if low > 0:
        return BETTER
    return WORSE if high < 0 else UNCLEAR


def level_of(rows: int) -> float:
    """Return the p-value up to which so many rows, or groups of them, count as showing a difference.

    5 % where there are many, less where there are few: 4.0 % for 50, 3.1 % for 20.
    """
    return LEVEL * rows / (rows + _ROWS_OF_ERROR)


def decide_row(row: Mapping[str, Any], p: float, groups: int | None) -> str:
    """Return the answer for a row of :meth:`embedtune_nb.evaluation.comparison.Comparison.judge`."""
    low, high = row["low"], row["high"]
    if lower_is_better(row["metric"]):
        low, high = -high, -low
    differing = row["wins"] + row["losses"]
    return decide(
        low,
        high,
        p,
        rows=differing + row["ties"],
        differing=differing,
        groups=groups,
        opposed_p=row["opposed_p"],
    )


def why_unclear(row: Mapping[str, Any], *, groups: int | None, error: float, unit: str) -> str:
    """Say why no difference is shown, and how many rows would be needed.

    Parameters
    ----------
    row, groups
        As for :func:`decide_row`.
    error
        Standard error of the difference.
    unit
        What a row is, in the plural.
    """
    differing = row["wins"] + row["losses"]
    rows = differing + row["ties"]
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
    beside_zero = row["low"] > 0 or row["high"] < 0
    resampled, what = (rows, unit) if groups is None else (groups, "groups")
    if beside_zero and row["p"] > level_of(resampled):
        return (
            f"The interval lies beside zero, but the permutation test does not agree (p = {row['p']:.2g}, "
            f"above {level_of(resampled):.2g} for {resampled:,} {what}): too much hangs on few {what}. "
            "More of them would tell."
        )
    if beside_zero:
        return (
            f"The interval lies beside zero, but a few {unit} changed much the other way, too few to know "
            "how often that happens. More of them would tell."
        )
    return _rows_needed(rows, error, abs(row["difference"]), unit)


def _rows_needed(rows: int, error: float, size: float, unit: str) -> str:
    """Say how many rows a difference of this size needs to be shown four times out of five.

    The standard error shrinks with the root of the rows.
    """
    needed = rows * (_POWER_80 * error / size) ** 2 if size > 0 else math.inf
    if needed > _NEEDED_MAX:
        return f"A difference this small would need more than {_NEEDED_MAX:,} {unit} to be shown."
    rounded = max(int(float(f"{needed:.2g}")), rows + 1)
    return f"To show a difference of this size, about {rounded:,} {unit} would be needed."
