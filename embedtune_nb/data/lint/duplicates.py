"""Rows that repeat an earlier row, in the same letters or nearly."""

from __future__ import annotations

import numpy as np
import pandas as pd

from embedtune_nb.data.kinds import SCORED_PAIRS, TRIPLETS
from embedtune_nb.data.lint.finding import Finding
from embedtune_nb.data.lint.table import Records, Table

_EXAMPLES = 4
_MANY = 0.05
_COST = {
    "examples": "Copies count several times in training, and one that lands in the evaluation part is "
    "answered by heart.",
    "queries": "Copies count several times in training and in every metric.",
    "corpus": "A copy of a right answer that is not judged counts as wrong, in training and in every metric.",
}


def exact_duplicates(table: Table) -> list[Finding]:
    """Find rows that equal an earlier one but for case, punctuation and spacing."""
    return _findings(table, "exact_duplicates", near=False)


def near_duplicates(table: Table) -> list[Finding]:
    """Find rows that nearly equal an earlier one and are no exact duplicates of one."""
    return _findings(table, "near_duplicates", near=True)


def first_of_equal(table: Table, records: Records, text_codes: np.ndarray) -> np.ndarray:
    """Return for each row the first row of equal content, itself where it is the first.

    Parameters
    ----------
    text_codes
        A number for each text; texts with one number count as equal.
    """
    columns = [text_codes[codes] for codes in records.columns.values()]
    if table.kind == SCORED_PAIRS:
        columns = list(np.sort(columns, axis=0))  # the order of the two says nothing
    if table.target is not None:
        columns.append(pd.factorize(table.target)[0])
    if table.kind == TRIPLETS and table.negatives is not None:
        columns.append(_negatives_together(table, text_codes))
    rows = pd.DataFrame(dict(enumerate(columns)))
    number = rows.groupby(list(rows.columns), sort=False).ngroup().to_numpy()
    return np.unique(number, return_index=True)[1][number]


def duplicate_rows(table: Table, records: Records, *, near: bool) -> np.ndarray:
    """Return the rows that can be left out, because a row that stays says the same (nearly the same)."""
    exact = first_of_equal(table, records, table.plain)
    exact_rows = np.flatnonzero(exact != np.arange(len(records)))
    if not near:
        return exact_rows
    first = first_of_equal(table, records, table.spare_of)
    return np.setdiff1d(np.flatnonzero(first != np.arange(len(records))), exact_rows)


def _findings(table: Table, name: str, *, near: bool) -> list[Finding]:
    found = []
    for records in table.records:
        exact = first_of_equal(table, records, table.plain)
        first = first_of_equal(table, records, table.alike) if near else exact
        repeats = first != np.arange(len(records))
        if near:
            repeats &= exact == np.arange(len(records))
        rows = np.flatnonzero(repeats)
        if not len(rows):
            continue
        what = {"examples": "rows", "queries": "queries", "corpus": "documents"}[records.frame]
        how = (
            "nearly equal an earlier one (trigram similarity 0.7 or more, or one letter apart)"
            if near
            else "equal an earlier one but for case, punctuation and spacing"
        )
        same = "" if table.target is None else f", with the same {table.target.name}"
        share = len(rows) / len(records)
        found.append(
            Finding(
                name=name,
                severity="warning" if share >= _MANY or (records.frame == "corpus" and not near) else "note",
                summary=f"{len(rows):,} of {len(records):,} {what} {how}{same}.",
                count=len(rows),
                total=len(records),
                cost=_COST[records.frame],
                fix=f'data.fix("{name}") keeps the first of each; look at the examples before.'
                if near
                else f'data.fix("{name}") keeps the first of each.',
                examples=tuple(
                    (*table.example(records, int(first[row])), *table.example(records, int(row)))
                    for row in rows[:_EXAMPLES]
                ),
                frame=records.frame,
                rows=rows,
            )
        )
    return found


def _negatives_together(table: Table, text_codes: np.ndarray) -> np.ndarray:
    assert table.negatives is not None
    rows, texts = table.negatives
    held: dict[int, list[int]] = {}
    for row, code in zip(rows.tolist(), text_codes[texts].tolist(), strict=True):
        held.setdefault(row, []).append(code)
    together = [str(sorted(held.get(row, []))) for row in range(len(table.records[0]))]
    return pd.factorize(np.array(together, dtype=object))[0]
