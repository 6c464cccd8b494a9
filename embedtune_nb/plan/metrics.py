"""Which metric decides for a kind of data, and whether more of it is better."""

from __future__ import annotations

#: The metric of the verdict, by the kind of the training data.
PRIMARY = {
    "labeled": "accuracy",
    "scored": "mae",
    "pairs": "ndcg@10",
    "triplets": "triplet_accuracy",
    "scored_pairs": "spearman",
    "nli": "spearman",
    "retrieval": "ndcg@10",
}

_LOWER_IS_BETTER = frozenset({"loss", "mae", "rmse", "head_mae", "rank_error"})


def lower_is_better(metric: str) -> bool:
    """Return whether a fall of *metric* is a gain: errors and losses; also named as ``"eval/mae"``."""
    return metric.rsplit("/", 1)[-1] in _LOWER_IS_BETTER


def selecting_metric(eval_method: str, metric: str) -> str:
    """Return the metric that an evaluation during training is judged by.

    Parameters
    ----------
    eval_method
        ``"head"`` and ``"loss"`` have a figure of their own; every other method computes *metric*.
    metric
        The metric of the verdict.
    """
    if eval_method == "head":
        return "head_mae" if metric == "mae" else "head_accuracy"
    return "loss" if eval_method == "loss" else metric
