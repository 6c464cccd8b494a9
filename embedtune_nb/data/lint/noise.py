"""Labels that the nearest neighbours contradict."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from embedtune_nb.data.kinds import LABELED, SCORED
from embedtune_nb.data.lint.finding import Finding, NotLookedAt
from embedtune_nb.data.lint.table import Table

NEIGHBORS = 10
_EXAMPLES = 4
# A row is suspected where few of its neighbours share its label and most agree on another.
_OWN, _OTHER = 0.25, 0.6
# Robust standard deviations between a score and the mean of its neighbours.
_FAR = 4.0
_NOISY = 0.02
_QUERIES_AT_ONCE = 1024

Embed = Callable[[list[str]], np.ndarray]


def label_noise(table: Table, vectors: np.ndarray | None) -> list[Finding] | NotLookedAt:
    """Find rows whose label or score the nearest neighbours contradict.

    Parameters
    ----------
    vectors
        (rows, d), one for each row; ``None`` where there are none.
    """
    if table.kind not in (LABELED, SCORED):
        return NotLookedAt(
            "label_noise", f"{table.kind} data has no label or score of a single text", applies=False
        )
    if vectors is None:
        return NotLookedAt("label_noise", "it needs embeddings: give model=... or vectors=...")
    records = table.records[0]
    if len(records) <= NEIGHBORS:
        return NotLookedAt(
            "label_noise", f"it asks {NEIGHBORS} neighbours of each row, and there are no more"
        )
    rows, suggested = suspects(table, vectors)
    if not len(rows):
        return []
    share = len(rows) / len(records)
    examples = tuple(
        (*table.example(records, int(row)), f"neighbours say {suggested[place]}")
        for place, row in enumerate(rows[:_EXAMPLES])
    )
    return [
        Finding(
            name="label_noise",
            severity="warning" if share >= _NOISY else "note",
            summary=f"{len(rows):,} of {len(records):,} rows have a {table.target.name} that their "  # type: ignore[union-attr]
            f"{NEIGHBORS} nearest neighbours contradict.",
            count=len(rows),
            total=len(records),
            cost="Wrong labels are learned as they stand, and wrong ones in the evaluation part hide gains. "
            "Some of these rows may be right and merely unusual.",
            fix='look at them (report["label_noise"].rows), then data.fix("label_noise", vectors=...) '
            "leaves them out.",
            examples=examples,
            rows=rows,
        )
    ]


def suspects(table: Table, vectors: np.ndarray) -> tuple[np.ndarray, list[object]]:
    """Return the suspected rows, and for each the label or score that its neighbours suggest."""
    assert table.target is not None
    near = _neighbors(vectors, table.plain[table.records[0].columns["value"]])
    if table.kind == SCORED:
        scores = table.target.to_numpy(dtype=float)
        expected = np.nanmean(np.where(near >= 0, scores[near], np.nan), axis=1)
        distance = scores - expected
        usual = 1.4826 * np.median(np.abs(distance - np.median(distance)))
        rows = np.flatnonzero(np.abs(distance - np.median(distance)) > _FAR * max(usual, 1e-9))
        return rows, [f"{expected[row]:.3g}" for row in rows]
    labels, names = table.target.factorize()
    votes = np.zeros((len(labels), len(names)), np.float32)
    places = np.repeat(np.arange(len(near)), near.shape[1])[near.ravel() >= 0]
    np.add.at(votes, (places, labels[near.ravel()[near.ravel() >= 0]]), 1.0)
    votes /= np.maximum(votes.sum(axis=1, keepdims=True), 1)
    own = votes[np.arange(len(labels)), labels]
    best = votes.argmax(axis=1)
    rows = np.flatnonzero((own <= _OWN) & (votes.max(axis=1) >= _OTHER) & (best != labels))
    return rows, [names[best[row]] for row in rows]


def _neighbors(vectors: np.ndarray, texts: np.ndarray) -> np.ndarray:
    """Return (n, NEIGHBORS) row numbers of the nearest rows of other texts, -1 where there are too few."""
    import faiss

    unit = np.ascontiguousarray(vectors, dtype=np.float32)
    unit /= np.maximum(np.linalg.norm(unit, axis=1, keepdims=True), 1e-12)
    # one vector a text: copies of a row would vote for its label
    first = np.unique(texts, return_index=True)[1]
    index = faiss.IndexFlatIP(unit.shape[1])
    index.add(unit[first])
    near = np.empty((len(unit), NEIGHBORS), np.int64)
    for start in range(0, len(unit), _QUERIES_AT_ONCE):
        here = slice(start, start + _QUERIES_AT_ONCE)
        found = index.search(unit[here], min(NEIGHBORS + 1, len(first)))[1]
        rows = np.where(found >= 0, first[found], -1)
        other = texts[rows] != texts[here][:, None]
        # a stable sort brings the row's own text to the end
        order = np.argsort(~other, axis=1, kind="stable")[:, :NEIGHBORS]
        block = np.take_along_axis(np.where(other, rows, -1), order, axis=1)
        near[here] = -1
        near[here, : block.shape[1]] = block
    return near
