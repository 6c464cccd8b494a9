"""A linear classifier on embeddings, made so that training it does not spoil who is whose neighbour."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

#: Cosines lie in [-1, 1]; times 20 they span logits sharp enough for a softmax over many classes.
LOGIT_SCALE = 20.0


class ClassHead(nn.Module):
    """Linear head with one weight vector a class, started from the class means.

    With *normalize*, logits are cosines times :data:`LOGIT_SCALE`. The softmax then works on the
    same angles that neighbours are found by, and a class mean is already a fair classifier, so the
    first steps need not tear the space apart to suit random weights.

    Parameters
    ----------
    dimension
        Length of an embedding.
    classes
        Number of classes.
    normalize
        Read embeddings as unit vectors. Without it, logits are plain dot products with a bias.
    """

    def __init__(self, dimension: int, classes: int, *, normalize: bool = True) -> None:
        super().__init__()
        self.normalize = normalize
        self.weight = nn.Parameter(torch.empty(classes, dimension))
        nn.init.normal_(self.weight, std=dimension**-0.5)
        self.bias = None if normalize else nn.Parameter(torch.zeros(classes))

    def forward(self, embeddings: Tensor) -> Tensor:
        """Return logits, (texts, classes), for embeddings, (texts, dimension)."""
        if self.normalize:
            cosines = F.linear(F.normalize(embeddings, dim=-1), F.normalize(self.weight, dim=-1))
            return LOGIT_SCALE * cosines
        return F.linear(embeddings, self.weight, self.bias)

    @torch.no_grad()
    def start_from_means(self, embeddings: Tensor, labels: Tensor) -> None:
        """Point every weight vector at the mean of its class; a class without rows keeps its random one.

        Without normalising, the vectors are sized so that logits span what the cosines would.
        """
        embeddings = embeddings.to(self.weight)
        size = 1.0 if self.normalize else LOGIT_SCALE / float(embeddings.norm(dim=-1).mean())
        for label in labels.unique().tolist():
            mean = F.normalize(embeddings[labels == label], dim=-1).mean(0)
            self.weight[label] = size * F.normalize(mean, dim=-1)
