"""The defaults that depend on the loss, in one table. All others stand with their hyperparameter."""

from __future__ import annotations

from typing import Any

#: Loss -> hyperparameter -> default. A hyperparameter that a loss does not use is not in its line.
LOSS_DEFAULTS: dict[str, dict[str, Any]] = {
    "prediction": {
        "batch_size": 64,
        "warmup": 0.1,
        "head_learning_rate": 1e-2,
        "normalize_embeddings": True,
    },
    "contrastive": {"batch_size": 128, "warmup": 0.1, "loss_scale": 20.0},
    "triplet": {"batch_size": 64, "warmup": 0.2, "margin": 0.2},
    "proxy": {"batch_size": 128, "warmup": 0.1, "loss_scale": 30.0, "head_learning_rate": 1e-2},
    "cosent": {"batch_size": 64, "warmup": 0.1, "loss_scale": 20.0},
    "cosine": {"batch_size": 64, "warmup": 0.1},
    "angle": {"batch_size": 64, "warmup": 0.1, "loss_scale": 20.0},
}

_WHY = {
    ("warmup", "triplet"): "a fifth of all steps: the hardest triplets of a raw model pull hard",
    ("loss_scale", "proxy"): "how sharply the hardest text of a class counts; close to the 32 of the paper",
    ("head_learning_rate", "proxy"): "proxies are few and must move with the classes, so they learn faster",
}


def default_of(name: str, loss: str) -> Any:
    """Return the default of a hyperparameter that depends on the loss; ``None`` if the loss has none."""
    return LOSS_DEFAULTS[loss].get(name)


def losses_with(name: str) -> tuple[str, ...]:
    """Return the losses that have a default for a hyperparameter, and so use it."""
    return tuple(loss for loss, defaults in LOSS_DEFAULTS.items() if name in defaults)


def why_default(name: str, loss: str, usual: str) -> str:
    """Return the reason of a default: that of this loss, else the *usual* one."""
    return _WHY.get((name, loss), usual)
