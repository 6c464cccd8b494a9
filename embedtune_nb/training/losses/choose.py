"""From the name of a loss and the rows it works on to the loss itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sentence_transformers import SentenceTransformer

from embedtune_nb.data.kinds import LABELED, SCORED, SCORED_PAIRS, TRIPLETS
from embedtune_nb.plan.rows import ANCHOR, POSITIVE, TrainingRows
from embedtune_nb.training.head import ClassHead, ScoreHead
from embedtune_nb.training.losses.false_negatives import KnownPositives
from embedtune_nb.training.losses.label_contrast import LabelContrastiveLoss
from embedtune_nb.training.losses.objective_loss import ObjectiveLoss
from embedtune_nb.training.losses.prediction import PredictionLoss, ScorePredictionLoss
from embedtune_nb.training.losses.proxy_anchor import ProxyAnchorLoss
from embedtune_nb.training.losses.ranking import RankingLoss
from embedtune_nb.training.losses.score_contrast import ScoreContrastiveLoss
from embedtune_nb.training.losses.similarity import AngleLoss, CosentLoss, CosineLoss
from embedtune_nb.training.losses.triplets import BatchHardTripletLoss, TripletMarginLoss


def choose_loss(
    kind: str,
    settings: Mapping[str, Any],
    model: SentenceTransformer,
    dimension: int,
    rows: TrainingRows,
    classes: Sequence[Any],
) -> ObjectiveLoss:
    """Return the loss that *settings* name for data of *kind*.

    What ``settings`` lacks has the default of the plan.
    """
    name = settings["loss"]
    scale = _number(settings, "loss_scale", 30.0 if name == "proxy" else 20.0)
    margin = _number(settings, "margin", 0.2)
    normalize = settings.get("normalize_embeddings") is not False
    if kind == LABELED:
        if name == "contrastive":
            return LabelContrastiveLoss(model, scale)
        if name == "triplet":
            return BatchHardTripletLoss(model, margin)
        if name == "proxy":
            return ProxyAnchorLoss(model, ClassHead(dimension, len(classes)), scale)
        return PredictionLoss(model, ClassHead(dimension, len(classes), normalize=normalize))
    if kind == SCORED:
        scores = np.asarray(rows.labels, dtype=float)
        if name == "contrastive":
            return ScoreContrastiveLoss(
                model, scale, _number(settings, "contrastive_sigma", scores.std() / 4)
            )
        head = ScoreHead(dimension, mean=scores.mean(), spread=scores.std(), normalize=normalize)
        return ScorePredictionLoss(model, head)
    if kind == SCORED_PAIRS:
        if name == "cosine":
            return CosineLoss(model)
        return AngleLoss(model, scale) if name == "angle" else CosentLoss(model, scale)
    if kind == TRIPLETS and name == "triplet":
        return TripletMarginLoss(model, margin)
    return RankingLoss(model, known_positives(rows), scale)


def known_positives(rows: TrainingRows) -> KnownPositives:
    """Return who is known to be right for whom in rows of anchors, positives and hard negatives."""
    negatives = [rows.texts[name] for name in rows.negatives]
    return KnownPositives(rows.texts[ANCHOR], rows.texts[POSITIVE], negatives)


def _number(settings: Mapping[str, Any], key: str, default: float) -> float:
    value = settings.get(key)
    return float(default if value is None else value)
