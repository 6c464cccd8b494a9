"""Mending what the linter finds: each fix gives a new Datasource that says what was done."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from embedtune_nb.data.clean import Dropped
from embedtune_nb.data.kinds import LABELED, PAIRS, RETRIEVAL, SCORED, SCORED_PAIRS, TRIPLETS
from embedtune_nb.data.lint.columns import swapped_columns
from embedtune_nb.data.lint.duplicates import duplicate_rows, first_of_equal
from embedtune_nb.data.lint.finding import NotLookedAt
from embedtune_nb.data.lint.labels import conflicting_rows, contradicted, label_forms
from embedtune_nb.data.lint.leaks import leaking_rows
from embedtune_nb.data.lint.linter import comparable, row_vectors
from embedtune_nb.data.lint.noise import suspects
from embedtune_nb.data.lint.sizes import empty, huge, rows_holding
from embedtune_nb.data.lint.table import Table
from embedtune_nb.errors import DataError, did_you_mean

if TYPE_CHECKING:
    from embedtune_nb.data.datasource import Datasource

_HOW = ("drop", "majority", "mean")


def fix(data: Datasource, *names: str, **options: Any) -> Datasource:
    """Mend one kind of fault after the other; see :meth:`embedtune_nb.data.datasource.Datasource.fix`."""
    if not names:
        raise DataError("No fault was named.", expected="one of " + ", ".join(FIXES))
    for name in names:
        if name not in FIXES:
            raise DataError(
                f"There is no fix {name!r}.",
                expected="one of " + ", ".join(FIXES),
                fix=did_you_mean(name, FIXES) + "Other findings are not mended by changing rows; "
                "their report says what to do.",
            )
    known = {"eval_datasource", "how", "model", "vectors"}
    for option in options:
        if option not in known:
            raise DataError(
                f"fix takes no option {option!r}.",
                expected="one of " + ", ".join(sorted(known)),
                fix=did_you_mean(option, known) + "Leave it out.",
            )
    for name in names:
        if (
            name == "label_noise"
            and len(names) > 1
            and options.get("vectors") is not None
            and name != names[0]
        ):
            raise DataError(
                "label_noise has to come first: vectors belong to the rows as they were before other fixes.",
                fix="name it first, or give model=... instead of vectors=....",
            )
        data = FIXES[name](data, Table(data), name, options)
    return data


def _duplicates(data: Datasource, table: Table, name: str, options: dict[str, Any]) -> Datasource:
    near = name == "near_duplicates"
    what = "near-copies of an earlier" if near else "copies of an earlier"
    if data.kind != RETRIEVAL:
        rows = duplicate_rows(table, table.records[0], near=near)
        return without(data, rows, f"{what} row")
    text_codes = table.spare_of if near else table.plain
    frames, reasons = dict(data.frames), []
    for records, column, noun in zip(
        table.records, ("query_id", "corpus_id"), ("query", "document"), strict=True
    ):
        gone = duplicate_rows(table, records, near=near)
        first = first_of_equal(table, records, text_codes)
        ids = frames[records.frame]["id"].to_numpy()
        stands_for = dict(zip(ids[gone], ids[first[gone]], strict=True))
        frames[records.frame] = frames[records.frame].drop(index=gone).reset_index(drop=True)
        frames["qrels"] = frames["qrels"].assign(
            **{column: frames["qrels"][column].map(lambda id, new=stands_for: new.get(id, id))}
        )
        reasons.append(Dropped(len(gone), f"{what} {noun} (judgements now name that one)"))
    merged = frames["qrels"].groupby(["query_id", "corpus_id"], sort=False, as_index=False)
    frames["qrels"] = merged["relevance"].max()
    return changed(data, frames, [drop for drop in reasons if drop.count], f"fix({name!r})")


def _leaks(data: Datasource, table: Table, name: str, options: dict[str, Any]) -> Datasource:
    evaluation = options.get("eval_datasource")
    if evaluation is None:
        raise DataError(
            f"fix({name!r}) was given no evaluation data.",
            fix=f"name it: data.fix({name!r}, eval_datasource=...).",
        )
    rows = leaking_rows(table, comparable(data, evaluation), name)
    why = {
        "exact_leaks": "also in the evaluation data",
        "near_leaks": "near-copy of a row of the evaluation data",
        "document_leaks": "shares a document, a sentence or a group with the evaluation data",
    }[name]
    return without(data, rows, why)


def _conflicts(data: Datasource, table: Table, name: str, options: dict[str, Any]) -> Datasource:
    how = options.get("how")
    if how not in (None, *_HOW):
        raise DataError(f"how is {how!r}.", expected="one of " + ", ".join(map(repr, _HOW)))
    if data.kind == TRIPLETS:
        return _take_out_negatives(data, table, contradicted(table), name)
    if table.target is None:
        raise DataError(f"{data.kind} data has no labels that could contradict each other.")
    rows, groups = conflicting_rows(table)
    scores = data.kind in (SCORED, SCORED_PAIRS)
    if how is None:
        how = "mean" if scores else "majority"
    if how == ("majority" if scores else "mean"):
        raise DataError(f"how={how!r} does not fit {data.kind} data.", expected="'drop' or the default")
    if how == "drop":
        return without(data, rows, f"one text with different {table.target.name}s")
    examples = data.frames["examples"].copy()
    torn = []
    if scores:
        column = examples["score"].astype(float)
        examples["score"] = column.where(~examples.index.isin(rows), column.groupby(groups).transform("mean"))
    else:
        labels = examples["label"].copy()
        for _, held in labels.iloc[rows].groupby(groups[rows]):
            best = held.value_counts()
            if len(best) > 1 and best.iloc[0] == best.iloc[1]:
                torn += held.index.tolist()
            else:
                labels.loc[held.index] = best.index[0]
        examples["label"] = labels
    note = f"fix({name!r}): {len(rows) - len(torn):,} rows were given the {how} {table.target.name}."
    mended = changed(data, {"examples": examples}, [], note)
    return without(mended, np.array(torn, dtype=np.int64), "one text with equally frequent labels")


def _take_out_negatives(data: Datasource, table: Table, out: np.ndarray, name: str) -> Datasource:
    assert table.negatives is not None
    rows, texts = table.negatives
    lists: list[list[str]] = [[] for _ in range(len(data))]
    for row, text in zip(rows[~out].tolist(), texts[~out].tolist(), strict=True):
        lists[row].append(table.texts[text])
    examples = data.frames["examples"].copy()
    examples["negatives"] = pd.Series(lists, index=examples.index, dtype=object)
    note = f"fix({name!r}): {int(out.sum()):,} negatives were taken out."
    mended = changed(data, {"examples": examples}, [], note)
    alone = np.array([row for row, held in enumerate(lists) if not held], dtype=np.int64)
    return without(mended, alone, "no negative was left")


def _mixed(data: Datasource, table: Table, name: str, options: dict[str, Any]) -> Datasource:
    _require(data, name, LABELED)
    labels = data.frames["examples"]["label"]
    forms = label_forms(labels)
    hit = int(labels.isin(forms).sum())
    mended = labels.map(lambda label: forms.get(label, label))
    if mended.map(type).nunique() > 1:
        mended = mended.map(str)
    examples = data.frames["examples"].assign(label=mended)
    note = f"fix({name!r}): the labels of {hit:,} rows were written as the most frequent form."
    return changed(data, {"examples": examples}, [], note)


def _lonely(data: Datasource, table: Table, name: str, options: dict[str, Any]) -> Datasource:
    _require(data, name, LABELED)
    labels = data.frames["examples"]["label"]
    alone = labels.map(labels.value_counts()) == 1
    return without(data, np.flatnonzero(alone.to_numpy()), "the only row of its class")


def _noise(data: Datasource, table: Table, name: str, options: dict[str, Any]) -> Datasource:
    _require(data, name, LABELED, SCORED)
    vectors = row_vectors(table, model=options.get("model"), vectors=options.get("vectors"))
    if vectors is None:
        raise DataError(f"fix({name!r}) needs embeddings.", fix=f"give them: data.fix({name!r}, model=...).")
    return without(data, suspects(table, vectors)[0], "label or score contradicted by its neighbours")


def _swapped(data: Datasource, table: Table, name: str, options: dict[str, Any]) -> Datasource:
    _require(data, name, PAIRS, TRIPLETS)
    found = swapped_columns(table)
    if isinstance(found, NotLookedAt):
        raise DataError(f"Swapped rows cannot be seen here: {found.reason}.")
    rows = found[0].rows if found else np.zeros(0, np.int64)
    return _exchanged(data, rows, name)


def _exchanged_columns(data: Datasource, table: Table, name: str, options: dict[str, Any]) -> Datasource:
    _require(data, name, PAIRS)
    return _exchanged(data, np.arange(len(data)), name)


def _exchanged(data: Datasource, rows: np.ndarray, name: str) -> Datasource:
    examples = data.frames["examples"].copy()
    columns = ["anchor", "positive"]
    exchanged = examples.loc[rows, columns[::-1]].to_numpy()
    examples.loc[rows, columns] = exchanged
    note = f"fix({name!r}): anchor and positive were exchanged in {len(rows):,} rows."
    return changed(data, {"examples": examples}, [], note)


def _backward(data: Datasource, table: Table, name: str, options: dict[str, Any]) -> Datasource:
    _require(data, name, SCORED_PAIRS)
    examples = data.frames["examples"]
    turned = examples.assign(score=1.0 - examples["score"].astype(float))
    return changed(data, {"examples": turned}, [], f"fix({name!r}): every score s became 1 - s.")


def _texts(data: Datasource, table: Table, name: str, options: dict[str, Any]) -> Datasource:
    marked = huge(table) if name == "huge_texts" else empty(table)
    why = "huge text" if name == "huge_texts" else "punctuation and nothing else"
    for frame, rows in rows_holding(table, marked).items():
        data = without(data, rows, why, frame=frame)
    return data


def without(data: Datasource, rows: np.ndarray, reason: str, *, frame: str = "examples") -> Datasource:
    """Return *data* without the numbered rows of one frame, and without judgements that lost their text."""
    if data.kind == RETRIEVAL and frame == "examples":
        frame = "queries"
    frames = dict(data.frames)
    frames[frame] = frames[frame].drop(index=frames[frame].index[rows]).reset_index(drop=True)
    dropped = [Dropped(len(rows), reason)] if len(rows) else []
    if data.kind == RETRIEVAL and len(rows):
        qrels = frames["qrels"]
        alive = qrels["query_id"].isin(set(frames["queries"]["id"]))
        alive &= qrels["corpus_id"].isin(set(frames["corpus"]["id"]))
        frames["qrels"] = qrels[alive].reset_index(drop=True)
        asked = frames["queries"]["id"].isin(set(frames["qrels"]["query_id"]))
        frames["queries"] = frames["queries"][asked].reset_index(drop=True)
        lost = int((~asked).sum())
        if lost:
            dropped.append(Dropped(lost, "queries left without a judged document"))
    note = "" if len(rows) else f"Nothing to mend: no row with {reason!r}."
    return changed(data, frames, dropped, note)


def changed(
    data: Datasource, frames: dict[str, pd.DataFrame], dropped: list[Dropped], note: str
) -> Datasource:
    """Return a new Datasource with *frames* in place of those of *data*, and what was done to it."""
    from embedtune_nb.data.datasource import Datasource

    frames = {**data.frames, **frames}
    main = frames["queries" if data.kind == RETRIEVAL else "examples"]
    if main.empty or (data.kind == LABELED and main["label"].nunique() < 2):
        left = "nothing" if main.empty else "one class"
        raise DataError(
            f"After this fix {left} would be left.",
            expected="at least two classes" if data.kind == LABELED else "at least one example",
            fix="look at the report; the rows that it names are most of the data.",
        )
    return Datasource(
        data.kind,
        frames,
        name=data.name,
        kind_reason=data.kind_reason,
        roles=data.roles,
        dropped=[*data.dropped, *dropped],
        notes=[*data.notes, *([note] if note else [])],
        score_range=data.score_range,
        instruction=data.instruction,
    )


def _require(data: Datasource, name: str, *kinds: str) -> None:
    if data.kind not in kinds:
        raise DataError(
            f"fix({name!r}) does not apply to {data.kind} data.",
            expected="data of the kind " + " or ".join(map(repr, kinds)),
        )


FIXES: dict[str, Callable[[Datasource, Table, str, dict[str, Any]], Datasource]] = {
    "exact_duplicates": _duplicates,
    "near_duplicates": _duplicates,
    "exact_leaks": _leaks,
    "near_leaks": _leaks,
    "document_leaks": _leaks,
    "conflicting_labels": _conflicts,
    "mixed_labels": _mixed,
    "lonely_labels": _lonely,
    "label_noise": _noise,
    "swapped_columns": _swapped,
    "exchanged_columns": _exchanged_columns,
    "backward_scores": _backward,
    "empty_texts": _texts,
    "huge_texts": _texts,
}
