"""The names of all metrics, and the ranking metrics of single queries.

Ranking metrics are computed from the grades of what was retrieved, in rank order. Definitions follow
trec_eval: NDCG with linear gain and the discount log2(rank + 1) (Järvelin and Kekäläinen, 2002),
reciprocal rank of the first relevant document, recall, precision.
"""

from __future__ import annotations

import re

import numpy as np

from embedtune_nb.errors import PlanError, did_you_mean
from embedtune_nb.plan.metrics import lower_is_better

RETRIEVAL_METRICS = ("ndcg@10", "mrr@10", "recall@1", "recall@10", "precision@10")
LABEL_METRICS = ("accuracy", "f1_macro")
SCORE_METRICS = ("mae", "rmse", "r2")
TRIPLET_METRICS = ("triplet_accuracy", "margin")
SIMILARITY_METRICS = ("spearman", "pearson")
_NAMES = {"ndcg": "NDCG", "mrr": "MRR", "recall": "Recall", "precision": "Precision"}
_OTHERS = {
    "accuracy": "Accuracy",
    "f1_macro": "Macro F1",
    "head_accuracy": "Accuracy of the head",
    "mae": "MAE",
    "rmse": "RMSE",
    "r2": "R²",
    "head_mae": "MAE of the head",
    "triplet_accuracy": "Triplet accuracy",
    "margin": "Margin",
    "spearman": "Spearman",
    "pearson": "Pearson",
    "loss": "Loss",
}


def parse_metric(metric: str) -> tuple[str, int]:
    """Split ``"ndcg@10"`` into ``("ndcg", 10)``.

    Raises
    ------
    PlanError
        If the family is unknown or k is not a whole number from 1.
    """
    family, _, k = str(metric).partition("@")
    if family not in _NAMES or not re.fullmatch(r"[1-9]\d*", k):
        raise PlanError(
            f"{metric!r} is no retrieval metric. {did_you_mean(metric, RETRIEVAL_METRICS)}".strip(),
            expected=f"one of {', '.join(_NAMES)} with a cutoff, such as 'ndcg@10'",
        )
    return family, int(k)


def display_name(metric: str) -> str:
    """Return how a metric is written for people: ``"ndcg@10"`` becomes ``"NDCG@10"``."""
    family, at, k = metric.partition("@")
    return _OTHERS.get(metric) or _NAMES.get(family, family) + at + k


def directed_name(metric: str) -> str:
    """Return the display name, and which way is up where that is down: ``"MAE (lower is better)"``."""
    return display_name(metric) + (" (lower is better)" if lower_is_better(metric) else "")


def score_queries(metric: str, grades: np.ndarray, judged: np.ndarray, relevant: np.ndarray) -> np.ndarray:
    """Score every query.

    Parameters
    ----------
    metric
        ``"ndcg@k"``, ``"mrr@k"``, ``"recall@k"`` or ``"precision@k"``.
    grades
        (queries, ranks): the grade of the document at each rank, 0 where not relevant. Fewer than k
        ranks mean that the pool holds no more documents.
    judged
        (queries, ranks or more): the grades of all relevant documents, descending, padded with 0.
    relevant
        (queries,): how many documents are relevant, at least one each.

    Returns
    -------
    numpy.ndarray
        (queries,) values from 0 to 1. Precision divides by k, even where the pool is smaller.
    """
    family, k = parse_metric(metric)
    grades = grades[:, :k]
    if family == "ndcg":
        return _discounted(grades) / _discounted(judged[:, :k])
    hits = grades > 0
    if family == "mrr":
        return np.where(hits.any(axis=1), 1.0 / (hits.argmax(axis=1) + 1), 0.0)
    return hits.sum(axis=1) / (relevant if family == "recall" else k)


def _discounted(grades: np.ndarray) -> np.ndarray:
    return grades @ (1.0 / np.log2(np.arange(grades.shape[1]) + 2.0))
