"""Which rows are resampled together because they are not independent of each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

#: Rows linked in a chain through what they share can become one lump that leaves nothing to resample.
_LARGEST_SHARE = 1 / 3


@dataclass(frozen=True)
class Grouping:
    """Rows by the group that they are drawn with.

    Attributes
    ----------
    of_row
        (rows,) group numbers from 0 up.
    groups
        How many groups there are; None where each row stands for itself.
    note
        What was done, as a sentence; empty where each row stands for itself and nothing speaks against it.
    """

    of_row: np.ndarray
    groups: int | None
    note: str

    @classmethod
    def each_row(cls, rows: int, note: str = "") -> Grouping:
        """Return one group a row."""
        return cls(np.arange(rows), None, note)


def grouping_of(traits: pd.DataFrame | None, rows: int, unit: str) -> Grouping:
    """Decide what is resampled together.

    Parameters
    ----------
    traits
        Of the rows, as :func:`embedtune_nb.evaluation.traits.traits_of` tells them; None if unknown.
    rows
        How many there are.
    unit
        What a row is, in the plural.

    Returns
    -------
    Grouping
        By the group of the data where it has one, else by what rows share (a text, a relevant document),
        unless so many hang together that too little would be left to resample.
    """
    if traits is None:
        return Grouping.each_row(rows)
    named = "group" in traits
    of_row, found = pd.factorize(traits["group" if named else "shared"])
    if len(found) == rows:
        return Grouping.each_row(rows)
    if named:
        return Grouping(of_row, len(found), f"Resampled by group: {rows:,} {unit} in {len(found):,} groups.")
    largest = int(np.bincount(of_row).max())
    if largest > _LARGEST_SHARE * rows:
        return Grouping.each_row(
            rows,
            f"{largest:,} of {rows:,} {unit} hang together through texts or documents they share, too many "
            "to be resampled as one; each counts by itself, so the interval may be too narrow.",
        )
    return Grouping(
        of_row,
        len(found),
        f"Resampled in {len(found):,} groups of {unit} that share a text or a document.",
    )
