"""What every loss here has in common: embed each column of texts, then compare the vectors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from sentence_transformers import SentenceTransformer
from torch import Tensor, nn

Features = dict[str, Any]


class ObjectiveLoss(nn.Module):
    """Base of the losses.

    The library's trainer calls a loss with ``(features, labels)``, where each column of *features* is
    one padded batch of texts. Here that is two steps, :meth:`embed` for every column and
    :meth:`from_embeddings` for all of them together, so that the vectors of a large batch can be
    computed in pieces. A loss overrides :meth:`compute` and, where it needs more than the labels,
    :meth:`prepare`.

    Parameters
    ----------
    model
        The model; the submodule ``model``, as in the library's losses.

    Attributes
    ----------
    in_batch
        Whether rows of a batch see each other. If not, the loss is a mean over rows, so the
        gradients of its pieces add up to that of the whole.
    matryoshka_dims
        Train the first so many numbers of an embedding as embeddings of their own: the loss is the
        mean over these lengths (Kusupati et al. 2022, Matryoshka Representation Learning). Empty for
        the whole embedding alone.
    counts
        What took no part so far: which -> how often.
    """

    in_batch: ClassVar[bool] = False
    #: How each entry of ``counts`` is told.
    told: ClassVar[Mapping[str, str]] = {}

    def __init__(self, model: SentenceTransformer) -> None:
        super().__init__()
        self.model = model
        self.matryoshka_dims: tuple[int, ...] = ()
        self.counts: Counter[str] = Counter()

    @property
    def left_out(self) -> str:
        """Say what took no part so far and why; empty when nothing was left out."""
        return " ".join(
            self.told[which].format(f"{count:,}") for which, count in self.counts.items() if count
        )

    def embed(self, features: Features) -> Tensor:
        """Return the vectors that the loss compares, (texts, dimension), for one column of a batch."""
        return self.model(features)["sentence_embedding"].float()

    def forward(self, features: Sequence[Features], labels: Tensor) -> Tensor:
        """Return the loss of a batch."""
        return self.from_embeddings([self.embed(column) for column in features], labels)

    def from_embeddings(self, columns: Sequence[Tensor], labels: Tensor) -> Tensor:
        """Compute the loss of a whole batch.

        Parameters
        ----------
        columns
            Embeddings of each column of texts, (rows, dimension).
        labels
            What the table of rows holds as ``label``, (rows,).
        """
        batch = self.prepare(labels)
        if not self.matryoshka_dims:
            return self.compute(columns, batch)
        losses = [self.compute([vectors[:, :d] for vectors in columns], batch) for d in self.matryoshka_dims]
        return torch.stack(losses).mean()

    def prepare(self, labels: Tensor) -> Any:
        """Return what :meth:`compute` needs beside vectors, worked out once for all Matryoshka lengths."""
        return labels

    def compute(self, columns: Sequence[Tensor], batch: Any) -> Tensor:
        """Compute the loss of a whole batch from vectors and what :meth:`prepare` returned."""
        raise NotImplementedError
