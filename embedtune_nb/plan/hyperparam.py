"""What is known of one hyperparameter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from embedtune_nb.plan.defaults import LOSS_DEFAULTS, default_of, losses_with, why_default


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
        The default, unless :data:`~embedtune_nb.plan.defaults.LOSS_DEFAULTS` has one for the loss; ``None``
        where the plan infers the value.
    why
        Why this default.
    not_searched
        Why a sweep cannot search it; empty where it can.
    optional
        Whether ``None`` is one of the choices of a sweep: to do without.
    takes_list
        Whether one value is a list; a list of any other key is a choice for a sweep.
    """

    name: str
    meaning: str
    allowed: str
    parse: Callable[[Any], Any]
    default: Any = None
    why: str = ""
    not_searched: str = ""
    optional: bool = False
    takes_list: bool = False

    def default_for(self, loss: str) -> Any:
        """Return the default under *loss*."""
        own = default_of(self.name, loss)
        return self.default if own is None else own

    def why_for(self, loss: str) -> str:
        """Return why this is the default under *loss*."""
        return why_default(self.name, loss, self.why)

    @property
    def sweepable(self) -> bool:
        """Whether a sweep may search it."""
        return not self.not_searched

    @property
    def losses(self) -> tuple[str, ...]:
        """The losses it applies to; empty for all."""
        using = losses_with(self.name)
        return () if len(using) == len(LOSS_DEFAULTS) else using
