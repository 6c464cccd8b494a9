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
    # the loss is computed beside what the method needs; of a search it is the smaller part
    passes_of_loss = choices["eval_method"] not in ("loss", "retrieval")
    pool = _characters(parts.train) if choices["eval_method"] == "neighbor" else 0
    return _characters(parts.selection) * (1 + passes_of_loss) + pool


def evaluations(choices: Choices) -> int:
    """Return how often a run is evaluated during training, its end included."""
    every = choices["eval_steps"]
    return choices["epochs"] if every == "epoch" else math.ceil(choices["steps_total"] / every)


def _characters(part: Any) -> int:
    return sum(len(text) for text in part.texts())
