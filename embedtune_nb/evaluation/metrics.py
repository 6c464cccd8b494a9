"""The names of all metrics, and the ranking metrics of single queries.

Ranking metrics are computed from the grades of what was retrieved, in rank order, for each query by
itself; what is reported is their mean over the queries (macro average). Definitions follow trec_eval:
NDCG with linear gain and the discount log2(rank + 1) (Järvelin and Kekäläinen, 2002), reciprocal rank of
the first relevant document, average precision over all relevant documents (``map_cut``), recall,
precision. NDCG with the exponential gain 2^grade - 1 is that of Burges et al. (2005).
"""

from __future__ import annotations

import re

import numpy as np

from embedtune_nb.errors import PlanError, did_you_mean
from embedtune_nb.plan.metrics import DECIDING, lower_is_better

RETRIEVAL_METRICS = ("ndcg@10", "mrr@10", "map@10", "recall@1", "recall@10", "precision@10", "f1@10")
#: Added where grades differ; with equal ones it is the same as NDCG with linear gain.
GRADED_METRIC = "ndcg_exp@10"
LABEL_METRICS = DECIDING["labeled"]
SCORE_METRICS = DECIDING["scored"]
TRIPLET_METRICS = DECIDING["triplets"]
SIMILARITY_METRICS = DECIDING["nli"]
_NAMES = {
    "ndcg": "NDCG",
    "ndcg_exp": "NDCG",
    "mrr": "MRR",
    "map": "MAP",
    "recall": "Recall",
    "precision": "Precision",
    "f1": "F1",
}
_OTHERS = {
    "accuracy": "Accuracy",
    "f1_macro": "Macro F1",
    "f1_micro": "Micro F1",
    "roc_auc": "ROC-AUC",
    "pr_auc": "PR-AUC",
    "coverage": "Coverage",
    "head_accuracy": "Accuracy of the head",
    "mae": "MAE",
    "rmse": "RMSE",
    "r2": "R²",
    "explained_variance": "Explained variance",
    "head_mae": "MAE of the head",
    "triplet_accuracy": "Triplet accuracy",
    "margin": "Margin",
    "spearman": "Spearman",
    "pearson": "Pearson",
    "rank_error": "Rank error",
    "vote_share": "Vote share of the right label",
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
    """Return how a metric is written for people: ``"ndcg@10"`` becomes ``"NDCG@10"``.

    NDCG has linear gain unless the name says ``(exponential gain)``.
    """
    family, at, k = metric.partition("@")
    gain = " (exponential gain)" if family == "ndcg_exp" else ""
    return _OTHERS.get(metric) or _NAMES.get(family, family) + at + k + gain


def directed_name(metric: str) -> str:
    """Return the display name, and which way is up where that is down: ``"MAE (lower is better)"``."""
    return display_name(metric) + (" (lower is better)" if lower_is_better(metric) else "")


def score_queries(metric: str, grades: np.ndarray, judged: np.ndarray, relevant: np.ndarray) -> np.ndarray:
    """Score every query.

    Parameters
    ----------
    metric
        ``"ndcg@k"`` (linear gain), ``"ndcg_exp@k"`` (exponential gain), ``"mrr@k"``, ``"map@k"``,
        ``"recall@k"``, ``"precision@k"`` or ``"f1@k"`` (of the precision and recall of the query).
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
        (queries,) values from 0 to 1. Precision divides by k, even where the pool is smaller; average
        precision by the number of relevant documents, even where that exceeds k.
    """
    family, k = parse_metric(metric)
    grades, judged = grades[:, :k], judged[:, :k]
    if family == "ndcg_exp":
        highest = judged.max(axis=1, keepdims=True)
        grades, judged = _exponential(grades, highest), _exponential(judged, highest)
    if family in ("ndcg", "ndcg_exp"):
        return _discounted(grades) / _discounted(judged)
    hits = grades > 0
    if family == "mrr":
        return np.where(hits.any(axis=1), 1.0 / (hits.argmax(axis=1) + 1), 0.0)
    if family == "map":
        precisions = np.cumsum(hits, axis=1) / np.arange(1, hits.shape[1] + 1)
        return (precisions * hits).sum(axis=1) / relevant
    found = hits.sum(axis=1)
    if family == "f1":  # the harmonic mean of found / k and found / relevant
        return 2 * found / (k + relevant)
    return found / (relevant if family == "recall" else k)


def _exponential(grades: np.ndarray, highest: np.ndarray) -> np.ndarray:
    """Return 2^grade - 1 as a share of 2^highest: only ratios count, and large grades do not overflow."""
    return np.exp2(grades - highest) - np.exp2(-highest)


def _discounted(grades: np.ndarray) -> np.ndarray:
    return grades @ (1.0 / np.log2(np.arange(grades.shape[1]) + 2.0))
