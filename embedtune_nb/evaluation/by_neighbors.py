"""Labels and scores, each held-out text judged by its nearest neighbours among the reference texts."""

from __future__ import annotations

import numpy as np
import pandas as pd

from embedtune_nb.errors import DataError
from embedtune_nb.evaluation.metrics import LABEL_METRICS, SCORE_METRICS
from embedtune_nb.evaluation.neighbor import Votes, neighbor_means, neighbor_votes, sample_rows
from embedtune_nb.evaluation.result import Evaluation
from embedtune_nb.evaluation.statistics import OF_VOTES, value_of
from embedtune_nb.evaluation.task import Task


def evaluate_labels(task: Task) -> Evaluation:
    """Classify every text by the votes of its neighbours: accuracy, F1, areas under curves, coverage."""
    primary = task.metric(LABEL_METRICS)
    held_out, pool, notes = _rows(task, "vote")
    if unseen := sorted(set(held_out["label"].astype(str)) - set(pool["label"].astype(str))):
        affected = int(held_out["label"].astype(str).isin(unseen).sum())
        notes.append(f"{affected:,} texts bear a label that no reference text has ({', '.join(unseen[:3])}).")
    vectors, reference = _vectors(task, held_out, pool)
    labels = pool["label"].to_numpy()
    found = neighbor_votes(vectors, reference, labels, task.neighbor_count, weighted=task.weighted)
    # as text: a label read back from a file may be a number here and a string there
    truth = held_out["label"].astype(str).to_numpy()
    answers = _answers(held_out, truth, found.predicted.astype(str))
    votes = _votes(found, answers)
    columns = votes.columns.get_indexer(truth)
    per_query = pd.DataFrame(
        {
            "accuracy": (answers["truth"] == answers["predicted"]).astype(float),
            "vote_share": votes.to_numpy(float)[np.arange(len(votes)), columns],
        }
    )
    accuracy = float(per_query["accuracy"].mean())
    metrics = {
        "accuracy": accuracy,
        "f1_macro": value_of("f1_macro", truth, answers["predicted"].to_numpy()),
        "f1_micro": accuracy,  # one label a text: each false positive of a label is another's false negative
        "coverage": float(found.answered.mean()),
    }
    if len(set(truth)) > 1:
        metrics |= {name: value_of(name, columns, votes.to_numpy()) for name in sorted(OF_VOTES)}
    else:
        notes.append(f"Every held-out text bears the label {truth[0]!r}, so there are no ROC-AUC and PR-AUC.")
        if primary in OF_VOTES:
            raise DataError(
                f"{primary!r} cannot decide: every held-out text bears the label {truth[0]!r}.",
                expected="held-out texts of at least two labels",
                fix="choose metric='accuracy', or bring texts of other labels.",
            )
    return Evaluation(metrics, per_query, primary, notes=notes, answers=answers, votes=votes, unit="texts")


def evaluate_scores(task: Task) -> Evaluation:
    """Predict every text's score as the mean of its neighbours' scores: errors and explained variance."""
    primary = task.metric(SCORE_METRICS)
    held_out, pool, notes = _rows(task, "mean")
    truth = held_out["score"].to_numpy(float)
    voters = pool["score"].to_numpy(float)
    if not (np.isfinite(truth).all() and np.isfinite(voters).all()):
        raise DataError("A score is no finite number.", fix="drop the rows without a score.")
    if np.ptp(truth) == 0:
        notes.append(
            f"Every held-out score is {truth[0]:g}, so R² tells nothing, nor does explained variance; "
            "both are given as 0."
        )
    vectors, reference = _vectors(task, held_out, pool)
    predicted = neighbor_means(vectors, reference, voters, task.neighbor_count, weighted=task.weighted)
    answers = _answers(held_out, truth, predicted)
    errors = (answers["truth"] - answers["predicted"]).abs()
    metrics = {"mae": float(errors.mean())} | {
        name: value_of(name, truth, predicted) for name in SCORE_METRICS if name != "mae"
    }
    return Evaluation(metrics, errors.to_frame("mae"), primary, notes=notes, answers=answers, unit="texts")


def _rows(task: Task, what: str) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
    """Return the held-out and the reference examples that take part, and what was left out."""
    pool, held_out = task.pool().frames["examples"], task.data.frames["examples"]
    asked, voting = len(held_out), len(pool)
    held_out = held_out.iloc[sample_rows(asked, task.settings.get("neighbor_eval_count"), task.seed)]
    pool = pool.iloc[sample_rows(voting, task.settings.get("neighbor_eval_pool_subsample"), task.seed)]
    neighbors = min(task.neighbor_count, len(pool))
    how = "Similarity-weighted" if task.weighted else "Unweighted"
    notes = [f"{how} {what} of the {neighbors} nearest of {len(pool):,} reference texts."]
    if len(held_out) < asked:
        notes.append(f"{len(held_out):,} of {asked:,} held-out texts were scored (neighbor_eval_count).")
    if len(pool) < voting:
        notes.append(f"{len(pool):,} of {voting:,} reference texts voted (neighbor_eval_pool_subsample).")
    return held_out, pool, notes


def _vectors(task: Task, held_out: pd.DataFrame, pool: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    vectors = task.embed({None: held_out["value"].tolist() + pool["value"].tolist()})[None]
    return vectors[: len(held_out)], vectors[len(held_out) :]


def _answers(held_out: pd.DataFrame, truth: np.ndarray, predicted: np.ndarray) -> pd.DataFrame:
    index = pd.Index(held_out["id"], name="query_id")
    return pd.DataFrame({"truth": truth, "predicted": predicted}, index=index)


def _votes(found: Votes, answers: pd.DataFrame) -> pd.DataFrame:
    """Return the share of the votes of each label, those included that no reference text has."""
    votes = pd.DataFrame(found.shares, index=answers.index, columns=found.labels.astype(str))
    unseen = sorted(set(answers["truth"]) - set(votes.columns))
    return votes.reindex(columns=[*votes.columns, *unseen], fill_value=np.float32(0))
