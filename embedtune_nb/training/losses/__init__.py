"""What is minimised, one loss a file. All take what the library's trainer hands a loss."""

from __future__ import annotations

from embedtune_nb.training.losses.false_negatives import KnownPositives
from embedtune_nb.training.losses.label_contrast import LabelContrastiveLoss
from embedtune_nb.training.losses.objective_loss import Features, ObjectiveLoss
from embedtune_nb.training.losses.prediction import PredictionLoss
from embedtune_nb.training.losses.ranking import RankingLoss

__all__ = [
    "Features",
    "KnownPositives",
    "LabelContrastiveLoss",
    "ObjectiveLoss",
    "PredictionLoss",
    "RankingLoss",
]
