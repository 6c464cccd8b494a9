"""Areas under the ROC and the precision-recall curve, for many resamples of the rows at once.

Each label against all others, averaged with equal weight over the labels that can be judged (as
scikit-learn's ``roc_auc_score(multi_class="ovr")`` and ``average_precision_score``, both macro).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

if TYPE_CHECKING:
    from embedtune_nb.evaluation.statistics import Statistic

_Tally = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def roc_auc(truth: np.ndarray, scores: np.ndarray) -> Statistic:
    """Prepare the chance that a row of a label scores higher for it than a row of another; a tie is a half.

    Parameters
    ----------
    truth
        (rows,) columns of *scores*: the right label of each row.
    scores
        (rows, labels) numbers, the higher the surer.

    Returns
    -------
    Statistic
        From (resamples, rows) counts to (resamples,) values. A resample in which no label can be told
        from another one gives 0.5.
    """
    return _mean_of_labels(truth, scores, _area_under_roc, empty=0.5)


def pr_auc(truth: np.ndarray, scores: np.ndarray) -> Statistic:
    """Prepare the average precision; parameters and result as for :func:`roc_auc`."""
    return _mean_of_labels(truth, scores, _average_precision, empty=0.0)


def _mean_of_labels(
    truth: np.ndarray,
    scores: np.ndarray,
    area: Callable[[np.ndarray, np.ndarray], np.ndarray],
    *,
    empty: float,
) -> Statistic:
    tallies = [_tally(truth == label, scores[:, label]) for label in np.unique(truth)]

    def values(counts: np.ndarray) -> np.ndarray:
        columns = np.ascontiguousarray(counts.T)
        total = columns.sum(axis=0)
        areas = np.stack([area(*tally(columns, total)) for tally in tallies])
        judged = np.isfinite(areas)
        total = np.where(judged, areas, 0.0).sum(axis=0)
        return np.where(judged.any(axis=0), total / np.maximum(judged.sum(axis=0), 1), empty)

    return values


def _tally(right: np.ndarray, scores: np.ndarray) -> _Tally:
    """Prepare how many rows, right and other, have each distinct score, both (scores, resamples) ascending.

    It is given the counts, (rows, resamples), and their sums, (resamples,). Most rows give a label no vote
    at all, so the lowest score is what remains of the total.
    """
    levels, level_of_row = np.unique(scores, return_inverse=True)

    def counter(rows: np.ndarray) -> sparse.csr_array:
        places = (level_of_row[rows] - 1, rows)
        return sparse.csr_array((np.ones(len(rows)), places), shape=(len(levels) - 1, len(scores)))

    above = level_of_row > 0
    held_above, others_above = counter(np.flatnonzero(above & right)), counter(np.flatnonzero(above & ~right))
    held = right.astype(float)

    def count(columns: np.ndarray, total: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        drawn = held @ columns
        found = []
        for counter_above, of_all in ((held_above, drawn), (others_above, total - drawn)):
            counted = counter_above @ columns
            found.append(np.vstack([of_all - counted.sum(axis=0), counted]))
        return found[0], found[1]

    return count


def _area_under_roc(right: np.ndarray, others: np.ndarray) -> np.ndarray:
    below = np.cumsum(others, axis=0) - others / 2
    pairs = right.sum(axis=0) * others.sum(axis=0)
    return np.divide((right * below).sum(axis=0), pairs, out=np.full(pairs.shape, np.nan), where=pairs > 0)


def _average_precision(right: np.ndarray, others: np.ndarray) -> np.ndarray:
    found = np.cumsum(right[::-1], axis=0)
    shown = found + np.cumsum(others[::-1], axis=0)
    precision = np.divide(found, shown, out=np.zeros_like(found), where=shown > 0)
    total = found[-1]
    gained = (right[::-1] * precision).sum(axis=0)
    return np.divide(gained, total, out=np.full(total.shape, np.nan), where=total > 0)
