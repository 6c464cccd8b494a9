"""A setting that the machine decided, together with why."""

from __future__ import annotations

from typing import Any, NamedTuple


class Choice(NamedTuple):
    """A value and the reason for it, fit to be shown beside each other."""

    value: Any
    reason: str
