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
        self.read(texts, role=role, progress=progress)
        return super().embed(texts, role=role)

    def read(
        self,
        texts: Sequence[str],
        *,
        role: Role | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        """Have the base model read those of *texts* that it has not read yet."""
        self.vectors.fill(texts, self.prompt(role), role, progress)


class ReadOnce:
    """A base model taken apart for adapters, with kept vectors where an adapter is put.

    Several adapters, trained one after the other, may share one.

    Parameters
    ----------
    base
        The base model and how it reads texts. Its weights are frozen.
    store
        Vectors of the base model that are kept on disk.

    Attributes
    ----------
    dimension
        Length of a vector.
    modules
        What comes before an adapter.
    scaling
        What comes after it: the scaling to length 1, if the base model has one last.
    vectors
        *modules* in one, reading each text only once.
    """

    def __init__(self, base: Encoder, store: VectorStore) -> None:
        self.dimension, self._base = base.dimension, base.model
        self.modules = list(base.model.children())
        self.scaling = [self.modules.pop()] if isinstance(self.modules[-1], Normalize) else []
        self.vectors = FrozenBase(self.like_base(self.modules), store)

    @property
    def device(self) -> torch.device:
        """Where the base model computes."""
        return self._base.device

    def like_base(self, modules: Sequence[nn.Module]) -> SentenceTransformer:
        """Return a model of *modules* that reads texts as the base model does."""
        return SentenceTransformer(
            modules=list(modules),
            device=str(self._base.device),
            prompts=dict(cast(dict[str, str], self._base.prompts)),
            default_prompt_name=self._base.default_prompt_name,
            similarity_fn_name=self._base.similarity_fn_name,
        )


class AdapterEncoder(KeptVectorsEncoder):
    """Adapts the vectors of a frozen base model.

    Losses, batches, checkpoints and evaluations see an ordinary model. The one that :meth:`save` writes
    is: the base model's modules, the adapter as plain library modules, and the scaling to length 1 last
    if the base model has one.

    Parameters
    ----------
    base
        The base model.
    adapter
        What is trained.
    queries_only
        Leave documents as the base model embeds them.

    Attributes
    ----------
    base
        The base model.
    adapter
        What is trained.
    queries_only
        Whether documents are left as the base model embeds them.
    """

    def __init__(self, base: ReadOnce, adapter: Adapter, *, queries_only: bool) -> None:
        self.base, self.adapter, self.queries_only = base, adapter.to(base.device), queries_only
        super().__init__(base.like_base([base.vectors, *self._on_its_side([adapter]), *base.scaling]))

    def without_adapter(self) -> KeptVectorsEncoder:
        """Return the base model beside, with the same kept vectors."""
        return KeptVectorsEncoder(self.base.like_base([self.vectors, *self.base.scaling]))

    def save(self, folder: Path) -> None:
        """Write an ordinary sentence-transformers folder: base model and adapter in one."""
        whole = [*self.base.modules, *self._on_its_side(self.adapter.plain()), *self.base.scaling]
        with without_progress_bars():
            self.base.like_base(whole).save_pretrained(str(folder), create_model_card=False)

    def _on_its_side(self, modules: Sequence[nn.Module]) -> list[nn.Module]:
        if not self.queries_only:
            return list(modules)
        unchanged = Dropout(0.0)  # a route cannot be empty
        return [Router.for_query_document(cast(list[Module], modules), [unchanged])]


class SavedAdapterEncoder(KeptVectorsEncoder):
    """A saved model with its adapter, reading through the kept vectors of its base.

    Parameters
    ----------
    whole
        As :meth:`AdapterEncoder.save` wrote it.
    base
        Its base model.
    """

    def __init__(self, whole: SentenceTransformer, base: ReadOnce) -> None:
        super().__init__(base.like_base([base.vectors, *list(whole.children())[len(base.modules) :]]))
        self._whole = whole

    def save(self, folder: Path) -> None:
        """Write the whole model again."""
        with without_progress_bars():
            self._whole.save_pretrained(str(folder), create_model_card=False)


def read_once(base: Encoder, spec: Mapping[str, Any], settings: Mapping[str, Any]) -> ReadOnce:
    """Take *base* apart for adapters.

    Parameters
    ----------
    base
        The base model and how it reads texts.
    spec
        Its base spec as a mapping; tells where the files are that its kept vectors belong to.
    settings
        ``truncation_side`` is read.
    """
    folder = local_folder(BaseSpec.from_dict(dict(spec)))
    return ReadOnce(base, vector_store(folder, reads=(base.max_seq_length, settings.get("truncation_side"))))


def adapt(base: ReadOnce, settings: Mapping[str, Any]) -> AdapterEncoder:
    """Put an untrained adapter on *base*.

    Parameters
    ----------
    base
        The base model.
    settings
        ``adapter``, ``adapter_rank``, ``adapter_side`` and ``seed`` are read.
    """
    draw = torch.Generator().manual_seed(int(settings["seed"]))
    adapter = ADAPTERS[settings["adapter"]](base.dimension, int(settings.get("adapter_rank") or 0), draw)
    return AdapterEncoder(base, adapter, queries_only=settings.get("adapter_side") == "query")
