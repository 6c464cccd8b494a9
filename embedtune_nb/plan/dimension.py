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

    def to_json(self) -> dict[str, Any]:
        """Return the dimension as a dict that JSON can carry."""
        return asdict(self) | {"choices": list(self.choices), "only_with": dict(self.only_with)}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Dimension:
        """Return the dimension that :meth:`to_json` described."""
        return cls(**{**content, "choices": tuple(content["choices"])})
