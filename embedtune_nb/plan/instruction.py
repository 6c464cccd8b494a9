"""Which instruction a run reads its texts with, and what that puts before them."""

from __future__ import annotations

from typing import Any

from embedtune_nb.catalogue import BaseSpec, Prompts, instructed, prompts_of
from embedtune_nb.data.kinds import PAIRS, RETRIEVAL
from embedtune_nb.plan.choices import Choices
from embedtune_nb.plan.plan import Setting

# Kinds that tell what searches from what is searched; there the instruction stands before queries alone.
SEARCH_KINDS = (PAIRS, "triplets", RETRIEVAL)
_ROLES = {"anchor": "query", "positive": "document", "negatives": "document"}


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
    instruction = choices["instruction"]
    if instruction is None:
        prompts, whose = prompts_of(base), "the model's own"
    else:
        prompts = instructed(base, instruction, only_queries=data.kind in SEARCH_KINDS)
        whose = (
            "from the instruction"
            if prompts.document in ("", prompts.query)
            else "instruction and the model's own"
        )
    if prompts == Prompts():
        choices.settings["prompts"] = Setting(None, "inferred", "nothing is put before the texts")
    else:
        choices.settings["prompts"] = Setting(prompts.to_json(), "inferred", f"{prompts.told()} ({whose})")
    return prompts


def before_column(prompts: Prompts, column: str, kind: str) -> str:
    """Return what is put before the texts of a training column."""
    return prompts.before(_ROLES.get(column) if kind in SEARCH_KINDS else None)


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
