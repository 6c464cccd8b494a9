"""False negatives: which documents of a batch must not serve as negatives."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from torch import Tensor

#: Stands where a row has fewer hard negatives than others; no Datasource holds an empty text.
MISSING = ""


class KnownPositives:
    """Which texts are right answers to which, over all training pairs.

    A batch of pairs uses the other rows' documents as negatives. One that is known to be right, or
    is the same text, would teach the model to push the truth away; :meth:`masks` finds those.

    Parameters
    ----------
    anchors, positives
        The texts of the pairs, row by row.
    negatives
        Columns of hard negatives, row by row; :data:`MISSING` where a row has none.

    Attributes
    ----------
    texts
        The distinct texts.
    anchor
        Number of each row's anchor in *texts*, (rows,).
    documents
        Numbers of each row's positive and hard negatives, (1 + columns of negatives, rows).
    """

    def __init__(
        self, anchors: Sequence[str], positives: Sequence[str], negatives: Sequence[Sequence[str]] = ()
    ) -> None:
        columns = [anchors, positives, *negatives]
        stacked = pd.Series([text for column in columns for text in column], dtype=object).str.strip()
        codes, texts = pd.factorize(stacked)
        rows = codes.astype(np.int64).reshape(len(columns), len(anchors))
        self.texts: list[str] = list(texts)
        self.anchor, self.documents = rows[0], rows[1:]
        self._missing = np.asarray([text == MISSING for text in texts])
        own = np.stack([self.anchor, self.anchor])
        answers = np.stack([self.documents[0], self.anchor])
        self._known = np.unique(own * len(texts) + answers)

    def masks(self, rows: Tensor) -> Tensor:
        """Return which documents must not serve as negatives.

        Parameters
        ----------
        rows
            Row numbers of the pairs in the batch, (batch,).

        Returns
        -------
        torch.Tensor
            Boolean, (batch, documents): the positives of all rows, then their first hard negatives, and
            so on. True at (i, j) where document j is a known right answer to the anchor of row i, is that
            anchor's own text, or is missing; and for another row's positive also where the anchor of that
            row is such a text. Never true for a row's own positive.
        """
        chosen = rows.cpu().numpy()
        documents = self.documents[:, chosen].ravel()
        false = np.tile(self._missing[documents], (len(chosen), 1))
        asked, answers = self._answers(chosen)
        for texts in (documents, self.anchor[chosen]):
            row, place = _occurrences(answers, texts)
            false[asked[row], place] = True
        np.fill_diagonal(false, False)
        return torch.from_numpy(false).to(rows.device)

    def missing(self, rows: Tensor) -> Tensor:
        """Return at which places of :meth:`masks` there is no text, boolean, (documents,)."""
        documents = self.documents[:, rows.cpu().numpy()].ravel()
        return torch.from_numpy(self._missing[documents]).to(rows.device)

    def _answers(self, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return (place in the batch, number of a text) for all right answers to the chosen rows."""
        size = len(self.texts)
        start = np.searchsorted(self._known, self.anchor[chosen] * size)
        end = np.searchsorted(self._known, (self.anchor[chosen] + 1) * size)
        place, known = _ranges(start, end)
        return place, self._known[known] % size


def _occurrences(wanted: np.ndarray, texts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return all (i, j) with ``wanted[i] == texts[j]``."""
    order = np.argsort(texts, kind="stable")
    start = np.searchsorted(texts, wanted, side="left", sorter=order)
    end = np.searchsorted(texts, wanted, side="right", sorter=order)
    found, place = _ranges(start, end)
    return found, order[place]


def _ranges(start: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (i, number) for all numbers from ``start[i]`` up to, not including, ``end[i]``."""
    length = end - start
    owner = np.repeat(np.arange(len(start)), length)
    before = np.cumsum(length) - length
    return owner, np.arange(length.sum()) - before[owner] + start[owner]
