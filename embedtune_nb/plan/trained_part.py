"""What of a model is trained: all of it, an adapter on its frozen vectors, or LoRA beside its matrices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

from embedtune_nb.catalogue import BaseSpec
from embedtune_nb.data.kinds import PAIRS, RETRIEVAL, SCORED, TRIPLETS
from embedtune_nb.data.lengths import LengthProfile
from embedtune_nb.data.split import Split
from embedtune_nb.errors import PlanError
from embedtune_nb.plan.choices import Choices
from embedtune_nb.plan.estimate import STEP_SECONDS, Workload, estimate
from embedtune_nb.plan.machine import Machine

#: Kinds of data in which queries and documents are told apart.
_WITH_QUERIES = (PAIRS, TRIPLETS, RETRIEVAL)
_ADAPTER_LEARNING_RATE = 1e-3
_ADAPTER_EPOCHS = 20
_LORA_LEARNING_RATE = 5e-4
# Of the 16 bytes a trained weight takes, a frozen one needs 4.
_BYTES_SAVED = 12
# A layer of width d has about six matrices of 18 d inputs and outputs in all, for 12 d^2 weights.
_SIDES_OF_LAYER, _WEIGHTS_OF_LAYER = 18, 12


def check_peft() -> None:
    """Refuse LoRA where peft is not installed.

    Raises
    ------
    PlanError
        The message names the extra.
    """
    if find_spec("peft") is None:
        raise PlanError(
            "LoRA needs the package peft, which is not installed.",
            expected="the extra 'lora'",
            fix="pip install 'embedtune-nb[lora]' and restart the kernel, or leave lora_rank out.",
        )


def choose_trained_part(choices: Choices, base: BaseSpec, kinds: Sequence[str]) -> None:
    """Settle what is trained, and what follows for length, learning rate and epochs.

    *kinds* are those of the data of all objectives, the first one's first.

    Raises
    ------
    PlanError
        If settings contradict each other, the base model or the kind of data.
    """
    given = choices.given
    if given.get("adapter") and given.get("lora_rank"):
        raise PlanError(
            "Both an adapter and LoRA were asked for.",
            expected="one of the two",
            fix="leave adapter or lora_rank out.",
        )
    if given.get("adapter"):
        _choose_adapter(choices, base, kinds)
    elif given.get("lora_rank"):
        _choose_lora(choices, base)
    else:
        _refuse_details(given, ("adapter_rank", "adapter_start", "adapter_side"), "adapter")
        _refuse_details(given, ("lora_alpha",), "lora_rank")


def is_adapter(choices: Choices) -> bool:
    """Return whether only an adapter is trained."""
    return "adapter" in choices.settings


def is_lora(choices: Choices) -> bool:
    """Return whether only LoRA is trained."""
    return "lora_rank" in choices.settings


def _choose_adapter(choices: Choices, base: BaseSpec, kinds: Sequence[str]) -> None:
    given, dimension = choices.given, base.dimension
    _refuse_details(given, ("lora_alpha",), "lora_rank")
    if "max_seq_length" in given:
        raise PlanError(
            "max_seq_length has no effect with an adapter: the base model reads each text once.",
            fix="leave max_seq_length out, or leave adapter out to train the whole model.",
        )
    if given.get("bf16") is True:
        raise PlanError(
            "bf16 has no effect with an adapter: there is no encoder to speed up.",
            fix="leave bf16 out.",
        )
    if given.get("micro_batch_size", "auto") != "auto":
        raise PlanError(
            "micro_batch_size has no effect with an adapter: a batch of kept vectors always fits.",
            fix="leave micro_batch_size out.",
        )
    choices.take("adapter")
    form = choices["adapter"]
    if form == "linear":
        if "adapter_rank" in given:
            raise PlanError(
                "adapter_rank has no effect with adapter='linear', which changes every direction.",
                expected="adapter_rank with 'low_rank' or 'two_layer'",
                fix="leave adapter_rank out, or choose one of these.",
            )
    else:
        usual = min(64, dimension or 64) if form == "low_rank" else dimension or 384
        reason = "directions that may change" if form == "low_rank" else "as many hidden units as dimensions"
        choices.default("adapter_rank", usual, reason)
        if dimension is not None and form == "low_rank" and choices["adapter_rank"] > dimension:
            raise PlanError(
                f"adapter_rank is {choices['adapter_rank']}, and {base.id} has {dimension} dimensions.",
                expected=f"at most {dimension}",
                fix="lower adapter_rank, or take adapter='linear'.",
            )
    choices.take("adapter_side")
    without = [kind for kind in kinds if kind not in _WITH_QUERIES]
    if choices["adapter_side"] == "query" and without:
        raise PlanError(
            f"adapter_side='query' does not fit {without[0]} data: it does not tell queries from documents.",
            expected=f"data of kind {' or '.join(_WITH_QUERIES)}",
            fix="leave adapter_side out.",
        )
    choices.take("adapter_start")
    if choices["adapter_start"] == "closed_form":
        _check_closed_form(form, kinds[0])
    choices.default("learning_rate", _ADAPTER_LEARNING_RATE, "an adapter is small and starts from no change")
    if "max_steps" not in given:
        choices.default("epochs", _ADAPTER_EPOCHS, "an epoch over kept vectors takes a second or so")


def _check_closed_form(form: str, kind: str) -> None:
    if form == "two_layer":
        obstacle = "adapter='two_layer': only a linear map has one"
    elif kind == SCORED:
        obstacle = "scored data: scores do not say which texts belong together"
    else:
        return
    raise PlanError(
        f"adapter_start='closed_form' does not fit {obstacle}.",
        expected="a linear or low_rank adapter, and data that says which texts belong together",
        fix="leave adapter_start out.",
    )


def _choose_lora(choices: Choices, base: BaseSpec) -> None:
    check_peft()
    if base.architecture == "static":
        raise PlanError(
            f"LoRA does not fit {base.id}, a table of word vectors: it has no matrices.",
            expected="a transformer encoder",
            fix="leave lora_rank out.",
        )
    _refuse_details(choices.given, ("adapter_rank", "adapter_start", "adapter_side"), "adapter")
    choices.take("lora_rank")
    rank = choices["lora_rank"]
    if base.dimension is not None and rank > base.dimension:
        raise PlanError(
            f"lora_rank is {rank:,}, and {base.id} has {base.dimension} dimensions: LoRA of that rank would "
            "train more weights than the matrices beside it have.",
            expected=f"at most {base.dimension}, usually 8 to 64",
            fix="lower lora_rank, or leave it out to train the whole model.",
        )
    choices.default("lora_alpha", 2.0 * rank, "twice lora_rank: the change counts double")
    choices.default("learning_rate", _LORA_LEARNING_RATE, "LoRA takes bigger steps than a whole encoder")


def count_trained(choices: Choices, base: BaseSpec) -> None:
    """Add how many weights are trained and frozen, where some are frozen and the model's size is known."""
    if base.parameters is None or base.dimension is None:
        return
    d = base.dimension
    if is_adapter(choices):
        sizes = {"linear": d * d, "low_rank": 0, "two_layer": 0}
        trained = sizes[choices["adapter"]] or 2 * d * choices["adapter_rank"]
        reason = f"the adapter alone: {trained / base.parameters:.2%} of the base model's size"
    elif is_lora(choices):
        layers = (base.parameters - (base.embedding_parameters or 0)) / (_WEIGHTS_OF_LAYER * d**2)
        trained = round(layers * _SIDES_OF_LAYER * d * choices["lora_rank"])
        reason = (
            f"about; the matrices of LoRA alone: {trained / base.parameters:.2%} of the base model's size"
        )
    else:
        return
    choices.overrule("trained_parameters", trained, reason)
    choices.overrule("frozen_parameters", base.parameters, "the base model stays as it is while training")


