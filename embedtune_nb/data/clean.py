"""Turning raw columns into texts, labels and groups: what cannot serve is dropped and counted, or refused."""

from __future__ import annotations

import datetime
import decimal
import numbers
from collections.abc import Hashable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from embedtune_nb.data.visible import is_blank
from embedtune_nb.errors import ColumnError, DataError

_LONE_GROUP = "(row "


@dataclass(frozen=True)
class Dropped:
    """How many rows were left out, and why."""

    count: int
    reason: str


@dataclass
class Cleaned:
    """A column made ready: one entry a source row, ``None`` where the row has to go.

    Parameters
    ----------
    values
        Object array, one entry a source row.
    missing
        ``{reason: mask}``; each mask marks the rows that cannot serve for that reason.
    notes
        Conversions that were made, one sentence each.
    """

    values: np.ndarray
    missing: dict[str, np.ndarray] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def clean_texts(series: pd.Series, column: Hashable, rows: np.ndarray | None = None) -> Cleaned:
    """Read a column as texts.

    Missing and blank entries are marked; a text of spaces and invisible characters alone is blank. Numbers
    and dates among texts are written out and noted.

    Parameters
    ----------
    series
        The column.
    column
        What to call it.
    rows
        The source row of each entry where that is not its place.

    Raises
    ------
    ColumnError
        If no entry is a text.
    DataError
        If an entry is of a type that has no plain text form (a list, bytes, an image).
    """
    values = series.astype(object).to_numpy(copy=True)
    absent = series.isna().to_numpy(dtype=bool)
    is_text = np.fromiter((isinstance(value, str) for value in values), bool, len(values))
    foreign = np.flatnonzero(~is_text & ~absent)
    row_of = np.arange(len(values)) if rows is None else rows
    notes: list[str] = []
    for row in foreign:
        if not isinstance(values[row], (numbers.Number, decimal.Decimal, datetime.date, np.bool_)):
            raise DataError(
                f"Row {row_of[row]} of column {column!r} holds a {type(values[row]).__name__}, not a text.",
                expected="one text in each row",
                fix="bring it into the form of one text a row (a list can be unfolded with "
                f"df.explode({column!r})), or name another column.",
            )
    if len(foreign) and not is_text.any():
        raise ColumnError(
            f"Column {column!r} holds {type(values[foreign[0]]).__name__} values, not texts.",
            expected="a column of texts",
            fix="name the column that holds the texts in roles={...}; if these values are meant to be texts, "
            f"convert them yourself: df[{column!r}] = df[{column!r}].astype(str).",
        )
    if len(foreign):
        notes.append(
            f"{len(foreign):,} values of column {column!r} were no texts and were written out as such "
            f"(first: row {row_of[foreign[0]]}, {values[foreign[0]]!r})."
        )
        for row in foreign:
            values[row] = str(values[row])
    mended = _mend_surrogates(values, ~absent)
    if mended:
        notes.append(
            f"{mended:,} texts of column {column!r} held halves of broken characters; each was replaced by "
            "U+FFFD."
        )
    blank = np.fromiter((isinstance(value, str) and is_blank(value) for value in values), bool, len(values))
    values[absent | blank] = None
    return Cleaned(values, {f"no {column}": absent, f"blank {column}": blank}, notes)


