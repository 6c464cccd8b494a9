"""Training rows that give away the evaluation data."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from embedtune_nb.data.clean import is_lone_group
from embedtune_nb.data.kinds import NLI, PAIRS, RETRIEVAL, SCORED_PAIRS, TRIPLETS
from embedtune_nb.data.lint.finding import Finding
from embedtune_nb.data.lint.near_copies import first_near_copy
from embedtune_nb.data.lint.table import Records, Table

_EXAMPLES = 4
_COST = {
    "exact_leaks": "The evaluation measures memory, not what was learned, and looks better than it is.",
    "near_leaks": "Where they mean the same, the evaluation measures memory and looks better than it is.",
    "document_leaks": "The evaluation may look better than it would on documents never seen in training. "
    "Where all queries ask the same documents this is as it should be.",
}
# Kinds whose rows are about one text each: the text, the anchor or the query.
_ASKED = {PAIRS: "anchor", TRIPLETS: "anchor", RETRIEVAL: "text"}
# Columns whose texts several rows may share without being copies of one another.
_DOCUMENTS = {
    PAIRS: ("positive",),
    TRIPLETS: ("positive",),
    SCORED_PAIRS: ("sentence1", "sentence2"),
    NLI: ("premise",),
}


def exact_leaks(table: Table, evaluation: Table) -> list[Finding]:
    """Find training rows whose text (pair, query) also stands in the evaluation data."""
    theirs = _keys(evaluation, _codes(evaluation, table)[0])
    place = {key: row for row, key in reversed(list(enumerate(theirs)))}
    match = np.array([place.get(key, -1) for key in _keys(table, table.plain)], dtype=np.int64)
    return _finding(
        table,
        evaluation,
        match,
        "exact_leaks",
        "also stand in the evaluation data (but for case and punctuation)",
        "serious",
    )


def near_leaks(table: Table, evaluation: Table) -> list[Finding]:
    """Find training rows that nearly equal a row of the evaluation data."""
    shared, theirs_plain = _codes(evaluation, table)
    here, there = compared_texts(table), compared_texts(evaluation)
    known = {theirs_plain[place]: place for place in there.tolist()}
    # one number for a form of ours and the form of theirs that it equals or nearly equals
    mine = np.array([known.get(text, -1) for text in table.plain_texts], dtype=np.int64)
    here = here[mine[here] < 0]
    near = first_near_copy([table.plain_texts[n] for n in here], [theirs_plain[n] for n in there])
    mine[here] = np.where(near >= 0, there[near], -1)
    ours = np.where(mine >= 0, mine, len(theirs_plain) + np.arange(len(mine)))[table.plain]
    theirs = _keys(evaluation, evaluation.plain)
    place = {key: row for row, key in reversed(list(enumerate(theirs)))}
    match = np.array([place.get(key, -1) for key in _keys(table, ours)], dtype=np.int64)
    exact = set(_keys(evaluation, shared))
    match[[key in exact for key in _keys(table, table.plain)]] = -1
    return _finding(
        table, evaluation, match, "near_leaks", "nearly equal one of the evaluation data", "warning"
    )


def document_leaks(table: Table, evaluation: Table) -> list[Finding]:
    """Find training rows that share a document, a sentence or a group with the evaluation data."""
    known: dict[str, int] = {}
    for row, thing in _shared_things(evaluation):
        known.setdefault(thing, row)
    match = np.full(len(table.records[0]), -1)
    for row, thing in _shared_things(table):
        if match[row] < 0:
            match[row] = known.get(thing, -1)
    return _finding(
        table,
        evaluation,
        match,
        "document_leaks",
        "share a document, a sentence or a group with the evaluation data",
        "warning",
    )


def leaking_rows(table: Table, evaluation: Table, name: str) -> np.ndarray:
    """Return the training rows that the check *name* reports."""
    check = {"exact_leaks": exact_leaks, "near_leaks": near_leaks, "document_leaks": document_leaks}[name]
    found = check(table, evaluation)
    return found[0].rows if found else np.zeros(0, np.int64)


def compared_texts(table: Table) -> np.ndarray:
    """Return the numbers of the plain texts by which rows are compared: of searches, the queries alone."""
    return np.unique(np.concatenate([table.plain[codes] for codes in _asked(table)[1]]))


def _codes(evaluation: Table, table: Table) -> tuple[np.ndarray, list[str]]:
    """Number the texts of *evaluation* as *table* does; also return the plain texts of *evaluation*."""
    known = {text: place for place, text in enumerate(table.plain_texts)}
    extra = len(known)
    plain = [known.get(text, extra + place) for place, text in enumerate(evaluation.plain_texts)]
    return np.array(plain, dtype=np.int64)[evaluation.plain], evaluation.plain_texts


def _asked(table: Table) -> tuple[Records, list[np.ndarray]]:
    records = table.records[0]
    if table.kind in _ASKED:
        return records, [records.columns[_ASKED[table.kind]]]
    return records, list(records.columns.values())


def _keys(table: Table, text_codes: np.ndarray) -> list[tuple[int, ...]]:
    columns = [text_codes[codes] for codes in _asked(table)[1]]
    if table.kind == SCORED_PAIRS:
        columns = list(np.sort(columns, axis=0))
    return list(zip(*(column.tolist() for column in columns), strict=True))


def _shared_things(table: Table) -> Iterator[tuple[int, str]]:
    """Yield (row of the first records, thing) for every document, sentence and group that a row has."""
    frames, records = table.data.frames, table.records[0]
    frame = frames[records.frame]
    if "group" in frame:
        named = enumerate(frame["group"])
        yield from ((row, f"group\0{group}") for row, group in named if not is_lone_group(group))
    for column in _DOCUMENTS.get(table.kind, ()):
        plain = table.plain[records.columns[column]]
        yield from enumerate(f"text\0{table.plain_texts[code]}" for code in plain.tolist())
    if table.kind == RETRIEVAL:
        rows = pd.Index(frames["queries"]["id"]).get_indexer(frames["qrels"]["query_id"])
        documents = pd.Index(frames["corpus"]["id"]).get_indexer(frames["qrels"]["corpus_id"])
        there = (rows >= 0) & (documents >= 0)
        plain = table.plain[table.records[1].columns["text"][documents[there]]]
        for row, code in zip(rows[there].tolist(), plain.tolist(), strict=True):
            yield row, f"text\0{table.plain_texts[code]}"


def _finding(
    table: Table, evaluation: Table, match: np.ndarray, name: str, how: str, severity: str
) -> list[Finding]:
    rows = np.flatnonzero(match >= 0)
    if not len(rows):
        return []
    records = table.records[0]
    what = "queries" if records.frame == "queries" else "rows"
    hit = len(np.unique(match[rows]))
    return [
        Finding(
            name=name,
            severity=severity,  # type: ignore[arg-type]
            summary=f"{len(rows):,} of {len(records):,} training {what} {how}; "
            f"{hit:,} of its {len(evaluation.records[0]):,} {what} are touched.",
            count=len(rows),
            total=len(records),
            cost=_COST[name],
            fix=f'data.fix("{name}", eval_datasource=...) leaves these rows out of training.',
            examples=tuple(
                (
                    *table.example(records, int(row)),
                    *evaluation.example(evaluation.records[0], int(match[row])),
                )
                for row in rows[:_EXAMPLES]
            ),
            frame=records.frame,
            rows=rows,
        )
    ]
