"""Triplets and judged pairs: does the cosine similarity of two texts agree with what was said of them?"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from embedtune_nb.errors import DataError
from embedtune_nb.evaluation.metrics import SIMILARITY_METRICS, TRIPLET_METRICS
from embedtune_nb.evaluation.result import Evaluation
from embedtune_nb.evaluation.statistics import value_of
from embedtune_nb.evaluation.task import Task

#: How similar premise and hypothesis should be, by what was said of them.
NLI_SCORES = {"entailment": 1.0, "neutral": 0.5, "contradiction": 0.0}
#: Matrix products give one pair of vectors cosines that differ by about 1e-7 from place to place.
_DECIMALS = 6


def evaluate_triplets(task: Task) -> Evaluation:
    """Ask whether the anchor is nearer to its positive than to every one of its negatives.

    A tie is no success. ``margin`` is the similarity of the positive less that of the nearest negative.
    """
    primary, examples = task.metric(TRIPLET_METRICS), _examples(task)
    negatives = [list(texts) for texts in examples["negatives"]]
    owners = np.repeat(np.arange(len(examples)), [len(texts) for texts in negatives])
    documents = examples["positive"].tolist() + [text for texts in negatives for text in texts]
    vectors = task.embed({"query": examples["anchor"].tolist(), "document": documents})
    anchors, positives = vectors["query"], vectors["document"][: len(examples)]
    hardest = np.full(len(examples), -np.inf)
    np.maximum.at(hardest, owners, _cosines(anchors[owners], vectors["document"][len(examples) :]))
    margins = np.round(_cosines(anchors, positives) - hardest, _DECIMALS)
    columns = {"triplet_accuracy": (margins > 0).astype(float), "margin": margins}
    per_query = pd.DataFrame(columns, index=_index(examples))
    notes = []
    if len(owners) > len(examples):
        notes.append(f"The positive must beat all negatives: {len(owners) / len(examples):.1f} a triplet.")
    if ties := int((margins == 0).sum()):
        notes.append(f"In {ties:,} triplets a negative is as near as the positive; that counts as a failure.")
    metrics = {name: float(per_query[name].mean()) for name in TRIPLET_METRICS}
    return Evaluation(metrics, per_query, primary, notes=notes, unit="triplets")


def evaluate_scored_pairs(task: Task) -> Evaluation:
    """Correlate the cosine of every pair with its score: Spearman and Pearson."""
    examples = _examples(task)
    scores = examples["score"].to_numpy(float)
    return _correlated(task, examples, {"sentence1": None, "sentence2": None}, scores)


def evaluate_nli(task: Task) -> Evaluation:
    """Correlate the cosine of premise and hypothesis with :data:`NLI_SCORES`."""
    examples = _examples(task)
    scores = examples["label"].map(NLI_SCORES).to_numpy(float)
    said = ", ".join(f"{label} {score:g}" for label, score in NLI_SCORES.items())
    sides = {"premise": None, "hypothesis": None}  # neither searches the other, as in training
    return _correlated(task, examples, sides, scores, f"Counted as scores: {said}.")


def _correlated(
    task: Task, examples: pd.DataFrame, sides: Mapping[str, str | None], truth: np.ndarray, *notes: str
) -> Evaluation:
    """Correlate the cosine of the two columns, given with their roles, with *truth*."""
    primary = task.metric(SIMILARITY_METRICS)
    if not np.isfinite(truth).all():
        raise DataError("A score is no finite number.", fix="drop the rows without a score.")
    if np.ptp(truth) == 0:
        raise DataError(
            f"All {len(truth):,} held-out pairs have the same score, so nothing can be correlated with it.",
            expected="at least two different scores",
            fix="add pairs of other similarity, or give an eval_datasource that has them.",
        )
    texts: dict[str | None, list[str]] = {role: [] for role in sides.values()}
    for column, role in sides.items():
        texts[role] += examples[column].tolist()
    embedded = np.concatenate(list(task.embed(texts).values()))
    first, second = embedded[: len(examples)], embedded[len(examples) :]
    predicted = np.round(_cosines(first, second), _DECIMALS)
    told = list(notes)
    if np.ptp(predicted) == 0:
        told.append("Every pair came out equally similar, so the correlation is given as 0.")
    index = _index(examples)
    between = np.abs(rankdata(predicted) - rankdata(truth)) / max(len(truth) - 1, 1)
    return Evaluation(
        {name: value_of(name, truth, predicted) for name in SIMILARITY_METRICS},
        pd.DataFrame({"rank_error": between}, index=index),
        primary,
        notes=told,
        answers=pd.DataFrame({"truth": truth, "predicted": predicted}, index=index),
        unit="pairs",
    )


def _examples(task: Task) -> pd.DataFrame:
    examples = task.data.frames["examples"]
    if examples.empty:
        raise DataError(f"Nothing to score: the {task.data.kind} data is empty.", expected="at least one row")
    return examples


def _index(examples: pd.DataFrame) -> pd.Index:
    return pd.Index(examples["id"], name="query_id")


def _cosines(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return np.einsum("nd,nd->n", first, second, dtype=np.float64)
