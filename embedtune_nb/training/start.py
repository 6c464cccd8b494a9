"""Where the curves of a training begin: the base model on the selection part and on the general probe."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

# What decides how the evaluation of a base model is made; the seed only where it samples.
_EVALUATION = (
    "adapter_side",
    "eval_method",
    "metric",
    "neighbor_count",
    "neighbor_weighting",
    "neighbor_eval_count",
    "neighbor_eval_pool_subsample",
)
_SAMPLES = ("neighbor_eval_count", "neighbor_eval_pool_subsample")


@dataclass(frozen=True)
class Start:
    """What a base model reached.

    Attributes
    ----------
    metrics
        On the selection part; None where the training itself is asked for what selects, as with a head.
    probe
        Its vectors of the general probe, (sentences, dimension).
    """

    metrics: dict[str, float] | None
    probe: np.ndarray


def of_a_start(settings: Mapping[str, Any]) -> Hashable:
    """Return what decides about a :class:`Start`, beside base model and data."""
    sampled = any(settings.get(name) is not None for name in _SAMPLES)
    names = (*_EVALUATION, "seed") if sampled else _EVALUATION
    return ("start", *((name, settings.get(name)) for name in names))
