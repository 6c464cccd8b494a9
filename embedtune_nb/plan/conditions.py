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

_NO_ADAPTER: Callable[[Any], bool] = lambda form: form is None  # noqa: E731
_ENCODER: Callable[[Any], bool] = lambda spec: spec.architecture != "static"  # noqa: E731
_CONTRAST: Callable[[Any], bool] = lambda loss: loss == "contrastive"  # noqa: E731
_SOME: Callable[[Any], bool] = lambda value: value is not None  # noqa: E731
# Key -> what it needs of each part of the structure.
_NEEDS: dict[str, dict[str, Callable[[Any], bool]]] = {
    "contrastive_sigma": {"loss": _CONTRAST},
    "hard_negatives": {"loss": _CONTRAST},
    "false_negative_masking": {"loss": _CONTRAST},
    "max_seq_length": {"adapter": _NO_ADAPTER, BASE_MODEL: _ENCODER},
    "bf16": {"adapter": _NO_ADAPTER},
    "micro_batch_size": {"adapter": _NO_ADAPTER},
    "adapter_rank": {"adapter": lambda form: form in ("low_rank", "two_layer")},
    "adapter_side": {"adapter": _SOME},
    "adapter_start": {"adapter": _SOME},
    "lora_rank": {"adapter": _NO_ADAPTER, BASE_MODEL: _ENCODER},
    "lora_alpha": {"lora_rank": _SOME},
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
