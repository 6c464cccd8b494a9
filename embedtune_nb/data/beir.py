"""Retrieval data given as three parts: queries, documents and judgements (the layout BEIR made common)."""

from __future__ import annotations

import os
from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd

from embedtune_nb.data.build import IRRELEVANT, Built
from embedtune_nb.data.clean import Dropped, clean_groups, clean_texts, keep_and_count
from embedtune_nb.data.readers import frame_of
from embedtune_nb.data.retrieval_files import read_qrels, read_texts
from embedtune_nb.data.roles import require_column
from embedtune_nb.data.scores import clean_relevance
from embedtune_nb.errors import ColumnError, DataError

_ID_NAMES = ("id", "_id", "query_id", "query-id", "qid", "corpus_id", "corpus-id", "doc_id", "docid", "pid")
_QUERY_TEXT = ("text", "query", "question")
_DOCUMENT_TEXT = ("text", "document", "passage", "contents", "content")
_QREL_QUERY = ("query_id", "query-id", "qid", "query")
_QREL_CORPUS = ("corpus_id", "corpus-id", "doc_id", "docid", "pid", "document_id", "document")
_QREL_GRADE = ("relevance", "score", "rel", "grade", "label")


def build_retrieval(queries: Any, corpus: Any, qrels: Any, *, group_column: Hashable | None = None) -> Built:
    """Lay out the frames of retrieval data.

    Parameters
    ----------
    queries, corpus
        A table with an id column and a text column (and, for documents, an optional title), ``{id:
        text}``, or the path of a file.
    qrels
        A table with query id, document id and optionally relevance, ``{query id: {document id:
        relevance}}``, ``{query id: [document ids]}``, or the path of a file.
    group_column
        Column of *queries* whose values a split must not tear apart.

    Raises
    ------
    DataError
        If ids clash, or nothing judged is left.
    """
    notes: list[str] = []
    dropped: list[Dropped] = []
    query_frame = _texts_by_id(
        _table(queries, "queries"), _QUERY_TEXT, "queries", dropped, notes, group_column
    )
    corpus_frame = _texts_by_id(_table(corpus, "corpus"), _DOCUMENT_TEXT, "corpus", dropped, notes, None)
    judged = _judgements(qrels, dropped)

    known = judged["query_id"].isin(set(query_frame["id"])) & judged["corpus_id"].isin(
        set(corpus_frame["id"])
    )
    _count(dropped, int((~known).sum()), "judgements of a query or document that is not there")
    if not known.all():
        query_id, corpus_id = judged.loc[~known, ["query_id", "corpus_id"]].iloc[0]
        notes.append(f"The first such judgement is of query {query_id!r} and document {corpus_id!r}.")
    judged = judged[known]
    copies = judged.duplicated(["query_id", "corpus_id"])
    _count(dropped, int(copies.sum()), "judgements given twice (the first was kept)")
    judged = judged[~copies].reset_index(drop=True)
    answered = query_frame["id"].isin(set(judged["query_id"]))
    _count(dropped, int((~answered).sum()), "queries without a relevant document")
    query_frame = query_frame[answered].reset_index(drop=True)
    if query_frame.empty:
        why = "; ".join(f"{drop.count:,} {drop.reason}" for drop in dropped)
        raise DataError(
            f"No query has a relevant document ({why}).",
            expected="judgements whose ids stand in queries and corpus",
            fix="compare the ids of the three parts; they are compared as texts, so 1 and '1' are the same.",
        )
    same = int(corpus_frame["text"].duplicated().sum())
    if same:
        notes.append(
            f"{same:,} documents repeat the text of another; all were kept, as judgements name them by id."
        )
    return Built({"queries": query_frame, "corpus": corpus_frame, "qrels": judged}, dropped, notes)


def _table(given: Any, what: str) -> pd.DataFrame:
    if isinstance(given, (str, os.PathLike)):
        return read_texts(given)
    if isinstance(given, pd.DataFrame):
        return given
    if isinstance(given, Mapping):
        return frame_of({"id": list(given.keys()), "text": list(given.values())})
    raise DataError(
        f"{what} is a {type(given).__name__}.",
        expected="a DataFrame with an id and a text column, a dict {id: text}, or the path of a file",
    )


