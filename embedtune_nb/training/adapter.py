"""An encoder whose base model is frozen: only an adapter on top of its kept vectors is trained."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Router
from sentence_transformers.sentence_transformer.modules import Dropout, Normalize
from torch import nn

from embedtune_nb.catalogue import BaseSpec, local_folder
from embedtune_nb.encoder.encoder import Encoder, Role
from embedtune_nb.encoder.load import without_progress_bars
from embedtune_nb.training.adapter_modules import ADAPTERS, Adapter
from embedtune_nb.training.base_vectors import VectorStore, vector_store
from embedtune_nb.training.frozen_base import FrozenBase


class AdapterEncoder(Encoder):
    """Reads texts through a frozen base model whose vectors are kept, and adapts these vectors.

    Losses, batches, checkpoints and evaluations see an ordinary model. The one that :meth:`save` writes
    is: the base model's modules, the adapter as plain library modules, and the scaling to length 1 last
    if the base model has one.

    Parameters
    ----------
    base
        The base model and how it reads texts. Its weights are frozen.
    adapter
        What is trained.
    store
        Vectors of the base model that are kept on disk.
    queries_only
        Leave documents as the base model embeds them.

    Attributes
    ----------
    adapter
        What is trained.
    vectors
        The frozen base model.
    """

    def __init__(self, base: Encoder, adapter: Adapter, store: VectorStore, *, queries_only: bool) -> None:
        modules = list(base.model.children())
        scaling = [modules.pop()] if isinstance(modules[-1], Normalize) else []
        self._base, self._frozen, self._scaling = base.model, modules, scaling
        self.adapter, self.queries_only = adapter, queries_only
        self.vectors = FrozenBase(self._like_base(modules), store)
        parts = [self.vectors, *self._on_its_side([adapter]), *scaling]
        super().__init__(self._like_base(parts))

    def embed(
        self,
        texts: Sequence[str],
        *,
        role: Role | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> np.ndarray:
        """Embed *texts*; only those that the base model has not read yet take time and are told."""
        self.vectors.fill(texts, self.prompt(role), role, progress)
        return super().embed(texts, role=role)

    def save(self, folder: Path) -> None:
        """Write an ordinary sentence-transformers folder: base model and adapter in one."""
        whole = [*self._frozen, *self._on_its_side(self.adapter.plain()), *self._scaling]
        with without_progress_bars():
            self._like_base(whole).save_pretrained(str(folder), create_model_card=False)

    def _on_its_side(self, modules: Sequence[nn.Module]) -> list[nn.Module]:
        if not self.queries_only:
            return list(modules)
        unchanged = Dropout(0.0)  # a route cannot be empty
        return [Router.for_query_document(list(modules), [unchanged])]

    def _like_base(self, modules: Sequence[nn.Module]) -> SentenceTransformer:
        return SentenceTransformer(
            modules=list(modules),
            device=str(self._base.device),
            prompts=dict(self._base.prompts),
            default_prompt_name=self._base.default_prompt_name,
            similarity_fn_name=self._base.similarity_fn_name,
        )


def adapt(base: Encoder, spec: Mapping[str, Any], settings: Mapping[str, Any]) -> AdapterEncoder:
    """Put an untrained adapter on *base*.

    Parameters
    ----------
    base
        The base model and how it reads texts.
    spec
        Its base spec as a mapping; tells where the files are that its kept vectors belong to.
    settings
        ``adapter``, ``adapter_rank``, ``adapter_side``, ``seed`` and ``truncation_side`` are read.
    """
    folder = local_folder(BaseSpec.from_dict(dict(spec)))
    store = vector_store(folder, reads=(base.max_seq_length, settings.get("truncation_side")))
    draw = torch.Generator().manual_seed(int(settings["seed"]))
    adapter = ADAPTERS[settings["adapter"]](base.dimension, int(settings.get("adapter_rank") or 0), draw)
    return AdapterEncoder(base, adapter, store, queries_only=settings.get("adapter_side") == "query")
