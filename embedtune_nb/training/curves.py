"""The curves of a run as its events tell them, those of an earlier attempt included."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from embedtune_nb.store.events import EventReader


@dataclass(frozen=True)
class Curve:
    """One metric over a run; both lists have equal length."""

    step: list[float]
    value: list[float]


def recorded_curves(events: Path) -> dict[str, Curve]:
    """Return metric -> curve from the file *events*; a step that was repeated counts once, as it was last."""
    values: dict[str, dict[float, float]] = {}
    for event in EventReader(events).new():
        if event["type"] == "metrics":
            for name, value in event["values"].items():
                values.setdefault(name, {})[event["step"]] = float(value)
    return {name: Curve(sorted(found), [found[s] for s in sorted(found)]) for name, found in values.items()}
