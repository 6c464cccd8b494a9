"""From a Datasource to triplets with hard negatives."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

from embedtune_nb.data.clean import Dropped
from embedtune_nb.data.datasource import Datasource
from embedtune_nb.data.kinds import LABELED, NLI, TRIPLETS
from embedtune_nb.errors import DataError
from embedtune_nb.mining.contradictions import contradictions
from embedtune_nb.mining.embedder import Embedder, embedder
from embedtune_nb.mining.pool import Pool, pool_of
from embedtune_nb.mining.screen import ABOVE_MARGIN, Screened, screen
from embedtune_nb.mining.searches import ByVectors, ByWords, Search
from embedtune_nb.mining.settings import STRATEGIES, Settings, check_settings
from embedtune_nb.mining.triplets import MinedTriplets, MiningReport

_BY_MODEL = ("model", "same_group")
# Labels whose centres lie nearest to that of a row's own label count as its neighbourhood.
_NEAR_LABELS = 3
# Known positives stand among the best candidates; so many more are asked for at most.
_MOST_KNOWN = 1_000
_MUCH_SET_ASIDE = 0.5


def mine_hard_negatives(
    data: Datasource, strategy: str, *, model: Any, seed: int, progress: bool, **asked: Any
) -> MinedTriplets:
    """Do what :meth:`embedtune_nb.data.datasource.Datasource.mine_hard_negatives` says.

    Parameters
    ----------
    data, strategy, model, seed, progress
        As there.
    asked
        The rest of its options; :func:`embedtune_nb.mining.settings.check_settings` takes them.
    """
    started = time.perf_counter()
    judged = model is not None or strategy in _BY_MODEL
    settings = check_settings(strategy, judged=judged and data.kind != LABELED, seed=seed, **asked)
    if strategy == "contradiction":
        pool, screened, notes = contradictions(data, settings)
    else:
        pool = pool_of(data, seed=seed)
        _require_groups(pool, strategy, data)
        chosen_model = embedder(model) if judged else None
        with _bar(progress, pool, judged) as advance:
            judge = None if chosen_model is None else _by_vectors(pool, data, chosen_model, advance)
            search = judge if judge is not None and strategy in _BY_MODEL else _by_words(pool, settings)
            found, best = _candidates(pool, search, judge, settings, advance)
            apart = None if judge is search else judge
            screened = screen(pool, found, best, search, apart, settings, advance)
        notes = [note for note in (search.note, _about_model(chosen_model, model, strategy)) if note]
    return _triplets(data, pool, screened, settings, notes, time.perf_counter() - started)


def _by_vectors(pool: Pool, data: Datasource, model: Embedder, advance: Callable[[int], object]) -> ByVectors:
    if data.kind == LABELED:
        vectors = model.embed(pool.documents, None, advance)
        return ByVectors(vectors, vectors)
    roles = (None, None) if data.kind == NLI else ("query", "document")
    queries = model.embed(pool.queries, roles[0], advance)
    return ByVectors(queries, model.embed(pool.documents, roles[1], advance))


def _by_words(pool: Pool, settings: Settings) -> ByWords:
    coverage = settings.strategy == "partial_match"
    return ByWords(
        pool.queries,
        pool.documents,
        coverage=coverage,
        score_range=settings.score_range if coverage else None,
    )


def _candidates(
    pool: Pool, search: Search, judge: Search | None, settings: Settings, advance: Callable[[int], object]
) -> tuple[np.ndarray, np.ndarray]:
    known = np.bincount(pool.known // len(pool.documents)).max() if pool.query_class is None else 0
    k = min(settings.rank_range[1] + min(int(known), _MOST_KNOWN), len(pool.documents))
    found = np.full((len(pool.queries), k), -1, np.int64)
    best = np.full((len(pool.queries), k), -np.inf, np.float32)
    for queries, documents in _arenas(pool, judge, settings.strategy):
        found[queries], best[queries] = search.top(queries, documents, k, advance)
    return found, best


def _arenas(pool: Pool, judge: Search | None, strategy: str) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield queries and the documents among which their negatives are looked for."""
    asked = np.unique(pool.query)
    if pool.query_class is not None and pool.document_class is not None:
        near = _near_labels(pool, judge) if strategy == "same_group" and pool.query_group is None else None
        for label in range(int(pool.query_class.max()) + 1):
            others = pool.document_class != label
            if near is not None:
                others &= np.isin(pool.document_class, near[label])
            queries = asked[pool.query_class[asked] == label]
            yield from _by_group(pool, queries, np.flatnonzero(others), strategy)
    else:
        yield from _by_group(pool, asked, np.arange(len(pool.documents)), strategy)


