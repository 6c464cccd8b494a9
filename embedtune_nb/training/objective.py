"""From a Datasource to what the trainer steps through: a table of rows, a loss, and who shares a batch."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from datasets import Dataset

from embedtune_nb.data.datasource import Datasource
from embedtune_nb.data.kinds import LABELED
from embedtune_nb.encoder.encoder import Encoder, Role
from embedtune_nb.errors import PlanError
from embedtune_nb.plan.losses import check_loss
from embedtune_nb.plan.rows import ANCHOR, POSITIVE, TrainingRows, training_rows
from embedtune_nb.training.batches import LabelBatches, ShuffledBatches
from embedtune_nb.training.losses import (
    BatchHardTripletLoss,
    Guide,
    HeadLoss,
    KnownPositives,
    LabelContrastiveLoss,
    ObjectiveLoss,
    ProxyAnchorLoss,
    RankingLoss,
    choose_loss,
    known_positives,
)
from embedtune_nb.training.shared import Known

#: Texts that are embedded to start the head, shared out among the classes: a few seconds of work.
_TEXTS_FOR_HEAD = 768


def objective_name(place: int) -> str:
    """Return what the objective at *place*, counted from 0, is called where several are told apart."""
    return f"objective-{place + 1}"


@dataclass(frozen=True)
class Objective:
    """What is trained on and what is minimised.

    Attributes
    ----------
    name
        Name of the loss.
    rows
        The training table. ``label`` holds class numbers, scores, or the row's own number; every other
        column holds texts.
    roles
        Text column -> role of its texts.
    loss
        The loss, with the model as its submodule.
    batches
        The batch sampler class.
    classes
        The labels in the order of their numbers; empty for other kinds.
    hard_negatives
        Most hard negatives of a row.
    """

    name: str
    rows: Dataset
    roles: dict[str, Role | None]
    loss: ObjectiveLoss
    batches: type[ShuffledBatches]
    classes: tuple[Any, ...] = ()
    hard_negatives: int | None = None

    def on(self, data: Datasource) -> Objective:
        """Return the same objective, weights shared, on other data; rows of unknown labels are left out.

        What the copy leaves out is not counted with what training left out.
        """
        texts = training_rows(data, self.name, self.hard_negatives)
        loss = copy.copy(self.loss)
        loss.counts = Counter()
        if isinstance(loss, RankingLoss):
            # the guide was asked about the training texts alone
            loss.known, loss.guide = known_positives(texts), None
        return replace(self, rows=_table(texts, self.classes), roles=texts.roles, loss=loss)


def build_objective(
    encoder: Encoder,
    train: Datasource,
    settings: Mapping[str, Any],
    *,
    warm_head: bool = True,
    progress: Callable[[int, int], None] | None = None,
    known: Known | None = None,
) -> Objective:
    """Build the objective that *settings* name for *train*.

    Parameters
    ----------
    encoder
        Its model is what is trained. It must still be the base model where ``false_negative_masking``
        is set: its vectors are the guide.
    train
        Training data.
    settings
        Of these, ``loss``, ``loss_scale``, ``margin``, ``contrastive_sigma``, ``normalize_embeddings``,
        ``hard_negatives``, ``false_negative_masking`` and ``matryoshka_dims`` are read; all but ``loss``
        may be missing.
    warm_head
        Start a head from the untrained embeddings: from class means, or from a ridge regression. A resumed
        run loads its head and skips this.
    progress
        Called with (done, total) while the guide embeds the training texts.
    known
        What is known of the untrained model on these texts.

    Raises
    ------
    LossError
        If the loss does not exist for this kind of data.
    PlanError
        If ``matryoshka_dims`` holds more than an embedding has; a plan knows that of most models.
    """
    check_loss(train.kind, settings["loss"])
    known = known or Known()
    most = settings.get("hard_negatives")
    texts = training_rows(train, settings["loss"], most)
    classes = tuple(train.labels) if train.kind == LABELED else ()
    rows = _table(texts, classes)
    loss = choose_loss(train.kind, settings, encoder.model, encoder.dimension, texts, classes)
    loss.matryoshka_dims = _lengths(settings, encoder.dimension)
    loss.to(encoder.model.device)
    if isinstance(loss, RankingLoss) and settings.get("false_negative_masking"):
        positives, roles = loss.known, texts.roles
        vectors = known.once(
            "guide", lambda: _vectors_of_guide(encoder, positives, roles, progress), large=True
        )
        loss.guide = Guide(positives, *vectors)
    if isinstance(loss, (HeadLoss, ProxyAnchorLoss)) and warm_head:
        head = loss
        head.head.start_from(*known.once("head", lambda: _some_embedded(head, encoder, rows)))
    by_label = isinstance(loss, (LabelContrastiveLoss, BatchHardTripletLoss))
    batches = LabelBatches if by_label else ShuffledBatches
    return Objective(settings["loss"], rows, texts.roles, loss, batches, classes, most)


def _lengths(settings: Mapping[str, Any], dimension: int) -> tuple[int, ...]:
    asked = tuple(settings.get("matryoshka_dims") or ())
    if asked and max(asked) > dimension:
        raise PlanError(
            f"matryoshka_dims holds {max(asked)}, but embeddings of this model have {dimension} numbers.",
            expected=f"lengths of at most {dimension}",
            fix="leave out the longer ones.",
        )
    return asked


def _table(texts: TrainingRows, classes: Sequence[Any]) -> Dataset:
    """Return the rows with numbers for classes; rows of other classes are left out."""
    labels = list(range(len(texts))) if texts.labels is None else texts.labels
    columns = texts.texts
    if classes:
        number = {label: place for place, label in enumerate(classes)}
        known = [row for row, label in enumerate(labels) if label in number]
        labels = [number[labels[row]] for row in known]
        columns = {name: [column[row] for row in known] for name, column in columns.items()}
    return Dataset.from_dict({**columns, "label": labels})


def _vectors_of_guide(
    encoder: Encoder,
    known: KnownPositives,
    roles: Mapping[str, Role | None],
    progress: Callable[[int, int], None] | None,
) -> list[np.ndarray]:
    """Return what the model makes of the texts of *known*, as anchors and as documents."""
    queries, documents = np.unique(known.anchor), np.unique(known.documents)
    total = len(queries) + len(documents)
    vectors: list[np.ndarray] = []
    sides = ((queries, roles[ANCHOR], 0), (documents, roles[POSITIVE], len(queries)))
    for wanted, role, before in sides:
        told = None if progress is None else lambda done, _, before=before: progress(before + done, total)
        full = np.zeros((len(known.texts), encoder.dimension), dtype=np.float32)
        full[wanted] = encoder.embed([known.texts[text] for text in wanted], role=role, progress=told)
        vectors.append(full)
    return vectors


@torch.no_grad()
def _some_embedded(
    loss: HeadLoss | ProxyAnchorLoss, encoder: Encoder, rows: Dataset
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return embeddings and labels of some rows, as many of each class where there are classes."""
    labels = np.asarray(list(rows["label"]))
    groups = labels if np.issubdtype(labels.dtype, np.integer) else np.zeros(len(labels), dtype=int)
    order = np.argsort(groups, kind="stable")
    place = np.arange(len(order)) - np.searchsorted(groups[order], groups[order])
    chosen = order[place < max(1, _TEXTS_FOR_HEAD // len(np.unique(groups)))]
    texts = list(rows["value"])
    was_training = encoder.model.training
    encoder.model.eval()
    chosen = np.asarray(sorted(chosen, key=lambda row: -len(texts[row])))
    vectors = [
        loss.embed(encoder.features([texts[row] for row in part]))
        for part in np.array_split(chosen, -(-len(chosen) // 64))
    ]
    encoder.model.train(was_training)
    return torch.cat(vectors).float(), torch.from_numpy(labels[chosen])
