"""How often a trial of a sweep is evaluated on its way."""

from __future__ import annotations

import math

from embedtune_nb.catalogue import BaseSpec
from embedtune_nb.data.split import Split
from embedtune_nb.plan.choices import Choices
from embedtune_nb.plan.schedule import FAST_METHODS, MUCH_EVALUATION
from embedtune_nb.plan.texts import TrainingTexts
from embedtune_nb.plan.trained_part import is_adapter
from embedtune_nb.plan.workload import characters_of_evaluation

# One on the way and one at the end: with fewer there are no best weights to go back to.
_LEAST_LOOKS = 2
# More points than this make no better curve of a trial.
_MOST_LOOKS = 10
# Training reads a text forward and backward, which costs three times an evaluation's reading. Of word vectors
# it updates the whole table at each step: on 2,800 questions an epoch took 0.8 s of processor time, an
# evaluation, which reads 1.3 times as many texts, 0.2 s.
_COST_OF_TRAINING = {"transformer": 3, "static": 5}


def choose_looks(choices: Choices, base: BaseSpec, parts: Split, texts: TrainingTexts) -> None:
    """Settle ``eval_steps`` of a trial: equal parts of its own schedule, as many as are cheap.

    So trials of different length are seen at the same shares of their way. What the user set, quick
    methods and early stopping keep their own pace.
    """
    if "eval_steps" in choices.given or choices["early_stopping"] or choices["eval_method"] in FAST_METHODS:
        return
    total = choices["steps_total"]
    if is_adapter(choices):
        looks, why = _MOST_LOOKS, "the vectors are kept, so looking costs little"
    else:
        passes = total / choices["steps_per_epoch"]
        trained = _COST_OF_TRAINING[base.architecture] * texts.characters * passes
        affordable = trained * MUCH_EVALUATION / (1 - MUCH_EVALUATION)
        looks = int(affordable / max(characters_of_evaluation(choices, parts), 1))
        why = f"about as many as {MUCH_EVALUATION:.0%} of the time pays for, at least {_LEAST_LOOKS}"
    looks = min(max(looks, _LEAST_LOOKS), _MOST_LOOKS, total)
    every = math.ceil(total / looks)
    looks = math.ceil(total / every)
    choices.overrule("eval_steps", every, f"{looks} evaluations at equal parts of the trial: {why}")
