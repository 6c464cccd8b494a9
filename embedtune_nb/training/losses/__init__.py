"""What is minimised, one idea a file. All take what the library's trainer hands a loss."""

from __future__ import annotations

from embedtune_nb.training.losses.choose import choose_loss, known_positives
from embedtune_nb.training.losses.false_negatives import MISSING, KnownPositives
from embedtune_nb.training.losses.guide import Guide
from embedtune_nb.training.losses.label_contrast import LabelContrastiveLoss
from embedtune_nb.training.losses.objective_loss import Features, ObjectiveLoss
from embedtune_nb.training.losses.prediction import HeadLoss, PredictionLoss, ScorePredictionLoss
from embedtune_nb.training.losses.proxy_anchor import ProxyAnchorLoss
from embedtune_nb.training.losses.ranking import RankingLoss
from embedtune_nb.training.losses.score_contrast import ScoreContrastiveLoss
from embedtune_nb.training.losses.similarity import AngleLoss, CosentLoss, CosineLoss
from embedtune_nb.training.losses.triplets import BatchHardTripletLoss, TripletMarginLoss

__all__ = [
    "MISSING",
    "AngleLoss",
    "BatchHardTripletLoss",
    "CosentLoss",
    "CosineLoss",
    "Features",
    "Guide",
    "HeadLoss",
    "KnownPositives",
    "LabelContrastiveLoss",
    "ObjectiveLoss",
    "PredictionLoss",
    "ProxyAnchorLoss",
    "RankingLoss",
    "ScoreContrastiveLoss",
    "ScorePredictionLoss",
    "TripletMarginLoss",
    "choose_loss",
    "known_positives",
]
