"""One evaluation, whatever the kind of data."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import pandas as pd

from embedtune_nb.data.datasource import Datasource
from embedtune_nb.errors import DataError, PlanError, did_you_mean
from embedtune_nb.evaluation.metrics import LABEL_METRICS, RETRIEVAL_METRICS
from embedtune_nb.evaluation.neighbor import neighbor_votes, sample_rows, score_labels
from embedtune_nb.evaluation.result import Evaluation
from embedtune_nb.evaluation.retrieval import score_retrieval
from embedtune_nb.evaluation.vectors import Progress, TextEncoder, VectorCache, embed_roles

NEIGHBOR_COUNT = 5


def evaluate(
    encoder: TextEncoder,
    data: Datasource,
    *,
    reference: Datasource | None = None,
    settings: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
    cache: VectorCache | None = None,
) -> Evaluation:
    """Score *encoder* on held-out *data*.

    Parameters
    ----------
    encoder
        Anything with ``embed(texts, role=..., progress=...)`` that returns unit vectors.
    data
        Retrieval data (every query searches all documents) or labelled texts (each is classified by
        its nearest neighbours in *reference*).
    reference
        Labelled texts that vote; needed for labels. Not to overlap with *data*.
    settings
        Read: `metric` (the one that decides; default ``ndcg@10`` or ``accuracy``), `neighbor_count`
        (default 5), `neighbor_eval_count` (most held-out texts scored), `neighbor_eval_pool_subsample`
        (most reference texts, or their share), `seed` (of these samples, default 0).
    progress
        Called with texts embedded so far and in all.
    cache
        Vectors of this encoder that are known already; grows by what is embedded here.

    Returns
    -------
    Evaluation
        Retrieval: NDCG@10, MRR@10, recall@1, recall@10, precision@10 and the deciding metric.
        Labels: accuracy and macro F1.

    Raises
    ------
    DataError
        If the kind of data has no evaluation, or the reference is missing or empty.
    """
    started = time.perf_counter()
    settings, cache = settings or {}, cache if cache is not None else VectorCache()
    if data.kind == "retrieval":
        per_query, metrics, primary, notes = _retrieval(encoder, data, settings, progress, cache)
    elif data.kind == "labeled":
        per_query, metrics, primary, notes = _labels(encoder, data, reference, settings, progress, cache)
    else:
        raise DataError(
            f"Data of the kind {data.kind!r} cannot be scored as it is.",
            expected="labeled or retrieval data",
            fix="split pairs first: the parts held out for scoring are retrieval data.",
        )
    return Evaluation(metrics, per_query, primary, time.perf_counter() - started, notes)


def _retrieval(
    encoder: TextEncoder,
    data: Datasource,
    settings: Mapping[str, Any],
    progress: Progress | None,
    cache: VectorCache,
) -> tuple[pd.DataFrame, dict[str, float], str, list[str]]:
    queries, corpus, qrels = (data.frames[name] for name in ("queries", "corpus", "qrels"))
    primary = settings.get("metric") or RETRIEVAL_METRICS[0]
    metrics = tuple(dict.fromkeys([primary, *RETRIEVAL_METRICS]))
    if queries.empty or corpus.empty or qrels.empty:
        raise DataError(
            f"Nothing to score: {len(queries)} queries, {len(corpus)} documents, {len(qrels)} judgements.",
            expected="at least one of each",
        )
    texts = {"query": queries["text"].tolist(), "document": corpus["text"].tolist()}
    vectors = embed_roles(encoder, texts, progress, cache)
    per_query, notes = score_retrieval(vectors["query"], vectors["document"], queries, corpus, qrels, metrics)
    return per_query, {name: float(per_query[name].mean()) for name in metrics}, primary, notes


def _labels(
    encoder: TextEncoder,
    data: Datasource,
    reference: Datasource | None,
    settings: Mapping[str, Any],
    progress: Progress | None,
    cache: VectorCache,
) -> tuple[pd.DataFrame, dict[str, float], str, list[str]]:
    if reference is None or len(reference) == 0 or len(data) == 0:
        raise DataError(
            "Labels are scored by their nearest neighbours in a reference set, and "
            + ("there is nothing to score." if len(data) == 0 else "none was given."),
            fix="pass held-out texts as `data` and the training part as `reference`.",
        )
    primary = settings.get("metric") or LABEL_METRICS[0]
    if primary not in LABEL_METRICS:
        raise PlanError(
            f"{primary!r} is no metric of labels. {did_you_mean(primary, LABEL_METRICS)}".strip(),
            expected=" or ".join(map(repr, LABEL_METRICS)),
        )
    seed, k = int(settings.get("seed") or 0), settings.get("neighbor_count")
    k = NEIGHBOR_COUNT if k is None else k
    if not isinstance(k, int) or isinstance(k, bool) or k < 1:
        raise PlanError(f"neighbor_count is {k!r}.", expected="a whole number from 1")
    held_out, pool = data.frames["examples"], reference.frames["examples"]
    asked, voting = len(held_out), len(pool)
    held_out = held_out.iloc[sample_rows(asked, settings.get("neighbor_eval_count"), seed)]
    pool = pool.iloc[sample_rows(voting, settings.get("neighbor_eval_pool_subsample"), seed)]
    notes = [f"Similarity-weighted vote of the {min(k, len(pool))} nearest of {len(pool):,} reference texts."]
    if len(held_out) < asked:
        notes.append(f"{len(held_out):,} of {asked:,} held-out texts were scored (neighbor_eval_count).")
    if len(pool) < voting:
        notes.append(f"{len(pool):,} of {voting:,} reference texts voted (neighbor_eval_pool_subsample).")
    if unseen := sorted(set(held_out["label"].astype(str)) - set(pool["label"].astype(str))):
        affected = int(held_out["label"].astype(str).isin(unseen).sum())
        notes.append(f"{affected:,} texts bear a label that no reference text has ({', '.join(unseen[:3])}).")
    texts = held_out["value"].tolist() + pool["value"].tolist()
    vectors = embed_roles(encoder, {None: texts}, progress, cache)[None]
    predicted = neighbor_votes(
        vectors[: len(held_out)], vectors[len(held_out) :], pool["label"].to_numpy(), k
    )
    truth = pd.Series(held_out["label"].to_numpy(), index=pd.Index(held_out["id"], name="query_id"))
    per_query, metrics = score_labels(truth, predicted)
    return per_query, metrics, primary, notes
