"""Embedding every distinct text once."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

Progress = Callable[[int, int], None]


class TextEncoder(Protocol):
    """What an evaluation needs of an encoder."""

    def embed(self, texts: list[str], *, role: Any, progress: Progress | None) -> np.ndarray:
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
        encoder: TextEncoder | None,
        texts: Sequence[str],
        *,
        role: str | None,
        progress: Progress | None = None,
    ) -> np.ndarray:
        """Return (n, d) vectors of *texts*, embedding only those not seen before."""
        new = self.missing(texts, role)
        if new:
            assert encoder is not None, "without an encoder every text must be known"
            vectors = np.asarray(encoder.embed(new, role=role, progress=progress), dtype=np.float32)
            self._vectors.update({(role, text): vector for text, vector in zip(new, vectors, strict=True)})
        return np.stack([self._vectors[role, text] for text in texts])

    def save(self, path: Path, *, limit: int) -> None:
        """Write the vectors of the first *limit* texts to *path* (``.npz``), for a later map."""
        keys = list(self._vectors)[:limit]
        vectors = np.stack([self._vectors[key] for key in keys])
        np.savez(path, keys=np.array(json.dumps(keys, ensure_ascii=False)), vectors=vectors)

    @classmethod
    def load(cls, path: Path) -> VectorCache:
        """Read what :meth:`save` wrote; an empty cache if nothing was."""
        cache = cls()
        if path.is_file():
            with np.load(path) as file:
                keys, vectors = json.loads(str(file["keys"])), file["vectors"]
            cache._vectors = {
                (role, text): vector for (role, text), vector in zip(keys, vectors, strict=True)
            }
        return cache


def embed_roles(
    encoder: TextEncoder | None,
    texts_by_role: Mapping[Any, list[str]],
    progress: Progress | None,
    cache: VectorCache,
) -> dict[Any, np.ndarray]:
    """Embed the texts of every role, with one count of progress over all of them."""
    sizes = {role: len(cache.missing(texts, role)) for role, texts in texts_by_role.items()}
    total, before, vectors = sum(sizes.values()), 0, {}
    for role, texts in texts_by_role.items():

        def report(done: int, _: int, before: int = before) -> None:
            if progress is not None:
                progress(before + done, total)

        vectors[role] = cache.embed(encoder, texts, role=role, progress=report)
        before += sizes[role]
    return vectors
