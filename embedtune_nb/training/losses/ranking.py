"""Contrast on pairs: each anchor's own document against all other documents of the batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
import torch.nn.functional as F
from sentence_transformers import SentenceTransformer
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from embedtune_nb.training.losses.false_negatives import KnownPositives
from embedtune_nb.training.losses.guide import Guide
from embedtune_nb.training.losses.objective_loss import ObjectiveLoss

#: Anchors whose similarities are in memory at once; those of a large batch would outgrow its encoder.
_ANCHORS_AT_ONCE = 512


class RankingLoss(ObjectiveLoss):
    """Multiple negatives ranking with masking of false negatives.

    For each pair, the negative log-probability of its own document in a softmax over the documents of
    the batch, on cosines times *scale* (InfoNCE, van den Oord et al. 2018). Hard negatives of all rows,
    where there are any, stand in the softmax too. Documents that
    :class:`~embedtune_nb.training.losses.false_negatives.KnownPositives` knows to be right, and those that
    the guide suspects, are left out of it.

    Parameters
    ----------
    model
        The model.
    known
        The right answers of all pairs.
    scale
        Factor on the cosines.
    guide
        Who suspects further false negatives; ``None`` for nobody.
    """

    in_batch = True
    told: ClassVar[Mapping[str, str]] = {
        "known": "{} in-batch negatives were masked: known right answers, or the same text.",
        "suspected": "{} in-batch negatives were masked: the base model finds them nearer than the answer.",
    }

    def __init__(
        self,
        model: SentenceTransformer,
        known: KnownPositives,
        scale: float = 20.0,
        guide: Guide | None = None,
    ) -> None:
        super().__init__(model)
        self.known, self.scale, self.guide = known, scale, guide

    def prepare(self, labels: Tensor) -> Tensor:
        """Return who must not serve as whose negative; *labels* are row numbers of pairs."""
        mask = self.known.masks(labels)
        # a place without a text is no negative that was left out
        self.counts["known"] += int((mask & ~self.known.missing(labels)).sum())
        if self.guide is not None:
            suspects = self.guide.masks(labels) & ~mask
            self.counts["suspected"] += int(suspects.sum())
            mask = mask | suspects
        return mask

    def compute(self, columns: Sequence[Tensor], batch: Tensor) -> Tensor:
        """Return the mean over the rows of anchors, documents and, if any, columns of hard negatives."""
        anchors, documents = F.normalize(columns[0], dim=-1), F.normalize(torch.cat([*columns[1:]]), dim=-1)
        own = torch.arange(len(anchors), device=anchors.device)
        blocks = list(zip(*(part.split(_ANCHORS_AT_ONCE) for part in (anchors, batch, own)), strict=True))
        if len(blocks) == 1:
            return self._surprise(anchors, batch, own, documents) / len(anchors)
        # computed again for the gradient, block by block, instead of being kept
        sums = [checkpoint(self._surprise, *block, documents, use_reentrant=False) for block in blocks]
        return torch.stack(sums).sum() / len(anchors)

    def _surprise(self, anchors: Tensor, masked: Tensor, own: Tensor, documents: Tensor) -> Tensor:
        logits = (self.scale * anchors @ documents.T).masked_fill(masked, -torch.inf)
        return F.cross_entropy(logits, own, reduction="sum")
