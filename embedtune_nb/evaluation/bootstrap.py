"""BCa bootstrap intervals of any metric that can be computed from how often each row was drawn."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

#: Numbers of one block of resamples: 8 MB as float64, so that a block stays near the processor.
BLOCK = 1_000_000
#: So many leave-outs tell the skewness of a metric; with more rows, whole slices are left out.
_LEFT_OUT_MAX = 2_000
#: Sums of equal numbers in another order differ by less.
_DECIMALS = 12


def bca_intervals(
    metrics: Callable[[np.ndarray], np.ndarray],
    group_of_row: np.ndarray,
    *,
    seed: int,
    resamples: int,
    confidence: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Return bias-corrected and accelerated intervals (Efron, 1987), all from the same resamples.

    Parameters
    ----------
    metrics
        From counts of rows, (resamples, rows), to values, (metrics, resamples).
    group_of_row
        (rows,) numbers of the groups from 0 up. Whole groups are drawn; with a group for each row that is
        the ordinary bootstrap (Davison and Hinkley, 1997, section 3.8).
    seed, resamples, confidence
        Of the bootstrap.

    Returns
    -------
    low, high
        (metrics,) ends of the intervals. A metric that is the same in every resample has no spread:
        both ends are its value.
    """
    from scipy.stats import norm

    observed = metrics(np.ones((1, len(group_of_row))))[:, 0].round(_DECIMALS)
    drawn = np.concatenate(
        [metrics(counts).round(_DECIMALS) for counts in _resamples(group_of_row, seed, resamples)], axis=1
    )
    left_out = np.concatenate([metrics(counts) for counts in _leaving_out(group_of_row)], axis=1)
    influence = left_out.mean(axis=1, keepdims=True) - left_out
    scale = 6 * (influence**2).sum(axis=1) ** 1.5
    skewed = (influence**3).sum(axis=1)
    acceleration = np.divide(skewed, scale, out=np.zeros_like(scale), where=scale > 0)
    below = (drawn < observed[:, None]).mean(axis=1) + (drawn <= observed[:, None]).mean(axis=1)
    bias = norm.ppf(np.clip(below / 2, 0.5 / resamples, 1 - 0.5 / resamples))
    ends = []
    for tail in ((1 - confidence) / 2, (1 + confidence) / 2):
        z = bias + norm.ppf(tail)
        shares = norm.cdf(bias + z / (1 - acceleration * z))
        ends.append(np.array([_quantile(*pair) for pair in zip(drawn, shares, strict=True)]))
    fixed = np.ptp(drawn, axis=1) == 0
    return np.where(fixed, observed, ends[0]), np.where(fixed, observed, ends[1])


def _quantile(drawn: np.ndarray, share: float) -> float:
    """Return the value at *share*, each distinct value standing at the middle of its own share.

    Means of hits and misses take few values; the ordinary quantile would keep to the outer one, and lose
    some five points of power.
    """
    values, counts = np.unique(drawn, return_counts=True)
    return float(np.interp(share, (np.cumsum(counts) - counts / 2) / len(drawn), values))


def _resamples(group_of_row: np.ndarray, seed: int, resamples: int) -> Iterator[np.ndarray]:
    rng = np.random.default_rng(seed)
    groups = int(group_of_row.max()) + 1
    at_once = max(1, BLOCK // len(group_of_row))
    for start in range(0, resamples, at_once):
        block = min(at_once, resamples - start)
        drawn = rng.integers(0, groups, (block, groups)) + groups * np.arange(block)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=block * groups).reshape(block, groups)
        yield counts[:, group_of_row].astype(float)


def _leaving_out(group_of_row: np.ndarray) -> Iterator[np.ndarray]:
    groups = int(group_of_row.max()) + 1
    if groups == 1:
        yield np.ones((1, len(group_of_row)))
        return
    slices = min(groups, _LEFT_OUT_MAX)
    slice_of_row = group_of_row % slices
    at_once = max(1, BLOCK // len(group_of_row))
    for start in range(0, slices, at_once):
        left_out = np.arange(start, min(start + at_once, slices))
        yield (slice_of_row != left_out[:, None]).astype(float)
