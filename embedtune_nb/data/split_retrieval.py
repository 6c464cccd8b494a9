"""Splitting pairs and retrieval data: whatever shares a text, a document or a group stays in one part."""

from __future__ import annotations

import numpy as np
import pandas as pd

from embedtune_nb.data.components import linked
from embedtune_nb.data.copies import normalized
from embedtune_nb.data.datasource import Datasource
from embedtune_nb.data.kinds import PAIRS, RETRIEVAL
from embedtune_nb.data.partition import SELECTION, TRAIN, VERDICT, by_size, targets
from embedtune_nb.data.split_parts import Parts, far_off, realised, refuse_groups
from embedtune_nb.errors import DataError


def split_retrieval(
    data: Datasource, *, seed: int, selection: bool, eval_datasource: Datasource | None
) -> Parts:
    """Split pairs or retrieval data; see :func:`embedtune_nb.data.split.split`."""
    frames = as_retrieval(data)
    pool = frames["corpus"]
    removed: list[dict[str, object]] = []
    reasons: list[str] = []
    evaluation = None
    if eval_datasource is not None:
        evaluation = as_retrieval(eval_datasource)
        frames, pool = _pooled(evaluation["corpus"], frames)
        known = {normalized(text) for text in evaluation["queries"]["text"]}
        leaked = frames["queries"]["text"].map(normalized).isin(known)
        if leaked.any():
            removed.append({"count": int(leaked.sum()), "reason": "the query also stands in eval_datasource"})
            frames = _of_queries(frames, frames["queries"][~leaked])
        if frames["queries"].empty:
            raise DataError(
                "Every query of the data also stands in eval_datasource.",
                expected="training queries that are not evaluated on",
                fix="pass other data for one of them.",
            )
        judged = set(_documents(evaluation)) & set(_documents(frames))
        if judged:
            reasons.append(f"{len(judged):,} documents answer queries of both the data and eval_datasource.")
    want = targets(len(frames["queries"]), selection=selection, verdict=evaluation is None)
    if any(want.values()):
        parts, how, told = _deal_out(data, frames, want, np.random.default_rng(seed))
        reasons += told
    else:
        parts, how = np.full(len(frames["queries"]), TRAIN), "nothing held out of the data"

    queries = frames["queries"]
    verdict = _of_queries(frames, queries[parts == VERDICT]) if evaluation is None else evaluation
    chosen = _of_queries(frames, queries[parts == SELECTION])
    answers = {*verdict["qrels"]["corpus_id"], *chosen["qrels"]["corpus_id"]}
    return Parts(
        train=_train(data, frames, queries[parts == TRAIN], answers),
        selection=_held_out(data, {**chosen, "corpus": pool}, "selection") if selection else None,
        verdict=_held_out(eval_datasource or data, {**verdict, "corpus": pool}, "verdict"),
        how=how,
        reasons=reasons,
        removed=removed,
    )


def as_retrieval(data: Datasource) -> dict[str, pd.DataFrame]:
    """Return the frames of retrieval data; of pairs, each anchor is a query and each positive a document.

    An anchor of several groups belongs to the first.
    """
    if data.kind == RETRIEVAL:
        return dict(data.frames)
    examples = data.frames["examples"].drop_duplicates(["anchor", "positive"])
    query_codes, anchors = pd.factorize(examples["anchor"])
    document_codes, positives = pd.factorize(examples["positive"])
    query_ids = np.array([f"q{place}" for place in range(len(anchors))], dtype=object)
    document_ids = np.array([f"d{place}" for place in range(len(positives))], dtype=object)
    qrels = {"query_id": query_ids[query_codes], "corpus_id": document_ids[document_codes]}
    queries = pd.DataFrame({"id": query_ids, "text": list(anchors)})
    if "group" in examples:
        queries["group"] = examples.loc[~examples["anchor"].duplicated(), "group"].tolist()
    return {
        "queries": queries,
        "corpus": pd.DataFrame({"id": document_ids, "text": list(positives)}),
        "qrels": pd.DataFrame({**qrels, "relevance": 1.0}),
    }


