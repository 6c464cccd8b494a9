"""Metrics of arbitrary inputs, ties above all, against trec_eval, scikit-learn and scipy."""

import warnings

import numpy as np
import pytest
import pytrec_eval
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import (
    average_precision_score,
    explained_variance_score,
    f1_score,
    mean_squared_error,
    r2_score,
    roc_auc_score,
)

from embedtune_nb.evaluation.metrics import score_queries
from embedtune_nb.evaluation.statistics import statistic

pytestmark = pytest.mark.slow

quick = settings(max_examples=60, deadline=None)
TREC = {"ndcg": "ndcg_cut", "map": "map_cut", "recall": "recall", "precision": "P"}


@st.composite
def rankings(draw):
    """Draw the grades of one query's ranking, some judged documents perhaps not in it."""
    grades = draw(st.lists(st.integers(0, 3), min_size=1, max_size=15))
    missed = draw(st.lists(st.integers(1, 3), max_size=4))
    if not any(grades) and not missed:
        missed = [1]
    return grades, missed


@quick
@given(rankings(), st.sampled_from([1, 3, 5, 10]))
def test_any_ranking_scores_as_in_trec_eval(ranking, k):
    grades, missed = ranking
    judged = {f"d{place}": grade for place, grade in enumerate(grades)}
    judged |= {f"missed {place}": grade for place, grade in enumerate(missed)}
    run = {f"d{place}": float(-place) for place in range(len(grades))}
    wanted = {f"{name}.{k}" for name in TREC.values()} | {"recip_rank"}
    oracle = pytrec_eval.RelevanceEvaluator({"q": judged}, wanted).evaluate({"q": run})["q"]
    ideal = np.array([sorted((grade for grade in judged.values() if grade), reverse=True)], float)
    found, relevant = np.array([grades], float), np.array([ideal.shape[1]])

    def ours(family):
        return score_queries(f"{family}@{k}", found, ideal, relevant)[0]

    for family, name in TREC.items():
        assert ours(family) == pytest.approx(oracle[f"{name}_{k}"], abs=1e-9), family
    reciprocal = oracle["recip_rank"]
    assert ours("mrr") == pytest.approx(reciprocal if reciprocal >= 1 / k - 1e-9 else 0.0)
    precision, recall = oracle[f"P_{k}"], oracle[f"recall_{k}"]
    harmonic = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    assert ours("f1") == pytest.approx(harmonic)
    gains = {"q": {name: 2**grade - 1 for name, grade in judged.items()}}
    oracle = pytrec_eval.RelevanceEvaluator(gains, {f"ndcg_cut.{k}"}).evaluate({"q": run})["q"]
    assert ours("ndcg_exp") == pytest.approx(oracle[f"ndcg_cut_{k}"])


few_levels = st.integers(2, 30).flatmap(
    lambda size: st.tuples(*[st.lists(st.integers(0, 3), min_size=size, max_size=size) for _ in range(3)])
)
ORACLES = {
    "rmse": lambda truth, guess, weight: mean_squared_error(truth, guess, sample_weight=weight) ** 0.5,
    "r2": lambda truth, guess, weight: r2_score(truth, guess, sample_weight=weight),
    "explained_variance": lambda truth, guess, weight: explained_variance_score(
        truth, guess, sample_weight=weight
    ),
    "f1_macro": lambda truth, guess, weight: f1_score(
        truth, guess, sample_weight=weight, labels=np.unique(truth[weight > 0]), average="macro"
    ),
    "spearman": lambda truth, guess, weight: (
        stats.spearmanr(np.repeat(truth, weight), np.repeat(guess, weight)).statistic
    ),
    "pearson": lambda truth, guess, weight: (
        stats.pearsonr(np.repeat(truth, weight), np.repeat(guess, weight)).statistic
    ),
}


@pytest.mark.parametrize("metric", ORACLES)
@quick
@given(few_levels)
def test_any_resample_scores_as_its_rows_written_out(metric, drawn):
    truth, guess, weight = map(np.array, drawn)
    weight[0] += 1  # a resample holds at least one row
    value = float(statistic(metric, truth, guess)(weight[None].astype(float))[0])
    drawn_truth, drawn_guess = np.repeat(truth, weight), np.repeat(guess, weight)
    flat = np.ptp(drawn_truth) == 0 or (metric in ("spearman", "pearson") and np.ptp(drawn_guess) == 0)
    if flat and metric not in ("rmse", "f1_macro"):
        assert value == 0.0
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert value == pytest.approx(ORACLES[metric](truth, guess, weight), abs=1e-9)


@quick
@given(few_levels, st.integers(2, 4), st.integers(0, 99))
def test_areas_under_curves_agree_with_scikit_learn_however_many_ties(drawn, labels, seed):
    truth, levels, weight = map(np.array, drawn)
    truth, weight = truth % labels, weight + 1
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 3, (len(truth), labels)) + np.where(levels[:, None] > 2, 0.0, 0.5)
    one_of = np.eye(labels)[truth].astype(bool)
    judged = [label for label in np.unique(truth) if not one_of[:, label].all()]
    counts = weight[None].astype(float)
    areas = [roc_auc_score(one_of[:, label], scores[:, label], sample_weight=weight) for label in judged]
    expected = np.mean(areas) if areas else 0.5
    assert statistic("roc_auc", truth, scores)(counts)[0] == pytest.approx(expected)
    precisions = [
        average_precision_score(one_of[:, label], scores[:, label], sample_weight=weight)
        for label in np.unique(truth)
    ]
    assert statistic("pr_auc", truth, scores)(counts)[0] == pytest.approx(np.mean(precisions))
