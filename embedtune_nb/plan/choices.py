"""The settings of a plan while it is being made: user before inferred before default."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from embedtune_nb.plan.hyperparams import HYPERPARAMS
from embedtune_nb.plan.plan import Setting

ASKED = "you asked for it"


class Choices:
    """Collects settings with their source and reason.

    Parameters
    ----------
    given
        The checked hyperparameters of the user.
    loss
        Name of the loss; it decides some defaults.
    """

    def __init__(self, given: Mapping[str, Any], loss: str) -> None:
        self.given, self.loss = given, loss
        self.settings: dict[str, Setting] = {}

    def __getitem__(self, name: str) -> Any:
        return self.settings[name].value

    def take(self, *names: str) -> None:
        """Set each of *names* to the user's value, else to the default of this loss."""
        for name in names:
            entry = HYPERPARAMS[name]
            if name in self.given:
                self.settings[name] = Setting(self.given[name], "user", ASKED)
            elif not entry.losses or self.loss in entry.losses:
                self.settings[name] = Setting(
                    entry.default_for(self.loss), "default", entry.why_for(self.loss)
                )

    def infer(self, name: str, value: Any, reason: str) -> None:
        """Set *name* to the user's value, else to *value*, which follows from data or other settings."""
        if name in self.given:
            self.settings[name] = Setting(self.given[name], "user", ASKED)
        else:
            self.settings[name] = Setting(value, "inferred", reason)

    def overrule(self, name: str, value: Any, reason: str) -> None:
        """Set *name* to *value* even against the user's wish; the reason says why."""
        self.settings[name] = Setting(value, "inferred", reason)

    def without_effect(self, why: str, *names: str) -> None:
        """Say beside each of *names* that the user set why that changes nothing."""
        for name in names:
            if name in self.given and name in self.settings:
                value = self.settings[name].value
                self.settings[name] = Setting(value, "user", f"{ASKED}, but it has no effect: {why}")

    def default(self, name: str, value: Any, reason: str) -> None:
        """Set *name* to the user's value, else to the fixed *value*."""
        if name in self.given:
            self.settings[name] = Setting(self.given[name], "user", ASKED)
        else:
            self.settings[name] = Setting(value, "default", reason)
