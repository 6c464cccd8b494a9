"""How often the verdict errs, and how often it sees what is there: measured on real differences."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from embedtune_nb.evaluation.bootstrap import bca_intervals
from embedtune_nb.evaluation.comparison import CONFIDENCE, Means
from embedtune_nb.evaluation.decision import BETTER, LEVEL, WORSE, decide
from embedtune_nb.evaluation.permutation import swap_p_values
from embedtune_nb.evaluation.tails import opposed_p_values

#: Of 80 % power: standard errors between zero and the true difference.
_SHIFT = 2.8
#: Data sets judged at once: their values under all resamples are held in memory.
_AT_ONCE = 250


def calibrate(
    changes: np.ndarray,
    *,
    rows: Sequence[int] = (50, 200, 500),
    draws: int = 2_000,
    resamples: int = 10_000,
    seed: int = 0,
) -> pd.DataFrame:
    """Measure the verdict's error rates and its power on real differences of single rows.

    Data sets are drawn with replacement from *changes*, centred to mean zero, so that every "better" and
    "worse" is an error; and once more from *changes* shifted so that a true gain of 2.8 standard errors
    is there to be seen.

    Parameters
    ----------
    changes
        (n,) after minus before of the rows of a real comparison.
    rows
        Sizes of the data sets.
    draws
        Data sets of each size.
    resamples
        Of each verdict.
    seed
        Of the data sets.

    Returns
    -------
    pandas.DataFrame
        A row a size: `rows`, the shares `better` and `worse` without a difference, `power` (the share
        called better with one), `t_power` (that of the paired t-test, two-sided, at the same level), and
        `t_better`, `t_worse` beside the first two.
    """
    centred = np.asarray(changes, float) - np.mean(changes)
    found = []
    for size in rows:
        rng = np.random.default_rng([seed, size])
        shift = _SHIFT * centred.std() / np.sqrt(size)
        still = centred[rng.integers(0, len(centred), (draws, size))]
        moved = centred[rng.integers(0, len(centred), (draws, size))] + shift
        ours = answers_of(still, resamples=resamples)
        theirs = _t_answers(still)
        found.append(
            {
                "rows": size,
                "better": float((ours == BETTER).mean()),
                "worse": float((ours == WORSE).mean()),
                "t_better": float((theirs == BETTER).mean()),
                "t_worse": float((theirs == WORSE).mean()),
                "power": float((answers_of(moved, resamples=resamples) == BETTER).mean()),
                "t_power": float((_t_answers(moved) == BETTER).mean()),
            }
        )
    return pd.DataFrame(found)


def answers_of(changes: np.ndarray, *, resamples: int = 10_000, seed: int = 0) -> np.ndarray:
    """Return the verdict's answer for many data sets at once.

    Parameters
    ----------
    changes
        (data sets, rows) after minus before of a metric of which more is better.
    resamples, seed
        As for a verdict; all data sets share them.
    """
    each_row = np.arange(changes.shape[1])
    found: list[str] = []
    for start in range(0, len(changes), _AT_ONCE):
        part = changes[start : start + _AT_ONCE]
        means = Means(part.T)
        lows, highs = bca_intervals(
            means.resampled, each_row, seed=seed, resamples=resamples, confidence=CONFIDENCE
        )
        p_values = swap_p_values(means.swapped, each_row, seed=seed, permutations=resamples)
        differing = (part != 0).sum(axis=1)
        opposed = opposed_p_values(part)
        found += [
            decide(low, high, p, rows=part.shape[1], differing=int(count), opposed_p=against)
            for low, high, p, count, against in zip(lows, highs, p_values, differing, opposed, strict=True)
        ]
    return np.array(found)


def _t_answers(changes: np.ndarray) -> np.ndarray:
    from scipy.stats import ttest_1samp

    tested = ttest_1samp(changes, 0.0, axis=1)
    called = np.where(tested.statistic > 0, BETTER, WORSE)
    return np.where(tested.pvalue < LEVEL, called, "")
