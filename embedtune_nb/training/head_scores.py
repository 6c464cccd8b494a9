"""How well the trained head answers: the quickest evaluation there is, one pass and no search."""

from __future__ import annotations

import numpy as np
import torch

from embedtune_nb.data.datasource import Datasource
from embedtune_nb.encoder.encoder import Encoder
from embedtune_nb.errors import PlanError
from embedtune_nb.training.losses import PredictionLoss, ScorePredictionLoss
from embedtune_nb.training.objective import Objective

_TEXTS_AT_ONCE = 64


@torch.no_grad()
def head_scores(objective: Objective, encoder: Encoder, data: Datasource) -> dict[str, float]:
    """Let the head answer for every text of *data*.

    Returns
    -------
    dict
        Labels: ``head_accuracy``, the share of right answers. Scores: ``head_mae``, the mean absolute
        error in the scores' own unit.

    Raises
    ------
    PlanError
        If this run trains no head.
    """
    loss = objective.loss
    if not isinstance(loss, (PredictionLoss, ScorePredictionLoss)):
        raise PlanError(
            "This run trains no head to evaluate.",
            fix='choose eval_method="neighbor" or the loss prediction.',
        )
    # longest first, so that texts of a batch are of like length
    examples = data.frames["examples"].sort_values("value", key=lambda texts: -texts.str.len())
    was_training = encoder.model.training
    encoder.model.eval()
    answers: list[float] = []
    for rows in np.array_split(np.arange(len(examples)), -(-len(examples) // _TEXTS_AT_ONCE)):
        features = encoder.features(examples["value"].iloc[rows].tolist())
        told = loss.logits(features).argmax(1) if isinstance(loss, PredictionLoss) else loss.scores(features)
        answers += told.tolist()
    encoder.model.train(was_training)
    if isinstance(loss, ScorePredictionLoss):
        return {"head_mae": float(np.abs(np.array(answers) - examples["score"].to_numpy(float)).mean())}
    classes = [objective.classes[int(answer)] for answer in answers]
    right = [guess == label for guess, label in zip(classes, examples["label"], strict=True)]
    return {"head_accuracy": float(np.mean(right))}
