"""How often the verdict errs, and how often it sees what is there: measured on real differences."""

from __future__ import annotations

from collections.abc import Callable, Sequence

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
CENTRED, WEIGHTED = "centred", "weighted"


def calibrate(
    changes: np.ndarray,
    *,
    rows: Sequence[int] = (50, 200, 500),
    draws: int = 2_000,
    resamples: int = 10_000,
    null: str | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """Measure the verdict's error rates and its power on real differences of single rows.

    Data sets are drawn with replacement from *changes*, made to have mean zero, so that every "better" and
    "worse" is an error; and once more with a true gain of 2.8 standard errors to be seen.

    The mean is made zero by centring. That makes a small loss (or gain) of every tie, and where most rows
    are ties, a data set that happens to hold few of the changes which balance them shows a loss in nearly
    all rows, which no real data does and no test of a mean can tell from a real loss. There the values stay,
    ties too, and are drawn with the weights nearest to equal ones under which their mean is zero, or the
    gain (exponential tilting: Efron, 1981).

    Parameters
    ----------
    changes
        (n,) after minus before of the rows of a real comparison; some of them differ.
    rows
        Sizes of the data sets.
    draws
        Data sets of each size.
    resamples
        Of each verdict.
    null
        How the mean is made zero: ``"centred"`` or ``"weighted"``. None: weighted where most rows are ties.
    seed
        Of the data sets.

    Returns
    -------
    pandas.DataFrame
        A row a size: `rows`, how the mean was made zero (`null`), the shares `better` and `worse` without a
        difference, `power` (the share called better with one), `t_better`, `t_worse` and `t_power` of the
        paired t-test (two-sided, 5 %), and `t_power_equal`, its power with the critical value at which it
        errs as often as the verdict.
    """
    changes = np.asarray(changes, float)
    null = null or (CENTRED if (changes != 0).mean() > 0.5 else WEIGHTED)
    found = []
    for size in rows:
        rng = np.random.default_rng([seed, size])
        draw = (_centred if null == CENTRED else _weighted)(changes, size, draws, rng)
        still, moved = draw(0.0), draw(_SHIFT)
        ours, theirs = answers_of(still, resamples=resamples), _t_answers(still)
        better = float((ours == BETTER).mean())
        found.append(
            {
                "rows": size,
                "null": null,
                "better": better,
                "worse": float((ours == WORSE).mean()),
                "t_better": float((theirs == BETTER).mean()),
                "t_worse": float((theirs == WORSE).mean()),
                "power": float((answers_of(moved, resamples=resamples) == BETTER).mean()),
                "t_power": float((_t_answers(moved) == BETTER).mean()),
                "t_power_equal": _share_beyond(_t_values(still), better, _t_values(moved)),
            }
        )
    return pd.DataFrame(found)


def _centred(
    changes: np.ndarray, size: int, draws: int, rng: np.random.Generator
) -> Callable[[float], np.ndarray]:
    """Return what draws (draws, size) changes with a gain, given in standard errors."""
    centred = changes - changes.mean()
    error = centred.std() / np.sqrt(size)
    return lambda gain: centred[rng.integers(0, len(centred), (draws, size))] + gain * error


def _weighted(
    changes: np.ndarray, size: int, draws: int, rng: np.random.Generator
) -> Callable[[float], np.ndarray]:
    """Return what draws (draws, size) changes as they are, weighted for a gain, given in standard errors."""
    even = _weights(changes, 0.0)
    error = np.sqrt(even @ changes**2 / size)
    return lambda gain: rng.choice(
        changes, (draws, size), p=even if gain == 0 else _weights(changes, gain * error)
    )


def _weights(changes: np.ndarray, mean: float) -> np.ndarray:
    """Return weights proportional to ``exp(slope * change)`` whose mean change is *mean*, or near to it."""
    from scipy.optimize import brentq

    unit = np.abs(changes).max()

    def of(slope: float) -> np.ndarray:
        exponent = slope * changes / unit
        raw = np.exp(exponent - exponent.max())
        return raw / raw.sum()

    steepest = 500.0
    inside = np.clip(mean, *(of(slope) @ changes for slope in (-steepest, steepest)))
    return of(brentq(lambda slope: of(slope) @ changes - inside, -steepest, steepest))


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


def _t_values(changes: np.ndarray) -> np.ndarray:
    mean, spread = changes.mean(axis=1), changes.std(axis=1, ddof=1)
    return np.divide(mean, spread, out=np.zeros_like(mean), where=spread > 0)


def _share_beyond(still: np.ndarray, share: float, moved: np.ndarray) -> float:
    """Return how much of *moved* lies beyond the value that only *share* of *still* lies beyond."""
    return float((moved > np.quantile(still, 1 - share, method="higher")).mean())
