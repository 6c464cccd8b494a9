"""The linear map that evens out how texts that belong together differ: an adapter without training.

Directions in which texts of one label, or the two texts of a pair, differ most say least about what
belongs together. Dividing by the root of the within-group covariance gives all directions the same
say: within-class covariance normalisation (Hatch, Kajarekar and Stolcke 2006), here with the
covariance shrunk towards that of a sphere.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from embedtune_nb.data.datasource import Datasource
from embedtune_nb.data.kinds import LABELED, SCORED_PAIRS
from embedtune_nb.encoder.encoder import Encoder
from embedtune_nb.plan.rows import training_rows

#: Share of the sphere. On banking77's training texts, five neighbours judged 90.4 % right before, and
#: 90.2, 90.9, 91.0 and 91.0 % at shares of 0.05, 0.3, 0.5 and 0.7 (2,000 texts held out of them).
_SHRINKAGE = 0.5
#: Pairs that a map of queries is worked out from: more would take longer and change little.
_MOST_PAIRS = 20_000


def closed_form(encoder: Encoder, train: Datasource, loss: str) -> np.ndarray:
    """Return the map for both sides, float64, (dimension, dimension).

    Parameters
    ----------
    encoder
        Embeds the training texts.
    train
        Labels, or pairs of texts that belong together; the scores of judged pairs weigh them.
    loss
        Name of the loss; decides what of the data is a pair.
    """
    rows = training_rows(train, loss)
    columns = [encoder.embed(texts, role=rows.roles[name]) for name, texts in list(rows.texts.items())[:2]]
    if train.kind == LABELED:
        assert rows.labels is not None, "labelled data has labels"
        return evening_map(_around_their_means(columns[0], rows.labels))
    differences = (columns[0] - columns[1]) / np.sqrt(2.0)
    if train.kind == SCORED_PAIRS:
        differences = differences * np.sqrt(np.asarray(rows.labels, dtype=np.float32))[:, None]
    return evening_map(differences)


def closed_form_for_queries(encoder: Encoder, train: Datasource, loss: str) -> np.ndarray:
    """Return the map that brings queries nearest to their documents; parameters as of :func:`closed_form`."""
    rows = training_rows(train, loss)
    queries, documents = (
        encoder.embed(texts[:_MOST_PAIRS], role=rows.roles[name]).astype(np.float64)
        for name, texts in list(rows.texts.items())[:2]
    )
    return ridge_to_identity(queries, documents)


def ridge_to_identity(queries: np.ndarray, documents: np.ndarray) -> np.ndarray:
    """Return the linear map from *queries* to *documents*, (n, dimension) each, drawn to the identity.

    Ridge regression of ``documents - queries`` on queries. Of several strengths, the one with the least
    error on pairs left out, each in turn, is taken; if none is better than no change, there is none.
    """
    wanted = documents - queries
    left, sizes, right = np.linalg.svd(queries, full_matrices=False)
    seen = left.T @ wanted
    least, best = float((wanted**2).sum()), np.zeros_like(sizes)
    for strength in np.logspace(-2, 3, 11):
        kept = sizes**2 / (sizes**2 + strength)
        errors = (wanted - left @ (kept[:, None] * seen)) / (1 - (left**2 @ kept))[:, None]
        if (error := float((errors**2).sum())) < least:
            least, best = error, sizes / (sizes**2 + strength)
    return np.eye(queries.shape[1]) + (right.T @ (best[:, None] * seen)).T


def evening_map(differences: np.ndarray) -> np.ndarray:
    """Return the map under which *differences*, (n, dimension), spread alike in all directions.

    Its mean eigenvalue is 1, so that what is trained on top starts at the size of the vectors.
    """
    dimension = differences.shape[1]
    covariance = differences.T.astype(np.float64) @ differences / max(len(differences), 1)
    sphere = np.trace(covariance) / dimension * np.eye(dimension)
    if not np.trace(sphere):
        return np.eye(dimension)
    values, directions = np.linalg.eigh((1 - _SHRINKAGE) * covariance + _SHRINKAGE * sphere)
    whole = directions @ np.diag(values**-0.5) @ directions.T
    return whole / (np.trace(whole) / dimension)


def _around_their_means(vectors: np.ndarray, labels: Sequence[object]) -> np.ndarray:
    _, group = np.unique(np.asarray(labels).astype(str), return_inverse=True)
    sums = np.zeros((group.max() + 1, vectors.shape[1]))
    np.add.at(sums, group, vectors)
    return vectors - (sums / np.bincount(group)[:, None])[group]
