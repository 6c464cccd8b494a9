"""Labels and scores without training a head: what do the nearest texts of a reference say?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from embedtune_nb.evaluation.search import exact_search


@dataclass(frozen=True)
class Votes:
    """What the nearest neighbours of q texts said.

    Attributes
    ----------
    predicted
        (q,) the label with the most votes.
    labels
        (l,) the distinct labels of the reference.
    shares
        (q, l) float32: the share of the votes that each label got; equal shares where nobody voted.
    answered
        (q,) whether any neighbour voted, that is, had a positive similarity.
    """

    predicted: np.ndarray
    labels: np.ndarray
    shares: np.ndarray
    answered: np.ndarray


def neighbor_votes(
    vectors: np.ndarray,
    reference_vectors: np.ndarray,
    reference_labels: np.ndarray,
    neighbor_count: int,
    *,
    weighted: bool = True,
) -> Votes:
    """Classify by a vote of the nearest neighbours.

    Each of the nearest reference texts votes for its label with its cosine similarity (a negative
    one counts 0), or all alike. Labels that tie go to the one whose neighbour is nearest.

    Parameters
    ----------
    vectors, reference_vectors
        (q, d) and (n, d) unit vectors.
    reference_labels
        (n,) labels.
    neighbor_count
        How many neighbours vote; all of them where there are fewer.
    weighted
        False: every neighbour has one vote.

    Returns
    -------
    Votes
        Predicted labels, and the share of the votes of each label.
    """
    similarity, rows = exact_search(vectors, reference_vectors, neighbor_count)
    codes, labels = pd.factorize(np.asarray(reference_labels))
    voters = codes[rows]
    votes = np.zeros((len(vectors), len(labels)))
    weights = np.maximum(similarity, 0).astype(float) if weighted else np.ones(similarity.shape)
    np.add.at(votes, (np.arange(len(vectors))[:, None], voters), weights)
    leading = np.take_along_axis(votes, voters, axis=1) >= votes.max(axis=1, keepdims=True) - 1e-6
    predicted = labels[voters[np.arange(len(vectors)), leading.argmax(axis=1)]]
    cast = votes.sum(axis=1, keepdims=True)
    shares = np.divide(votes, cast, out=np.full_like(votes, 1 / len(labels)), where=cast > 0)
    # cosines differ by about 1e-7 from machine to machine; shares that are equal shall tie on all of them
    return Votes(predicted, np.asarray(labels), np.round(shares, 6).astype(np.float32), cast[:, 0] > 0)


def neighbor_means(
    vectors: np.ndarray,
    reference_vectors: np.ndarray,
    reference_scores: np.ndarray,
    neighbor_count: int,
    *,
    weighted: bool = True,
) -> np.ndarray:
    """Predict scores as the mean of the nearest neighbours' scores.

    Weights are cosine similarities, a negative one counts 0; where no neighbour has any weight, or
    they are not wanted, all count the same.

    Parameters
    ----------
    vectors, reference_vectors
        (q, d) and (n, d) unit vectors.
    reference_scores
        (n,) numbers.
    neighbor_count
        How many neighbours count; all of them where there are fewer.
    weighted
        False: a plain mean.

    Returns
    -------
    numpy.ndarray
        (q,) predicted scores.
    """
    similarity, rows = exact_search(vectors, reference_vectors, neighbor_count)
    weights = np.maximum(similarity, 0).astype(float) if weighted else np.ones(similarity.shape)
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
