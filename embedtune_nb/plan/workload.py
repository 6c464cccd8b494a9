"""What a run computes, counted from its settings and the lengths of its texts."""

from __future__ import annotations

import math
from typing import Any

from embedtune_nb.catalogue import BaseSpec
from embedtune_nb.data.kinds import LABELED, SCORED
from embedtune_nb.data.split import Split
from embedtune_nb.plan.choices import Choices
from embedtune_nb.plan.estimate import Workload
from embedtune_nb.plan.texts import TrainingTexts
from embedtune_nb.plan.trained_part import is_adapter


def workload(
    choices: Choices, base: BaseSpec, parts: Split, texts: TrainingTexts, *, judged: bool = True
) -> Workload:
    """Return what a run computes; a trial is not *judged*: only the winner meets the verdict part."""
    mean_characters = max(texts.characters / (texts.rows * texts.texts_per_row), 1.0)
    # Verdicts are taken before and after; labels are searched among the training texts.
    passes = 0
    for objective in (parts, *parts.further) if judged else ():
        passes += 2 * _characters(objective.verdict)
        if objective.train.kind in (LABELED, SCORED):
            passes += 2 * _characters(objective.train)
    if choices.settings.get("false_negative_masking") and choices["false_negative_masking"]:
        passes += texts.characters
    watching = 0.0
    if parts.selection is not None and not is_adapter(choices):  # whose vectors are kept
        watching = evaluations(choices) * characters_of_evaluation(choices, parts)
    return Workload(
        steps=choices["steps_total"],
        texts_per_step=round(choices["batch_size"] * texts.texts_per_row),
        mean_tokens=texts.mean_tokens(choices["max_seq_length"]),
        eval_texts=(passes + watching) / mean_characters,
        # evaluations keep the model's own limit
        eval_mean_tokens=texts.mean_tokens(base.max_length),
        watching_texts=watching / mean_characters,
    )


def characters_of_evaluation(choices: Choices, parts: Split) -> int:
    """Return how many characters one evaluation during training reads."""
    assert parts.selection is not None, "what is evaluated during training is the selection part"
    asked, method = _characters(parts.selection), choices["eval_method"]
    if method == "neighbor":
        pool = _characters(parts.train) * _share(choices["neighbor_eval_pool_subsample"], len(parts.train))
        asked_neighbors = asked * _share(choices["neighbor_eval_count"], len(parts.selection))
        return round(asked + asked_neighbors + pool)  # the loss is computed beside it
    # the same beside every method but itself; of a search it is the smaller part
    return asked if method in ("loss", "retrieval") else 2 * asked


def evaluations(choices: Choices) -> int:
    """Return how often a run is evaluated during training, its end included."""
    every = choices["eval_steps"]
    return choices["epochs"] if every == "epoch" else math.ceil(choices["steps_total"] / every)


def _share(limit: int | float | None, count: int) -> float:
    """Return the share of *count* texts that a number or a share of them allows."""
    if limit is None:
        return 1.0
    return min(limit / count, 1.0) if isinstance(limit, int) else limit


def _characters(part: Any) -> int:
    return sum(len(text) for text in part.texts())
