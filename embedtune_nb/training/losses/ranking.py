"""Contrast on pairs: each anchor's own document against the other documents of the batch."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from sentence_transformers import SentenceTransformer
from torch import Tensor

from embedtune_nb.training.losses.false_negatives import KnownPositives
from embedtune_nb.training.losses.objective_loss import ObjectiveLoss


class RankingLoss(ObjectiveLoss):
    """Multiple negatives ranking with same-text masking.

    For each pair, the negative log-probability of its own document in a softmax over the documents of
    the batch, on cosines times *scale* (InfoNCE, van den Oord et al. 2018). Documents that
    :class:`~embedtune_nb.training.losses.false_negatives.KnownPositives` knows to be right are left
    out of the softmax.

    Parameters
    ----------
    model
        The model.
    known
        The right answers of all pairs.
    scale
        Factor on the cosines.

    Attributes
    ----------
    masked
        In-batch negatives left out so far.
    """

    in_batch = True

    def __init__(self, model: SentenceTransformer, known: KnownPositives, scale: float = 20.0) -> None:
        super().__init__(model)
        self.known, self.scale = known, scale
        self.masked = 0

    @property
    def left_out(self) -> str:
        """Say how many in-batch negatives were masked."""
        if not self.masked:
            return ""
        return f"{self.masked} in-batch negatives were masked: known right answers, or the same text."

    def prepare(self, labels: Tensor) -> Tensor:
        """Return who must not serve as whose negative, (rows, rows); *labels* are row numbers of pairs."""
        mask = self.known.masks(labels)
        self.masked += int(mask.sum())
        return mask

    def compute(self, columns: Sequence[Tensor], batch: Tensor) -> Tensor:
        """Return the mean over the rows of two columns, anchors and documents."""
        anchors, documents = (F.normalize(vectors, dim=-1) for vectors in columns)
        logits = self.scale * anchors @ documents.T
        own = torch.arange(len(logits), device=logits.device)
        return F.cross_entropy(logits.masked_fill(batch, -torch.inf), own)
