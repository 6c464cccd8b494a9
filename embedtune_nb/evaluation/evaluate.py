"""One evaluation, whatever the kind of data."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from embedtune_nb.data.datasource import Datasource
from embedtune_nb.errors import DataError
from embedtune_nb.evaluation.by_neighbors import evaluate_labels, evaluate_scores
from embedtune_nb.evaluation.by_similarity import evaluate_nli, evaluate_scored_pairs, evaluate_triplets
from embedtune_nb.evaluation.result import Evaluation
from embedtune_nb.evaluation.retrieval import evaluate_retrieval
from embedtune_nb.evaluation.task import Task
from embedtune_nb.evaluation.traits import traits_of
from embedtune_nb.evaluation.vectors import Progress, TextEncoder, VectorCache

_METHODS: dict[str, Callable[[Task], Evaluation]] = {
    "labeled": evaluate_labels,
    "scored": evaluate_scores,
    "triplets": evaluate_triplets,
    "scored_pairs": evaluate_scored_pairs,
    "nli": evaluate_nli,
    "retrieval": evaluate_retrieval,
}


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
        Any kind but pairs, which are split into retrieval data first.
    reference
        Texts with labels or scores, which the nearest neighbours of *data* are taken from; needed for
        labels and scores. Not to overlap with *data*.
    settings
        Read: `metric` (the one that decides; by default the first below), `neighbor_count`
        (default 5), `neighbor_weighting` (``"similarity"`` or ``"uniform"``), `neighbor_eval_count`
        (most held-out texts scored), `neighbor_eval_pool_subsample` (most reference texts, or their
        share), `seed` (of these samples, default 0).
    progress
        Called with texts embedded so far and in all.
    cache
        Vectors of this encoder that are known already; grows by what is embedded here.

    Returns
    -------
    Evaluation
        retrieval: NDCG@10, MRR@10, MAP@10, recall@1, recall@10, precision@10, F1@10 and the deciding
        metric, every query against all documents; NDCG also with exponential gain where grades differ.
        labeled: accuracy, macro and micro F1, ROC-AUC, PR-AUC, coverage; scored: MAE, RMSE, R² and
        explained variance; both by nearest neighbours. triplets: the share whose positive beats all
        negatives, and the mean margin.
        scored_pairs and nli: Spearman's and Pearson's correlation of cosine and score.

    Raises
    ------
    DataError
        If the kind of data has no evaluation, there is nothing to score, or the reference is missing.
    PlanError
        If a setting is wrong.
    """
    started = time.perf_counter()
    if data.kind not in _METHODS:
        raise DataError(
            f"Data of the kind {data.kind!r} cannot be scored as it is.",
            expected="data of the kind " + ", ".join(_METHODS),
            fix="split pairs first: the parts held out for scoring are retrieval data.",
        )
    known = cache if cache is not None else VectorCache()
    evaluation = _METHODS[data.kind](Task(encoder, data, reference, settings or {}, progress, known))
    evaluation.traits = traits_of(data).loc[evaluation.per_query.index]
    evaluation.seconds = time.perf_counter() - started
    return evaluation
