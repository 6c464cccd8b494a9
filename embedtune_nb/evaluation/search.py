"""Exact nearest neighbours by inner product, with one answer however scores tie."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

# Blocked matrix products give one pair of vectors scores that differ by about 1e-7 from place to place.
# To six decimals such scores are equal, and equal scores go by document order.
_DECIMALS = 6
_MARGIN = 16
_QUERIES_AT_ONCE = 512

Adjust = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def exact_search(
    queries: np.ndarray, documents: np.ndarray, k: int, *, adjust: Adjust | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Find the k documents with the highest inner product for every query (FAISS, flat index).

    Ordered by score (rounded to six decimals), then by document order, so copies of one document
    come in the order of the pool on every machine.

    Parameters
    ----------
    queries
        (q, d) vectors.
    documents
        (n, d) vectors, at least one.
    k
        Documents per query; fewer come back where the pool is smaller.
    adjust
        ``adjust(scores, query_rows, document_rows)`` returns new scores of the same shape, to put
        documents first (``inf``) or out (``-inf``). Shapes: (b, m), (b,), (b, m).

    Returns
    -------
    scores, rows
        (q, min(k, n)) float32 scores and int64 document rows, best first.
    """
    import faiss

    queries, documents = (np.ascontiguousarray(part, dtype=np.float32) for part in (queries, documents))
    count = len(documents)
    k = min(k, count)
    depth = min(k + _MARGIN, count)
    index = faiss.IndexFlatIP(documents.shape[1])
    index.add(documents)
    scores = np.empty((len(queries), k), np.float32)
    rows = np.empty((len(queries), k), np.int64)
    for start in range(0, len(queries), _QUERIES_AT_ONCE):
        here = np.arange(start, min(start + _QUERIES_AT_ONCE, len(queries)))
        found, candidates = index.search(queries[here], depth)
        lowest = np.round(found[:, -1], _DECIMALS)
        best, order = _ordered(found, candidates, here, k, adjust)
        # a document that was not retrieved can only belong among the first k if it ties with the lowest
        unsure = np.flatnonzero(best[:, -1] <= lowest) if depth < count else np.empty(0, int)
        if len(unsure):
            everything = queries[here[unsure]] @ documents.T
            all_rows = np.broadcast_to(np.arange(count), everything.shape)
            best[unsure], order[unsure] = _ordered(everything, all_rows, here[unsure], k, adjust)
        scores[here], rows[here] = best, order
    return scores, rows


def _ordered(
    scores: np.ndarray, rows: np.ndarray, query_rows: np.ndarray, k: int, adjust: Adjust | None
) -> tuple[np.ndarray, np.ndarray]:
    scores = np.round(scores, _DECIMALS)
    if adjust is not None:
        scores = adjust(scores, query_rows, rows)
    order = np.lexsort((rows, -scores), axis=1)[:, :k]
    return np.take_along_axis(scores, order, axis=1), np.take_along_axis(rows, order, axis=1)
