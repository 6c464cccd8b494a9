"""False negatives: which documents of a batch must not serve as negatives."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from torch import Tensor


class KnownPositives:
    """Which texts are right answers to which, over all training pairs.

    A batch of pairs uses the other rows' documents as negatives. One that is known to be right, or
    is the same text, would teach the model to push the truth away; :meth:`masks` finds those.

    Parameters
    ----------
    anchors, positives
        The texts of the pairs, row by row.
    """

    def __init__(self, anchors: Sequence[str], positives: Sequence[str]) -> None:
        codes, texts = pd.factorize(pd.Series([*anchors, *positives], dtype=object).str.strip())
        self._texts = len(texts)
        self._anchor, self._positive = codes[: len(anchors)], codes[len(anchors) :]
        known = self._anchor * self._texts + self._positive
        same = self._anchor * self._texts + self._anchor
        self._known = np.unique(np.concatenate([known, same]))

    def masks(self, rows: Tensor) -> Tensor:
        """Return which documents must not serve as negatives.

        Parameters
        ----------
        rows
            Row numbers of the pairs in the batch, (batch,).

        Returns
        -------
        torch.Tensor
            Boolean, (batch, batch). True at (i, j), j other than i, where the document or the anchor
            of row j is a known right answer to the anchor of row i, or the anchor's own text.
        """
        chosen = rows.cpu().numpy()
        base = self._anchor[chosen][:, None] * self._texts
        false = self._is_known(base + self._positive[chosen]) | self._is_known(base + self._anchor[chosen])
        np.fill_diagonal(false, False)
        return torch.from_numpy(false).to(rows.device)

    def _is_known(self, codes: np.ndarray) -> np.ndarray:
        place = np.searchsorted(self._known, codes).clip(max=len(self._known) - 1)
        return self._known[place] == codes
