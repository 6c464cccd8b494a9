"""Labels and scores, each held-out text judged by its nearest neighbours among the reference texts."""

from __future__ import annotations

import numpy as np
import pandas as pd

from embedtune_nb.errors import DataError
from embedtune_nb.evaluation.metrics import LABEL_METRICS, SCORE_METRICS
from embedtune_nb.evaluation.neighbor import neighbor_means, neighbor_votes, sample_rows
from embedtune_nb.evaluation.result import Evaluation
from embedtune_nb.evaluation.statistics import value_of
from embedtune_nb.evaluation.task import Task


def evaluate_labels(task: Task) -> Evaluation:
    """Classify every text by the votes of its neighbours: accuracy and macro F1."""
    primary = task.metric(LABEL_METRICS)
    held_out, pool, notes = _rows(task, "vote")
    if unseen := sorted(set(held_out["label"].astype(str)) - set(pool["label"].astype(str))):
        affected = int(held_out["label"].astype(str).isin(unseen).sum())
        notes.append(f"{affected:,} texts bear a label that no reference text has ({', '.join(unseen[:3])}).")
    vectors, reference = _vectors(task, held_out, pool)
    predicted = neighbor_votes(vectors, reference, pool["label"].to_numpy(), task.neighbor_count)
    # as text: a label read back from a file may be a number here and a string there
    truth = held_out["label"].astype(str).to_numpy()
    answers = _answers(held_out, truth, np.array([str(label) for label in predicted]))
    right = (answers["truth"] == answers["predicted"]).astype(float)
    metrics = {
        "accuracy": float(right.mean()),
        "f1_macro": value_of("f1_macro", truth, answers["predicted"].to_numpy()),
    }
    return Evaluation(
        metrics, right.to_frame("accuracy"), primary, notes=notes, answers=answers, unit="texts"
    )


def evaluate_scores(task: Task) -> Evaluation:
    """Predict every text's score as the mean of its neighbours' scores: MAE, RMSE and R²."""
    primary = task.metric(SCORE_METRICS)
    held_out, pool, notes = _rows(task, "mean")
    truth = held_out["score"].to_numpy(float)
    voters = pool["score"].to_numpy(float)
    if not (np.isfinite(truth).all() and np.isfinite(voters).all()):
        raise DataError("A score is no finite number.", fix="drop the rows without a score.")
    if np.ptp(truth) == 0:
        notes.append(f"Every held-out score is {truth[0]:g}, so R² tells nothing and is given as 0.")
    vectors, reference = _vectors(task, held_out, pool)
    predicted = neighbor_means(vectors, reference, voters, task.neighbor_count)
    answers = _answers(held_out, truth, predicted)
    errors = (answers["truth"] - answers["predicted"]).abs()
    metrics = {"mae": float(errors.mean())} | {
        name: value_of(name, truth, predicted) for name in ("rmse", "r2")
    }
    return Evaluation(metrics, errors.to_frame("mae"), primary, notes=notes, answers=answers, unit="texts")


def _rows(task: Task, what: str) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
    """Return the held-out and the reference examples that take part, and what was left out."""
    pool, held_out = task.pool().frames["examples"], task.data.frames["examples"]
    asked, voting = len(held_out), len(pool)
    held_out = held_out.iloc[sample_rows(asked, task.settings.get("neighbor_eval_count"), task.seed)]
    pool = pool.iloc[sample_rows(voting, task.settings.get("neighbor_eval_pool_subsample"), task.seed)]
    neighbors = min(task.neighbor_count, len(pool))
    notes = [f"Similarity-weighted {what} of the {neighbors} nearest of {len(pool):,} reference texts."]
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
