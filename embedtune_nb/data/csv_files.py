"""CSV files to tables: nothing that stands in a field is lost or made into something else unseen."""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections.abc import Hashable, Sequence
from pathlib import Path

import pandas as pd

from embedtune_nb.data.column_names import is_usual
from embedtune_nb.data.readers import decoded, existing_file
from embedtune_nb.errors import DataError

INFER = "infer"
# 007 and 07 are names, not the number 7.
_MOST_DIGITS = 18
_WHOLE = rf"\s*(?:0|-?[1-9]\d{{0,{_MOST_DIGITS - 1}}})\s*"
_NUMBER = r"\s*-?(?:(?:0|[1-9]\d*)(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?\s*"
_WORDS_OF_A_SENTENCE = 4


def read_csv(
    path: str | Path,
    *,
    separator: str = ",",
    encoding: str = "utf-8",
    header: int | str | None = INFER,
    names: Sequence[Hashable] | None = None,
) -> pd.DataFrame:
    """Read a CSV file.

    Only empty fields count as missing: "NA" and "null" are texts. A column becomes numbers only if every
    field is written as a plain number; with leading zeros it stays text.

    Parameters
    ----------
    path
        The file, plain or gzip.
    separator
        What stands between the fields.
    encoding
        How the letters are stored.
    header
        0: the first line names the columns. None: there is no such line, and the columns are numbered or
        get *names*. By default the first line is taken as names, and refused if it looks like an example.
    names
        Names for the columns of a file without a header line, or other names with ``header=0``.

    Raises
    ------
    DataError
        If the file is missing, empty, not in *encoding*, has a line with too many or too few fields, or a
        first line that looks like an example.
    """
    path = existing_file(path)
    _check_options(separator, header, names)
    text = decoded(path, encoding)
    if not text.strip():
        raise DataError(f"{path} is empty.", expected="a header line and rows below it")
    named = header in (0, INFER) if names is None else header == 0
    width = _refuse_ragged_lines(path, text, separator, "the header" if named else "the first line")
    if names is not None and len(names) != width:
        raise DataError(
            f"{len(names)} names were given, {path} has {width} columns.",
            expected=f"{width} names",
            fix="name every column, also those that are not needed.",
        )
    first = next(row for row in csv.reader(io.StringIO(text), delimiter=separator) if row)
    if named and names is None:
        _refuse_double_names(path, first)
    frame = pd.read_csv(
        io.StringIO(text),
        sep=separator,
        dtype=str,
        keep_default_na=False,
        na_values=[""],
        index_col=False,
        header=0 if named else None,
    )
    if names is not None:
        frame.columns = list(names)
    if width == 1:
        _refuse_another_separator(path, text, separator)
    if header == INFER and names is None:
        _refuse_an_example_as_header(path, first, frame)
    return frame.apply(_as_numbers)


def likely_separator(path: str | Path) -> str:
    """Return what separates the fields: a comma, unless the first line has none but another usual mark.

    A file that cannot be read is for :func:`read_csv` to complain of.
    """
    path = Path(path).expanduser()
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == b"\x1f\x8b"
        with gzip.open(path) if packed else path.open("rb") as lines:
            first = lines.readline().decode(errors="replace")
    except (OSError, EOFError, zlib.error):
        return ","
    return "," if "," in first else _other_separator(first, ",") or ","


def _check_options(separator: object, header: object, names: object) -> None:
    if not isinstance(separator, str) or len(separator) != 1:
        raise DataError(
            f"separator is {separator!r}.", expected="a single character, such as ',' or ';' or '\\t'"
        )
    if header not in (0, None, INFER) or isinstance(header, bool):
        raise DataError(
            f"header is {header!r}.",
            expected="0 (the first line names the columns) or None (there is no such line)",
        )
    if names is not None and (isinstance(names, str) or not isinstance(names, Sequence)):
        raise DataError(f"names is {names!r}.", expected="a list of column names")
    if names is not None and len(set(names)) < len(names):
        raise DataError("Some of the names are the same.", expected="a name of its own for each column")


