"""Neighbours in the full space of the vectors."""

from __future__ import annotations

import numpy as np

from embedtune_nb.errors import DataError
from embedtune_nb.evaluation.search import exact_search


def unit_vectors(vectors: np.ndarray, name: str) -> np.ndarray:
    """Return (n, d) float32 rows of length 1; a zero row stays zero.

    Raises
    ------
    DataError
        If it is no table of finite numbers.
    """
    vectors = np.asarray(vectors, dtype=np.float32)
    if vectors.ndim != 2 or 0 in vectors.shape:
        raise DataError(
            f"`{name}` has the shape {vectors.shape}.", expected="(texts, dimensions), both at least 1"
        )
    if not np.isfinite(vectors).all():
        bad = int((~np.isfinite(vectors).all(axis=1)).sum())
        raise DataError(
            f"{bad:,} rows of `{name}` hold values that are not finite.", fix="leave those texts out."
        )
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)


def self_and_neighbors(vectors: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Find for every point itself, then its nearest neighbours by cosine (exact, FAISS).

    Returns
    -------
    rows, distances
        (n, min(count + 1, n)) int64 rows, and float32 cosine distances from 0 to 2, the first one 0.
    """

    def self_first(scores: np.ndarray, query_rows: np.ndarray, rows: np.ndarray) -> np.ndarray:
        return np.where(rows == query_rows[:, None], np.inf, scores)

    scores, rows = exact_search(vectors, vectors, count + 1, adjust=self_first)
    return rows, np.clip(1.0 - np.minimum(scores, 1.0), 0.0, 2.0).astype(np.float32)
