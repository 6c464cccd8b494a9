"""Embedding every distinct text once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

Progress = Callable[[int, int], None]


class TextEncoder(Protocol):
    """What an evaluation needs of an encoder."""

    def embed(self, texts: list[str], *, role: str | None, progress: Progress | None) -> np.ndarray:
        """Return (n, d) float32 unit vectors."""
        ...


class VectorCache:
    """Vectors of texts that one encoder has already embedded.

    Share one between evaluations of the same unchanged weights, such as the selection and the
    verdict part before training, which search the same documents. Never keep it across training.
    """

    def __init__(self) -> None:
        self._vectors: dict[tuple[str | None, str], np.ndarray] = {}

    def missing(self, texts: Sequence[str], role: str | None) -> list[str]:
        """Return the distinct texts that are still to be embedded, in order of first appearance."""
        return [text for text in dict.fromkeys(texts) if (role, text) not in self._vectors]

    def embed(
        self,
        encoder: TextEncoder,
        texts: Sequence[str],
        *,
        role: str | None,
        progress: Progress | None = None,
    ) -> np.ndarray:
        """Return (n, d) vectors of *texts*, embedding only those not seen before."""
        new = self.missing(texts, role)
        if new:
            vectors = np.asarray(encoder.embed(new, role=role, progress=progress), dtype=np.float32)
            self._vectors.update({(role, text): vector for text, vector in zip(new, vectors, strict=True)})
        return np.stack([self._vectors[role, text] for text in texts])
