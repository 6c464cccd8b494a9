"""An encoder whose base model is frozen: only an adapter on top of its kept vectors is trained."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Module, Router
from sentence_transformers.sentence_transformer.modules import Dropout, Normalize
from torch import nn

from embedtune_nb.catalogue import BaseSpec, local_folder
from embedtune_nb.encoder.choice import Choice
from embedtune_nb.encoder.encoder import Encoder, Role
from embedtune_nb.encoder.load import without_progress_bars
from embedtune_nb.training.adapter_modules import ADAPTERS, Adapter
from embedtune_nb.training.base_vectors import VectorStore, vector_store
from embedtune_nb.training.frozen_base import FrozenBase


class KeptVectorsEncoder(Encoder):
    """Reads texts through a frozen base model, each only once.

    Parameters
    ----------
    model
        A model whose first module is a :class:`~embedtune_nb.training.frozen_base.FrozenBase`.

    Attributes
    ----------
    vectors
        The frozen base model.
    """

    def __init__(self, model: SentenceTransformer) -> None:
        super().__init__(model)
        first = model[0]
        assert isinstance(first, FrozenBase), "what makes this model puts one there"
        self.vectors = first
        self.rows = Choice("whole", "a batch of kept vectors has no rows of tokens")

    def embed(
        self,
        texts: Sequence[str],
        *,
        role: Role | None = None,
        progress: Callable[[int, int], None] | None = None,
        bf16: bool | None = None,
    ) -> np.ndarray:
        """Embed *texts*; only those that the base model has not read yet take time and are told.

        *bf16* changes nothing: kept vectors are those of single precision.
        """
        self.vectors.fill(texts, self.prompt(role), role, progress)
        return super().embed(texts, role=role)


class AdapterEncoder(KeptVectorsEncoder):
    """Adapts the vectors of a frozen base model.

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
    queries_only
        Whether documents are left as the base model embeds them.
    """

    def __init__(self, base: Encoder, adapter: Adapter, store: VectorStore, *, queries_only: bool) -> None:
        modules = list(base.model.children())
        scaling = [modules.pop()] if isinstance(modules[-1], Normalize) else []
        self._base, self._frozen, self._scaling = base.model, modules, scaling
        self.adapter, self.queries_only = adapter.to(base.model.device), queries_only
        frozen = FrozenBase(self._like_base(modules), store)
        super().__init__(self._like_base([frozen, *self._on_its_side([adapter]), *scaling]))

    def without_adapter(self) -> KeptVectorsEncoder:
        """Return the base model beside, with the same kept vectors."""
        return KeptVectorsEncoder(self._like_base([self.vectors, *self._scaling]))

    def save(self, folder: Path) -> None:
        """Write an ordinary sentence-transformers folder: base model and adapter in one."""
        whole = [*self._frozen, *self._on_its_side(self.adapter.plain()), *self._scaling]
        with without_progress_bars():
            self._like_base(whole).save_pretrained(str(folder), create_model_card=False)

    def with_later(self, whole: SentenceTransformer) -> SentenceTransformer:
        """Return the kept vectors followed by what *whole*, saved by :meth:`save`, has after the base."""
        return self._like_base([self.vectors, *list(whole.children())[len(self._frozen) :]])

    def _on_its_side(self, modules: Sequence[nn.Module]) -> list[nn.Module]:
        if not self.queries_only:
            return list(modules)
        unchanged = Dropout(0.0)  # a route cannot be empty
        return [Router.for_query_document(cast(list[Module], modules), [unchanged])]

    def _like_base(self, modules: Sequence[nn.Module]) -> SentenceTransformer:
        return SentenceTransformer(
            modules=list(modules),
            device=str(self._base.device),
            prompts=dict(cast(dict[str, str], self._base.prompts)),
            default_prompt_name=self._base.default_prompt_name,
            similarity_fn_name=self._base.similarity_fn_name,
        )


class SavedAdapterEncoder(KeptVectorsEncoder):
    """A saved model with its adapter, reading through the kept vectors of its base.

    Parameters
    ----------
    whole
        As :meth:`AdapterEncoder.save` wrote it.
    like
        An encoder with the same base model.
    """

    def __init__(self, whole: SentenceTransformer, like: AdapterEncoder) -> None:
        super().__init__(like.with_later(whole))
        self._whole = whole

    def save(self, folder: Path) -> None:
        """Write the whole model again."""
        with without_progress_bars():
            self._whole.save_pretrained(str(folder), create_model_card=False)


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
