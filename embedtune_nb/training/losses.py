"""What is minimised: prediction and contrast on labels, ranking on pairs.

All three take what the library's trainer hands a loss, ``(features, labels)``. Each column of
*features* is one padded batch of texts. The model is the submodule ``model``, as in the library.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Normalize
from torch import Tensor, nn

from embedtune_nb.training.head import ClassHead

Features = dict[str, Any]


class ObjectiveLoss(nn.Module):
    """Base of the losses here."""

    model: SentenceTransformer

    @property
    def left_out(self) -> str:
        """Say what took no part so far and why; empty when nothing was left out."""
        return ""


class PredictionLoss(ObjectiveLoss):
    """Cross-entropy of a linear head on the embeddings.

    Parameters
    ----------
    model
        The model.
    head
        The classifier; its weights are trained along.
    """

    def __init__(self, model: SentenceTransformer, head: ClassHead) -> None:
        super().__init__()
        self.model, self.head = model, head

    def embed(self, features: Features) -> Tensor:
        """Return what the head reads: embeddings, or the vectors before the model scales them to length 1."""
        if self.head.normalize:
            return self.model(features)["sentence_embedding"]
        with _unscaled(self.model) as seen:
            embeddings = self.model(features)["sentence_embedding"]
            return seen[-1] if seen else embeddings

    def logits(self, features: Features) -> Tensor:
        """Return (texts, classes)."""
        return self.head(self.embed(features).float())

    def forward(self, features: Sequence[Features], labels: Tensor) -> Tensor:
        """Return the mean over the batch."""
        (texts,) = features
        return F.cross_entropy(self.logits(texts), labels)


class LabelContrastiveLoss(ObjectiveLoss):
    """Supervised contrastive loss: texts of one label attract each other, all others repel.

    For each text, the mean log-probability of its positives (the other texts of the batch with its
    label) in a softmax over all other texts of the batch, on cosines times *scale*. This is
    :math:`L^{sup}_{out}` of Khosla et al., Supervised Contrastive Learning (2020), equation 2, with
    temperature ``1 / scale``.

    Parameters
    ----------
    model
        The model.
    scale
        Factor on the cosines.

    Attributes
    ----------
    alone
        Texts met so far without another of their label in their batch. They take part as negatives
        but have no term of their own.
    """

    def __init__(self, model: SentenceTransformer, scale: float = 20.0) -> None:
        super().__init__()
        self.model, self.scale = model, scale
        self.alone = 0

    @property
    def left_out(self) -> str:
        """Say how many texts met no other of their label."""
        if not self.alone:
            return ""
        return f"{self.alone} times a text met no other of its label in its batch: only a negative there."

    def forward(self, features: Sequence[Features], labels: Tensor) -> Tensor:
        """Return the mean over the texts that have a positive; 0 when none has."""
        (texts,) = features
        return self.from_embeddings(self.model(texts)["sentence_embedding"].float(), labels)

    def from_embeddings(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """Compute the loss for embeddings, (texts, dimension), and integer labels, (texts,)."""
        unit = F.normalize(embeddings, dim=-1)
        itself = torch.eye(len(unit), dtype=torch.bool, device=unit.device)
        logits = (self.scale * unit @ unit.T).masked_fill(itself, -torch.inf)
        log_probability = logits - logits.logsumexp(dim=1, keepdim=True)
        positive = (labels[:, None] == labels[None, :]) & ~itself
        count = positive.sum(1)
        matched = count > 0
        self.alone += int((~matched).sum())
        if not matched.any():
            return embeddings.sum() * 0.0
        total = log_probability.masked_fill(~positive, 0.0).sum(1)
        return -(total[matched] / count[matched]).mean()


class KnownPositives:
    """Which texts are right answers to which, over all training pairs.

    A batch of pairs uses the other rows' documents as negatives. One that is known to be right, or
    is the same text, would teach the model to push the truth away; :meth:`masks` finds those.

    Parameters
    ----------
    anchors, positives
        The texts of the pairs, row by row.
    """

    def __init__(self, anchors: Sequence[str], positives: Sequence[str]) -> None:
        codes, texts = pd.factorize(pd.Series([*anchors, *positives], dtype=object).str.strip())
        self._texts = len(texts)
        self._anchor, self._positive = codes[: len(anchors)], codes[len(anchors) :]
        known = self._anchor * self._texts + self._positive
        same = self._anchor * self._texts + self._anchor
        self._known = np.unique(np.concatenate([known, same]))

    def masks(self, rows: Tensor) -> Tensor:
        """Return which documents must not serve as negatives.

        Parameters
        ----------
        rows
            Row numbers of the pairs in the batch, (batch,).

        Returns
        -------
        torch.Tensor
            Boolean, (batch, batch). True at (i, j), j other than i, where the document or the anchor
            of row j is a known right answer to the anchor of row i, or the anchor's own text.
        """
        chosen = rows.cpu().numpy()
        base = self._anchor[chosen][:, None] * self._texts
        false = self._is_known(base + self._positive[chosen]) | self._is_known(base + self._anchor[chosen])
        np.fill_diagonal(false, False)
        return torch.from_numpy(false).to(rows.device)

    def _is_known(self, codes: np.ndarray) -> np.ndarray:
        place = np.searchsorted(self._known, codes).clip(max=len(self._known) - 1)
        return self._known[place] == codes


class RankingLoss(ObjectiveLoss):
    """Multiple negatives ranking with same-text masking.

    For each pair, the negative log-probability of its own document in a softmax over the documents of
    the batch, on cosines times *scale* (InfoNCE, van den Oord et al. 2018). Documents that
    :class:`KnownPositives` knows to be right are left out of the softmax.

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

    def __init__(self, model: SentenceTransformer, known: KnownPositives, scale: float = 20.0) -> None:
        super().__init__()
        self.model, self.known, self.scale = model, known, scale
        self.masked = 0

    @property
    def left_out(self) -> str:
        """Say how many in-batch negatives were masked."""
        if not self.masked:
            return ""
        return f"{self.masked} in-batch negatives were masked: known right answers, or the same text."

    def forward(self, features: Sequence[Features], labels: Tensor) -> Tensor:
        """Return the mean over the batch; *labels* are the row numbers of the pairs."""
        anchors, documents = [self.model(column)["sentence_embedding"].float() for column in features]
        mask = self.known.masks(labels)
        self.masked += int(mask.sum())
        return self.from_embeddings(anchors, documents, mask)

    def from_embeddings(self, anchors: Tensor, documents: Tensor, mask: Tensor) -> Tensor:
        """Compute the loss for two columns of embeddings, (batch, dimension), and a mask, (batch, batch)."""
        logits = self.scale * F.normalize(anchors, dim=-1) @ F.normalize(documents, dim=-1).T
        own = torch.arange(len(logits), device=logits.device)
        return F.cross_entropy(logits.masked_fill(mask, -torch.inf), own)


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
