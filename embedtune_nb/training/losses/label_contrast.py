"""Contrast on labels: texts of one label attract each other, all others repel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
import torch.nn.functional as F
from sentence_transformers import SentenceTransformer
from torch import Tensor

from embedtune_nb.training.losses.objective_loss import ObjectiveLoss


class LabelContrastiveLoss(ObjectiveLoss):
    """Supervised contrastive loss.

    For each text, the mean log-probability of its positives (the other texts of the batch with its
    label) in a softmax over all other texts of the batch, on cosines times *scale*. This is
    :math:`L^{sup}_{out}` of Khosla et al., Supervised Contrastive Learning (2020), equation 2, with
    temperature ``1 / scale``. A text without another of its label in the batch is only a negative.

    Parameters
    ----------
    model
        The model.
    scale
        Factor on the cosines.
    """

    in_batch = True
    told: ClassVar[Mapping[str, str]] = {
        "alone": "{} times a text met no other of its label in its batch: only a negative there."
    }

    def __init__(self, model: SentenceTransformer, scale: float = 20.0) -> None:
        super().__init__(model)
        self.scale = scale

    def prepare(self, labels: Tensor) -> Tensor:
        """Return who is a positive of whom, (rows, rows)."""
        positive = labels[:, None] == labels[None, :]
        positive.fill_diagonal_(False)
        self.counts["alone"] += int((~positive.any(1)).sum())
        return positive

    def compute(self, columns: Sequence[Tensor], batch: Tensor) -> Tensor:
        """Return the mean over the texts that have a positive; 0 when none has."""
        (vectors,) = columns
        unit = F.normalize(vectors, dim=-1)
        itself = torch.eye(len(unit), dtype=torch.bool, device=unit.device)
        logits = (self.scale * unit @ unit.T).masked_fill(itself, -torch.inf)
        log_probability = logits - logits.logsumexp(dim=1, keepdim=True)
        count = batch.sum(1)
        matched = count > 0
        if not matched.any():
            return vectors.sum() * 0.0
        total = log_probability.masked_fill(~batch, 0.0).sum(1)
        return -(total[matched] / count[matched]).mean()
