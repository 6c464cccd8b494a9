"""One thing that the linter found, or a check that it could not make."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

Severity = Literal["serious", "warning", "note"]
#: From the gravest down.
SEVERITIES: tuple[Severity, ...] = ("serious", "warning", "note")


@dataclass(frozen=True)
class Finding:
    """A fault of the data.

    Attributes
    ----------
    name
        What :meth:`Datasource.fix` calls it.
    severity
        ``"serious"`` (results will mislead), ``"warning"`` (training will suffer) or ``"note"``.
    summary
        What was found, with its numbers, in one sentence.
    count
        Rows concerned.
    total
        Rows that were looked at.
    cost
        What happens if nothing is done.
    fix
        What to do.
    examples
        A few of the rows, each a tuple of texts.
    frame
        The frame of the Datasource that *rows* number.
    rows
        int64, (count,): the rows, numbered by their place in that frame.
    mendable
        Whether ``data.fix(name)`` mends it.
    """

    name: str
    severity: Severity
    summary: str
    count: int
    total: int
    cost: str
    fix: str
    examples: tuple[tuple[str, ...], ...] = ()
    frame: str = "examples"
    rows: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64), repr=False)
    mendable: bool = True

    @property
    def share(self) -> float:
        """Share (0 to 1) of the rows that are concerned."""
        return self.count / self.total if self.total else 0.0


@dataclass(frozen=True)
class NotLookedAt:
    """A check that was not made, and why: it needs something, or does not apply to this kind of data."""

    name: str
    reason: str
    applies: bool = True
