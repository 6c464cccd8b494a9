"""Proxy anchor: one learnt point for each class, which draws its texts and repels the others."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from sentence_transformers import SentenceTransformer
from torch import Tensor

from embedtune_nb.training.head import ClassHead
from embedtune_nb.training.losses.objective_loss import ObjectiveLoss


class ProxyAnchorLoss(ObjectiveLoss):
    """Proxy anchor loss (Kim et al. 2020, Proxy Anchor Loss for Deep Metric Learning, equation 4).

    Each proxy takes the softened hardest of its own texts in the batch and of all others. A class counts
    once, however many texts it has, so rare classes keep their place.

    Parameters
    ----------
    model
        The model.
    head
        Its weights are the proxies, one for each class; they are trained along.
    scale
        Sharpness of the softened maximum; alpha in the paper.
    margin
        How far beyond the border a cosine shall lie; delta in the paper.
    """

    in_batch = True

    def __init__(
        self, model: SentenceTransformer, head: ClassHead, scale: float = 30.0, margin: float = 0.1
    ) -> None:
        super().__init__(model)
        self.head, self.scale, self.margin = head, scale, margin

    def compute(self, columns: Sequence[Tensor], batch: Tensor) -> Tensor:
        """Return the loss of one column of texts; *batch* holds their class numbers."""
        cosine = self.head.cosines(columns[0])
        own = F.one_hot(batch, cosine.shape[1]).bool()
        drawn = _log_one_plus_sum(-self.scale * (cosine - self.margin), own)
        repelled = _log_one_plus_sum(self.scale * (cosine + self.margin), ~own)
        return drawn.sum() / own.any(0).sum() + repelled.mean()


def _log_one_plus_sum(exponents: Tensor, chosen: Tensor) -> Tensor:
    """Return log(1 + sum of exp) over the chosen rows of each column; 0 where none is chosen."""
    exponents = exponents.masked_fill(~chosen, -torch.inf)
    return torch.cat([exponents, exponents.new_zeros(1, exponents.shape[1])]).logsumexp(0)
