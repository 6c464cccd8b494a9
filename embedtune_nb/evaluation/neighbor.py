"""Labels and scores without training a head: what do the nearest texts of a reference say?"""

from __future__ import annotations

import numpy as np
import pandas as pd

from embedtune_nb.evaluation.search import exact_search


def neighbor_votes(
    vectors: np.ndarray, reference_vectors: np.ndarray, reference_labels: np.ndarray, neighbor_count: int
) -> np.ndarray:
    """Classify by a similarity-weighted vote of the nearest neighbours.

    Each of the nearest reference texts votes for its label with its cosine similarity (a negative
    one counts 0). Labels that tie go to the one whose neighbour is nearest.

    Parameters
    ----------
    vectors, reference_vectors
        (q, d) and (n, d) unit vectors.
    reference_labels
        (n,) labels.
    neighbor_count
        How many neighbours vote; all of them where there are fewer.

    Returns
    -------
    numpy.ndarray
        (q,) predicted labels.
    """
    similarity, rows = exact_search(vectors, reference_vectors, neighbor_count)
    codes, labels = pd.factorize(np.asarray(reference_labels))
    voters = codes[rows]
    votes = np.zeros((len(vectors), len(labels)))
    weights = np.maximum(similarity, 0).astype(float)
    np.add.at(votes, (np.arange(len(vectors))[:, None], voters), weights)
    leading = np.take_along_axis(votes, voters, axis=1) >= votes.max(axis=1, keepdims=True) - 1e-6
    return labels[voters[np.arange(len(vectors)), leading.argmax(axis=1)]]


def neighbor_means(
    vectors: np.ndarray, reference_vectors: np.ndarray, reference_scores: np.ndarray, neighbor_count: int
) -> np.ndarray:
    """Predict scores as the similarity-weighted mean of the nearest neighbours' scores.

    Weights are cosine similarities, a negative one counts 0; where no neighbour has any weight, all
    count the same.

    Parameters
    ----------
    vectors, reference_vectors
        (q, d) and (n, d) unit vectors.
    reference_scores
        (n,) numbers.
    neighbor_count
        How many neighbours count; all of them where there are fewer.

    Returns
    -------
    numpy.ndarray
        (q,) predicted scores.
    """
    similarity, rows = exact_search(vectors, reference_vectors, neighbor_count)
    weights = np.maximum(similarity, 0).astype(float)
    weights[weights.sum(axis=1) == 0] = 1.0
    return (weights * np.asarray(reference_scores, float)[rows]).sum(axis=1) / weights.sum(axis=1)


def sample_rows(count: int, limit: int | float | None, seed: int) -> np.ndarray:
    """Return rows 0..count-1 in order, or a seeded sample of them.

    Parameters
    ----------
    count
        Rows there are.
    limit
        How many to keep (an int), or which share (a float up to 1.0), at least one. None keeps all.
    seed
        The same seed and count give the same rows, so before and after are judged alike.
    """
    if limit is None:
        return np.arange(count)
    wanted = max(1, round(limit * count)) if isinstance(limit, float) else int(limit)
    if wanted >= count:
        return np.arange(count)
    return np.sort(np.random.default_rng(seed).choice(count, wanted, replace=False))
