"""Contrast on scores: texts of near scores attract each other."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from sentence_transformers import SentenceTransformer
from torch import Tensor

from embedtune_nb.training.losses.objective_loss import ObjectiveLoss


class ScoreContrastiveLoss(ObjectiveLoss):
    """Contrastive loss whose positives are weighted by a Gaussian kernel over the distance of scores.

    For each text, the cross-entropy between the kernel's shares, ``exp(-(score - other)^2 / 2 sigma^2)``
    over all other texts of the batch, and a softmax over cosines times *scale* (Dufumier et al. 2021,
    arXiv:2106.08808, y-aware InfoNCE). With labels for scores and sigma towards 0 it is the supervised
    contrastive loss.

    Parameters
    ----------
    model
        The model.
    scale
        Factor on the cosines.
    sigma
        Distance of scores, in their unit, at which the attraction has fallen to 0.6.
    """

    in_batch = True

    def __init__(self, model: SentenceTransformer, scale: float, sigma: float) -> None:
        super().__init__(model)
        self.scale, self.sigma = scale, sigma

    def prepare(self, labels: Tensor) -> Tensor:
        """Return for each text the shares of the others in its attraction, (rows, rows)."""
        distance = (labels[:, None] - labels[None, :]) / self.sigma
        itself = torch.eye(len(labels), dtype=torch.bool, device=labels.device)
        # as a softmax, so that a text far from all others still has its nearest as a positive
        return (-0.5 * distance**2).masked_fill(itself, -torch.inf).softmax(1)

    def compute(self, columns: Sequence[Tensor], batch: Tensor) -> Tensor:
        """Return the mean over the texts; 0 for a single one."""
        (vectors,) = columns
        if len(vectors) < 2:
            return vectors.sum() * 0.0
        unit = F.normalize(vectors, dim=-1)
        itself = torch.eye(len(unit), dtype=torch.bool, device=unit.device)
        logits = (self.scale * unit @ unit.T).masked_fill(itself, -torch.inf)
        log_probability = logits.log_softmax(1).masked_fill(itself, 0.0)
        return -(batch.to(unit.dtype) * log_probability).sum(1).mean()