def read_once(choices: Choices, base: BaseSpec, profile: LengthProfile) -> float:
    """Settle the reading of texts for an adapter; return the share of training texts that get cut."""
    choices.take("truncation_side")
    own = f" of {base.max_length:,} tokens" if base.max_length else ""
    choices.overrule("max_seq_length", None, f"the base model reads each text once, with its own limit{own}")
    return profile.truncated_share(base.max_length) if base.max_length else 0.0


def estimate_part(
    choices: Choices, base: BaseSpec, work: Workload, machine: Machine, parts: Split, *, judged: bool = True
) -> dict[str, Any]:
    """Return the estimate of a run for what is trained; see :func:`embedtune_nb.plan.estimate.estimate`.

    For a trial, which is not *judged*, the vectors of a frozen base model are there already.
    """
    if is_adapter(choices):
        once = len({text for part in parts.every_part for text in part.texts()}) if judged else 0
        return _estimate_adapter(base, replace(work, steps=0, eval_texts=float(once)), work.steps, machine)
    expected = estimate(base, work, machine)
    if is_lora(choices) and expected["peak_memory_bytes"] is not None:
        saved = _BYTES_SAVED * base.parameters if base.parameters else 0
        expected["peak_memory_bytes"] -= saved
        expected["reason"] += " Frozen weights have neither gradients nor moments: 4 bytes instead of 16."
    return expected


def _estimate_adapter(base: BaseSpec, reading: Workload, steps: int, machine: Machine) -> dict[str, Any]:
    expected = estimate(base, reading, machine)
    if expected["seconds_low"] is None:
        return expected
    quick, slow = STEP_SECONDS
    expected["seconds_low"] = round(expected["seconds_low"] + steps * quick, 1)
    expected["seconds_high"] = round(expected["seconds_high"] + steps * slow, 1)
    expected["peak_memory_bytes"] -= _BYTES_SAVED * (base.parameters or 0)
    expected["reason"] += (
        f" The base model reads each text once, which costs nothing if an earlier run did; {steps:,} steps "
        f"on kept vectors take {quick * 1e3:.0f} to {slow * 1e3:.0f} ms each."
    )
    return expected


def _refuse_details(given: Mapping[str, Any], keys: tuple[str, ...], of: str) -> None:
    for key in keys:
        if key in given:
            raise PlanError(
                f"{key} has no effect without {of}.",
                expected=f"{key} together with {of}",
                fix=f"give {of} too, or leave {key} out.",
            )
