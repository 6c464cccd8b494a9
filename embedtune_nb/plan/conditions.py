"""Which settings have an effect only beside others: a loss scale with some losses, a rank with adapters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from embedtune_nb.catalogue import BaseSpec
from embedtune_nb.plan.dimension import Dimension
from embedtune_nb.plan.hyperparams import HYPERPARAMS
from embedtune_nb.plan.sweep_hyperparams import BASE_MODEL

#: What decides on the effect of others, and so is chosen first.
STRUCTURE = ("loss", BASE_MODEL, "adapter", "lora_rank")


def _absent(value: Any) -> bool:
    return value is None


def _present(value: Any) -> bool:
    return value is not None


def _contrasts(loss: str) -> bool:
    return loss == "contrastive"


def _reads_tokens(spec: BaseSpec) -> bool:
    return spec.architecture != "static"


def _has_rank(form: str | None) -> bool:
    return form in ("low_rank", "two_layer")


# Key -> what it needs of each part of the structure.
_NEEDS: dict[str, dict[str, Callable[[Any], bool]]] = {
    "contrastive_sigma": {"loss": _contrasts},
    "hard_negatives": {"loss": _contrasts},
    "false_negative_masking": {"loss": _contrasts},
    "max_seq_length": {"adapter": _absent, BASE_MODEL: _reads_tokens},
    "bf16": {"adapter": _absent},
    "micro_batch_size": {"adapter": _absent},
    "adapter_rank": {"adapter": _has_rank},
    "adapter_side": {"adapter": _present},
    "adapter_start": {"adapter": _present},
    "lora_rank": {"adapter": _absent, BASE_MODEL: _reads_tokens},
    "lora_alpha": {"lora_rank": _present},
}


def conditions(
    key: str, structure: Mapping[str, Dimension], bases: Mapping[str, BaseSpec]
) -> dict[str, tuple[Any, ...]]:
    """Return which choices of *structure*, the searched part of it, *key* needs to have an effect.

    Parts of which every choice will do are left out; an empty tuple means that none does.
    """
    needs = dict(_NEEDS.get(key, {}))
    if key in HYPERPARAMS and HYPERPARAMS[key].losses:
        needs["loss"] = lambda loss: loss in HYPERPARAMS[key].losses
    found = {}
    for part, fits in needs.items():
        axis = structure.get(part)
        if axis is None or part == key:
            continue
        allowed = tuple(
            choice for choice in axis.choices if fits(bases[choice] if part == BASE_MODEL else choice)
        )
        if len(allowed) < len(axis.choices):
            found[part] = allowed
    return found
