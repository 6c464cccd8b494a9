"""What training did to single rows: where the right answer stood, and what displaced it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from embedtune_nb.data.datasource import Datasource
from embedtune_nb.data.kinds import LABELED, NLI, RETRIEVAL, SCORED, SCORED_PAIRS, TEXT_ROLES, TRIPLETS
from embedtune_nb.evaluation.search import exact_search

#: From texts by role to their unit vectors by role, (texts, dimension).
Embed = Callable[[Mapping[Any, list[str]]], dict[Any, np.ndarray]]

# as in the search, where scores that differ by less count as equal
_DECIMALS = 6
_QUERIES_AT_ONCE = 256
# Two documents this near to each other in similarity to a query change places with the seed of a run.
_CLOSE = 0.01


class _Move(NamedTuple):
    """A row of what :func:`moves` returns."""

    text: str
    answer: Any
    rank_before: int | None = None
    rank_after: int | None = None
    displaced_by: str | None = None
    neighbors_say: str | None = None
    close: str | None = None


@dataclass(frozen=True)
class Compared:
    """The held-out rows of one run and how two encoders place them.

    Attributes
    ----------
    data
        The held-out part.
    reference
        The training part; its texts are the neighbours of labeled and scored ones.
    before, after
        How each encoder embeds.
    worse_by
        How much worse each row became, above 0 for a loss; index: ids of the rows.
    neighbor_count
        How many neighbours answer for a labeled or scored text.
    """

    data: Datasource
    reference: Datasource
    before: Embed
    after: Embed
    worse_by: pd.Series
    neighbor_count: int = 5


def moves(compared: Compared) -> pd.DataFrame:
    """Follow the right answer of every row.

    Returns
    -------
    DataFrame
        Index and order of ``worse_by``. `text`; `answer`: the right answer that moved most (a document, a
        label, a score, the other text); `rank_before` and `rank_after`: its place, 1 the best;
        `displaced_by`: what stands before it now and did not before (if nothing is new there, the best of
        what is not right). Of labels, places are those of the nearest text with the right label, and
        `neighbors_say` is the one wrong label that all voting neighbours bear. Scores have no places. Of
        judged pairs, the place is that of the pair among all pairs by similarity. `close`: how near the
        decision was, where one vote or a similarity of 0.01 turned it. Missing where there is nothing to
        tell.
    """
    rows = _FOLLOW[compared.data.kind](compared)
    frame = pd.DataFrame(rows, columns=list(_Move._fields), index=compared.worse_by.index)
    return frame.astype({"rank_before": "Int64", "rank_after": "Int64"})


def _of_retrieval(compared: Compared) -> list[_Move]:
    queries, corpus, qrels = (compared.data.frames[name] for name in ("queries", "corpus", "qrels"))
    texts = queries.drop_duplicates("id").set_index("id")["text"].loc[compared.worse_by.index]
    places = {"query": texts.tolist(), "document": corpus["text"].tolist()}
    before, after = compared.before(places), compared.after(places)
    right = _right_documents(texts.index, corpus, qrels)
    copies = pd.Series(np.arange(len(corpus))).groupby(corpus["text"].to_numpy()).apply(np.array)
    document_texts = corpus["text"].to_numpy()
    rows: list[_Move] = []
    for start in range(0, len(texts), _QUERIES_AT_ONCE):
        block = slice(start, start + _QUERIES_AT_ONCE)
        scores = [
            np.round(vectors["query"][block] @ vectors["document"].T, _DECIMALS)
            for vectors in (before, after)
        ]
        for place, text in enumerate(texts.iloc[block]):
            documents, grades = right[start + place]
            own = np.setdiff1d(copies.get(text, np.empty(0, int)), documents)
            lost = compared.worse_by.iloc[start + place] > 0
            first, second = (_without(side[place], own) for side in scores)
            ranks = _ranks(first, documents), _ranks(second, documents)
            moved = _moved_most(*ranks, grades, lost=lost)
            answer = int(documents[moved])
            wrong = np.ones(len(corpus), bool)
            wrong[documents] = wrong[own] = False
            displacing = _newly_above(first, second, answer, wrong)
            rows.append(
                _Move(
                    text,
                    document_texts[answer],
                    int(ranks[0][moved]),
                    int(ranks[1][moved]),
                    None if displacing is None else document_texts[displacing],
                    close=None if displacing is None else _close(second[displacing] - second[answer]),
                )
            )
    return rows


def _right_documents(
    ids: pd.Index, corpus: pd.DataFrame, qrels: pd.DataFrame
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return for each query the rows of its right documents, and their grades."""
    judged = pd.DataFrame(
        {
            "query": ids.get_indexer(qrels["query_id"]),
            "document": pd.Index(corpus["id"]).get_indexer(qrels["corpus_id"]),
            "grade": qrels["relevance"].to_numpy(float),
        }
    )
    judged = judged[(judged["query"] >= 0) & (judged["document"] >= 0) & (judged["grade"] > 0)]
    found = {
        query: (part["document"].to_numpy(), part["grade"].to_numpy())
        for query, part in judged.groupby("query")
    }
    return [found[place] for place in range(len(ids))]


