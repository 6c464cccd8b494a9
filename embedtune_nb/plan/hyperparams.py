"""Every hyperparameter: what it means, which values it takes, and its default for each loss."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from embedtune_nb.errors import NotYetError, PlanError, did_you_mean

PERCENTILES = ("p90", "p95", "p99", "max")
PATIENCE = 2


@dataclass(frozen=True)
class Hyperparam:
    """One key of the ``hyperparams`` dict.

    Attributes
    ----------
    name
        The key.
    meaning
        Help text, as shown by forms.
    allowed
        The values it takes, in words.
    parse
        Returns the plain Python value of a good input and raises ValueError for a bad one.
    default
        The default, or a dict of defaults for each loss; ``None`` where the plan infers the value.
    why
        Why this default.
    losses
        The losses it applies to; empty for all.
    sweepable
        Whether a sweep may search it.
    """

    name: str
    meaning: str
    allowed: str
    parse: Callable[[Any], Any]
    default: Any = None
    why: str = ""
    losses: tuple[str, ...] = ()
    sweepable: bool = False

    def default_for(self, loss: str) -> Any:
        """Return the default under *loss*."""
        return self.default.get(loss) if isinstance(self.default, dict) else self.default


def _plain(value: Any) -> Any:
    """Return numpy's scalars as Python's own, which JSON can carry."""
    return value.item() if hasattr(value, "item") and getattr(value, "ndim", 0) == 0 else value


def _is_int(value: Any) -> bool:
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def _integer(low: int) -> Callable[[Any], int]:
    def parse(value: Any) -> int:
        if not _is_int(value) or value < low:
            raise ValueError
        return int(value)

    return parse


def _number(low: float, high: float, *, open_low: bool = False) -> Callable[[Any], float]:
    def parse(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            raise ValueError
        if value < low or value > high or (open_low and value == low):
            raise ValueError
        return float(value)

    return parse


def _choice(*options: Any) -> Callable[[Any], Any]:
    def parse(value: Any) -> Any:
        for option in options:
            if type(value) is type(option) and value == option:
                return option
        raise ValueError

    return parse


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError
    return value


def _either(*parsers: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def parse(value: Any) -> Any:
        for parser in parsers:
            try:
                return parser(value)
            except ValueError:
                continue
        raise ValueError

    return parse


def _warmup(value: Any) -> int | float:
    return _integer(0)(value) if _is_int(value) else _number(0.0, 1.0)(value)


def _patience(value: Any) -> int:
    if isinstance(value, bool):
        return PATIENCE if value else 0
    return _integer(0)(value)


HYPERPARAMS: dict[str, Hyperparam] = {
    entry.name: entry
    for entry in (
        Hyperparam(
            "epochs",
            "Passes over the training data.",
            "a whole number from 1",
            _integer(1),
            sweepable=True,
        ),
        Hyperparam(
            "max_steps",
            "Most optimizer steps; where it is set, it decides instead of epochs.",
            "a whole number from 1",
            _integer(1),
            why="not limited: epochs decide",
        ),
        Hyperparam(
            "learning_rate",
            "Peak learning rate after warmup. Raise it on an early plateau, lower it when the loss swings.",
            "a number above 0, up to 1",
            _number(0.0, 1.0, open_low=True),
            default=5e-5,
            why="a usual rate for tuning a whole encoder",
            sweepable=True,
        ),
        Hyperparam(
            "head_learning_rate",
            "Peak learning rate of the linear head.",
            "a number above 0, up to 1",
            _number(0.0, 1.0, open_low=True),
            default=1e-2,
            why="the head starts from nothing, so it may learn faster than the encoder",
            losses=("prediction",),
        ),
        Hyperparam(
            "batch_size",
            "Rows the loss sees in one optimizer step, whatever the device. More rows are more negatives.",
            "a whole number from 2",
            _integer(2),
            default={"prediction": 64, "contrastive": 128},
            why="the default of this loss",
            sweepable=True,
        ),
        Hyperparam(
            "warmup",
            "Steps (whole number) or share of all steps (fraction) in which the learning rate rises. "
            "15-20 % helps when the loss oscillates early.",
            "a whole number of steps from 0, or a fraction from 0.0 to 1.0",
            _warmup,
            default={"prediction": 0.1, "contrastive": 0.1},
            why="a tenth of all steps",
            sweepable=True,
        ),
        Hyperparam(
            "weight_decay",
            "L2 regularisation, typically 0 to 0.1.",
            "a number from 0 to 1",
            _number(0.0, 1.0),
            default=0.0,
            why="none: one to three epochs seldom need it",
            sweepable=True,
        ),
        Hyperparam(
            "learning_rate_scheduler",
            "How the learning rate goes on after warmup.",
            "'linear', 'cosine' or 'constant'",
            _choice("linear", "cosine", "constant"),
            default="linear",
            why="falls to zero, so that the last steps settle",
            sweepable=True,
        ),
        Hyperparam(
            "loss_scale",
            "Inverse temperature: similarities are multiplied by it before the softmax.",
            "a number above 0, up to 1000",
            _number(0.0, 1000.0, open_low=True),
            default=20.0,
            why="cosines lie within -1 and 1, too flat for a softmax; 20 is the usual factor",
            losses=("contrastive",),
            sweepable=True,
        ),
        Hyperparam(
            "normalize_embeddings",
            "Whether embeddings have unit length before the head.",
            "True or False",
            _choice(True, False),
            default=True,
            why="trains the geometry that nearest-neighbour search uses",
            losses=("prediction",),
            sweepable=True,
        ),
        Hyperparam(
            "max_seq_length",
            "Most tokens of a text; longer texts are cut. Cost grows faster than length.",
            "a whole number from 4, or one of 'p90', 'p95', 'p99', 'max'",
            _either(_integer(4), _choice(*PERCENTILES)),
            default="p99",
            why="covers 99 % of the training texts",
        ),
        Hyperparam(
            "truncation_side",
            "The end at which a text that is too long loses tokens.",
            "'right' (keeps the beginning) or 'left' (keeps the end)",
            _choice("right", "left"),
            default="right",
            why="most texts say what they are about at the beginning",
        ),
        Hyperparam(
            "early_stopping",
            "Stop when so many evaluations in a row bring no gain; the best state is kept. True means 2.",
            "True, False, or a whole number from 0",
            _patience,
        ),
        Hyperparam(
            "early_stopping_threshold",
            "Least gain that counts as progress.",
            "a number from 0 to 1",
            _number(0.0, 1.0),
            default=0.0,
            why="any gain counts",
        ),
        Hyperparam(
            "eval_method",
            "How quality is measured during training.",
            "'head', 'neighbor', 'retrieval' or 'loss'",
            _choice("head", "neighbor", "retrieval", "loss"),
        ),
        Hyperparam(
            "eval_steps",
            "When to evaluate during training.",
            "a whole number of steps from 1, 'epoch', 'end' or 'off'",
            _either(_integer(1), _choice("epoch", "end", "off")),
        ),
        Hyperparam(
            "neighbor_count",
            "How many nearest neighbours vote on a label.",
            "a whole number from 1",
            _integer(1),
            default=5,
            why="five votes smooth over a mislabelled neighbour",
        ),
        Hyperparam(
            "neighbor_eval_count",
            "Most held-out texts that the nearest-neighbour evaluation during training looks at.",
            "a whole number from 1",
            _integer(1),
            why="all of the selection part",
        ),
        Hyperparam(
            "neighbor_eval_pool_subsample",
            "Training texts searched by the evaluation during training: a number of them, or a share.",
            "a whole number from 1, or a fraction above 0.0, up to 1.0",
            _either(_integer(1), _number(0.0, 1.0, open_low=True)),
            why="all training texts",
        ),
        Hyperparam(
            "instruction",
            "The task in words, read before a text, for base models that were trained to read one. Documents "
            "that are searched are read without it.",
            "a text",
            _text,
            why="none: the base model's own prompt, if it has one",
        ),
        Hyperparam(
            "bf16",
            "Half-precision arithmetic (bfloat16).",
            "True, False or 'auto'",
            _choice(True, False, "auto"),
            default="auto",
            why="the worker times both and takes the faster one",
        ),
        Hyperparam(
            "logging_steps",
            "Steps between two points of the loss curve.",
            "a whole number from 1",
            _integer(1),
        ),
        Hyperparam(
            "adapter",
            "Train only a small layer on the frozen model's vectors, in seconds: 'linear' (any linear map), "
            "'low_rank' (a linear map of few directions) or 'two_layer' (plus one hidden layer).",
            "'linear', 'low_rank' or 'two_layer'",
            _choice("linear", "low_rank", "two_layer"),
            why="none: the whole model is trained",
        ),
        Hyperparam(
            "adapter_rank",
            "Directions that a low_rank adapter may change, or hidden units of a two_layer one.",
            "a whole number from 1",
            _integer(1),
        ),
        Hyperparam(
            "adapter_side",
            "Which vectors are adapted: both sides, or queries alone, so that an index of documents "
            "stays valid.",
            "'both' or 'query'",
            _choice("both", "query"),
            default="both",
            why="what is compared is adapted alike",
        ),
        Hyperparam(
            "adapter_start",
            "Where the adapter starts: as no change at all, or as the linear map that evens out how texts "
            "that belong together differ.",
            "'identity' or 'closed_form'",
            _choice("identity", "closed_form"),
            default="identity",
            why="the vectors of the base model, exactly",
        ),
        Hyperparam(
            "lora_rank",
            "Train only matrices of this rank beside those of the encoder (LoRA), merged in at the end. "
            "Saves memory. Needs the extra 'lora'.",
            "a whole number from 1",
            _integer(1),
            why="none: the whole model is trained",
        ),
        Hyperparam(
            "lora_alpha",
            "How much LoRA's change counts: it is scaled by lora_alpha / lora_rank.",
            "a number above 0, up to 10000",
            _number(0.0, 10_000.0, open_low=True),
        ),
    )
}


def check_hyperparams(given: Mapping[str, Any] | None, *, loss: str, trial_count: int = 1) -> dict[str, Any]:
    """Return the checked, plain values of the hyperparameters a user gave.

    ``None`` as a value means "as if not given".

    Raises
    ------
    PlanError
        For an unknown key (with the nearest known one), a value out of range, or a key that the loss
        does not use.
    NotYetError
        For a range of values or ``trial_count`` above 1: sweeps do not exist yet.
    """
    if given is not None and not isinstance(given, Mapping):
        raise PlanError(
            f"hyperparams is {_short(given)} ({type(given).__name__}).",
            expected="a dict such as {'epochs': 2, 'learning_rate': 3e-5}",
            fix="give a dict, or leave it out for the defaults.",
        )
    if not _is_int(_plain(trial_count)) or trial_count < 1:
        raise PlanError(
            f"trial_count is {_short(trial_count)}.",
            expected="1",
            fix="leave it out for a single run.",
        )
    if trial_count > 1:
        raise NotYetError(
            f"trial_count={trial_count} asks for a sweep, and sweeps are not part of this version yet.",
            expected="trial_count=1",
            fix="start single runs with different hyperparams and names, and compare their verdicts.",
        )
    return {
        str(key): _checked(str(key), value, loss)
        for key, value in (given or {}).items()
        if value is not None or key not in HYPERPARAMS
    }


def _checked(key: str, value: Any, loss: str) -> Any:
    entry = HYPERPARAMS.get(key)
    if entry is None:
        raise PlanError(
            f"There is no hyperparameter {key!r}.",
            expected=f"one of {', '.join(HYPERPARAMS)}",
            fix=f"{did_you_mean(key, HYPERPARAMS)}Correct the key, or leave it out.",
        )
    value = _plain(value)
    if isinstance(value, (tuple, list)):
        raise NotYetError(
            f"{key}={_short(value)} is a range to search, and sweeps are not part of this version yet.",
            expected=f"one value: {entry.allowed}",
            fix="give one value, and start a run for each further one.",
        )
    if entry.losses and loss not in entry.losses:
        raise PlanError(
            f"{key} has no effect with loss={loss!r}.",
            expected=f"{key} only with {' or '.join(f'loss={name!r}' for name in entry.losses)}",
            fix=f"leave {key} out, or choose that loss.",
        )
    try:
        return entry.parse(value)
    except (ValueError, OverflowError):
        hint = did_you_mean(value, _options(entry)) if isinstance(value, str) else ""
        raise PlanError(
            f"{key} is {_short(value)} ({type(value).__name__}).",
            expected=entry.allowed,
            fix=f"{hint}Give such a value, or leave {key} out for its default.",
        ) from None


def _options(entry: Hyperparam) -> list[str]:
    return entry.allowed.split("'")[1::2]


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
