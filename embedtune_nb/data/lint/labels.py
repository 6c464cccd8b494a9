"""What is wrong with the labels and scores, seen without embeddings."""

from __future__ import annotations

import numpy as np
import pandas as pd

from embedtune_nb.data.kinds import LABELED, NLI, SCORED, SCORED_PAIRS, TRIPLETS
from embedtune_nb.data.lint.finding import Finding, NotLookedAt
from embedtune_nb.data.lint.table import TARGET, Table

_EXAMPLES = 4
_CONFLICT_IS_SERIOUS = 0.01
# Scores of one text that differ by more than this share of the whole range contradict each other.
_SCORE_TOLERANCE = 0.1
_IMBALANCE, _STRONG_IMBALANCE = 10, 50


def conflicting_labels(table: Table) -> list[Finding] | NotLookedAt:
    """Find texts (pairs) that stand with different labels or scores."""
    if table.kind == TRIPLETS:
        return _contradicted_negatives(table)
    if table.target is None:
        return NotLookedAt("conflicting_labels", f"{table.kind} data has no labels", applies=False)
    rows, groups = conflicting_rows(table)
    if not len(rows):
        return []
    records, name = table.records[0], TARGET[table.kind]
    texts = len(np.unique(groups[rows]))
    order = rows[np.argsort(groups[rows], kind="stable")]
    starts = order[np.flatnonzero(np.r_[True, np.diff(groups[order]) != 0])][:_EXAMPLES]
    examples = []
    for row in starts:
        values = table.target.iloc[np.flatnonzero(groups == groups[row])]
        told = ", ".join(f"{value} ({count})" for value, count in values.value_counts().items())
        examples.append((*table.example(records, int(row))[:-1], told))
    share = len(rows) / len(records)
    same = "the same text" if len(records.columns) == 1 else "the same two texts"
    return [
        Finding(
            name="conflicting_labels",
            severity="serious" if share >= _CONFLICT_IS_SERIOUS else "warning",
            summary=f"{len(rows):,} of {len(records):,} rows hold {same} with another {name} elsewhere "
            f"({texts:,} such cases).",
            count=len(rows),
            total=len(records),
            cost=f"No model can learn both; each case pulls in two directions and bounds the best {name}.",
            fix=f'data.fix("conflicting_labels") gives each the {_remedy(table.kind)}, '
            'data.fix("conflicting_labels", how="drop") leaves them all out.',
            examples=tuple(examples),
            rows=rows,
        )
    ]


