"""Retrieval data from files: BEIR folders, TREC judgements, LlamaIndex's question-answer JSON."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from embedtune_nb.data.column_names import listing
from embedtune_nb.data.csv_files import read_csv
from embedtune_nb.data.readers import decoded, existing_file, path_of, read_jsonl, read_parquet
from embedtune_nb.errors import DataError, did_you_mean

_JUDGEMENT = {2: ("query_id", "corpus_id"), 3: ("query_id", "corpus_id", "relevance")}
_TREC = ("query_id", "iteration", "corpus_id", "relevance")
_ID_HEADERS = {
    *("id", "_id", "qid", "query_id", "query-id", "topic", "topic_id"),
    *("docid", "doc_id", "docno", "document_id", "corpus_id", "corpus-id", "pid"),
}
_GRADE_HEADERS = {"score", "relevance", "rel", "grade", "label"}
_PACKED = ("", ".gz")

Parts = tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]


def read_beir(
    folder: str | os.PathLike[str], split: str | None = None
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return queries, documents and judgements of a BEIR folder.

    Parameters
    ----------
    folder
        Holds ``corpus.jsonl``, ``queries.jsonl`` (both plain or .gz) and ``qrels/<split>.tsv``.
    split
        Which judgements; may be left out if there is one file of them.

    Raises
    ------
    DataError
        If a file is missing or malformed, or if there are several splits and none is named.
    """
    folder = path_of(folder).expanduser()
    if not folder.is_dir():
        raise DataError(
            f"There is no folder {folder}.",
            expected="a folder with corpus.jsonl, queries.jsonl and qrels/<split>.tsv",
            fix="check the path; a relative one counts from the notebook's folder.",
        )
    corpus, queries = (_inside(folder, f"{part}.jsonl") for part in ("corpus", "queries"))
    found = {path.name.split(".")[0]: path for path in sorted((folder / "qrels").glob("*.tsv*"))}
    if not found:
        raise DataError(
            f"{folder} has no judgements.",
            expected="files such as qrels/train.tsv and qrels/test.tsv",
            fix="pass three paths to Datasource.from_retrieval if they lie elsewhere.",
        )
    if split is None and len(found) == 1:
        (split,) = found
    if split not in found:
        raise DataError(
            f"{folder} has no split {split!r}." if split else f"{folder} has several splits.",
            expected="one of " + listing(list(found)),
            fix=(did_you_mean(split, found) if split else "")
            + f"Name one: split={'train' if 'train' in found else next(iter(found))!r}.",
        )
    return read_jsonl(queries), read_jsonl(corpus), read_qrels(found[split])


