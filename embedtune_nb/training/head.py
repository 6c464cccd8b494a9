"""Linear heads on embeddings, made so that training them does not spoil who is whose neighbour."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

#: Cosines lie in [-1, 1]; times 20 they span logits sharp enough for a softmax over many classes.
LOGIT_SCALE = 20.0
#: Of a ridge regression on unit vectors: shrinks what a few hundred texts say about a dimension.
_RIDGE = 1.0


class ClassHead(nn.Module):
    """Linear head with one weight vector a class, started from the class means.

    With *normalize*, logits are cosines times :data:`LOGIT_SCALE`. The softmax then works on the
    same angles that neighbours are found by, and a class mean is already a fair classifier, so the
    first steps need not tear the space apart to suit random weights.

    Embeddings may be the first numbers of longer ones; they meet as many numbers of the weights.

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
            return LOGIT_SCALE * self.cosines(embeddings)
        return F.linear(embeddings, self.weight[:, : embeddings.shape[1]], self.bias)

    def cosines(self, embeddings: Tensor) -> Tensor:
        """Return the cosine of each embedding with each class's weights, (texts, classes)."""
        weight = self.weight[:, : embeddings.shape[1]]
        return F.linear(F.normalize(embeddings, dim=-1), F.normalize(weight, dim=-1))

    @torch.no_grad()
    def start_from(self, embeddings: Tensor, labels: Tensor) -> None:
        """Point every weight vector at the mean of its class; a class without rows keeps its random one.

        Without normalising, the vectors are sized so that logits span what the cosines would.
        """
        embeddings = embeddings.to(self.weight)
        size = 1.0 if self.normalize else LOGIT_SCALE / float(embeddings.norm(dim=-1).mean())
        for label in labels.unique().tolist():
            mean = F.normalize(embeddings[labels == label], dim=-1).mean(0)
            self.weight[label] = size * F.normalize(mean, dim=-1)


class ScoreHead(nn.Module):
    """Linear head for one number, started from a ridge regression; works in standardised scores.

    Parameters
    ----------
    dimension
        Length of an embedding.
    mean, spread
        Mean and standard deviation of the training scores.
    normalize
        Read embeddings as unit vectors.
    """

    mean: Tensor
    spread: Tensor

    def __init__(self, dimension: int, *, mean: float, spread: float, normalize: bool = True) -> None:
        super().__init__()
        self.normalize = normalize
        self.weight = nn.Parameter(torch.zeros(1, dimension))
        self.bias = nn.Parameter(torch.zeros(1))
        self.register_buffer("mean", torch.tensor(float(mean)))
        self.register_buffer("spread", torch.tensor(float(spread) or 1.0))

    def forward(self, embeddings: Tensor) -> Tensor:
        """Return standardised scores, (texts,), for embeddings, (texts, dimension)."""
        if self.normalize:
            embeddings = F.normalize(embeddings, dim=-1)
        return F.linear(embeddings, self.weight[:, : embeddings.shape[1]], self.bias).squeeze(-1)

    def standardised(self, scores: Tensor) -> Tensor:
        """Return scores less their mean, in standard deviations."""
        return (scores.to(self.mean) - self.mean) / self.spread

    def in_own_unit(self, standardised: Tensor) -> Tensor:
        """Return the scores that :meth:`standardised` made these of."""
        return standardised * self.spread + self.mean

    @torch.no_grad()
    def start_from(self, embeddings: Tensor, scores: Tensor) -> None:
        """Set the weights to the ridge regression of these scores on these embeddings."""
        vectors = embeddings.to(self.weight)
        if self.normalize:
            vectors = F.normalize(vectors, dim=-1)
        target, centre = self.standardised(scores.to(vectors)), vectors.mean(0)
        centred = vectors - centre
        # the ridge grows with the vectors, so that scaling them does not change what is predicted
        ridge = _RIDGE * vectors.norm(dim=-1).pow(2).mean() * torch.eye(vectors.shape[1]).to(vectors)
        solved = torch.linalg.solve(centred.T @ centred + ridge, centred.T @ (target - target.mean()))
        self.weight.copy_(solved[None])
        self.bias.fill_(float(target.mean() - centre @ solved))
