"""From a user's few wishes to a complete plan: every setting with its value, source and reason."""

from __future__ import annotations

from embedtune_nb.plan.hyperparams import HYPERPARAMS
from embedtune_nb.plan.losses import LOSSES, check_loss, losses_for
from embedtune_nb.plan.plan import Plan, Setting
from embedtune_nb.plan.wishes import check_hyperparams

__all__ = [
    "HYPERPARAMS",
    "LOSSES",
    "Plan",
    "Setting",
    "check_hyperparams",
    "check_loss",
    "losses_for",
]
