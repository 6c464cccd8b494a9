"""Prediction: a linear head learns labels or scores, and the embeddings learn with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch.nn.functional as F
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Normalize
from torch import Tensor, nn

from embedtune_nb.training.head import ClassHead, ScoreHead
from embedtune_nb.training.losses.objective_loss import Features, ObjectiveLoss


class HeadLoss(ObjectiveLoss):
    """Base of the losses that read the embeddings through a linear head.

    Parameters
    ----------
    model
        The model.
    head
        The linear head; its weights are trained along.
    """

    def __init__(self, model: SentenceTransformer, head: ClassHead | ScoreHead) -> None:
        super().__init__(model)
        self.head = head

    def embed(self, features: Features) -> Tensor:
        """Return what the head reads: embeddings, or the vectors before the model scales them to length 1."""
        if self.head.normalize:
            return super().embed(features)
        with _unscaled(self.model) as seen:
            embeddings = super().embed(features)
            return seen[-1].float() if seen else embeddings


class PredictionLoss(HeadLoss):
    """Cross-entropy of a linear head on the embeddings."""

    def logits(self, features: Features) -> Tensor:
        """Return (texts, classes)."""
        return self.head(self.embed(features))

    def compute(self, columns: Sequence[Tensor], batch: Tensor) -> Tensor:
        """Return the mean over the rows; *batch* holds their class numbers."""
        return F.cross_entropy(self.head(columns[0]), batch)


class ScorePredictionLoss(HeadLoss):
    """Squared error of a linear head on the embeddings, in units of the scores' standard deviation."""

    head: ScoreHead

    def scores(self, features: Features) -> Tensor:
        """Return the predicted scores in their own unit, (texts,)."""
        return self.head.in_own_unit(self.head(self.embed(features)))

    def compute(self, columns: Sequence[Tensor], batch: Tensor) -> Tensor:
        """Return the mean over the rows; *batch* holds their scores."""
        return F.mse_loss(self.head(columns[0]), self.head.standardised(batch))


@contextmanager
def _unscaled(model: nn.Module) -> Iterator[list[Tensor]]:
    """Collect the vectors that reach the model's ``Normalize`` modules during the block."""
    seen: list[Tensor] = []

    def keep(_: nn.Module, inputs: tuple[Features]) -> None:
        seen.append(inputs[0]["sentence_embedding"])

    hooks = [part.register_forward_pre_hook(keep) for part in model.modules() if isinstance(part, Normalize)]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()