def conflicting_rows(table: Table) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows in conflict, and for every row the number of its text (or pair of texts)."""
    assert table.target is not None
    columns = [table.plain[codes] for codes in table.records[0].columns.values()]
    if table.kind == SCORED_PAIRS:
        columns = list(np.sort(columns, axis=0))
    groups = pd.DataFrame(dict(enumerate(columns))).groupby(list(range(len(columns))), sort=False).ngroup()
    target = table.target.reset_index(drop=True)
    by_text = target.groupby(groups)
    if table.kind in (SCORED, SCORED_PAIRS):
        spread = by_text.max() - by_text.min()
        wrong = spread > _SCORE_TOLERANCE * float(target.max() - target.min())
    else:
        wrong = by_text.nunique() > 1
    return np.flatnonzero(groups.map(wrong).to_numpy()), groups.to_numpy()


def _remedy(kind: str) -> str:
    if kind in (SCORED, SCORED_PAIRS):
        return "mean of its scores"
    return "label that most of its copies have (where two are as frequent, the rows are left out)"


def _contradicted_negatives(table: Table) -> list[Finding]:
    rows = contradicted_rows(table)
    if not len(rows):
        return []
    records = table.records[0]
    assert table.negatives is not None
    return [
        Finding(
            name="conflicting_labels",
            severity="serious",
            summary=f"{len(rows):,} of {len(records):,} rows have a negative that elsewhere is the positive "
            "of the same anchor, or is the anchor itself.",
            count=len(rows),
            total=len(records),
            cost="The model is told to bring the same two texts together and apart.",
            fix='data.fix("conflicting_labels") takes these negatives out, and a row that has no other.',
            examples=tuple(table.example(records, int(row)) for row in rows[:_EXAMPLES]),
            rows=rows,
        )
    ]


def contradicted(table: Table) -> np.ndarray:
    """Return for each negative of triplets (as in ``table.negatives``) whether it is a known positive."""
    assert table.negatives is not None and table.pairs is not None
    rows, texts = table.negatives
    anchors, positives = (table.plain[codes] for codes in table.pairs)
    base = len(table.plain_texts)
    known = np.union1d(anchors * base + positives, anchors * base + anchors)
    return np.isin(anchors[rows] * base + table.plain[texts], known)


def contradicted_rows(table: Table) -> np.ndarray:
    """Return the rows of triplets with a negative that is a known positive of their anchor."""
    return np.unique(table.negatives[0][contradicted(table)]) if table.negatives else np.zeros(0, np.int64)


def class_imbalance(table: Table) -> list[Finding] | NotLookedAt:
    """Find classes that are much rarer than others, and classes of one row."""
    if table.kind not in (LABELED, NLI):
        return NotLookedAt("class_imbalance", f"{table.kind} data has no classes", applies=False)
    assert table.target is not None
    counts = table.target.value_counts()
    found = []
    ratio = counts.max() / counts.min()
    if ratio >= _IMBALANCE:
        rare = counts[counts < counts.max() / _IMBALANCE]
        found.append(
            Finding(
                name="class_imbalance",
                severity="warning" if ratio >= _STRONG_IMBALANCE else "note",
                summary=f"{len(rare):,} of {len(counts):,} classes have less than a tenth of the rows of the "
                f"largest ({counts.max():,} rows of {counts.idxmax()!r}, {counts.min():,} of "
                f"{counts.idxmin()!r}).",
                count=int(rare.sum()),
                total=len(table.target),
                cost="Accuracy is decided by the large classes; the rare ones are learned last and worst.",
                fix='loss="proxy" gives every class its own proxy; read f1_macro beside accuracy; '
                "or bring more rows of the rare classes.",
                examples=tuple((str(label), f"{count:,} rows") for label, count in rare[:_EXAMPLES].items()),
                rows=np.flatnonzero(table.target.isin(rare.index).to_numpy()),
                mendable=False,
            )
        )
    single = counts[counts == 1]
    if len(single) and table.kind == LABELED:
        found.append(
            Finding(
                name="lonely_labels",
                severity="note",
                summary=f"{len(single):,} of {len(counts):,} classes have a single row.",
                count=len(single),
                total=len(table.target),
                cost="A single row has no positive to learn from, and is either trained on or evaluated.",
                fix='data.fix("lonely_labels") leaves them out; or bring a second row of each.',
                examples=tuple((str(label),) for label in single.index[:_EXAMPLES]),
                rows=np.flatnonzero(table.target.isin(single.index).to_numpy()),
            )
        )
    return found


def mixed_labels(table: Table) -> list[Finding] | NotLookedAt:
    """Find labels that are one label in several forms or types: ``"Spam"``, ``"spam "``; ``1``, ``"1"``."""
    if table.kind != LABELED:
        return NotLookedAt("mixed_labels", f"{table.kind} data has no free labels", applies=False)
    assert table.target is not None
    renamed = label_forms(table.target)
    rows = np.flatnonzero(table.target.isin(renamed).to_numpy())
    if not len(rows):
        return []
    shown = [f"{form!r} beside {main!r}" for form, main in list(renamed.items())[:_EXAMPLES]]
    return [
        Finding(
            name="mixed_labels",
            severity="serious",
            summary=f"{len(renamed):,} labels differ from another only in case, spaces or type "
            f"({'; '.join(shown)}); {len(rows):,} rows have one of them.",
            count=len(rows),
            total=len(table.target),
            cost="One class is learned as several that cannot be told apart.",
            fix='data.fix("mixed_labels") writes each as its most frequent form.',
            examples=tuple(table.example(table.records[0], int(row)) for row in rows[:_EXAMPLES]),
            rows=rows,
        )
    ]


def label_forms(labels: pd.Series) -> dict[object, object]:
    """Return ``{form: most frequent form}`` of labels that differ only in case, spaces or type."""
    main: dict[str, object] = {}
    renamed = {}
    for label in labels.value_counts().index:  # the most frequent first
        folded = _folded(label)
        if folded in main:
            renamed[label] = main[folded]
        else:
            main[folded] = label
    return renamed


def _folded(label: object) -> str:
    text = " ".join(str(label).split()).casefold()
    try:
        number = float(text)
    except ValueError:
        return text
    return str(int(number)) if number.is_integer() else text
