"""What trainings from the same base models need but once: the trials of a sweep share it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from embedtune_nb.encoder.encoder import Encoder

# What decides how a base model reads texts and how its evaluation is made; the seed only where it samples.
_OF_A_START = (
    "prompts",
    "instruction",
    "truncation_side",
    "adapter_side",
    "eval_method",
    "metric",
    "neighbor_count",
    "neighbor_weighting",
)
_SAMPLES = ("neighbor_eval_count", "neighbor_eval_pool_subsample")


@dataclass(frozen=True)
class Start:
    """Where the curves of a training begin.

    Attributes
    ----------
    metrics
        What the base model reached on the selection part; None where the training itself is asked for
        what selects, as with a head.
    probe
        What it made of the general probe, (sentences, dimension).
    """

    metrics: dict[str, float] | None
    probe: np.ndarray


class Shared:
    """Keeps what one training found out for the next one with the same data."""

    def __init__(self) -> None:
        self._starts: dict[str, Start] = {}

    def load(self, base: Mapping[str, Any], settings: Mapping[str, Any]) -> Encoder:
        """Return the untrained base model, reading texts as *settings* say; it may be trained.

        Parameters
        ----------
        base
            Its spec, as a plan holds it.
        settings
            As for :meth:`embedtune_nb.encoder.encoder.Encoder.load`.
        """
        with torch.random.fork_rng():
            return Encoder.load(base, settings)

    def start(self, base: Mapping[str, Any], settings: Mapping[str, Any], find: Callable[[], Start]) -> Start:
        """Return where the curves begin with *base* and *settings*, by *find* if nobody knows yet."""
        sampled = any(settings.get(name) is not None for name in _SAMPLES)
        read = (*_OF_A_START, *_SAMPLES, *(("seed",) if sampled else ()))
        key = _key(base, settings, read)
        if key not in self._starts:
            self._starts[key] = find()
        return self._starts[key]


def _key(base: Mapping[str, Any], settings: Mapping[str, Any], names: tuple[str, ...]) -> str:
    return json.dumps([dict(base), {name: settings.get(name) for name in names}], sort_keys=True, default=str)
