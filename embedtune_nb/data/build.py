"""From a table and its roles to the canonical frames of a Datasource."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from embedtune_nb.data.clean import Cleaned, Dropped, clean_groups, clean_labels, clean_texts, keep_and_count
from embedtune_nb.data.kinds import LABELED, PAIRS
from embedtune_nb.data.roles import RoleChoice
from embedtune_nb.errors import DataError


@dataclass
class Built:
    """Canonical frames and everything that happened on the way to them."""

    frames: dict[str, pd.DataFrame]
    dropped: list[Dropped] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def build_frames(frame: pd.DataFrame, kind: str, choices: Mapping[str, RoleChoice]) -> Built:
    """Clean the columns in their roles, drop what cannot serve, and lay out the frames of *kind*.

    Raises
    ------
    DataError
        If nothing is left, if only one class is left, or if a column cannot play its role.
    """
    if frame.empty:
        raise DataError(
            "The data has no rows.", expected="at least a few examples", fix="check what was loaded."
        )
    cleaned = {role: _clean(frame, role, choice.column) for role, choice in choices.items()}
    keep, dropped = keep_and_count(list(cleaned.values()))
    notes = [note for part in cleaned.values() for note in part.notes]
    unused = [str(column) for column in frame.columns if column not in {c.column for c in choices.values()}]
    if unused:
        shown = ", ".join(repr(name) for name in unused[:10]) + (", ..." if len(unused) > 10 else "")
        notes.append(f"Columns not used: {shown}.")
    table = pd.DataFrame({role: part.values[keep] for role, part in cleaned.items()}).infer_objects()
    table.insert(0, "id", np.flatnonzero(keep).astype(np.int64))
    _refuse_nothing_left(table, len(frame), dropped)
    roles = {LABELED: _labeled, PAIRS: _pairs}.get(kind, _retrieval)
    built = roles(table, dropped, notes)
    _refuse_nothing_left(next(iter(built.frames.values())), len(frame), built.dropped)
    return built


def _clean(frame: pd.DataFrame, role: str, column: Hashable) -> Cleaned:
    series = frame[column]
    if role == "label":
        return clean_labels(series, column)
    if role == "group":
        return clean_groups(series, column)
    if role == "relevance":
        return clean_relevance(series, column)
    return clean_texts(series, column)


def clean_relevance(series: pd.Series, column: Hashable) -> Cleaned:
    """Read a column as relevance grades; what is not above zero is marked, for it is no positive example."""
    numbers = pd.to_numeric(series, errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    absent = series.isna().to_numpy(dtype=bool)
    wrong = np.isnan(numbers) & ~absent
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise DataError(
            f"Row {row} of column {column!r} holds {series.iloc[row]!r}, not a grade of relevance.",
            expected="numbers; above 0 means relevant",
            fix="replace the words by numbers, or leave this column out.",
        )
    unrelated = ~absent & (numbers <= 0)
    return Cleaned(numbers, {f"no {column}": absent, "relevance of 0 or less": unrelated}, [])


def _labeled(table: pd.DataFrame, dropped: list[Dropped], notes: list[str]) -> Built:
    before = len(table)
    table = _drop_copies(table, ["value", "label"], "copy of an earlier row (same text, same label)", dropped)
    if table["label"].nunique() < 2:
        only = table["label"].tolist()[0]
        raise DataError(
            f"All {before:,} rows have the label {only!r}.",
            expected="at least two classes",
            fix="check the label column, or load the other classes as well.",
        )
    torn = int((table.groupby("value", sort=False)["label"].nunique() > 1).sum())
    if torn:
        notes.append(f"Texts that stand with more than one label: {torn:,}; all their rows were kept.")
    return Built({"examples": table.reset_index(drop=True)}, dropped, notes)


def _pairs(table: pd.DataFrame, dropped: list[Dropped], notes: list[str]) -> Built:
    table = _drop_rows(
        table, table["anchor"] == table["positive"], "anchor and positive are the same text", dropped
    )
    table = _drop_copies(table, ["anchor", "positive"], "copy of an earlier pair", dropped)
    return Built({"examples": table.reset_index(drop=True)}, dropped, notes)


def _retrieval(table: pd.DataFrame, dropped: list[Dropped], notes: list[str]) -> Built:
    table = _drop_rows(
        table, table["query"] == table["document"], "query and document are the same text", dropped
    )
    if "relevance" not in table:
        table["relevance"] = 1.0
    table = _drop_copies(table, ["query", "document"], "copy of an earlier pair", dropped)
    query_codes, queries = pd.factorize(table["query"])
    document_codes, documents = pd.factorize(table["document"])
    query_frame = pd.DataFrame({"id": [f"q{n}" for n in range(len(queries))], "text": list(queries)})
    if "group" in table:
        query_frame["group"] = table.groupby(query_codes)["group"].first().tolist()
        if (table.groupby(query_codes)["group"].nunique() > 1).any():
            notes.append("Some queries stand in more than one group; each was put in the first of them.")
    return Built(
        {
            "queries": query_frame,
            "corpus": pd.DataFrame({"id": [f"d{n}" for n in range(len(documents))], "text": list(documents)}),
            "qrels": pd.DataFrame(
                {
                    "query_id": [f"q{n}" for n in query_codes],
                    "corpus_id": [f"d{n}" for n in document_codes],
                    "relevance": table["relevance"].astype(float).tolist(),
                }
            ),
        },
        dropped,
        notes,
    )


def _drop_copies(
    table: pd.DataFrame, columns: list[str], reason: str, dropped: list[Dropped]
) -> pd.DataFrame:
    return _drop_rows(table, table.duplicated(columns), reason, dropped)


def _drop_rows(table: pd.DataFrame, gone: pd.Series, reason: str, dropped: list[Dropped]) -> pd.DataFrame:
    if gone.any():
        dropped.append(Dropped(int(gone.sum()), reason))
    return table[~gone]


def _refuse_nothing_left(table: pd.DataFrame, rows: int, dropped: list[Dropped]) -> None:
    if len(table) > 1 or (len(table) == 1 and rows == 1 and not dropped):
        return
    why = "; ".join(f"{drop.count:,} dropped: {drop.reason}" for drop in dropped)
    raise DataError(
        f"Of {rows:,} rows, {len(table)} can be used ({why}).",
        expected="at least two different examples",
        fix="check that the right columns were chosen and that they are filled.",
    )
