"""Training rows that give away the evaluation data."""

from __future__ import annotations

import numpy as np

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
    shared, unknown = _codes(evaluation, table)
    near = first_near_copy(table.plain_texts, unknown)
    known = {text: place for place, text in enumerate(evaluation.plain_texts)}
    equal = np.array([known.get(text, -1) for text in table.plain_texts], dtype=np.int64)
    # one number for a form of ours and the form of theirs that it equals or nearly equals
    mine = np.where(equal >= 0, equal, near)
    ours = np.where(mine >= 0, mine, len(unknown) + np.arange(len(mine)))[table.plain]
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
    mine, theirs = _shared_things(table), _shared_things(evaluation)
    known = {thing: row for row, thing in reversed(list(enumerate(theirs))) if thing is not None}
    match = np.array([-1 if thing is None else known.get(thing, -1) for thing in mine], dtype=np.int64)
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


def _shared_things(table: Table) -> list[str | None]:
    """Return for each row of the first records the plain text of its document, or its group."""
    frames, records = table.data.frames, table.records[0]
    things: list[str | None] = [None] * len(records)
    frame = frames[records.frame]
    if "group" in frame:
        things = [f"group\0{group}" for group in frame["group"]]
    column = {PAIRS: "positive", TRIPLETS: "positive", SCORED_PAIRS: "sentence1", NLI: "premise"}
    if table.kind in column:
        plain = table.plain[records.columns[column[table.kind]]]
        things = [f"text\0{table.plain_texts[code]}" for code in plain.tolist()]
    elif table.kind == RETRIEVAL:
        documents = dict(zip(frames["corpus"]["id"], table.records[1].columns["text"].tolist(), strict=True))
        first = frames["qrels"].drop_duplicates("query_id").set_index("query_id")["corpus_id"]
        texts = frames["queries"]["id"].map(first).map(documents)
        things = [
            None if text != text else f"text\0{table.plain_texts[table.plain[int(text)]]}" for text in texts
        ]
    return things


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
