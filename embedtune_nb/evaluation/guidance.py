"""What each metric measures, what it is for, and from where on it is usually called good."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from embedtune_nb.evaluation.metrics import display_name
from embedtune_nb.plan.metrics import lower_is_better


@dataclass(frozen=True)
class MetricGuide:
    """Help on one metric.

    Attributes
    ----------
    meaning
        What it measures.
    use
        What it is a good measure for.
    good_from
        From where on it is usually called good; None where that depends on the data. A rule of thumb:
        whether a model got better is what the verdict says.
    cutoff
        The K that `good_from` was told for; None where it holds for every K, or the metric has none.
    """

    meaning: str
    use: str
    good_from: float | None = None
    cutoff: int | None = None


_ERROR = "it depends on the range of the scores, so compare it with that of the base model."
_GUIDES = {
    "ndcg": MetricGuide(
        "How near to the top the relevant documents stand among the first {k}, as a share of the best "
        "possible order. Linear gain: a document of grade 2 counts twice one of grade 1.",
        "Document search, above all with graded relevance.",
        0.75,
        10,
    ),
    "ndcg_exp": MetricGuide(
        "As NDCG with linear gain, but a document counts 2^grade - 1, so the highest grades decide.",
        "Document search in which only the best documents satisfy.",
        0.75,
        10,
    ),
    "mrr": MetricGuide(
        "1 divided by the rank of the first relevant document; 0 where none is among the first {k}.",
        "FAQ search: one right answer, wanted at the top.",
        0.70,
    ),
    "map": MetricGuide(
        "Precision at the rank of each relevant document among the first {k}, over all relevant ones.",
        "Recommendation: many relevant documents, all of them wanted early.",
        0.60,
    ),
    "recall": MetricGuide(
        "Share of the relevant documents that are among the first {k}; their order does not count.",
        "Discovery, and the first stage before a reranker: nothing may be missed.",
        0.90,
        10,
    ),
    "precision": MetricGuide(
        "Share of the first {k} documents that are relevant. With one relevant document a query it is at "
        "most 1/{k}.",
        "General: how clean the list is that a reader sees.",
    ),
    "f1": MetricGuide(
        "Harmonic mean of precision and recall among the first {k}, of each query.",
        "Balanced: neither a polluted nor an incomplete list.",
    ),
    "accuracy": MetricGuide(
        "Share of the texts that got the right label.", "Classes of similar size and importance."
    ),
    "f1_macro": MetricGuide(
        "F1 of each label that is the right one somewhere, averaged with equal weight.",
        "Rare labels that matter as much as common ones.",
    ),
    "f1_micro": MetricGuide(
        "F1 over all decisions; with one label a text the same as accuracy.",
        "Comparison with results that are reported so.",
    ),
    "roc_auc": MetricGuide(
        "Chance that a text of a label got more votes for it than a text of another one; mean of all "
        "labels. 0.5 is guessing.",
        "Ranking by confidence, or a threshold that is still to be chosen.",
    ),
    "pr_auc": MetricGuide(
        "Average precision when texts are ranked by their votes for a label; mean of all labels.",
        "Rare labels, where false alarms are what costs.",
    ),
    "coverage": MetricGuide(
        "Share of the texts that have a neighbour with positive similarity, so that there is a vote.",
        "Whether the reference texts reach as far as the questions.",
    ),
    "mae": MetricGuide("Mean distance of predicted and true score.", f"Scores: the typical error; {_ERROR}"),
    "rmse": MetricGuide(
        "Root of the mean squared distance.", f"Scores, where a large error is worse than two small; {_ERROR}"
    ),
    "r2": MetricGuide(
        "Share of the variance of the scores that is predicted. 0 is as good as their mean, below 0 worse.",
        "Scores: quality that does not depend on their unit.",
    ),
    "explained_variance": MetricGuide(
        "As R², but a constant offset of all predictions is forgiven.",
        "Scores of which only the differences are used.",
    ),
    "triplet_accuracy": MetricGuide(
        "Share of the anchors that are nearer to their positive than to every negative.",
        "Whether hard negatives are told apart.",
    ),
    "margin": MetricGuide(
        "Similarity of the positive less that of the nearest negative, on average.",
        "How clearly they are told apart.",
    ),
    "spearman": MetricGuide(
        "Correlation of the ranks by similarity with the ranks by score.",
        "Similarity judgements; the usual figure of STS. Only the order counts.",
    ),
    "pearson": MetricGuide(
        "Linear correlation of similarity and score.", "Similarities that are used as numbers."
    ),
    "loss": MetricGuide(
        "The training loss on held-out data.", "Overfitting: it rises while training goes on."
    ),
}


def guide_to(metric: str) -> MetricGuide | None:
    """Return the help on *metric*, with its K filled in; None where there is none."""
    family, _, k = metric.removeprefix("head_").partition("@")
    guide = _GUIDES.get(family)
    if guide is None:
        return None
    told_for_this = guide.cutoff is None or str(guide.cutoff) == k
    return MetricGuide(
        guide.meaning.format(k=k), guide.use, guide.good_from if told_for_this else None, guide.cutoff
    )


def guide_table(metrics: Iterable[str]) -> pd.DataFrame:
    """Return one row a metric that has a guide: `metric`, `name`, `meaning`, `use`, `good_from`, `direction`.

    `good_from` is NaN where it depends on the data.
    """
    rows = []
    for metric in metrics:
        guide = guide_to(metric)
        if guide is not None:
            name = display_name(metric)
            rows.append(
                {
                    "metric": metric,
                    "name": f"{name} (linear gain)" if metric.startswith("ndcg@") else name,
                    "meaning": guide.meaning,
                    "use": guide.use,
                    "good_from": float("nan") if guide.good_from is None else guide.good_from,
                    "direction": "lower is better" if lower_is_better(metric) else "higher is better",
                }
            )
    return pd.DataFrame(rows, columns=["metric", "name", "meaning", "use", "good_from", "direction"])
