"""From a Datasource to what the trainer steps through: a table of rows, a loss, and who shares a batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from datasets import Dataset

from embedtune_nb.data.datasource import Datasource
from embedtune_nb.encoder.encoder import Encoder, Role
from embedtune_nb.errors import LossError
from embedtune_nb.training.batches import LabelBatches, ShuffledBatches
from embedtune_nb.training.head import ClassHead
from embedtune_nb.training.losses import (
    KnownPositives,
    LabelContrastiveLoss,
    ObjectiveLoss,
    PredictionLoss,
    RankingLoss,
)

#: Texts that are embedded to start the head, shared out among the classes: a few seconds of work.
_TEXTS_FOR_MEANS = 768


@dataclass(frozen=True)
class Objective:
    """What is trained on and what is minimised.

    Attributes
    ----------
    rows
        The training table. ``label`` holds class numbers, or row numbers of pairs; every other
        column holds texts.
    roles
        Text column -> role of its texts.
    loss
        The loss, with the model as its submodule.
    batches
        The batch sampler class.
    classes
        The labels in the order of their numbers; empty for pairs.
    """

    rows: Dataset
    roles: dict[str, Role | None]
    loss: ObjectiveLoss
    batches: type[ShuffledBatches]
    classes: tuple[Any, ...] = ()

    def on(self, data: Datasource) -> Objective:
        """Return the same objective, weights shared, on other data; rows of unknown labels are left out."""
        if data.kind == "labeled":
            rows, loss = _label_rows(data, self.classes), self.loss
            if isinstance(loss, LabelContrastiveLoss):
                # one of its own: what is left out while evaluating is not what training left out
                loss = LabelContrastiveLoss(loss.model, loss.scale)
            return Objective(rows, self.roles, loss, self.batches, self.classes)
        pairs, known = _pairs(data)
        assert isinstance(self.loss, RankingLoss)
        ranking = RankingLoss(self.loss.model, known, self.loss.scale)
        return Objective(pairs, self.roles, ranking, self.batches)


def build_objective(
    encoder: Encoder, train: Datasource, settings: Mapping[str, Any], *, warm_head: bool = True
) -> Objective:
    """Build the objective that *settings* name for *train*.

    Parameters
    ----------
    encoder
        Its model is what is trained.
    train
        Training data.
    settings
        ``loss``, ``loss_scale`` and ``normalize_embeddings`` are read.
    warm_head
        Start a classifier from the class means of the untrained embeddings. A resumed run loads its
        classifier and skips this.

    Raises
    ------
    LossError
        If the loss does not exist for this kind of data.
    """
    loss, scale = settings["loss"], float(settings.get("loss_scale") or 20.0)
    if train.kind == "labeled" and loss in ("prediction", "contrastive"):
        classes = tuple(train.labels)
        rows = _label_rows(train, classes)
        roles: dict[str, Role | None] = {"value": None}
        if loss == "contrastive":
            return Objective(rows, roles, LabelContrastiveLoss(encoder.model, scale), LabelBatches, classes)
        normalize = settings.get("normalize_embeddings")
        head = ClassHead(encoder.dimension, len(classes), normalize=normalize is None or bool(normalize))
        prediction = PredictionLoss(encoder.model, head.to(encoder.model.device))
        if warm_head:
            _start_head(prediction, encoder, rows)
        return Objective(rows, roles, prediction, ShuffledBatches, classes)
    if train.kind in ("pairs", "retrieval") and loss == "contrastive":
        pairs, known = _pairs(train)
        ranking = RankingLoss(encoder.model, known, scale)
        return Objective(pairs, {"anchor": "query", "positive": "document"}, ranking, ShuffledBatches)
    raise LossError(
        f"The loss {loss!r} does not exist for {train.kind} data.",
        expected="prediction or contrastive for labeled data, contrastive for pairs and retrieval",
        fix="choose one of these losses.",
    )


def _label_rows(data: Datasource, classes: tuple[Any, ...]) -> Dataset:
    number = {label: place for place, label in enumerate(classes)}
    examples = data.frames["examples"]
    examples = examples[examples["label"].isin(classes)]
    return Dataset.from_dict(
        {"value": examples["value"].tolist(), "label": [number[label] for label in examples["label"]]}
    )


def _pairs(data: Datasource) -> tuple[Dataset, KnownPositives]:
    pairs = data.training_pairs()
    anchors, positives = pairs["anchor"].tolist(), pairs["positive"].tolist()
    rows = {"anchor": anchors, "positive": positives, "label": list(range(len(pairs)))}
    return Dataset.from_dict(rows), KnownPositives(anchors, positives)


@torch.no_grad()
def _start_head(loss: PredictionLoss, encoder: Encoder, rows: Dataset) -> None:
    labels = np.asarray(list(rows["label"]))
    order = np.argsort(labels, kind="stable")
    place = np.arange(len(order)) - np.searchsorted(labels[order], labels[order])
    classes = int(labels.max()) + 1
    chosen = order[place < max(1, _TEXTS_FOR_MEANS // classes)]
    texts = list(rows["value"])
    was_training = encoder.model.training
    encoder.model.eval()
    chosen = np.asarray(sorted(chosen, key=lambda row: -len(texts[row])))
    vectors = [
        loss.embed(encoder.features([texts[row] for row in part]))
        for part in np.array_split(chosen, -(-len(chosen) // 64))
    ]
    encoder.model.train(was_training)
    loss.head.start_from_means(torch.cat(vectors).float(), torch.from_numpy(labels[chosen]))
