"""A guide: what the untrained model thinks of the in-batch negatives, asked once before training."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from embedtune_nb.training.losses.false_negatives import KnownPositives


class Guide:
    """Suspects in-batch negatives that a frozen model finds nearer to the anchor than its own positive.

    The rule of GISTEmbed (Solatorio 2024, arXiv:2402.16829), on anchors against documents. The guide is
    the base model itself, whose vectors are computed once, so a step costs a matrix product more.

    Parameters
    ----------
    known
        Says which texts stand in which row.
    queries, documents
        Unit vectors of the texts of *known*, as anchors and as documents, (texts, dimension). Rows of
        texts that never stand in that role are not read.
    """

    def __init__(self, known: KnownPositives, queries: np.ndarray, documents: np.ndarray) -> None:
        self._known = known
        self._queries, self._documents = torch.from_numpy(queries), torch.from_numpy(documents)

    def masks(self, rows: Tensor) -> Tensor:
        """Return the suspects, boolean, (batch, documents), laid out as :meth:`KnownPositives.masks`."""
        chosen = rows.cpu().numpy()
        anchors = self._queries[torch.from_numpy(self._known.anchor[chosen])]
        documents = self._documents[torch.from_numpy(self._known.documents[:, chosen].ravel())]
        similarity = anchors.to(rows.device) @ documents.to(rows.device).T
        return similarity > similarity.diagonal()[:, None]
