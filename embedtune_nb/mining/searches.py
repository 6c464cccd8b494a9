"""Ways to rank documents for queries: by vectors, by BM25, by the share of the query that they hold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from embedtune_nb.mining.bm25 import BM25, top_of_rows

_VECTORS_AT_ONCE, _TEXTS_AT_ONCE = 1024, 512
# In so many documents, words that stand in more than this share of them are ignored.
_LARGE, _COMMON = 2_000, 0.2

Advance = Callable[[int], object]


class Search(Protocol):
    """Ranks documents for queries; both are numbered from 0."""

    note: str

    def top(
        self, queries: np.ndarray, documents: np.ndarray, k: int, advance: Advance
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the k best of *documents* for each of *queries*, best first: numbers and scores.

        Both (queries, k); -1 and -inf where there are no more. *advance* is told of finished queries.
        """

    def scores(self, queries: np.ndarray, documents: np.ndarray) -> np.ndarray:
        """Return the score of ``queries[i]`` against ``documents[i]``."""


class ByVectors:
    """Ranks by the inner product of unit vectors (FAISS, flat index).

    Parameters
    ----------
    queries, documents
        float32, (q, d) and (n, d).
    """

    note = ""

    def __init__(self, queries: np.ndarray, documents: np.ndarray) -> None:
        self._queries, self._documents = queries, documents

    def centres(self, classes: np.ndarray) -> np.ndarray:
        """Return the mean vector of each class of documents, of length 1, (classes, d)."""
        sums = np.zeros((int(classes.max()) + 1, self._documents.shape[1]), np.float32)
        np.add.at(sums, classes, self._documents)
        return sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)

    def top(
        self, queries: np.ndarray, documents: np.ndarray, k: int, advance: Advance
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the k best; see :class:`Search`."""
        import faiss

        found, best = _empty(len(queries), k)
        if len(documents) == 0:
            return found, best
        index = faiss.IndexFlatIP(self._documents.shape[1])
        index.add(np.ascontiguousarray(self._documents[documents]))
        depth = min(k, len(documents))
        for start in range(0, len(queries), _VECTORS_AT_ONCE):
            here = slice(start, start + _VECTORS_AT_ONCE)
            scores, places = index.search(np.ascontiguousarray(self._queries[queries[here]]), depth)
            found[here, :depth], best[here, :depth] = documents[places], scores
            advance(len(places))
        return found, best

    def scores(self, queries: np.ndarray, documents: np.ndarray) -> np.ndarray:
        """Return the inner product of each pair."""
        result = np.empty(len(queries), np.float32)
        for start in range(0, len(queries), 50_000):
            here = slice(start, start + 50_000)
            result[here] = np.einsum(
                "id,id->i", self._queries[queries[here]], self._documents[documents[here]]
            )
        return result


class ByWords:
    """Ranks by BM25, or by the share of the query's words (weighted by idf) that a document holds.

    Parameters
    ----------
    coverage
        Rank by the share, from 0 to 1.
    score_range
        Only documents with a score between these two are ranked.
    """

    def __init__(
        self,
        queries: Sequence[str],
        documents: Sequence[str],
        *,
        coverage: bool = False,
        score_range: tuple[float, float] | None = None,
    ) -> None:
        most = _COMMON if len(documents) >= _LARGE else 1.0
        self._index = BM25(documents, most_common=most)
        self._queries = self._index.queries(queries)
        self._coverage, self._range = coverage, score_range
        ignored = self._index.ignored
        self.note = (
            f"Words in more than {_COMMON:.0%} of the documents were ignored ({', '.join(ignored[:5])}"
            f"{', ...' if len(ignored) > 5 else ''})."
            if ignored
            else ""
        )

    def top(
        self, queries: np.ndarray, documents: np.ndarray, k: int, advance: Advance
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the k best that share a word; see :class:`Search`."""
        found, best = _empty(len(queries), k)
        scored = self._index.coverage if self._coverage else self._index.scores
        for start in range(0, len(queries), _TEXTS_AT_ONCE):
            block = queries[start : start + _TEXTS_AT_ONCE]
            scores = scored(self._queries[block], documents)
            if self._range is not None:
                low, high = self._range
                scores.data[(scores.data < low) | (scores.data > high)] = 0.0
                scores.eliminate_zeros()
            for row, (places, values) in enumerate(top_of_rows(scores, k), start):
                found[row, : len(places)], best[row, : len(places)] = documents[places], values
            advance(len(block))
        return found, best

    def scores(self, queries: np.ndarray, documents: np.ndarray) -> np.ndarray:
        """Return the score of each pair."""
        result = np.empty(len(queries), np.float32)
        for start in range(0, len(queries), 50_000):
            here = slice(start, start + 50_000)
            result[here] = self._index.scores_of_pairs(
                self._queries[queries[here]], documents[here], coverage=self._coverage
            )
        return result


def _empty(rows: int, k: int) -> tuple[np.ndarray, np.ndarray]:
    return np.full((rows, k), -1, np.int64), np.full((rows, k), -np.inf, np.float32)
