"""Triplets: an anchor shall be nearer to its positive than to its negative, by a margin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
import torch.nn.functional as F
from sentence_transformers import SentenceTransformer
from torch import Tensor

from embedtune_nb.training.losses.objective_loss import ObjectiveLoss


class TripletMarginLoss(ObjectiveLoss):
    """Hinge on given triplets: ``max(0, d(anchor, positive) - d(anchor, negative) + margin)``.

    ``d`` is 1 - cosine, the distance that search by cosine ranks by (Schroff et al. 2015, FaceNet, with
    half the squared distance of unit vectors).

    Parameters
    ----------
    model
        The model.
    margin
        By how much the positive shall be nearer.
    """

    def __init__(self, model: SentenceTransformer, margin: float) -> None:
        super().__init__(model)
        self.margin = margin

    def compute(self, columns: Sequence[Tensor], batch: Tensor) -> Tensor:
        """Return the mean over the rows of anchors, positives and negatives; *batch* is not read."""
        anchors, positives, negatives = columns
        nearer = F.cosine_similarity(anchors, positives) - F.cosine_similarity(anchors, negatives)
        return F.relu(self.margin - nearer).mean()


class BatchHardTripletLoss(ObjectiveLoss):
    """Hinge on the hardest triplet of each text: the farthest of its label, the nearest of another.

    Hermans et al. 2017, In Defense of the Triplet Loss, equation 5, on 1 - cosine. A text
    without another of its label in the batch, or with only such, has no term of its own.

    Parameters
    ----------
    model
        The model.
    margin
        By how much the farthest of the same label shall be nearer than the nearest of another.
    """

    in_batch = True
    told: ClassVar[Mapping[str, str]] = {
        "alone": "{} times a text had no triplet: its batch held no other of its label, or only such."
    }

    def __init__(self, model: SentenceTransformer, margin: float) -> None:
        super().__init__(model)
        self.margin = margin

    def prepare(self, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Return who is a positive and who a negative of whom, each (rows, rows)."""
        same = labels[:, None] == labels[None, :]
        positive = same.clone().fill_diagonal_(False)
        self.counts["alone"] += int((~(positive.any(1) & (~same).any(1))).sum())
        return positive, ~same

    def compute(self, columns: Sequence[Tensor], batch: tuple[Tensor, Tensor]) -> Tensor:
        """Return the mean over the texts that have a triplet; 0 when none has."""
        (vectors,), (positive, negative) = columns, batch
        unit = F.normalize(vectors, dim=-1)
        cosine = unit @ unit.T
        farthest = cosine.masked_fill(~positive, torch.inf).amin(1)
        nearest = cosine.masked_fill(~negative, -torch.inf).amax(1)
        complete = positive.any(1) & negative.any(1)
        if not complete.any():
            return vectors.sum() * 0.0
        return F.relu(self.margin - farthest[complete] + nearest[complete]).mean()
