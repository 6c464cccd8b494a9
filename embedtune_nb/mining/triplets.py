"""The result of mining: triplets, and a report of what was kept, dropped and set aside."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import pandas as pd

from embedtune_nb.data.clean import Dropped
from embedtune_nb.data.datasource import Datasource
from embedtune_nb.data.visible import visible
from embedtune_nb.errors import DataError


@dataclass(frozen=True)
class MiningReport:
    """What mining did.

    Attributes
    ----------
    strategy : str
        How candidates were found.
    settings : dict
        What was asked for, defaults included.
    rows : int
        Rows that came in.
    kept : int
        Rows that got at least one negative.
    negatives : int
        Negatives in all.
    candidates : dict
        How many candidates met which fate.
    dropped : list of Dropped
        How many rows were left out, and why.
    set_aside : DataFrame
        Suspected false negatives that stood before the chosen ones: ``anchor``, ``positive``,
        ``candidate``, ``score``, ``positive_score``, ``reason``.
    scores : DataFrame
        One row a triplet: ``id``, ``positive_score``, ``negative_scores`` and ``hardness``, the score of
        the hardest negative less that of the positive.
    notes : list of str
        Choices and oddities, one sentence each.
    seconds : float
        How long it took.
    """

    strategy: str
    settings: dict[str, Any]
    rows: int
    kept: int
    negatives: int
    candidates: dict[str, int]
    dropped: list[Dropped]
    set_aside: pd.DataFrame
    scores: pd.DataFrame
    notes: list[str]
    seconds: float

    def to_frame(self) -> pd.DataFrame:
        """Return the counts as a table: what (rows or candidates), fate, count."""
        rows = [("rows", "given at least one negative", self.kept)]
        rows += [("rows", f"dropped: {drop.reason}", drop.count) for drop in self.dropped]
        rows += [("candidates", fate, count) for fate, count in self.candidates.items()]
        return pd.DataFrame(rows, columns=["what", "fate", "count"])

    def __repr__(self) -> str:
        lines = [
            f"Mined by {self.strategy}: {self.kept:,} of {self.rows:,} rows got {self.negatives:,} negatives "
            f"({self.seconds:.1f} s)"
        ]
        lines += [f"  dropped     {drop.count:,} rows: {drop.reason}" for drop in self.dropped]
        lines += [f"  candidates  {count:,} {fate}" for fate, count in self.candidates.items() if count]
        lines += [f"  note        {note}" for note in self.notes]
        if len(self.set_aside):
            lines.append(f"  set aside   {len(self.set_aside):,} suspected false negatives, for example")
            for row in self.set_aside.head(3).itertuples():
                lines.append(f"              {_short(row.anchor)} | {_short(row.candidate)} ({row.reason})")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        head, *lines = repr(self).split("\n")
        items = "".join(f"<li>{escape(line.strip())}</li>" for line in lines)
        return f"<div><b>{escape(head)}</b><ul>{items}</ul></div>"


class MinedTriplets(Datasource):
    """Triplets found by mining.

    Attributes
    ----------
    report : MiningReport
        What was kept, dropped and set aside.
    """

    report: MiningReport

    def stages(self, count: int = 3) -> list[Datasource]:
        """Return the rows in *count* parts of equal size, from easy to hard negatives.

        For a curriculum: train on the first, then tune the tuned model on the next. (Within one run every
        epoch is shuffled, whatever the order of the rows.)
        """
        if not 1 <= count <= len(self):
            raise DataError(f"{count} stages of {len(self):,} rows.", expected=f"1 to {len(self):,} stages")
        order = np.argsort(self.report.scores["hardness"].to_numpy(), kind="stable")
        examples = self.frames["examples"]
        return [
            Datasource(
                self.kind,
                {"examples": examples.iloc[np.sort(rows)].reset_index(drop=True)},
                name=f"{self.name} (stage {number} of {count})",
                kind_reason=self.kind_reason,
                notes=[f"Stage {number} of {count}, from easy to hard negatives."],
                instruction=self.instruction,
            )
            for number, rows in enumerate(np.array_split(order, count), 1)
        ]

    def __repr__(self) -> str:
        return f"{super().__repr__()}\n{self.report!r}" if hasattr(self, "report") else super().__repr__()

    def _repr_html_(self) -> str:
        card = super()._repr_html_()
        return card + self.report._repr_html_() if hasattr(self, "report") else card


def _short(text: str) -> str:
    line = visible(" ".join(str(text).split()))
    return line if len(line) <= 60 else line[:59].rstrip() + "…"
