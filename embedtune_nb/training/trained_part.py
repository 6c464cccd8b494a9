"""What of a model is trained, and what that asks for around training: the whole, an adapter, LoRA."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from embedtune_nb.data.datasource import Datasource
from embedtune_nb.encoder.encoder import Encoder
from embedtune_nb.encoder.load import load_folder
from embedtune_nb.plan.rows import training_rows
from embedtune_nb.store.events import Event, Measured, Notice, Phase
from embedtune_nb.training.adapter import AdapterEncoder, SavedAdapterEncoder, adapt, read_once
from embedtune_nb.training.base_vectors import CACHE_BYTES
from embedtune_nb.training.closed_form import closed_form, closed_form_for_queries
from embedtune_nb.training.lora import LoraLayers
from embedtune_nb.training.shared import Known
from embedtune_nb.training.trained_weights import count_weights

Progress = Callable[[int, int], None]
#: Training data of further objectives, each with its settings.
Further = Sequence[tuple[Datasource, Mapping[str, Any]]]
#: Texts on which merging LoRA is checked.
_CHECKED = 64


class WholeModel:
    """Every weight is trained; nothing is to be done around that.

    Parameters
    ----------
    settings
        Plan settings by name, as plain values.
    emit
        Takes events.
    known
        What is known of the base model.
    """

    def __init__(self, settings: Mapping[str, Any], emit: Callable[[Event], None], known: Known) -> None:
        self.settings, self.emit, self.known = settings, emit, known

    def on(self, load: Callable[[], Encoder], spec: Mapping[str, Any]) -> Encoder:
        """Return the encoder that is evaluated and trained; *load* loads the base of that *spec*."""
        return load()

    def base_beside(self, encoder: Encoder, load: Callable[[], Encoder]) -> Encoder:
        """Return the untrained base model, although *encoder* has begun to learn; *load* loads it anew."""
        return load()

    def trained(self, folder: Path, encoder: Encoder) -> Encoder:
        """Return the model that was saved in *folder* after training; *encoder* is one not yet trained."""
        return Encoder(load_folder(folder))

    def begin(
        self, encoder: Encoder, train: Datasource, *, further: Further = (), resumed: bool, progress: Progress
    ) -> None:
        """Get ready for training on *train* and *further*; a resumed run loads its weights afterwards."""

    def finish(self, encoder: Encoder, texts: Sequence[str]) -> None:
        """Make the trained model whole; *texts* may serve as a check."""

    def _tell_sizes(self, encoder: Encoder) -> None:
        trained, frozen = count_weights(encoder.model)
        sizes = {"trained_parameters": trained, "frozen_parameters": frozen}
        self.emit(Measured({name: {"value": n, "reason": "counted"} for name, n in sizes.items()}))


class OnlyAdapter(WholeModel):
    """An adapter is trained on the kept vectors of the frozen base model."""

    def on(self, load: Callable[[], Encoder], spec: Mapping[str, Any]) -> Encoder:
        """Put an untrained adapter on the base; it gives the base's vectors until it is trained."""
        base = self.known.once("read once", lambda: read_once(load(), spec, self.settings), large=True)
        self._computed_before = base.vectors.computed
        return adapt(base, self.settings)

    def base_beside(self, encoder: Encoder, load: Callable[[], Encoder]) -> Encoder:
        """Return the frozen base model with its kept vectors."""
        assert isinstance(encoder, AdapterEncoder), "made by `on`"
        return encoder.without_adapter()

    def trained(self, folder: Path, encoder: Encoder) -> Encoder:
        """Return the saved model, reading through the kept vectors of *encoder*."""
        assert isinstance(encoder, AdapterEncoder), "made by `on`"
        return SavedAdapterEncoder(load_folder(folder), encoder.base)

    def begin(
        self, encoder: Encoder, train: Datasource, *, further: Further = (), resumed: bool, progress: Progress
    ) -> None:
        """Have the base model read the training texts that it has not read yet; start the adapter."""
        assert isinstance(encoder, AdapterEncoder), "made by `on`"
        self.emit(Phase("embedding"))
        for data, settings in ((train, self.settings), *further):
            rows = training_rows(data, settings["loss"], settings.get("hard_negatives"))
            for name, texts in rows.texts.items():
                encoder.read(texts, role=rows.roles[name], progress=progress)
        self._tell_sizes(encoder)
        self._tell_store(encoder)
        if self.settings.get("adapter_start") == "closed_form" and not resumed:
            start = closed_form_for_queries if encoder.queries_only else closed_form
            encoder.adapter.start_from(torch.from_numpy(start(encoder, train, self.settings["loss"])))

    def _tell_store(self, encoder: AdapterEncoder) -> None:
        vectors = encoder.vectors
        store, computed = vectors.store, vectors.computed - self._computed_before
        self.emit(
            Notice(
                f"The base model read {computed:,} texts; the vectors of the others were kept. Kept "
                f"vectors take {store.size_bytes / 1e6:,.1f} MB in {store.folder.parent}, at most "
                f"{CACHE_BYTES / 1e9:g} GB; the longest unused go first."
            )
        )
        if store.damaged:
            self.emit(Notice(f"{store.damaged} damaged files of kept vectors were thrown away.", "warning"))


class OnlyLora(WholeModel):
    """Small matrices beside those of the encoder are trained, and merged in before anything is judged."""

    def begin(
        self, encoder: Encoder, train: Datasource, *, further: Further = (), resumed: bool, progress: Progress
    ) -> None:
        """Freeze the model and put LoRA beside its matrices."""
        settings = self.settings
        self._layers = LoraLayers(
            encoder, rank=settings["lora_rank"], alpha=settings["lora_alpha"], seed=settings["seed"]
        )
        targets = f"{len(self._layers.targets)} matrices ({', '.join(self._layers.kinds)})"
        self.emit(Notice(f"LoRA of rank {settings['lora_rank']} beside {targets}."))
        self._tell_sizes(encoder)

    def finish(self, encoder: Encoder, texts: Sequence[str]) -> None:
        """Merge; what is evaluated and published from here on is the merged model."""
        difference = self._layers.merge(list(texts)[:_CHECKED])
        self.emit(Notice(f"LoRA is merged in; vectors changed by at most {difference:.1e} through that."))


def part_to_train(settings: Mapping[str, Any], emit: Callable[[Event], None], known: Known) -> WholeModel:
    """Return what *settings* say shall be trained."""
    if settings.get("adapter"):
        return OnlyAdapter(settings, emit, known)
    return (OnlyLora if settings.get("lora_rank") else WholeModel)(settings, emit, known)
