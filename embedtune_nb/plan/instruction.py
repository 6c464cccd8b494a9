"""Which instruction a run reads its texts with, and what that puts before them."""

from __future__ import annotations

from typing import Any

from embedtune_nb.catalogue import BaseSpec, Prompts, instructed, prompts_of
from embedtune_nb.data.kinds import PAIRS, RETRIEVAL, TRIPLETS
from embedtune_nb.plan.choices import Choices
from embedtune_nb.plan.plan import Setting

# Kinds that tell what searches from what is searched; there the instruction stands before queries alone.
SEARCH_KINDS = (PAIRS, TRIPLETS, RETRIEVAL)


def choose_instruction(choices: Choices, base: BaseSpec, data: Any) -> Prompts:
    """Settle ``instruction`` and ``prompts``; return the prompts.

    The hyperparameter comes first, then the instruction of the collection that the data is from (only
    if the base model was trained to read one), then the model's own prompts.
    """
    choices.take("instruction")
    if "instruction" not in choices.given and data.instruction:
        if base.instructions:
            choices.overrule(
                "instruction", data.instruction, "the collection's: its texts are embedded with it"
            )
        else:
            choices.overrule("instruction", None, f"the collection's is left out: {_not_trained(base)}")
    instruction, searched = choices["instruction"], data.kind in SEARCH_KINDS
    if instruction is None:
        prompts = prompts_of(base)
    else:
        prompts = instructed(base, instruction, only_queries=searched)
    reason = _told(prompts, searched=searched, own=instruction is None)
    choices.settings["prompts"] = Setting(prompts.to_json(), "inferred", reason)
    return prompts


def _told(prompts: Prompts, *, searched: bool, own: bool) -> str:
    """Return what stands before the texts of this data; a model may have more prompts than apply."""
    first = "the model has it" if own else "from the instruction"
    if searched:
        before = [("queries", prompts.query, first), ("documents", prompts.document, "the model has it")]
    else:
        before = [("every text", prompts.default, first)]
    told = [f"{prompt!r} before {texts} ({whose})" for texts, prompt, whose in before if prompt]
    return ", ".join(told) or "nothing is put before these texts"


def advise_on_instruction(choices: Choices, base: BaseSpec, data: Any) -> list[str]:
    """Return what is worth knowing about the instruction before the start."""
    if choices["instruction"] is not None:
        if base.architecture == "static":
            return [
                f"{base.id} averages word vectors: an instruction adds the same words to every text, "
                "which brings all of them closer together. Better leave it out."
            ]
        if not base.instructions:
            return [
                f"{base.id} was not trained with instructions; whether one helps is for the verdict to say."
            ]
    elif data.instruction:
        return [
            f"The collection's instruction {data.instruction!r} is not used, since {_not_trained(base)}. "
            "To train with it all the same, pass it as hyperparams={'instruction': ...}."
        ]
    return []


def _not_trained(base: BaseSpec) -> str:
    return f"{base.id} was not trained to read one"
