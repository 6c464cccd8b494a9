"""Metrics that belong to no single row, for many resamples of the rows at once.

A resample is given as counts: how often it holds each row. Every metric here is a function of the
counts, so nothing is sorted or copied again for a resample.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import sparse

from embedtune_nb.evaluation.auc import pr_auc, roc_auc

#: From (resamples, rows) counts to (resamples,) values.
Statistic = Callable[[np.ndarray], np.ndarray]


def statistic(metric: str, truth: np.ndarray, predicted: np.ndarray) -> Statistic:
    """Prepare one metric of *predicted* against *truth*.

    Parameters
    ----------
    metric
        A key of :data:`STATISTICS`.
    truth, predicted
        (rows,) labels for ``f1_macro``; for ``roc_auc`` and ``pr_auc`` (rows,) columns and
        (rows, labels) scores; else (rows,) numbers.

    Returns
    -------
    Statistic
        Takes counts of rows, (resamples, rows) floats, each resample holding at least one row.
    """
    return STATISTICS[metric](np.asarray(truth), np.asarray(predicted))


def value_of(metric: str, truth: np.ndarray, predicted: np.ndarray) -> float:
    """Return one metric of the rows as they are."""
    return float(statistic(metric, truth, predicted)(np.ones((1, len(truth))))[0])


def mid_ranks(values: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Prepare the ranks of rows by *values*, (rows,), from 1; ties share their mean rank.

    Returns
    -------
    callable
        From counts to the ranks of the rows within each resample, both (resamples, rows). Copies of
        a row tie with one another.
    """
    order = np.argsort(values, kind="stable")
    _, starts, group = np.unique(values[order], return_index=True, return_inverse=True)
    group_of_row = np.empty(len(values), int)
    group_of_row[order] = group

    def ranks(counts: np.ndarray) -> np.ndarray:
        sizes = np.add.reduceat(counts[:, order], starts, axis=1)
        middles = np.cumsum(sizes, axis=1) - (sizes - 1) / 2
        return middles[:, group_of_row]

    return ranks


def _rmse(truth: np.ndarray, predicted: np.ndarray) -> Statistic:
    squared = (truth.astype(float) - predicted) ** 2
    return lambda counts: np.sqrt(counts @ squared / counts.sum(axis=1))


def _r2(truth: np.ndarray, predicted: np.ndarray) -> Statistic:
    """Share of the variance that is explained; 0 where the truth does not vary."""
    centred = truth.astype(float) - truth.mean()
    columns = np.stack([(truth - predicted) ** 2, centred, centred**2], axis=1)
    least = 1e-12 * float(columns[:, 2].sum())

    def values(counts: np.ndarray) -> np.ndarray:
        error, total, squares = (counts @ columns).T
        spread = squares - total**2 / counts.sum(axis=1)
        return np.divide(spread - error, spread, out=np.zeros_like(spread), where=spread > least)

    return values


def _explained_variance(truth: np.ndarray, predicted: np.ndarray) -> Statistic:
    """1 less the share of the variance that is left in the errors; 0 where the truth does not vary."""
    centred = truth.astype(float) - truth.mean()
    error = truth - predicted
    error = error - error.mean()
    columns = np.stack([error, error**2, centred, centred**2], axis=1)
    least = 1e-12 * float(columns[:, 3].sum())

    def values(counts: np.ndarray) -> np.ndarray:
        size = counts.sum(axis=1)
        errors, squared_errors, total, squares = (counts @ columns).T
        spread = squares - total**2 / size
        left = squared_errors - errors**2 / size
        return np.divide(spread - left, spread, out=np.zeros_like(spread), where=spread > least)

    return values


def _pearson(truth: np.ndarray, predicted: np.ndarray) -> Statistic:
    x, y = truth - truth.mean(dtype=float), predicted - predicted.mean(dtype=float)

    def values(counts: np.ndarray) -> np.ndarray:
        return _correlation(counts, np.broadcast_to(x, counts.shape), np.broadcast_to(y, counts.shape))

    return values


def _spearman(truth: np.ndarray, predicted: np.ndarray) -> Statistic:
    by_truth, by_prediction = mid_ranks(truth), mid_ranks(predicted)
    return lambda counts: _correlation(counts, by_truth(counts), by_prediction(counts))


def _correlation(counts: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the weighted correlation of every row of x with that of y; 0 where one of them is constant."""
    size = counts.sum(axis=1)
    x = x - (np.einsum("br,br->b", counts, x) / size)[:, None]
    y = y - (np.einsum("br,br->b", counts, y) / size)[:, None]
    weighted = counts * x
    products = np.einsum("br,br->b", weighted, y)
    spread = np.einsum("br,br->b", weighted, x) * np.einsum("br,br,br->b", counts, y, y)
    return np.divide(products, np.sqrt(spread), out=np.zeros_like(products), where=spread > 1e-18 * size**2)


def _f1_macro(truth: np.ndarray, predicted: np.ndarray) -> Statistic:
    """Mean F1 over the labels that occur in the truth of a resample, each counting the same."""
    labels, known = np.unique(truth, return_inverse=True)
    places = {label: place for place, label in enumerate(labels.tolist())}
    guessed = np.array([places.get(label, -1) for label in predicted.tolist()])

    def rows_of(codes: np.ndarray) -> sparse.csr_array:
        rows = np.flatnonzero(codes >= 0)
        shape = (len(labels), len(codes))
        return sparse.csr_array((np.ones(len(rows)), (codes[rows], rows)), shape=shape)

    known_rows, guessed_rows = rows_of(known), rows_of(guessed)
    right_rows = rows_of(np.where(known == guessed, known, -1))

    def values(counts: np.ndarray) -> np.ndarray:
        support = known_rows @ counts.T
        f1 = 2 * (right_rows @ counts.T) / np.maximum(support + guessed_rows @ counts.T, 1e-12)
        return f1.sum(axis=0) / (support > 0).sum(axis=0)

    return values


STATISTICS: dict[str, Callable[[np.ndarray, np.ndarray], Statistic]] = {
    "rmse": _rmse,
    "r2": _r2,
    "explained_variance": _explained_variance,
    "f1_macro": _f1_macro,
    "spearman": _spearman,
    "pearson": _pearson,
    "roc_auc": roc_auc,
    "pr_auc": pr_auc,
}
#: The value of single rows whose rise or fall counts as a win or a loss for such a metric.
ROW_VALUES = {
    "rmse": "mae",
    "r2": "mae",
    "explained_variance": "mae",
    "f1_macro": "accuracy",
    "spearman": "rank_error",
    "pearson": "rank_error",
    "roc_auc": "vote_share",
    "pr_auc": "vote_share",
}
#: Those computed from the votes for every label rather than from one answer a row.
OF_VOTES = frozenset({"roc_auc", "pr_auc"})
