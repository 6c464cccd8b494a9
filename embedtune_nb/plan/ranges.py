"""What a sweep searches when no range is given: one table of bounds, for each loss and kind of base."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from embedtune_nb.plan.defaults import LOSS_DEFAULTS
from embedtune_nb.plan.dimension import DimensionKind

#: What is trained: a whole encoder, LoRA beside it, an adapter on frozen vectors, or word vectors.
Trained = Literal["encoder", "lora", "adapter", "static"]
#: The order in which parameters are searched, as far as the trials last: what matters most comes first.
ORDER = ("learning_rate", "loss_scale", "batch_size", "epochs", "warmup")


@dataclass(frozen=True)
class AutomaticRange:
    """Bounds of one parameter, and why these."""

    kind: DimensionKind
    low: float
    high: float
    reason: str
    log: bool = False


# Each spans the default of its kind: below, tuning hardly moves in one or two passes; above, the loss rises.
_RATES: dict[Trained, tuple[float, float]] = {
    "encoder": (1e-5, 2e-4),
    "lora": (1e-4, 2e-3),
    "adapter": (2e-4, 1e-2),
    "static": (5e-3, 2e-1),
}
# Losses that pull hard from the first step on; an encoder bears less of them.
_STEEP = {"triplet": 0.5, "cosent": 0.5, "angle": 0.5}
_SCALES = {
    "contrastive": (8.0, 60.0),
    "proxy": (12.0, 64.0),
    "cosent": (8.0, 60.0),
    "angle": (8.0, 60.0),
}
# Where rows of a batch are each other's negatives, small batches teach little.
_BATCHES = {
    "prediction": (16, 128),
    "contrastive": (32, 256),
    "triplet": (32, 128),
    "proxy": (32, 256),
    "cosent": (16, 128),
    "cosine": (16, 128),
    "angle": (16, 128),
}
_EPOCHS: dict[Trained, tuple[int, int]] = {
    "encoder": (1, 4),
    "lora": (1, 4),
    "adapter": (5, 40),
    "static": (1, 8),
}
_EPOCHS_OF_PROXIES = (2, 6)
_WARMUP = (0.0, 0.3)
# An epoch of fewer steps leaves no room for the learning rate to rise and fall.
_LEAST_STEPS = 8

_WHAT: dict[Trained, str] = {
    "encoder": "a whole encoder",
    "lora": "LoRA",
    "adapter": "an adapter",
    "static": "word vectors",
}


def automatic_ranges(loss: str, trained: Trained, rows: int) -> Iterator[tuple[str, AutomaticRange | str]]:
    """Yield name and range of what may be searched, what matters most first.

    Parameters
    ----------
    loss
        Name of the loss.
    trained
        What is trained.
    rows
        Training rows; they bound the batch.

    Yields
    ------
    (str, AutomaticRange or str)
        In place of a range, why there is none.
    """
    factor = _STEEP.get(loss, 1.0) if trained == "encoder" else 1.0
    low, high = _RATES[trained]
    yield (
        "learning_rate",
        AutomaticRange("float", low * factor, high * factor, f"usual for {_WHAT[trained]}, by ratios", True),
    )
    if "loss_scale" in LOSS_DEFAULTS[loss]:
        narrow, wide = _SCALES[loss]
        reason = "from soft to sharp: how much the hardest text of a batch counts, by ratios"
        yield "loss_scale", AutomaticRange("float", narrow, wide, reason, True)
    yield "batch_size", _batches(loss, rows)
    first, last = _EPOCHS_OF_PROXIES if loss == "proxy" and trained != "adapter" else _EPOCHS[trained]
    yield "epochs", AutomaticRange("int", first, last, f"usual for {_WHAT[trained]}")
    yield "warmup", AutomaticRange("float", *_WARMUP, "shares of all steps; more calms a rough start")


def _batches(loss: str, rows: int) -> AutomaticRange | str:
    low, high = _BATCHES[loss]
    most = min(high, rows // _LEAST_STEPS)
    if most < 2 * low:
        return (
            f"{rows:,} training rows leave no room between batches of {low} and {_LEAST_STEPS} steps an epoch"
        )
    reason = "rows that a loss sees at once, by ratios"
    if most < high:
        reason += f"; no more than leave {_LEAST_STEPS} steps an epoch of {rows:,} rows"
    return AutomaticRange("int", low, most, reason, True)
