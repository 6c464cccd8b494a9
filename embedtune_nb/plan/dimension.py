"""One thing that a sweep searches: a hyperparameter, the loss or the base model, and where it may lie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

DimensionKind = Literal["float", "int", "choice"]


@dataclass(frozen=True)
class Dimension:
    """One axis of the search space.

    Attributes
    ----------
    name
        Key of the hyperparameter, or ``"loss"`` or ``"base_model"``.
    kind
        ``float`` and ``int`` are ranges, ``choice`` is a list.
    start
        What the first trial tries: the nearest admissible value to the default of the loss.
    source
        ``user`` or ``default``.
    reason
        Why this axis and these bounds, in a few words.
    low, high
        Of a range, both included.
    log
        Whether a range is searched by ratios.
    choices
        Of a choice, in the order given.
    only_with
        Values of other dimensions without which this one has no effect, such as
        ``{"loss": ("contrastive",)}``; empty where it always has.
    """

    name: str
    kind: DimensionKind
    start: Any
    source: Literal["user", "default"]
    reason: str
    low: float | None = None
    high: float | None = None
    log: bool = False
    choices: tuple[Any, ...] = ()
    only_with: Mapping[str, Sequence[Any]] = field(default_factory=dict)

    def applies(self, values: Mapping[str, Any]) -> bool:
        """Return whether this dimension has an effect beside *values* of the others."""
        return all(values.get(name) in allowed for name, allowed in self.only_with.items())

    def extent(self) -> str:
        """Return the bounds or the choices as people read them: ``1e-05 to 0.001, by ratios``."""
        if self.kind == "choice":
            return " | ".join("none" if value is None else str(value) for value in self.choices)
        return f"{self.low:g} to {self.high:g}" + (", by ratios" if self.log else "")

    def nearest(self, value: Any) -> Any:
        """Return the admissible value nearest to *value*; the first choice where nothing is near."""
        if self.kind == "choice":
            return _nearest_choice(value, self.choices)
        assert self.low is not None and self.high is not None, "a range has two ends"
        inside = self.low if value is None else min(max(value, self.low), self.high)
        return round(inside) if self.kind == "int" else float(inside)

    def drawn(self, share: float) -> Any:
        """Return the value at *share*, from 0.0 to below 1.0, of the way through the dimension."""
        if self.kind == "choice":
            return self.choices[int(share * len(self.choices))]
        assert self.low is not None and self.high is not None, "a range has two ends"
        if self.log:
            value = self.low * (self.high / self.low) ** share
        else:
            value = self.low + share * (self.high - self.low)
        return round(value) if self.kind == "int" else value

    @property
    def size(self) -> int | None:
        """How many values there are; None for a range of fractions, which has no end of them."""
        if self.kind == "choice":
            return len(self.choices)
        return None if self.kind == "float" else int(self.high or 0) - int(self.low or 0) + 1

    def to_json(self) -> dict[str, Any]:
        """Return the dimension as a dict that JSON can carry."""
        conditions = {name: list(allowed) for name, allowed in self.only_with.items()}
        return asdict(self) | {"choices": list(self.choices), "only_with": conditions}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Dimension:
        """Return the dimension that :meth:`to_json` described."""
        conditions = {name: tuple(allowed) for name, allowed in content["only_with"].items()}
        return cls(**{**content, "choices": tuple(content["choices"]), "only_with": conditions})


def _nearest_choice(value: Any, choices: Sequence[Any]) -> Any:
    for choice in choices:
        if type(choice) is type(value) and choice == value:
            return choice
    numbers = [choice for choice in choices if isinstance(choice, (int, float)) and choice is not True]
    if isinstance(value, (int, float)) and not isinstance(value, bool) and len(numbers) == len(choices):
        return min(numbers, key=lambda choice: abs(choice - value))
    return choices[0]