def clean_labels(series: pd.Series, column: Hashable) -> Cleaned:
    """Read a column as class labels: all texts or all whole numbers.

    Raises
    ------
    DataError
        If types are mixed, if there are fractions, or if an entry is no label at all.
    """
    values = series.astype(object).to_numpy(copy=True)
    absent = series.isna().to_numpy(dtype=bool)
    notes: list[str] = []
    names = np.fromiter((_label_type(value) for value in values), object, len(values))
    present = [
        name
        for name in ("text", "whole number", "truth value", "number", "other")
        if (names[~absent] == name).any()
    ]
    if "other" in present:
        row = int(np.flatnonzero((names == "other") & ~absent)[0])
        raise DataError(
            f"Row {row} of column {column!r} holds a {type(values[row]).__name__}, which is no label.",
            expected="one text or whole number a row",
            fix=f"if a row has several labels, give each a row of its own: df.explode({column!r}).",
        )
    if set(present) == {"whole number", "number"}:
        present = ["number"]
    if len(present) > 1:
        examples = " and ".join(
            f"{values[row]!r} (a {name}, row {row})"
            for name in present
            for row in [int(np.flatnonzero((names == name) & ~absent)[0])]
        )
        raise DataError(
            f"Column {column!r} mixes types: {examples}.",
            expected="labels of one type, so that 1, '1' and True are not three classes by accident",
            fix=f"make them one type, for example df[{column!r}] = df[{column!r}].astype(str).",
        )
    blank = np.zeros(len(values), bool)
    if present == ["text"]:
        blank = np.fromiter((isinstance(v, str) and is_blank(v) for v in values), bool, len(values))
        notes += _lookalikes({str(value) for value in values[~absent & ~blank]}, column)
    elif present == ["truth value"]:
        values[~absent] = [str(bool(value)) for value in values[~absent]]
        notes.append(f"The truth values of column {column!r} became the labels 'True' and 'False'.")
    elif present:
        whole = np.array([float(value) for value in values[~absent]])
        if not np.all(np.isfinite(whole) & (whole == np.floor(whole))):
            row = int(
                np.flatnonzero(~absent)[np.flatnonzero(~np.isfinite(whole) | (whole != np.floor(whole)))[0]]
            )
            raise DataError(
                f"Column {column!r} holds fractions ({values[row]!r} in row {row}); "
                "these are scores, not labels.",
                expected="texts or whole numbers as labels",
                fix="pass kind='scored' to train on scores, or cut them into classes (pandas.cut) and name "
                "that column as the label.",
            )
        if any(abs(value) >= 2**53 for value in whole):
            raise DataError(
                f"Column {column!r} holds numbers too large for labels.",
                fix=f"turn them into texts: df[{column!r}] = df[{column!r}].astype(str).",
            )
        values[~absent] = [int(value) for value in whole]
        if present == ["number"]:
            notes.append(
                f"The labels of column {column!r} were stored as 1.0, 2.0, ... and were read as 1, 2, ..."
            )
    values[absent | blank] = None
    return Cleaned(values, {f"no {column}": absent, f"blank {column}": blank}, notes)


def clean_groups(series: pd.Series, column: Hashable) -> Cleaned:
    """Read a column as group names; a row without one becomes a group of its own."""
    absent = series.isna().to_numpy(dtype=bool)
    values = series.astype(object).map(str).to_numpy(dtype=object, copy=True)
    notes = []
    if absent.any():
        values[absent] = [f"{_LONE_GROUP}{row})" for row in np.flatnonzero(absent)]
        notes.append(f"{int(absent.sum()):,} rows have no {column}; each stands as a group of its own.")
    return Cleaned(values, {}, notes)


def is_lone_group(group: str) -> bool:
    """Return whether *group* is the name that :func:`clean_groups` gave to a row without one."""
    return group.startswith(_LONE_GROUP)


def keep_and_count(parts: list[Cleaned]) -> tuple[np.ndarray, list[Dropped]]:
    """Return the mask of rows that every part can serve, and the dropped rows, each counted once."""
    keep = np.ones(len(parts[0].values), bool)
    dropped = []
    for part in parts:
        for reason, mask in part.missing.items():
            gone = int((keep & mask).sum())
            if gone:
                dropped.append(Dropped(gone, reason))
            keep &= ~mask
    return keep, dropped


def _label_type(value: object) -> str:
    if isinstance(value, str):
        return "text"
    if isinstance(value, (bool, np.bool_)):
        return "truth value"
    if isinstance(value, (int, np.integer)):
        return "whole number"
    if isinstance(value, (float, np.floating, decimal.Decimal)):
        return "number"
    return "other"


def _lookalikes(labels: set[str], column: Hashable) -> list[str]:
    seen: dict[str, str] = {}
    for label in sorted(labels):
        folded = " ".join(label.split()).casefold()
        if folded in seen:
            return [
                f"Labels of column {column!r} differ only in case or spaces, for example "
                f"{seen[folded]!r} and "
                f"{label!r}; they count as different classes."
            ]
        seen[folded] = label
    return []


def _mend_surrogates(values: np.ndarray, present: np.ndarray) -> int:
    try:
        "".join(value for value in values[present] if isinstance(value, str)).encode()
        return 0
    except UnicodeEncodeError:
        pass
    mended = 0
    for row in np.flatnonzero(present):
        whole = values[row].encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        if whole != values[row]:
            values[row], mended = whole, mended + 1
    return mended
