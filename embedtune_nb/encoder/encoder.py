"""An encoder: a sentence-transformers model, how it reads texts, and unit vectors out of it."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Transformer
from sentence_transformers.util import batch_to_device

from embedtune_nb.catalogue import BaseSpec, Prompts
from embedtune_nb.encoder.choice import Choice
from embedtune_nb.encoder.dropout import hasten_dropout
from embedtune_nb.encoder.layout import Layout, Rows, choose_layout
from embedtune_nb.encoder.load import load_sentence_transformer, without_progress_bars
from embedtune_nb.encoder.precision import choose_bf16
from embedtune_nb.encoder.rows import RowSeam
from embedtune_nb.errors import EmbedtuneError

Role = Literal["query", "document"]
#: Texts of a batch at most, and characters on a CPU: about a pass of the encoder, see ``packing.py``.
#: Progress is told, and a stop heard, between batches.
_TEXTS_AT_ONCE = 256
_CHARACTERS_AT_ONCE = 16_000


class Encoder:
    """Texts in, unit vectors out.

    Parameters
    ----------
    model
        The model; it is used in place, so training it changes this encoder.
    max_seq_length
        Tokens of a text that are read; the model's own limit when ``None``. Models without an
        encoder read whole texts and ignore it.
    truncation_side
        Which end of a longer text is cut off: ``"right"`` keeps the start, ``"left"`` the end; as the
        model's tokenizer was saved when ``None``.
    prompts
        What is put before texts, also by the saved model; the model's own prompts when ``None``.
    rows
        How texts are laid out for the encoder: ``"packed"`` rows, length-sorted ``"chunks"`` or
        ``"whole"`` batches; ``"auto"`` takes the first of them that is exact for the model and gains
        on the device. The layout of another encoder of the same model is taken over untried.
    bf16
        Embed under bfloat16 autocast, where :meth:`embed` is not told otherwise. Training decides its
        own precision.

    Attributes
    ----------
    model
        The ``SentenceTransformer``.
    prompts
        What is put before texts.
    seam
        Where rows are laid out anew; ``None`` for a model that has no padded rows.
    layout
        How texts are laid out for the encoder.
    rows
        The same in words, with the reason.
    """

    def __init__(
        self,
        model: SentenceTransformer,
        max_seq_length: int | None = None,
        truncation_side: str | None = None,
        *,
        prompts: Prompts | None = None,
        rows: Rows | Literal["auto"] | Layout = "auto",
        bf16: bool = False,
    ) -> None:
        self.model, self.bf16 = model, bf16
        if isinstance(model[0], Transformer):
            tokenizer = model[0].tokenizer
            if truncation_side is not None and tokenizer.truncation_side != truncation_side:
                tokenizer.truncation_side = truncation_side
                tokenizer.init_kwargs["truncation_side"] = truncation_side  # what a tokenizer saves
            if max_seq_length is not None:
                model.max_seq_length = max_seq_length
        self.prompts = self._install_prompts(prompts)
        self.layout = rows.adopt(model) if isinstance(rows, Layout) else choose_layout(model, rows)
        self.rows = self.layout.choice
        self.seam = RowSeam(model[0], self.layout.rows) if isinstance(model[0], Transformer) else None
        hasten_dropout(model)

    @classmethod
    def load(
        cls,
        base: BaseSpec | Mapping[str, Any],
        settings: Mapping[str, Any],
        *,
        device: str | None = None,
        rows: Rows | Literal["auto"] | Layout = "auto",
    ) -> Encoder:
        """Load a base model and let it read texts as *settings* say.

        Parameters
        ----------
        base
            A base spec, or one as a mapping.
        settings
            Of these, ``max_seq_length``, ``truncation_side`` and ``prompts`` are read; each may
            be missing.
        device
            Where to compute; torch's first choice when ``None``.
        rows
            As of :class:`Encoder`.
        """
        prompts = settings.get("prompts")
        return cls(
            load_sentence_transformer(base, device=device),
            settings.get("max_seq_length"),
            settings.get("truncation_side"),
            prompts=None if prompts is None else Prompts.from_json(prompts),
            rows=rows,
        )

    @property
    def dimension(self) -> int:
        """Length of an embedding."""
        dimension = self.model.get_embedding_dimension()
        assert dimension is not None, "only models that end in token vectors have no dimension"
        return dimension

    @property
    def max_seq_length(self) -> int | None:
        """Tokens of a text that are read, or ``None`` where nothing limits them."""
        limit = self.model.max_seq_length
        return None if limit is None or math.isinf(limit) else int(limit)

    def prompt(self, role: Role | None) -> str | None:
        """Return what is put before a text in *role*; ``None`` asks for the model's default."""
        return self.prompts.before(role) or None

    def reading(self, prompts: Prompts) -> Encoder:
        """Return an encoder of the same weights that puts *prompts* before texts; the model keeps its own."""
        twin = copy.copy(self)
        twin.prompts = prompts
        return twin

    def embed(
        self,
        texts: Sequence[str],
        *,
        role: Role | None = None,
        progress: Callable[[int, int], None] | None = None,
        bf16: bool | None = None,
    ) -> np.ndarray:
        """Embed *texts* in their order.

        Parameters
        ----------
        texts
            The texts.
        role
            Whether they are queries or documents, for models that read the two differently.
        progress
            Called with (done, total) after each batch.
        bf16
            Compute in bfloat16, or not; as the encoder was made when ``None``. It rounds embeddings in
            the third decimal: enough to compare models during a run, see :meth:`choose_bf16`.

        Returns
        -------
        numpy.ndarray
            float32, (texts, dimension), every row of length 1.

        Raises
        ------
        EmbedtuneError
            If the model yields NaN or infinite numbers.
        """
        bfloat16 = self.bf16 if bf16 is None else bf16
        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        done = 0
        for rows in self._batches(texts):
            vectors[rows] = self._embed_batch([texts[row] for row in rows], role, bfloat16)
            done += len(rows)
            if progress is not None:
                progress(done, len(texts))
        if not np.isfinite(vectors).all():
            raise EmbedtuneError(
                "The model yields embeddings that are not finite numbers.",
                fix="train again with a lower learning_rate, or load the model anew.",
            )
        return vectors

    def choose_bf16(self, texts: Sequence[str], asked: bool | str = "auto") -> Choice:
        """Say whether :meth:`embed` should compute texts like *texts* in bfloat16, and why.

        Nothing is changed: hand the value to :meth:`embed`, and the reason to whoever reads the run.
        """
        return choose_bf16(self.model, self.seam, texts, asked, training=False)

    def features(self, texts: Sequence[str], role: Role | None = None) -> dict[str, Any]:
        """Tokenize *texts* into one padded batch on the model's device."""
        batch = self.model.preprocess(list(texts), prompt=self.prompt(role), task=role)
        return batch_to_device(batch, self.model.device)

    def precision(self, *, bfloat16: bool) -> AbstractContextManager[None]:
        """Compute the encoder in bfloat16, or not, for the duration of a ``with`` block."""
        return self.seam.precision(bfloat16=bfloat16) if self.seam is not None else nullcontext()

    def save(self, folder: Path) -> None:
        """Write an ordinary sentence-transformers folder; nothing of this package is needed to load it."""
        with without_progress_bars():
            self.model.save_pretrained(str(folder), create_model_card=False)

    def _batches(self, texts: Sequence[str]) -> Iterator[list[int]]:
        """Yield the numbers of texts that are embedded together, the longest first: memory peaks at once."""
        longest = _CHARACTERS_AT_ONCE if self.model.device.type == "cpu" else math.inf
        batch: list[int] = []
        characters = 0
        for row in sorted(range(len(texts)), key=lambda row: -len(texts[row])):
            if batch and (len(batch) == _TEXTS_AT_ONCE or characters + len(texts[row]) > longest):
                yield batch
                batch, characters = [], 0
            batch.append(row)
            characters += len(texts[row])
        if batch:
            yield batch

    @torch.inference_mode()
    def _embed_batch(self, texts: list[str], role: Role | None, bfloat16: bool) -> np.ndarray:
        was_training = self.model.training
        self.model.eval()
        task = {"task": role} if role else {}
        with self.precision(bfloat16=bfloat16):
            output = self.model(self.features(texts, role), **task)
        self.model.train(was_training)
        unit = torch.nn.functional.normalize(output["sentence_embedding"].float(), dim=-1)
        return unit.cpu().numpy()

    def _install_prompts(self, wanted: Prompts | None) -> Prompts:
        """Give the model *wanted* as its own prompts, so that the saved folder reads texts the same way."""
        model = self.model
        own = Prompts.from_config(model.prompts, model.default_prompt_name)
        prompts = own if wanted is None else wanted
        model.prompts = {**model.prompts, "query": prompts.query, "document": prompts.document}
        if prompts.default != own.default:
            model.default_prompt_name = "query" if prompts.default else None
        return prompts
