"""A frozen base model as the first module of a model: texts go in, its kept vectors come out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Router
from sentence_transformers.util import batch_to_device
from torch import Tensor, nn

from embedtune_nb.training.base_vectors import VectorStore, text_key

Progress = Callable[[int, int], None]
Features = dict[str, Any]
_TEXTS_AT_ONCE = {"cpu": 64, "cuda": 256, "mps": 64}
#: Vectors after which new ones are put on disk, so that a run that is killed loses little.
_KEEP_EVERY = 4096


class FrozenBase(nn.Module):
    """Looks vectors up that the base model computed, and has it compute the others.

    Parameters
    ----------
    base
        The model whose vectors are adapted, without what follows the adapter. It is frozen here.
    store
        Vectors kept on disk.

    Attributes
    ----------
    base
        The model.
    store
        Vectors kept on disk.
    computed
        Texts that the base model embedded so far, and not the store.
    """

    def __init__(self, base: SentenceTransformer, store: VectorStore) -> None:
        super().__init__()
        self.base, self.store = base.requires_grad_(False).eval(), store
        self.training = False
        self.computed = 0
        self._by_task = any(isinstance(module, Router) for module in base.modules())
        self._rows: dict[bytes, int] = {}
        self._vectors = np.empty((0, self.get_embedding_dimension()), dtype=np.float32)

    def train(self, mode: bool = True) -> FrozenBase:
        """Stay in evaluation mode: dropout would make other vectors than those kept.

        Asked before each step, so the modules of the base model are not gone through.
        """
        return self

    def get_embedding_dimension(self) -> int:
        """Return the length of a vector; the library asks by this name."""
        dimension = self.base.get_embedding_dimension()
        assert dimension is not None, "only models that end in token vectors have no dimension"
        return dimension

    def preprocess(
        self, texts: Sequence[str], prompt: str | None = None, task: str | None = None, **_: Any
    ) -> Features:
        """Return the vectors of *texts* as a batch; the library calls this where others tokenize."""
        self.fill(texts, prompt, task)
        rows = [self._rows[self._key(text, prompt, task)] for text in texts]
        features: Features = {"sentence_embedding": torch.from_numpy(self._vectors[rows])}
        return features | ({"task": task} if task else {})

    def forward(self, features: Features) -> Features:
        """Hand the vectors on, in a batch of their own: a batch may pass twice."""
        return dict(features)

    def fill(
        self,
        texts: Sequence[str],
        prompt: str | None = None,
        task: str | None = None,
        progress: Progress | None = None,
    ) -> None:
        """Have the vectors of *texts* at hand, from the store or else from the base model.

        Parameters
        ----------
        texts
            The texts.
        prompt
            Put before each.
        task
            Which way a model takes that embeds queries and documents differently.
        progress
            Called with (done, total) of the texts that the model embeds. Whatever it raises, the
            vectors computed so far are kept.
        """
        new = {self._key(text, prompt, task): text for text in texts}
        new = {key: text for key, text in new.items() if key not in self._rows}
        if not new:
            return
        known = self.store.find(new)
        self._take(list(known), list(known.values()))
        # longest first: characters foretell tokens well enough to group, and memory peaks at once
        missing = sorted((key for key in new if key not in known), key=lambda key: -len(new[key]))
        self._compute(missing, new, prompt, task, progress)

    def _compute(
        self,
        missing: list[bytes],
        texts: dict[bytes, str],
        prompt: str | None,
        task: str | None,
        progress: Progress | None,
    ) -> None:
        size = _TEXTS_AT_ONCE.get(self.base.device.type, 64)
        unsaved: list[bytes] = []
        try:
            for start in range(0, len(missing), size):
                keys = missing[start : start + size]
                self._take(keys, self._embed([texts[key] for key in keys], prompt, task))
                unsaved += keys
                self.computed += len(keys)
                if len(unsaved) >= _KEEP_EVERY:
                    self._keep(unsaved)
                    unsaved = []
                if progress is not None:
                    progress(start + len(keys), len(missing))
        finally:
            self._keep(unsaved)

    @torch.no_grad()
    def _embed(self, texts: list[str], prompt: str | None, task: str | None) -> np.ndarray:
        features = self.base.preprocess(texts, prompt=prompt, task=task)
        output: dict[str, Tensor] = self.base(
            batch_to_device(features, self.base.device), **({"task": task} if task else {})
        )
        return output["sentence_embedding"].float().cpu().numpy()

    def _take(self, keys: list[bytes], vectors: Sequence[np.ndarray] | np.ndarray) -> None:
        start, end = len(self._rows), len(self._rows) + len(keys)
        if end > len(self._vectors):
            grown = np.empty((max(end, 2 * len(self._vectors)), self._vectors.shape[1]), dtype=np.float32)
            grown[:start] = self._vectors[:start]
            self._vectors = grown
        if keys:
            self._vectors[start:end] = vectors
        self._rows.update(zip(keys, range(start, end), strict=True))

    def _keep(self, keys: list[bytes]) -> None:
        self.store.add(keys, self._vectors[[self._rows[key] for key in keys]])

    def _key(self, text: str, prompt: str | None, task: str | None) -> bytes:
        return text_key(text, prompt, task if self._by_task else None)
