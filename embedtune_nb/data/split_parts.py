"""What a way of splitting hands back."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from embedtune_nb.data.datasource import Datasource
from embedtune_nb.data.partition import SELECTION, VERDICT
from embedtune_nb.errors import DataError


@dataclass
class Parts:
    """The parts of a split with everything the report has to say about them."""

    train: Datasource
    selection: Datasource | None
    verdict: Datasource
    how: str
    reasons: list[str] = field(default_factory=list)
    advice: list[str] = field(default_factory=list)
    removed: list[dict[str, object]] = field(default_factory=list)


def part_of(data: Datasource, examples: pd.DataFrame, name: str) -> Datasource:
    """Return *examples*, some rows of *data*, as a part of it."""
    return Datasource(
        data.kind,
        {"examples": examples.reset_index(drop=True)},
        name=f"{data.name} ({name})",
        kind_reason=data.kind_reason,
        roles=data.roles,
        score_range=data.score_range,
    )


def far_off(got: dict[int, int], want: dict[int, int]) -> bool:
    """Return whether a part got less than half of what it should have."""
    return any(got[part] < 0.5 * wanted for part, wanted in want.items())


def refuse_groups(column: object, sizes: np.ndarray, want: dict[int, int], unit: str) -> None:
    """Raise because whole groups cannot be dealt out."""
    wanted = sum(want.values())
    raise DataError(
        f"The groups of {column!r} hang together in {len(sizes):,} lumps, the largest with "
        f"{int(sizes.max()):,} of {int(sizes.sum()):,} {unit}; {wanted:,} cannot be held out "
        "without tearing one.",
        expected="many groups, none of them holding most of the data",
        fix="choose a finer group_column, leave it out, or pass eval_datasource.",
    )


def realised(got: dict[int, int], want: dict[int, int], count: int) -> str:
    """Return what each part got beside what it should have got."""
    names = {SELECTION: "selection", VERDICT: "verdict"}
    return (
        ", ".join(
            f"{names[part]} {got[part]:,} ({got[part] / count:.1%}, wanted {want[part]:,})"
            for part in (SELECTION, VERDICT)
            if want[part]
        )
        + "."
    )
