"""Which candidates may serve as negatives, and which are suspected of being right."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from embedtune_nb.mining.pool import Pool
from embedtune_nb.mining.searches import Advance, Search
from embedtune_nb.mining.settings import Settings

OWN_TEXT = "copy or near-copy of the anchor"
NEAR_KNOWN = "copy or near-copy of a known positive"
ABOVE_MARGIN = "scores too near to the positive, or above it"
OUT_OF_RANGE = "score outside score_range"
SUSPECTED = (OWN_TEXT, NEAR_KNOWN, ABOVE_MARGIN)
_REASONS = ("", OWN_TEXT, NEAR_KNOWN, OUT_OF_RANGE, ABOVE_MARGIN)
_ROWS_AT_ONCE = 500
_LISTED_A_ROW = 10


@dataclass
class Screened:
    """What was chosen and what was set aside.

    Attributes
    ----------
    chosen : list of (row, documents, scores, positive score)
        Rows with at least one negative, hardest negative first.
    set_aside : list of (row, document, score, positive score, reason)
        Suspected false negatives that stood before the chosen ones, at most ten a row.
    fates : Counter
        Candidates by what became of them.
    empty : Counter
        Rows without a negative, by reason.
    """

    chosen: list[tuple[int, np.ndarray, np.ndarray, float]] = field(default_factory=list)
    set_aside: list[tuple[int, int, float, float, str]] = field(default_factory=list)
    fates: Counter[str] = field(default_factory=Counter)
    empty: Counter[str] = field(default_factory=Counter)


def screen(
    pool: Pool,
    found: np.ndarray,
    best: np.ndarray,
    search: Search,
    judge: Search | None,
    settings: Settings,
    advance: Advance,
) -> Screened:
    """Choose negatives for every row of *pool*.

    Parameters
    ----------
    found, best
        Documents and scores that a search gave for every query, (queries, k), best first.
    search
        What gave them.
    judge
        What scores candidates against the positive, if not *search* itself.
    advance
        Told of finished rows.
    """
    result = Screened()
    generator = np.random.default_rng(settings.seed)
    for start in range(0, len(pool.query), _ROWS_AT_ONCE):
        rows = np.arange(start, min(start + _ROWS_AT_ONCE, len(pool.query)))
        query = pool.query[rows]
        documents, scores = found[query], best[query]
        there = documents >= 0
        asked = np.broadcast_to(query[:, None], documents.shape)
        held = np.where(there, documents, 0)
        known = pool.is_known(asked, held)
        rank = np.cumsum(there & ~known, axis=1)
        low, high = settings.rank_range
        looked_at = there & ~known & (rank >= low) & (rank <= high)
        judged, positive = _judged(pool, rows, held, scores, looked_at, judge or search, judge is not None)
        reason = np.zeros(documents.shape, np.int8)
        # the last to be written is the one that is told
        reason[_above_margin(judged, positive, settings)] = 4
        if settings.score_range is not None:
            lowest, highest = settings.score_range
            reason[(scores < lowest) | (scores > highest)] = 3
        reason[pool.is_near_known(asked, held)] = 2
        reason[pool.is_own_text(asked, held)] = 1
        for place, row in enumerate(rows.tolist()):
            columns = np.flatnonzero(looked_at[place])
            row_of = _Row(
                row, documents[place], judged[place], float(positive[place]), reason[place], columns
            )
            _choose(result, row_of, pool, settings, generator)
        advance(len(rows))
    return result


def _judged(
    pool: Pool,
    rows: np.ndarray,
    documents: np.ndarray,
    scores: np.ndarray,
    looked_at: np.ndarray,
    judge: Search,
    afresh: bool,
) -> tuple[np.ndarray, np.ndarray]:
    positive = judge.scores(pool.query[rows], pool.positive[rows])
    if not afresh:
        return scores, positive
    judged = np.full(documents.shape, -np.inf, np.float32)
    place, column = np.nonzero(looked_at)
    judged[place, column] = judge.scores(pool.query[rows][place], documents[place, column])
    return judged, positive


def _above_margin(judged: np.ndarray, positive: np.ndarray, settings: Settings) -> np.ndarray:
    if not settings.has_margin:
        return np.zeros(judged.shape, bool)
    limit = np.full(len(positive), np.inf)
    if settings.absolute_margin is not None:
        limit = np.minimum(limit, positive - settings.absolute_margin)
    if settings.relative_margin is not None:
        limit = np.minimum(limit, positive - settings.relative_margin * np.abs(positive))
    return judged > limit[:, None]


class _Row(NamedTuple):
    """One row: its candidates, their scores and what is held against them, and which were looked at."""

    number: int
    documents: np.ndarray
    scores: np.ndarray
    positive: float
    reason: np.ndarray
    columns: np.ndarray


def _choose(
    result: Screened, row: _Row, pool: Pool, settings: Settings, generator: np.random.Generator
) -> None:
    free = row.columns[row.reason[row.columns] == 0]
    order = generator.permutation(free) if settings.pick == "random" else free
    chosen: list[int] = []
    seen: set[int] = set()
    for column in order.tolist():
        alike = int(pool.alike_documents[row.documents[column]])
        if alike not in seen:  # two near-copies are one negative
            seen.add(alike)
            chosen.append(column)
            if len(chosen) == settings.per_row:
                break
    for number, count in zip(*np.unique(row.reason[row.columns], return_counts=True), strict=True):
        if number:
            result.fates[_REASONS[number]] += int(count)
    result.fates["chosen"] += len(chosen)
    result.fates["not needed"] += len(free) - len(chosen)
    last = max(chosen) if len(chosen) == settings.per_row else len(row.documents)
    doubtful = [c for c in row.columns.tolist() if c < last and _REASONS[row.reason[c]] in SUSPECTED]
    for column in doubtful[:_LISTED_A_ROW]:
        found = int(row.documents[column]), float(row.scores[column])
        result.set_aside.append((row.number, *found, row.positive, _REASONS[row.reason[column]]))
    if not chosen:
        result.empty[_why_empty(row.reason[row.columns])] += 1
        return
    picked = np.array(chosen)
    picked = picked[np.argsort(-row.scores[picked], kind="stable")]
    result.chosen.append((row.number, row.documents[picked], row.scores[picked], row.positive))


def _why_empty(reasons: np.ndarray) -> str:
    if not len(reasons):
        return "no candidate within rank_range"
    number = int(np.bincount(reasons).argmax())
    return f"no candidate was left (most: {_REASONS[number]})"
