"""Scored pairs: how similar two texts are shall follow how similar they were judged to be."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from sentence_transformers import SentenceTransformer
from torch import Tensor

from embedtune_nb.training.losses.objective_loss import ObjectiveLoss


class CosineLoss(ObjectiveLoss):
    """Squared error between the cosine of two texts and their score, which lies in 0 to 1."""

    def compute(self, columns: Sequence[Tensor], batch: Tensor) -> Tensor:
        """Return the mean over the rows of two columns; *batch* holds their scores."""
        first, second = columns
        return F.mse_loss(F.cosine_similarity(first, second), batch.to(first.dtype))


class PairOrderLoss(ObjectiveLoss):
    """Pairs judged more similar than others shall be so: ``log(1 + sum exp(s_low - s_high))``.

    The sum runs over all two rows of a batch whose scores differ; ``s`` is *scale* times the similarity that
    a subclass defines.

    Parameters
    ----------
    model
        The model.
    scale
        Factor on the similarities.
    """

    in_batch = True

    def __init__(self, model: SentenceTransformer, scale: float = 20.0) -> None:
        super().__init__(model)
        self.scale = scale

    @abstractmethod
    def similarity(self, first: Tensor, second: Tensor) -> Tensor:
        """Return the similarity of each row's two vectors, (rows,)."""

    def prepare(self, labels: Tensor) -> Tensor:
        """Return at (i, j) whether row i was judged less similar than row j."""
        return labels[:, None] < labels[None, :]

    def compute(self, columns: Sequence[Tensor], batch: Tensor) -> Tensor:
        """Return the loss of two columns; 0 where all scores are equal."""
        first, second = columns
        similarity = self.scale * self.similarity(first, second)
        wrongness = (similarity[:, None] - similarity[None, :])[batch]
        return torch.cat([wrongness.new_zeros(1), wrongness]).logsumexp(0)


class CosentLoss(PairOrderLoss):
    """CoSENT (Su 2022, kexue.fm/archives/8847): the order of the cosines follows the order of the scores."""

    def similarity(self, first: Tensor, second: Tensor) -> Tensor:
        """Return cosines."""
        return F.cosine_similarity(first, second)


class AngleLoss(PairOrderLoss):
    """AnglE (Li and Li 2023, arXiv:2309.12871): CoSENT on the angle between vectors in complex space.

    The halves of a vector are the real and imaginary parts of complex numbers; what counts is the angle of
    their quotient, whose gradient does not fade where cosines are near 1.
    """

    def similarity(self, first: Tensor, second: Tensor) -> Tensor:
        """Return the summed real and imaginary parts of the normalised quotient, in absolute value."""
        a, b = first.chunk(2, dim=1)
        c, d = second.chunk(2, dim=1)
        squared = (c**2 + d**2).sum(1, keepdim=True)
        real, imaginary = (a * c + b * d) / squared, (b * c - a * d) / squared
        length_of_first = (a**2 + b**2).sum(1, keepdim=True).sqrt()
        length_of_second = squared.sqrt()
        ratio = length_of_first / length_of_second
        return torch.cat([real / ratio, imaginary / ratio], dim=1).sum(1).abs()