def _texts_by_id(
    frame: pd.DataFrame,
    text_names: tuple[str, ...],
    what: str,
    dropped: list[Dropped],
    notes: list[str],
    group_column: Hashable | None,
) -> pd.DataFrame:
    id_column = _column(frame, _ID_NAMES, what, "id")
    text_column = _column(frame, text_names, what, "text")
    texts = clean_texts(frame[text_column], text_column)
    if what == "corpus" and "title" in frame.columns and frame["title"].notna().any():
        titles = frame["title"].fillna("").astype(str)
        bodies = pd.Series(texts.values, index=frame.index).fillna("").astype(str)
        texts = clean_texts((titles + "\n" + bodies).str.strip(), "title and text")
        notes.append("Each document is its title, a line break and its text.")
    parts = [texts]
    if group_column is not None:
        require_column(frame, group_column, "group")
        parts.append(clean_groups(frame[group_column], group_column))
    keep, gone = keep_and_count(parts)
    for drop in gone:
        _count(dropped, drop.count, f"{what}: {drop.reason}")
    notes += [note for part in parts for note in part.notes]
    table = pd.DataFrame({"id": _ids(frame[id_column])[keep].tolist(), "text": texts.values[keep].tolist()})
    if group_column is not None:
        table["group"] = parts[1].values[keep].tolist()
    copies = table.duplicated(["id", "text"])
    _count(dropped, int(copies.sum()), f"{what}: copy of an earlier row")
    table = table[~copies].reset_index(drop=True)
    clash = table["id"].duplicated()
    if clash.any():
        raise DataError(
            f"In {what}, {int(clash.sum()):,} ids stand for more than one text, for example "
            f"{table['id'][clash].iloc[0]!r}.",
            expected="one text for each id",
            fix="make the ids unique.",
        )
    return table


def _judgements(qrels: Any, dropped: list[Dropped]) -> pd.DataFrame:
    if isinstance(qrels, (str, os.PathLike)):
        qrels = read_qrels(qrels)
    if isinstance(qrels, Mapping):
        rows = [
            (query, document, judged[document] if isinstance(judged, Mapping) else 1)
            for query, judged in qrels.items()
            if judged is not None
            for document in ([judged] if isinstance(judged, (str, int)) else judged)
        ]
        qrels = pd.DataFrame(rows, columns=["query_id", "corpus_id", "relevance"])
    elif not isinstance(qrels, pd.DataFrame):
        raise DataError(
            f"qrels is a {type(qrels).__name__}.",
            expected="a DataFrame with query_id, corpus_id and relevance, {query id: {document id: "
            "relevance}}, or the path of a file",
        )
    grade_column = next((name for name in _QREL_GRADE if name in qrels.columns), None)
    grades = qrels[grade_column] if grade_column else pd.Series(1.0, index=qrels.index)
    relevance = clean_relevance(grades, grade_column or "relevance")
    relevance.missing[IRRELEVANT] = relevance.values <= 0
    keep, gone = keep_and_count([relevance])
    for drop in gone:
        _count(dropped, drop.count, f"judgements: {drop.reason}")
    return pd.DataFrame(
        {
            "query_id": _ids(qrels[_column(qrels, _QREL_QUERY, "qrels", "query id")])[keep].tolist(),
            "corpus_id": _ids(qrels[_column(qrels, _QREL_CORPUS, "qrels", "document id")])[keep].tolist(),
            "relevance": relevance.values[keep].astype(float),
        }
    )


def _ids(series: pd.Series) -> pd.Series:
    if pd.api.types.is_float_dtype(series.dtype) and (series.dropna() % 1 == 0).all():
        series = series.astype("Int64")
    return series.astype(object).map(str).reset_index(drop=True)


def _column(frame: pd.DataFrame, names: tuple[str, ...], what: str, role: str) -> Hashable:
    found = next((name for name in names if name in frame.columns), None)
    if found is None:
        raise ColumnError(
            f"{what} has no column for the {role}; it has {', '.join(map(repr, map(str, frame.columns)))}.",
            expected="one of " + ", ".join(names),
            fix=f"rename the column: df.rename(columns={{'...': {names[0]!r}}}).",
        )
    return found


def _count(dropped: list[Dropped], count: int, reason: str) -> None:
    if count:
        dropped.append(Dropped(count, reason))
