"""Files to tables. Whatever is wrong with a file is told with its line and a way to mend it."""

from __future__ import annotations

import gzip
import json
import os
import zlib
from pathlib import Path
from typing import Any

import pandas as pd

from embedtune_nb.errors import DataError, did_you_mean


def read_jsonl(path: str | Path, *, encoding: str = "utf-8") -> pd.DataFrame:
    """Read a file with one JSON object a line. Blank lines are skipped.

    Raises
    ------
    DataError
        If the file is missing, empty, not in *encoding*, or has a line that is no JSON object.
    """
    path = existing_file(path)
    rows: list[dict[str, Any]] = []
    for number, line in enumerate(decoded(path, encoding).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as cause:
            whole = " The file looks like one JSON array." if not rows and line.lstrip()[0] == "[" else ""
            what = f"{cause.msg} (column {cause.colno})" if isinstance(cause, json.JSONDecodeError) else cause
            raise DataError(
                f"{path}, line {number} is no JSON: {what}.{whole}",
                expected="one JSON object on each line",
                fix="load an array with json.load and pass it to Datasource.from_list."
                if whole
                else "mend or remove that line.",
            ) from cause
        if not isinstance(row, dict):
            raise DataError(
                f"{path}, line {number} holds a JSON {type(row).__name__}, not an object.",
                expected='one JSON object on each line, such as {"text": "...", "label": "..."}',
                fix="if the file is one JSON array, load it with json.load and pass it to "
                "Datasource.from_list.",
            )
        rows.append(row)
    if not rows:
        raise DataError(f"{path} is empty.", expected="one JSON object on each line")
    return frame_of(rows)


def read_parquet(path: str | Path) -> pd.DataFrame:
    """Read a Parquet file.

    Raises
    ------
    DataError
        If the file is missing or no Parquet file.
    """
    path = existing_file(path)
    try:
        return pd.read_parquet(path)
    except (OSError, ValueError) as cause:
        raise DataError(
            f"{path} cannot be read as Parquet: {str(cause).rstrip('.')}.",
            expected="a Parquet file",
            fix="use from_csv or from_jsonl if it is one of these, or write it again.",
        ) from cause


def frame_of(content: Any) -> pd.DataFrame:
    """Return a DataFrame of *content*, also where texts hold halves of broken characters."""
    try:
        return pd.DataFrame(content)
    except UnicodeEncodeError:  # pandas' own text type refuses them; cleaning replaces them
        return pd.DataFrame(content, dtype=object)


def path_of(path: object) -> Path:
    """Return *path* as a :class:`~pathlib.Path`, or raise naming what it is instead."""
    if isinstance(path, (str, os.PathLike)):
        return Path(path)
    raise DataError(
        f"The path is {path!r} ({type(path).__name__}).", expected="the path of a file, as text or Path"
    )


def existing_file(path: str | os.PathLike[str]) -> Path:
    """Return *path* as a :class:`~pathlib.Path`, or raise naming the nearest file beside it."""
    path = path_of(path).expanduser()
    if path.is_file():
        return path
    if path.is_dir():
        raise DataError(f"{path} is a folder.", expected="a file", fix="name a file inside it.")
    beside = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
    where = "" if path.parent.is_dir() else f" The folder {path.parent} does not exist either."
    raise DataError(
        f"There is no file {path}.{where}",
        expected="an existing file",
        fix=did_you_mean(path.name, beside)
        + "Check the path; a relative one counts from the notebook's folder.",
    )


def decoded(path: Path, encoding: str) -> str:
    """Return the text of a file, plain or gzip, or raise naming the line that is not in *encoding*."""
    raw = path.read_bytes()
    if raw[:2] == b"\x1f\x8b":
        try:
            raw = gzip.decompress(raw)
        except (OSError, EOFError, zlib.error) as cause:
            raise DataError(
                f"{path} cannot be unpacked: {cause}.", expected="a whole gzip file", fix="write it again."
            ) from cause
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        encoding = "utf-16"
    elif encoding.casefold().replace("_", "-") in ("utf-8", "utf8"):
        encoding = "utf-8-sig"
    try:
        return raw.decode(encoding).replace("\r\n", "\n").replace("\r", "\n")
    except LookupError as cause:
        raise DataError(
            f"There is no encoding {encoding!r}.", fix="pass a known one, such as encoding='utf-8'."
        ) from cause
    except UnicodeDecodeError as cause:
        line = raw.count(b"\n", 0, cause.start) + 1
        raise DataError(
            f"{path}, line {line} is not {cause.encoding}: byte 0x{raw[cause.start]:02x} cannot be read.",
            expected=f"a text file in {encoding.removesuffix('-sig')}",
            fix="pass encoding='cp1252' (files of Windows programs) or encoding='latin-1', or save "
            "it as UTF-8.",
        ) from cause
