"""Which metric decides for a kind of data, and whether more of it is better."""

from __future__ import annotations

import re

from embedtune_nb.errors import PlanError, did_you_mean

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

#: What a retrieval metric is called before its cutoff, as in ``"ndcg@10"``.
RETRIEVAL_FAMILIES = ("ndcg", "ndcg_exp", "mrr", "map", "recall", "precision", "f1")
#: The metrics that can decide, for data that is not searched; the usual one first.
DECIDING = {
    "labeled": ("accuracy", "f1_macro", "roc_auc", "pr_auc"),
    "scored": ("mae", "rmse", "r2", "explained_variance"),
    "triplets": ("triplet_accuracy", "margin"),
    "scored_pairs": ("spearman", "pearson"),
    "nli": ("spearman", "pearson"),
}

_LOWER_IS_BETTER = frozenset({"loss", "mae", "rmse", "head_mae", "rank_error"})


def lower_is_better(metric: str) -> bool:
    """Return whether a fall of *metric* is a gain: errors and losses; also named as ``"eval/mae"``."""
    return metric.rsplit("/", 1)[-1] in _LOWER_IS_BETTER


def check_metric(kind: str, metric: str) -> str:
    """Return *metric* if it can decide about a model trained on this kind of data.

    Raises
    ------
    PlanError
        If it cannot, with the ones that can.
    """
    if kind in DECIDING:
        known, fits, meant = DECIDING[kind], metric in DECIDING[kind], metric
        expected = " or ".join(map(repr, known))
    else:
        family, _, cutoff = str(metric).partition("@")
        fits = family in RETRIEVAL_FAMILIES and _is_cutoff(cutoff)
        # as it is meant, with a cutoff where none is given
        meant = f"{family}@{cutoff if _is_cutoff(cutoff) else 10}"
        known = tuple(f"{name}@{meant.rpartition('@')[2]}" for name in RETRIEVAL_FAMILIES)
        expected = f"one of {', '.join(RETRIEVAL_FAMILIES)} with a cutoff, such as 'ndcg@10'"
    if not fits:
        hint = did_you_mean(meant, known) if isinstance(metric, str) else ""
        raise PlanError(
            f"{metric!r} is no metric of {kind} data. {hint}".strip(),
            expected=expected,
            fix="choose one of these, or leave metric out.",
        )
    return metric


def _is_cutoff(text: str) -> bool:
    return re.fullmatch(r"[1-9]\d*", text) is not None


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
        return "head_mae" if metric in DECIDING["scored"] else "head_accuracy"
    return "loss" if eval_method == "loss" else metric
