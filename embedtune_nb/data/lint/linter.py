"""Running the checks over a Datasource."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from embedtune_nb.data.kinds import LABELED, PAIRS, RETRIEVAL, SCORED, TRIPLETS
from embedtune_nb.data.lint.clashes import batch_clashes
from embedtune_nb.data.lint.columns import misordered_columns, swapped_columns
from embedtune_nb.data.lint.duplicates import exact_duplicates, near_duplicates
from embedtune_nb.data.lint.finding import Finding, NotLookedAt
from embedtune_nb.data.lint.labels import class_imbalance, conflicting_labels, mixed_labels
from embedtune_nb.data.lint.leaks import document_leaks, exact_leaks, near_leaks
from embedtune_nb.data.lint.noise import label_noise
from embedtune_nb.data.lint.report import LintReport
from embedtune_nb.data.lint.sizes import empty_texts, huge_texts, truncation
from embedtune_nb.data.lint.table import Table
from embedtune_nb.errors import DataError
from embedtune_nb.latebound import late

if TYPE_CHECKING:
    from embedtune_nb.data.datasource import Datasource

Outcome = list[Finding] | NotLookedAt

# Kinds whose rows are about one text that asks, so that any two of them can be compared.
_SEARCHES = {PAIRS, TRIPLETS, RETRIEVAL}

_LEAKS: dict[str, Callable[[Table, Table], Outcome]] = {
    "exact_leaks": exact_leaks,
    "near_leaks": near_leaks,
    "document_leaks": document_leaks,
}


def lint(
    data: Datasource,
    eval_datasource: Any = None,
    batch_size: int | None = None,
    base: Any = None,
    *,
    model: Any = None,
    vectors: np.ndarray | None = None,
) -> LintReport:
    """Look for faults; see :meth:`embedtune_nb.data.datasource.Datasource.lint`."""
    started = time.perf_counter()
    table = Table(data)
    evaluation = None if eval_datasource is None else comparable(data, eval_datasource)
    reader = None if base is None else late("reader_of_base")(base)
    if batch_size is not None and (not isinstance(batch_size, int) or batch_size < 2):
        raise DataError(f"batch_size is {batch_size!r}.", expected="a whole number from 2")
    near_vectors = row_vectors(table, model=model, vectors=vectors)
    checks: dict[str, Callable[[], Outcome]] = {
        "exact_duplicates": lambda: exact_duplicates(table),
        "near_duplicates": lambda: near_duplicates(table),
        **{name: _leak_check(name, table, evaluation) for name in _LEAKS},
        "batch_clashes": lambda: batch_clashes(table, batch_size),
        "conflicting_labels": lambda: conflicting_labels(table),
        "mixed_labels": lambda: mixed_labels(table),
        "class_imbalance": lambda: class_imbalance(table),
        "label_noise": lambda: label_noise(table, near_vectors),
        "swapped_columns": lambda: swapped_columns(table),
        "misordered_columns": lambda: misordered_columns(table),
        "empty_texts": lambda: empty_texts(table),
        "huge_texts": lambda: huge_texts(table),
        "truncation": lambda: truncation(table, reader),
    }
    findings: list[Finding] = _left_out(data)
    skipped: list[NotLookedAt] = []
    clean: list[str] = []
    for name, check in checks.items():
        outcome = check()
        if isinstance(outcome, NotLookedAt):
            skipped.append(outcome)
        elif outcome:
            findings += outcome
        else:
            clean.append(name)
    options = {"eval_datasource": eval_datasource, "vectors": near_vectors}
    return LintReport(
        data,
        findings,
        skipped,
        clean,
        len(checks) - len(skipped),
        time.perf_counter() - started,
        {name: value for name, value in options.items() if value is not None},
    )


def comparable(data: Datasource, eval_datasource: Any) -> Table:
    """Return the table of *eval_datasource*, whose rows must be about what those of *data* are about."""
    if not hasattr(eval_datasource, "to_datasource"):
        raise DataError(
            f"eval_datasource is a {type(eval_datasource).__name__}.",
            expected="a Datasource of the same kind as the data",
            fix="make one with Datasource.from_pandas or another from_... method.",
        )
    other = eval_datasource.to_datasource()
    if other.kind != data.kind and not {data.kind, other.kind} <= _SEARCHES:
        raise DataError(
            f"The data is {data.kind!r}, eval_datasource is {other.kind!r}.",
            expected="two Datasources of one kind (pairs, triplets and retrieval go together)",
            fix="bring both into one form.",
        )
    return Table(other)


def row_vectors(table: Table, *, model: Any, vectors: Any) -> np.ndarray | None:
    """Return one vector a row of labeled or scored data, given or embedded now; ``None`` without either."""
    if vectors is not None:
        found = np.asarray(vectors, dtype=np.float32)
        rows = len(table.records[0])
        if found.ndim != 2 or len(found) != rows or not np.isfinite(found).all():
            raise DataError(
                f"vectors has the shape {found.shape}, the data {rows:,} rows.",
                expected=f"finite numbers of the shape ({rows:,}, dimension), one vector a row",
                fix="embed the texts in the order of data.frames['examples'].",
            )
        return found
    if model is None or table.kind not in (LABELED, SCORED):
        return None
    embedded = np.asarray(late("embedder")(model).embed(table.texts), dtype=np.float32)
    return embedded[table.records[0].columns["value"]]


def _leak_check(name: str, table: Table, evaluation: Table | None) -> Callable[[], Outcome]:
    if evaluation is None:
        return lambda: NotLookedAt(name, "it compares with evaluation data: give eval_datasource=...")
    if name == "document_leaks" and table.kind in (LABELED, SCORED):
        grouped = all("group" in part.data.frames["examples"] for part in (table, evaluation))
        if not grouped:
            return lambda: NotLookedAt(name, "neither has documents, nor both groups (group_column=...)")
    return lambda: _LEAKS[name](table, evaluation)


def _left_out(data: Datasource) -> list[Finding]:
    """Tell what was already left out when the data was read: the frames show it no more."""
    count = sum(drop.count for drop in data.dropped)
    if not count:
        return []
    return [
        Finding(
            name="left_out",
            severity="note",
            summary=f"{count:,} rows or texts were left out before: "
            + "; ".join(f"{drop.count:,} {drop.reason}" for drop in data.dropped)
            + ".",
            count=count,
            total=len(data) + count,
            cost="Nothing: they are out.",
            fix="look at the source if this is more than expected.",
            frame="source",
            mendable=False,
        )
    ]
