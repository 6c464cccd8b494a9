"""The values a hyperparameter takes: parsers that return plain Python or raise ValueError."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable
from typing import Any

PERCENTILES = ("p90", "p95", "p99", "max")
PATIENCE = 2


def plain(value: Any) -> Any:
    """Return numpy's scalars as Python's own, which JSON can carry."""
    return value.item() if hasattr(value, "item") and getattr(value, "ndim", 0) == 0 else value


def is_whole(value: Any) -> bool:
    """Return whether *value* is a whole number; True and False are none."""
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def integer(low: int) -> Callable[[Any], int]:
    """Return the parser of whole numbers from *low*."""

    def parse(value: Any) -> int:
        if not is_whole(value) or value < low:
            raise ValueError
        return int(value)

    return parse


def number(low: float, high: float, *, open_low: bool = False) -> Callable[[Any], float]:
    """Return the parser of numbers from *low* (not itself with *open_low*) to *high*."""

    def parse(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            raise ValueError
        if value < low or value > high or (open_low and value == low):
            raise ValueError
        return float(value)

    return parse


def choice(*options: Any) -> Callable[[Any], Any]:
    """Return the parser of these values, types included."""

    def parse(value: Any) -> Any:
        for option in options:
            if type(value) is type(option) and value == option:
                return option
        raise ValueError

    return parse


def text(value: Any) -> str:
    """Return a text that is not blank."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError
    return value


def either(*parsers: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return the parser that tries others in turn."""

    def parse(value: Any) -> Any:
        for parser in parsers:
            try:
                return parser(value)
            except ValueError:
                continue
        raise ValueError

    return parse


def warmup(value: Any) -> int | float:
    """Return steps as a whole number, or a share of all steps as a fraction."""
    return integer(0)(value) if is_whole(value) else number(0.0, 1.0)(value)


def patience(value: Any) -> int:
    """Return how many evaluations without a gain are waited for; 0 for ever."""
    if isinstance(value, bool):
        return PATIENCE if value else 0
    return integer(0)(value)


def lengths(value: Any) -> list[int]:
    """Return distinct lengths of an embedding, the longest first."""
    if not isinstance(value, (list, tuple)) or not value:
        raise ValueError
    return sorted({integer(2)(plain(length)) for length in value}, reverse=True)