def _deal_out(
    data: Datasource, frames: dict[str, pd.DataFrame], want: dict[int, int], generator: np.random.Generator
) -> tuple[np.ndarray, str, list[str]]:
    queries, corpus, qrels = frames["queries"], frames["corpus"], frames["qrels"]
    count = len(queries)
    keys = pd.factorize(pd.concat([queries["text"], corpus["text"]], ignore_index=True).map(normalized))[0]
    asked = (np.arange(count), keys[:count])
    query_rows = pd.Index(queries["id"]).get_indexer(qrels["query_id"])
    document_rows = pd.Index(corpus["id"]).get_indexer(qrels["corpus_id"])
    answered = (query_rows, keys[count + document_rows])
    texts = (np.concatenate((asked[0], answered[0])), np.concatenate((asked[1], answered[1])))
    groups = _groups(data, queries)

    units = linked(count, [texts, *groups])
    sizes = np.bincount(units)
    parts = by_size(sizes, want, generator)
    got = {part: int(sizes[parts == part].sum()) for part in want}
    if not far_off(got, want):
        apart = [f"{len(sizes):,} sets of queries share nothing with one another; each stays whole."]
        if groups:
            column = data.roles["group"].column if "group" in data.roles else "group"
            apart.append(
                "Whole groups were dealt out, so the parts are as near to their sizes as the groups allow: "
                + realised(got, want, count)
            )
            return parts[units], f"whole groups of {column!r}; shared texts and documents together", apart
        return parts[units], "queries that share a text or a document together", apart
    if groups:
        column = data.roles["group"].column if "group" in data.roles else "group"
        refuse_groups(column, sizes, want, "queries")
    alone = linked(count, [asked])
    alone_sizes = np.bincount(alone)
    dealt = by_size(alone_sizes, want, generator)[alone]
    part_of = pd.Series(dealt[query_rows]).groupby(document_rows).nunique()
    reason = (
        f"{int(sizes.max()):,} of {count:,} queries hang together through documents they share, too many "
        f"to keep in one part. Queries were kept apart, documents were not: {int((part_of > 1).sum()):,} "
        "documents answer queries of more than one part."
    )
    return dealt, "equal queries together; documents may answer queries of several parts", [reason]


def _groups(data: Datasource, queries: pd.DataFrame) -> list[tuple[np.ndarray, np.ndarray]]:
    if data.kind == PAIRS and "group" in data.frames["examples"]:
        examples = data.frames["examples"]
        rows = pd.Index(queries["text"]).get_indexer(examples["anchor"])
        held = pd.factorize(examples["group"])[0]
        return [(rows[rows >= 0], held[rows >= 0])]
    if "group" in queries:
        return [(np.arange(len(queries)), pd.factorize(queries["group"])[0])]
    return []


def _of_queries(frames: dict[str, pd.DataFrame], queries: pd.DataFrame) -> dict[str, pd.DataFrame]:
    qrels = frames["qrels"]
    return {
        "queries": queries.reset_index(drop=True),
        "corpus": frames["corpus"],
        "qrels": qrels[qrels["query_id"].isin(set(queries["id"]))].reset_index(drop=True),
    }


def _train(
    data: Datasource, frames: dict[str, pd.DataFrame], queries: pd.DataFrame, answers: set[str]
) -> Datasource:
    name = f"{data.name} (train)"
    if data.kind == PAIRS:
        examples = data.frames["examples"]
        rows = examples[examples["anchor"].isin(set(queries["text"]))].reset_index(drop=True)
        return Datasource(
            PAIRS, {"examples": rows}, name=name, kind_reason=data.kind_reason, roles=data.roles
        )
    kept = _of_queries(frames, queries)
    # A document that only held-out queries ask for must not even serve as a negative.
    reserved = answers - set(kept["qrels"]["corpus_id"])
    corpus = frames["corpus"]
    kept["corpus"] = corpus[~corpus["id"].isin(reserved)].reset_index(drop=True)
    return Datasource(RETRIEVAL, kept, name=name, kind_reason=data.kind_reason, roles=data.roles)


def _held_out(data: Datasource, frames: dict[str, pd.DataFrame], name: str) -> Datasource:
    return Datasource(
        RETRIEVAL, frames, name=f"{data.name} ({name})", kind_reason="queries over the documents of all parts"
    )


def _documents(frames: dict[str, pd.DataFrame]) -> pd.Series:
    corpus = frames["corpus"]
    return corpus["text"][corpus["id"].isin(set(frames["qrels"]["corpus_id"]))]


def _pooled(
    first: pd.DataFrame, frames: dict[str, pd.DataFrame]
) -> tuple[dict[str, pd.DataFrame], pd.DataFrame]:
    """Join the corpus of *frames* to *first*; return *frames* under the ids of the pool, and the pool.

    A document with a text of *first* becomes that one. Any other keeps its id, or gets a new one where
    *first* has an id like it.
    """
    corpus = frames["corpus"]
    known = corpus["text"].isin(set(first["text"]))
    id_of = first.drop_duplicates("text").set_index("text")["id"]
    own = corpus["id"][~known]
    while set(own) & set(first["id"]):
        own = "data:" + own
    ids = pd.concat([corpus["text"][known].map(id_of), own]).reindex(corpus.index)
    renamed = corpus.assign(id=ids)
    pool = pd.concat([first, renamed[~known]], ignore_index=True)
    new_id = dict(zip(corpus["id"], ids, strict=True))
    qrels = frames["qrels"].assign(corpus_id=frames["qrels"]["corpus_id"].map(new_id))
    # two documents with one text may have become one: the better judgement holds
    qrels = qrels.groupby(["query_id", "corpus_id"], sort=False, as_index=False)["relevance"].max()
    renamed = renamed.drop_duplicates("id").reset_index(drop=True)
    return {**frames, "corpus": renamed, "qrels": qrels}, pool