def _as_numbers(column: pd.Series) -> pd.Series:
    present = column.dropna()
    if present.empty or not present.str.fullmatch(_NUMBER).all():
        return column
    if present.str.fullmatch(_WHOLE).all():
        return pd.to_numeric(column.str.strip()).astype("Int64" if len(present) < len(column) else "int64")
    if present.str.fullmatch(rf"\s*-?\d{{{_MOST_DIGITS + 1},}}\s*").any():
        return column  # long ids, which a float would round
    return pd.to_numeric(column.str.strip())


def _refuse_an_example_as_header(path: Path, first: list[str], frame: pd.DataFrame) -> None:
    if any(is_usual(cell) for cell in first) or frame.empty:
        return
    numbers = [cell for cell in first if re.fullmatch(_NUMBER, cell)]
    # a DataFrame without names is written with the header 0,1,2
    numbered = [cell.strip() for cell in first] == [str(place) for place in range(len(first))]
    why = ""
    for cell, column in zip(first, frame.columns, strict=True):
        values = frame[column]
        if cell.strip() and (values == cell).any():
            why = f"{cell!r} stands in it and again in a line below"
        elif not why and numbers and not numbered:
            why = f"{numbers[0]!r} is a number"
        elif not why and len(cell.split()) >= _WORDS_OF_A_SENTENCE:
            why = f"{cell[:60]!r} reads like a text"
    if why:
        raise DataError(
            f"The first line of {path} looks like an example, not like column names: {why}.",
            expected="a first line that names the columns, such as text,label",
            fix="pass names=['text', 'label', ...] or header=None (columns 0, 1, ...) if the file has no "
            "such line, or header=0 if these are the names.",
        )


def _refuse_double_names(path: Path, first: list[str]) -> None:
    double = next((cell for place, cell in enumerate(first) if cell.strip() and cell in first[:place]), None)
    if double is not None:
        raise DataError(
            f"In the first line of {path}, {double!r} stands more than once.",
            expected="a name of its own for each column",
            fix="pass header=0, names=[...] with other names; or names=[...] or header=None if that line "
            "is an example.",
        )


def _other_separator(line: str, separator: str) -> str | None:
    return next((mark for mark in ("\t", ";", "|", ",") if mark != separator and mark in line), None)


def _refuse_another_separator(path: Path, text: str, separator: str) -> None:
    first = text.lstrip().split("\n", 1)[0]
    other = _other_separator(first, separator)
    if other is not None:
        raise DataError(
            f"{path} has a single column, {first[:80]!r}.",
            expected=f"fields separated by {separator!r}",
            fix=f"its fields look separated by {other!r}: pass separator={other!r}.",
        )


def _refuse_ragged_lines(path: Path, text: str, separator: str, first: str) -> int:
    csv.field_size_limit(2**31 - 1)
    reader = csv.reader(io.StringIO(text), delimiter=separator)
    width = 0
    try:
        for row in reader:
            if not row:
                continue
            width = width or len(row)
            if len(row) != width:
                raise _ragged(path, row, reader.line_num, width, separator, first)
    except csv.Error as cause:
        raise DataError(
            f"{path}, line {reader.line_num} cannot be read: {cause}.",
            expected=f"fields separated by {separator!r}",
            fix="mend or remove that line.",
        ) from cause
    return width


def _ragged(path: Path, row: list[str], end: int, width: int, separator: str, first: str) -> DataError:
    start = end - sum(field.count("\n") for field in row)
    unclosed = len(row) < width and any("\n" in field for field in row)
    return DataError(
        f"{path}, line {start} has {len(row)} fields, {first} has {width}.",
        expected=f"{width} fields separated by {separator!r} on each line",
        fix="a quotation mark opened near that line may never be closed; close it, or double it "
        'inside a text ("").'
        if unclosed
        else f"put texts that contain {separator!r} between double quotes, or pass another separator.",
    )
