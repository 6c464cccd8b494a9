"""What a sweep searches when no range is given: the bounds for each loss and for each kind of base."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

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


@dataclass(frozen=True)
class _OfLoss:
    """Bounds that a loss decides; *rate* is its share of the learning rates that an encoder bears."""

    batches: tuple[int, int]
    scales: tuple[float, float] | None = None
    rate: float = 1.0
    least_epochs: int = 1


@dataclass(frozen=True)
class _OfTrained:
    """Bounds that what is trained decides; *rates* are times the rate of a single run."""

    name: str
    rates: tuple[float, float]
    epochs: tuple[int, int]


# Where rows of a batch are each other's negatives, small batches teach little. Losses that pull hard from
# the first step on bear less of a rate.
#
# Scales of 5, 8, 12, 20, 35, 60, 100 with contrastive, word vectors, one seed: on questions of 77 classes
# accuracies of 0.86, 0.87, 0.86, 0.87, 0.84, 0.84, 0.83; on searched docstrings NDCG@10 of 0.46, 0.47, 0.48,
# 0.49, 0.48, 0.48, 0.48 (of the selection part).
_LOSSES = {
    "prediction": _OfLoss(batches=(16, 128)),
    "contrastive": _OfLoss(batches=(32, 256), scales=(8.0, 50.0)),
    "triplet": _OfLoss(batches=(32, 128), rate=0.5),
    "proxy": _OfLoss(batches=(32, 256), scales=(12.0, 64.0), least_epochs=2),
    "cosent": _OfLoss(batches=(16, 128), scales=(8.0, 50.0), rate=0.5),
    "cosine": _OfLoss(batches=(16, 128)),
    "angle": _OfLoss(batches=(16, 128), scales=(8.0, 50.0), rate=0.5),
}
# Below these rates tuning hardly moves in one or two passes; above, the loss rises. Word vectors, as above:
# on the questions, rates of 0.04, 0.1, 0.4, 1, 2, 4, 8 times the usual one gave accuracies of 0.82, 0.85,
# 0.83, 0.87, 0.88, 0.84, 0.81; on the docstrings 0.07, 0.2, 0.7, 1.7, 3, 7 times gave 0.47, 0.48, 0.49, 0.48,
# 0.44, 0.36, and 1, 2, 4, 8 epochs 0.48, 0.49, 0.50, 0.50; on judged pairs 0.2, 0.5, 2, 5, 10 times gave
# Spearman's 0.799, 0.801, 0.804, 0.799, 0.780. A linear adapter on the questions: rates of 0.05, 0.2, 0.5, 1,
# 2, 5, 10, 30 times gave 0.82, 0.83, 0.84, 0.86, 0.86, 0.86, 0.85, 0.86, and 5, 10, 20, 40 epochs 0.83, 0.83,
# 0.86, 0.87. Those of whole encoders and LoRA are the usual ones of the field; we did not measure them.
_TRAINED: dict[Trained, _OfTrained] = {
    "encoder": _OfTrained("a whole encoder", rates=(0.2, 4.0), epochs=(1, 4)),
    "lora": _OfTrained("LoRA", rates=(0.2, 4.0), epochs=(1, 4)),
    "adapter": _OfTrained("an adapter", rates=(0.2, 10.0), epochs=(5, 40)),
    "static": _OfTrained("word vectors", rates=(0.2, 3.0), epochs=(1, 8)),
}
_WARMUP = (0.0, 0.3)
# An epoch of fewer steps leaves no room for the learning rate to rise and fall.
_LEAST_STEPS = 8


def automatic_ranges(
    loss: str, trained: Trained, *, rows: int, rate: float
) -> Iterator[tuple[str, AutomaticRange | str]]:
    """Yield name and range of what may be searched, what matters most first.

    Parameters
    ----------
    loss
        Name of the loss.
    trained
        What is trained.
    rows
        Training rows; they bound the batch.
    rate
        The learning rate that a single run would have.

    Yields
    ------
    (str, AutomaticRange or str)
        In place of a range, why there is none.
    """
    own, kind = _LOSSES[loss], _TRAINED[trained]
    share = own.rate if trained == "encoder" else 1.0
    low, high = (float(f"{rate * times * share:.3g}") for times in kind.rates)
    reason = f"around the {rate:g} that is usual for {kind.name} on such data"
    yield "learning_rate", AutomaticRange("float", low, high, reason, log=True)
    if own.scales is not None:
        reason = "from soft to sharp: how much the hardest text of a batch counts"
        yield "loss_scale", AutomaticRange("float", *own.scales, reason, log=True)
    yield "batch_size", _batches(own, rows)
    first, last = kind.epochs
    epochs = AutomaticRange("int", max(first, own.least_epochs), last, f"usual for {kind.name}")
    yield "epochs", epochs
    yield "warmup", AutomaticRange("float", *_WARMUP, "shares of all steps; more calms a rough start")


def _batches(own: _OfLoss, rows: int) -> AutomaticRange | str:
    low, high = own.batches
    most = min(high, rows // _LEAST_STEPS)
    if most < 2 * low:
        steps = f"{_LEAST_STEPS} steps an epoch"
        return f"{rows:,} training rows leave no room between batches of {low} and {steps}"
    reason = "rows that a loss sees at once"
    if most < high:
        reason += f"; no more than leave {_LEAST_STEPS} steps an epoch of {rows:,} rows"
    return AutomaticRange("int", low, most, reason, log=True)
