"""BM25 over sparse matrices, exact (Robertson and Zaragoza 2009, The Probabilistic Relevance Framework)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from scipy.sparse import csr_matrix, diags
from sklearn.feature_extraction.text import CountVectorizer

# Words, and each sign of scripts that are written without spaces.
TOKEN = r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+"


class BM25:
    """An index of n documents.

    Parameters
    ----------
    documents
        The texts.
    k1, b
        Saturation of repeated words and weight of document length; Lucene's values by default.
    most_common
        Words in more than this share of the documents are ignored: they cost most of the time and tell
        least. 1.0 ignores none.

    Attributes
    ----------
    ignored : list of str
        The words ignored for being too common.
    idf : numpy.ndarray
        ``log(1 + (n - df + 0.5) / (df + 0.5))`` of each word, 0 for ignored ones.
    """

    def __init__(
        self, documents: Sequence[str], *, k1: float = 1.2, b: float = 0.75, most_common: float = 1.0
    ) -> None:
        self._counter = CountVectorizer(token_pattern=TOKEN, lowercase=True)
        try:
            counts = csr_matrix(self._counter.fit_transform(documents), dtype=np.float64)
        except ValueError:  # not a single word in all documents
            self._counter = CountVectorizer(vocabulary=["\0"], token_pattern=TOKEN)
            counts = csr_matrix((len(documents), 1))
        frequency = np.bincount(counts.indices, minlength=counts.shape[1])
        self.idf = np.log1p((len(documents) - frequency + 0.5) / (frequency + 0.5))
        common = frequency > most_common * len(documents)
        self.idf[common] = 0.0
        self.ignored = self._counter.get_feature_names_out()[common].tolist()
        lengths = np.asarray(counts.sum(axis=1)).ravel()
        norm = k1 * (1 - b + b * lengths / max(lengths.mean(), 1e-12))
        weights = counts.copy()
        rows = np.repeat(np.arange(counts.shape[0]), np.diff(counts.indptr))
        weights.data = counts.data * (k1 + 1) / (counts.data + norm[rows])
        self._weights = csr_matrix(weights @ diags(self.idf))
        self._weights.eliminate_zeros()
        self._holds = self._weights.sign()

    def queries(self, texts: Sequence[str]) -> csr_matrix:
        """Return the word counts of *texts*, (q, words); words of no document are left out."""
        return csr_matrix(self._counter.transform(texts), dtype=np.float64)

    def scores(self, queries: csr_matrix, documents: np.ndarray | None = None) -> csr_matrix:
        """Return the BM25 scores, (q, documents), sparse, of counted *queries* against some documents."""
        weights = self._weights if documents is None else self._weights[documents]
        return csr_matrix(queries @ weights.T)

    def coverage(self, queries: csr_matrix, documents: np.ndarray | None = None) -> csr_matrix:
        """Return the share (0 to 1) of each query's words, weighted by idf, that each document holds."""
        asked = queries.sign() @ diags(self.idf)
        total = np.asarray(asked.sum(axis=1)).ravel()
        holds = self._holds if documents is None else self._holds[documents]
        return csr_matrix(diags(1 / np.maximum(total, 1e-12)) @ (asked @ holds.T))

    def scores_of_pairs(
        self, queries: csr_matrix, documents: np.ndarray, *, coverage: bool = False
    ) -> np.ndarray:
        """Return the score (or coverage) of query row i against ``documents[i]``, (q,)."""
        if not coverage:
            return np.asarray(queries.multiply(self._weights[documents]).sum(axis=1)).ravel()
        asked = csr_matrix(queries.sign() @ diags(self.idf))
        total = np.asarray(asked.sum(axis=1)).ravel()
        held = np.asarray(asked.multiply(self._holds[documents]).sum(axis=1)).ravel()
        return held / np.maximum(total, 1e-12)


def top_of_rows(scores: csr_matrix, k: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield for each row the columns and values of its k highest entries, ties in the order of columns."""
    for start, stop in zip(scores.indptr[:-1], scores.indptr[1:], strict=True):
        columns, values = scores.indices[start:stop], scores.data[start:stop]
        if len(values) > k:
            least = np.partition(values, len(values) - k)[len(values) - k]
            kept = np.flatnonzero(values >= least)
            columns, values = columns[kept], values[kept]
        order = np.lexsort((columns, -values))[:k]
        yield columns[order], values[order]