def _by_group(
    pool: Pool, queries: np.ndarray, documents: np.ndarray, strategy: str
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    if strategy != "same_group" or pool.query_group is None or pool.document_group is None:
        yield queries, documents
        return
    for group in np.unique(pool.query_group[queries]):
        yield queries[pool.query_group[queries] == group], documents[pool.document_group[documents] == group]


def _near_labels(pool: Pool, judge: Search | None) -> np.ndarray:
    assert isinstance(judge, ByVectors) and pool.document_class is not None
    centres = judge.centres(pool.document_class)
    likeness = centres @ centres.T
    np.fill_diagonal(likeness, -np.inf)
    return np.argsort(-likeness, axis=1, kind="stable")[:, :_NEAR_LABELS]


def _require_groups(pool: Pool, strategy: str, data: Datasource) -> None:
    if strategy == "same_group" and pool.query_group is None and pool.query_class is None:
        raise DataError(
            f"{data.name!r} has neither groups nor labels.",
            expected="a group for each row, or labeled data",
            fix="build it with group_column=..., or choose another strategy.",
        )


def _about_model(used: Embedder | None, asked: Any, strategy: str) -> str:
    if used is None:
        return "No model judged the candidates: only copies of known positives were set aside."
    how = "ranked" if strategy in _BY_MODEL else "judged"
    why = (
        "" if asked is not None else " (the quickest on this machine; a stronger one finds harder negatives)"
    )
    return f"{used.name} {how} the candidates{why}."


@contextmanager
def _bar(progress: bool, pool: Pool, embeds: bool) -> Iterator[Callable[[int], object]]:
    from tqdm.auto import tqdm

    searched = len(np.unique(pool.query))
    texts = len(pool.documents) + (0 if pool.documents is pool.queries else len(pool.queries))
    total = searched + len(pool.query) + texts * embeds
    with tqdm(total=total, desc="Mining", unit="text", leave=False, disable=not progress) as bar:
        yield bar.update


def _triplets(
    data: Datasource,
    pool: Pool,
    screened: Screened,
    settings: Settings,
    notes: list[str],
    seconds: float,
) -> MinedTriplets:
    dropped = [*pool.dropped, *(Dropped(count, why) for why, count in screened.empty.most_common())]
    if not screened.chosen:
        raise DataError(
            "No row got a negative: " + "; ".join(f"{drop.count:,} {drop.reason}" for drop in dropped) + ".",
            expected="candidates that are no known positives and within the ranges and margins",
            fix="widen rank_range or score_range, lower the margin, or choose another strategy.",
        )
    examples, scores = _frames(pool, screened)
    if settings.order == "easy_to_hard":
        order = np.argsort(scores["hardness"].to_numpy(), kind="stable")
        examples, scores = (frame.iloc[order].reset_index(drop=True) for frame in (examples, scores))
        notes.append(
            "Rows are in order from easy to hard. Training shuffles them; stages() keeps parts apart."
        )
    fewer = int((scores["negative_scores"].map(len) < settings.per_row).sum())
    if fewer:
        notes.append(f"{fewer:,} rows got fewer than {settings.per_row} negatives.")
    too_near, total = screened.fates[ABOVE_MARGIN], sum(screened.fates.values())
    if too_near > _MUCH_SET_ASIDE * total:
        notes.append(
            f"{too_near / total:.0%} of the candidates score too near to their positive. A smaller "
            "relative_margin keeps more; a model that knows the matter tells them apart better."
        )
    report = MiningReport(
        strategy=settings.strategy,
        settings=asdict(settings),
        rows=len(pool.query) + sum(drop.count for drop in pool.dropped),
        kept=len(examples),
        negatives=int(examples["negatives"].map(len).sum()),
        candidates=dict(screened.fates.most_common()),
        dropped=dropped,
        set_aside=_set_aside(pool, screened),
        scores=scores,
        notes=notes,
        seconds=seconds,
    )
    mined = MinedTriplets(
        TRIPLETS,
        {"examples": examples},
        name=f"{data.name} (mined: {settings.strategy})",
        kind_reason=f"negatives are {STRATEGIES[settings.strategy]}",
        dropped=[*data.dropped, *dropped],
        notes=[*data.notes, *notes],
        instruction=data.instruction,
    )
    mined.report = report
    return mined


def _frames(pool: Pool, screened: Screened) -> tuple[pd.DataFrame, pd.DataFrame]:
    rows = np.array([row for row, *_ in screened.chosen], dtype=np.int64)
    examples = pd.DataFrame(
        {
            "id": pool.ids[rows],
            "anchor": [pool.queries[query] for query in pool.query[rows]],
            "positive": [pool.documents[document] for document in pool.positive[rows]],
        }
    )
    lists = [[pool.documents[d] for d in documents] for _, documents, _, _ in screened.chosen]
    examples["negatives"] = pd.Series(lists, dtype=object)
    if pool.row_group is not None:
        examples["group"] = [pool.row_group[row] for row in rows]
    positive = np.array([positive for *_, positive in screened.chosen])
    hardest = np.array([scores[0] for _, _, scores, _ in screened.chosen])
    table = pd.DataFrame(
        {
            "id": pool.ids[rows],
            "positive_score": positive,
            "negative_scores": pd.Series(
                [[round(float(score), 6) for score in scores] for _, _, scores, _ in screened.chosen],
                dtype=object,
            ),
            "hardness": hardest - positive,
        }
    )
    return examples, table


def _set_aside(pool: Pool, screened: Screened) -> pd.DataFrame:
    rows = [
        (
            pool.queries[pool.query[row]],
            pool.documents[pool.positive[row]],
            pool.documents[document],
            score,
            positive,
            reason,
        )
        for row, document, score, positive, reason in screened.set_aside
    ]
    columns = ["anchor", "positive", "candidate", "score", "positive_score", "reason"]
    return pd.DataFrame(rows, columns=columns)