def read_texts(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Read queries or documents: JSONL, CSV or Parquet with an id and a text, or TSV of ``id<tab>text``.

    Raises
    ------
    DataError
        If the file is missing or malformed.
    """
    path = existing_file(path)
    table = _read_table(path)
    if table is not None:
        return table
    if _ending(path).endswith((".tsv", ".txt")):
        return _tab_separated(path)
    raise DataError(
        f"{path.name!r} has an ending that is not known.",
        expected=".jsonl, .tsv, .csv or .parquet (text files also with .gz)",
        fix="rename it after what it holds, or read it yourself and pass a DataFrame or {id: text}.",
    )


def read_qrels(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Read judgements: TREC lines (query, iteration, document, grade), or two or three columns.

    Fields stand between tabs or, where a line has none, between spaces. A first line that names its columns
    (``query-id``, ``score``) is a header. JSONL, CSV and Parquet files are tables with such columns.

    Raises
    ------
    DataError
        If the file is missing, empty, or has a line of another width or with a grade that is no number.
    """
    path = existing_file(path)
    told = _read_table(path)
    if told is not None:
        return told
    rows: list[list[str]] = []
    names: tuple[str, ...] = ()
    for number, line in enumerate(decoded(path, "utf-8").split("\n"), start=1):
        if not line.strip():
            continue
        fields = [field.strip() for field in line.split("\t")] if "\t" in line else line.split()
        if not names:
            names = _TREC if len(fields) == 4 else _JUDGEMENT.get(len(fields), ())
            if not names:
                raise _bad_line(path, number, fields)
            if _is_header(fields):
                continue
        if len(fields) != len(names):
            raise _bad_line(path, number, fields, len(names))
        if len(fields) > 2 and _grade(fields[-1]) is None:
            raise DataError(
                f"{path}, line {number} has the grade {fields[-1]!r}, which is no finite number.",
                expected="a number; above 0 means relevant",
                fix="mend or remove that line.",
            )
        rows.append(fields)
    if not rows:
        raise DataError(f"{path} has no judgements.", expected="one judgement on each line")
    table = pd.DataFrame(rows, columns=list(names)).drop(columns="iteration", errors="ignore")
    if "relevance" in table:
        table["relevance"] = table["relevance"].astype(float)
    return table


def read_llama_index(source: Any) -> tuple[Mapping[str, str], Mapping[str, str], Mapping[str, list[str]]]:
    """Return queries, documents and relevant documents of LlamaIndex's ``EmbeddingQAFinetuneDataset``.

    Parameters
    ----------
    source
        The path of its JSON file, the dict in it, or the object itself.

    Raises
    ------
    DataError
        If the file is no such JSON.
    """
    where = "The object"
    if isinstance(source, (str, os.PathLike)):
        path = existing_file(source)
        where = str(path)
        try:
            source = json.loads(decoded(path, "utf-8"))
        except (ValueError, RecursionError) as cause:
            if isinstance(cause, DataError):
                raise
            raise DataError(
                f"{path} is no JSON: {cause}.",
                expected='{"queries": {...}, "corpus": {...}, "relevant_docs": {...}}',
                fix="write it again with save_json, or use from_jsonl for one object a line.",
            ) from cause
    wanted = ("queries", "corpus", "relevant_docs")
    parts = []
    for name in wanted:
        part = source.get(name) if isinstance(source, Mapping) else getattr(source, name, None)
        if not isinstance(part, Mapping):
            has = listing([str(key) for key in source]) if isinstance(source, Mapping) else "no such parts"
            raise DataError(
                f"{where} has no object {name!r}; it has {has}."
                if part is None
                else f"In {where}, {name!r} is a {type(part).__name__}.",
                expected="queries {id: text}, corpus {id: text} and relevant_docs {query id: [document ids]}",
                fix="write it again with save_json, or pass three parts to Datasource.from_retrieval.",
            )
        parts.append(part)
    queries, corpus, relevant = parts
    return queries, corpus, relevant


def _ending(path: Path) -> str:
    return "".join(path.suffixes[-2:]).casefold().removesuffix(".gz")


def _read_table(path: Path) -> pd.DataFrame | None:
    """Return the table in a file whose ending says that it holds one with named columns."""
    ending = _ending(path)
    if ending.endswith((".jsonl", ".ndjson")):
        return read_jsonl(path)
    if ending.endswith((".parquet", ".pq")):
        return read_parquet(path)
    return read_csv(path) if ending.endswith(".csv") else None


def _inside(folder: Path, name: str) -> Path:
    for ending in _PACKED:
        if (folder / f"{name}{ending}").is_file():
            return folder / f"{name}{ending}"
    raise DataError(
        f"{folder} has no {name}.",
        expected="corpus.jsonl and queries.jsonl (plain or .gz), and qrels/<split>.tsv",
        fix="check that this is the folder, or pass three paths to Datasource.from_retrieval.",
    )


def _tab_separated(path: Path) -> pd.DataFrame:
    lines = [line for line in decoded(path, "utf-8").split("\n") if line.strip()]
    if not lines:
        raise DataError(f"{path} is empty.", expected="one id, a tab and a text on each line")
    header: list[Hashable] = ["id", "text"]
    first = lines[0].split("\t")
    if first[0].strip().casefold() in _ID_HEADERS:
        header, lines = [name.strip() for name in first], lines[1:]
    rows = [line.split("\t", len(header) - 1) for line in lines]
    for row, line in zip(rows, lines, strict=True):
        if len(row) != len(header):
            number = decoded(path, "utf-8").split("\n").index(line) + 1
            raise _bad_line(path, number, row, len(header))
    return pd.DataFrame(rows, columns=header)


def _is_header(fields: list[str]) -> bool:
    names = [field.casefold() for field in fields]
    graded = len(names) > 2 and names[-1] in _GRADE_HEADERS
    return graded or (names[0] in _ID_HEADERS and names[1] in _ID_HEADERS)


def _grade(field: str) -> float | None:
    try:
        grade = float(field)
    except ValueError:
        return None
    return grade if math.isfinite(grade) else None


def _bad_line(path: Path, number: int, fields: list[str], width: int = 0) -> DataError:
    wanted = f"{width} fields, as on the lines before" if width else "2, 3 or 4 fields"
    return DataError(
        f"{path}, line {number} has {len(fields)} fields.",
        expected=f"{wanted}, between tabs (or spaces, in judgements)",
        fix="mend or remove that line.",
    )
