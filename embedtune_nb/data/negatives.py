"""The negatives of a triplet: one column, several columns, or a list in each row."""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence

import numpy as np
import pandas as pd

from embedtune_nb.data.clean import Cleaned, Dropped, clean_texts
from embedtune_nb.errors import DataError

# What becomes of a list in a CSV file.
_WRITTEN_LIST = re.compile(r"""\s*\[\s*["'].*["']\s*\]\s*""", re.DOTALL)


def clean_negatives(frame: pd.DataFrame, columns: Sequence[Hashable]) -> Cleaned:
    """Read columns as lists of negative texts, one list a row; rows without any are marked.

    Raises
    ------
    DataError
        If an entry is neither a text nor a list of texts, or if lists were written out as texts.
    """
    lists: list[list[str]] = [[] for _ in range(len(frame))]
    notes: list[str] = []
    for column in columns:
        _refuse_written_lists(frame[column], column)
        flat = frame[column].map(_listed, na_action=None).explode()
        rows = flat.index.to_numpy()
        cleaned = clean_texts(flat.reset_index(drop=True), column, rows)
        notes += cleaned.notes
        for row, text in zip(rows, cleaned.values, strict=True):
            if text is not None:
                lists[row].append(text)
    values = np.empty(len(frame), dtype=object)
    values[:] = lists
    without = np.array([not texts for texts in lists])
    return Cleaned(values, {"no negative": without}, notes)


def drop_false_negatives(table: pd.DataFrame, dropped: list[Dropped]) -> pd.DataFrame:
    """Take out negatives that are their row's anchor or positive or stand twice, then rows without any."""
    same = twice = 0
    kept = []
    for row in table.itertuples():
        others = [text for text in row.negatives if text not in (row.anchor, row.positive)]
        same += len(row.negatives) - len(others)
        unique = list(dict.fromkeys(others))
        twice += len(others) - len(unique)
        kept.append(unique)
    table = table.assign(negatives=pd.Series(kept, index=table.index, dtype=object))
    for count, reason in (
        (same, "negatives that are the anchor or the positive of their row"),
        (twice, "negatives given twice in their row"),
    ):
        if count:
            dropped.append(Dropped(count, reason))
    without = table["negatives"].map(len) == 0
    if without.any():
        dropped.append(Dropped(int(without.sum()), "rows left without a negative"))
    return table[~without]


def _refuse_written_lists(series: pd.Series, column: Hashable) -> None:
    entries = series.dropna().tolist()
    if entries and all(isinstance(text, str) and _WRITTEN_LIST.fullmatch(text) for text in entries):
        raise DataError(
            f"Column {column!r} holds lists that were written out as texts, such as {entries[0][:60]!r}.",
            expected="a text, or a list of texts, in each row",
            fix=f"turn them into lists: df[{column!r}] = df[{column!r}].map(ast.literal_eval).",
        )


def _listed(value: object) -> list[object]:
    if isinstance(value, (list, tuple, np.ndarray)):
        return list(value) or [None]
    if isinstance(value, (dict, set)):
        raise DataError(
            f"A negative is a {type(value).__name__}.",
            expected="a text, or a list of texts, in each row",
            fix="bring the negatives into lists of texts.",
        )
    return [value]