def _without(scores: np.ndarray, rows: np.ndarray) -> np.ndarray:
    if len(rows):
        scores[rows] = -np.inf  # the query itself is no answer to it
    return scores


def _ranks(scores: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return the places of *rows*, from 1; equal scores go by document order."""
    ahead = [
        np.count_nonzero(scores > scores[row]) + np.count_nonzero(scores[:row] == scores[row]) for row in rows
    ]
    return np.array(ahead) + 1


def _moved_most(before: np.ndarray, after: np.ndarray, grades: np.ndarray, *, lost: bool) -> int:
    """Return which right document's discounted gain fell, or rose, the most."""
    change = grades / np.log2(after + 1.0) - grades / np.log2(before + 1.0)
    return int(change.argmin() if lost else change.argmax())


def _newly_above(before: np.ndarray, after: np.ndarray, answer: int, wrong: np.ndarray) -> int | None:
    order = np.arange(len(after))
    ahead = [
        wrong & ((scores > scores[answer]) | ((scores == scores[answer]) & (order < answer)))
        for scores in (before, after)
    ]
    new = ahead[1] & ~ahead[0]
    candidates = new if new.any() else ahead[1]
    return int(np.where(candidates, after, -np.inf).argmax()) if candidates.any() else None


def _of_labels(compared: Compared) -> list[_Move]:
    held_out, pool = _held_out(compared), compared.reference.frames["examples"]
    labels, pool_labels = held_out["label"].astype(str).to_numpy(), pool["label"].astype(str).to_numpy()
    texts = pool["value"].to_numpy()
    rows: list[_Move] = []
    sides = _both(compared, held_out, pool)
    for place, (text, label) in enumerate(zip(held_out["value"], labels, strict=True)):
        before, after = (np.round(pool_side @ own_side[place], _DECIMALS) for own_side, pool_side in sides)
        right = np.flatnonzero(pool_labels == label)
        if not len(right):
            rows.append(_Move(text, label, displaced_by=texts[after.argmax()]))
            continue
        ranks = [int(_ranks(side, right[[side[right].argmax()]])[0]) for side in (before, after)]
        wrong = pool_labels != label
        displacing = _newly_above(before, after, int(right[after[right].argmax()]), wrong)
        if displacing is None and compared.worse_by.iloc[place] > 0:
            # outvoted by what stands behind the nearest right text
            displacing = int(np.where(wrong, after, -np.inf).argmax())
        voters = pool_labels[np.argsort(-after, kind="stable")[: compared.neighbor_count]]
        said = set(voters)
        rows.append(
            _Move(
                text,
                label,
                rank_before=ranks[0],
                rank_after=ranks[1],
                displaced_by=None if displacing is None else texts[displacing],
                neighbors_say=said.pop() if len(said) == 1 and label not in said else None,
                close=_close_vote(voters, label),
            )
        )
    return rows


def _close(ahead: float) -> str | None:
    if ahead > _CLOSE:
        return None
    return f"The right answer is {max(ahead, 0.0):.3f} less similar than what displaced it."


def _close_vote(voters: np.ndarray, label: str) -> str | None:
    """Say so where one more vote would have been enough."""
    right = int((voters == label).sum())
    wrong = int(pd.Series(voters[voters != label]).value_counts().max()) if right < len(voters) else 0
    if not 0 < right <= wrong <= right + 1:
        return None
    return f"Its neighbours voted {wrong} to {right}."


def _of_scores(compared: Compared) -> list[_Move]:
    held_out, pool = _held_out(compared), compared.reference.frames["examples"]
    *_, (vectors, reference) = _both(compared, held_out, pool)
    _, found = exact_search(vectors, reference, compared.neighbor_count)
    scores = pool["score"].to_numpy(float)
    rows: list[_Move] = []
    for text, truth, near in zip(held_out["value"], held_out["score"], found, strict=True):
        furthest = near[np.abs(scores[near] - float(truth)).argmax()]
        rows.append(_Move(text, truth, displaced_by=pool["value"].iloc[furthest]))
    return rows


def _of_triplets(compared: Compared) -> list[_Move]:
    examples = _held_out(compared)
    negatives = [list(texts) for texts in examples["negatives"]]
    documents = examples["positive"].tolist() + [text for texts in negatives for text in texts]
    texts = {"query": examples["anchor"].tolist(), "document": documents}
    sides = [embed(texts) for embed in (compared.before, compared.after)]
    rows: list[_Move] = []
    start = len(examples)
    for place, own in enumerate(negatives):
        among = np.array([place, *range(start, start + len(own))])
        start += len(own)
        before, after = (
            np.round(side["document"][among] @ side["query"][place], _DECIMALS) for side in sides
        )
        # a negative as near as the positive counts as before it, as in the metric
        ranks = [1 + int((scores[1:] >= scores[0]).sum()) for scores in (before, after)]
        hardest = int(after[1:].argmax())
        anchor, positive = examples["anchor"].iloc[place], examples["positive"].iloc[place]
        rows.append(
            _Move(
                anchor,
                positive,
                ranks[0],
                ranks[1],
                own[hardest],
                close=_close(after[1 + hardest] - after[0]),
            )
        )
    return rows


def _of_pairs(compared: Compared) -> list[_Move]:
    examples = _held_out(compared)
    first, second = (examples[column].tolist() for column in TEXT_ROLES[compared.data.kind])
    ranks = []
    for embed in (compared.before, compared.after):
        vectors = embed({None: first + second})[None]
        cosines = np.round(np.einsum("nd,nd->n", vectors[: len(first)], vectors[len(first) :]), _DECIMALS)
        ranks.append(pd.Series(-cosines).rank(method="min").astype(int).tolist())
    return [_Move(*told) for told in zip(first, second, *ranks, strict=True)]


def _held_out(compared: Compared) -> pd.DataFrame:
    examples = compared.data.frames["examples"]
    return examples.set_index("id", drop=False).loc[compared.worse_by.index]


def _both(
    compared: Compared, held_out: pd.DataFrame, pool: pd.DataFrame
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the vectors of held-out and of reference texts, before and after."""
    texts = {None: held_out["value"].tolist() + pool["value"].tolist()}
    sides = [embed(texts)[None] for embed in (compared.before, compared.after)]
    return [(vectors[: len(held_out)], vectors[len(held_out) :]) for vectors in sides]


_FOLLOW: dict[str, Callable[[Compared], list[_Move]]] = {
    LABELED: _of_labels,
    SCORED: _of_scores,
    TRIPLETS: _of_triplets,
    SCORED_PAIRS: _of_pairs,
    NLI: _of_pairs,
    RETRIEVAL: _of_retrieval,
}
