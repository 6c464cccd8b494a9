"""Scores, triplets and judged pairs, against scikit-learn, scipy and brute force."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import (
    explained_variance_score,
    f1_score,
    mean_absolute_error,
    mean_squared_error,
    r2_score,
)
from sklearn.neighbors import KNeighborsRegressor

from embedtune_nb.data.datasource import Datasource
from embedtune_nb.errors import DataError, PlanError
from embedtune_nb.evaluation.evaluate import evaluate
from embedtune_nb.evaluation.neighbor import neighbor_means
from embedtune_nb.evaluation.statistics import statistic, value_of


class Fixed:
    """Texts are numbers of rows in a table of vectors; remembers the roles that it was asked for."""

    def __init__(self, rows=200, dimension=6, seed=0):
        vectors = np.random.default_rng(seed).normal(size=(rows, dimension)).astype(np.float32)
        self.vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        self.roles = set()

    def embed(self, texts, *, role=None, progress=None):
        self.roles.add(role)
        return self.vectors[[int(text.split()[-1]) for text in texts]]

    def cosine(self, first, second):
        return float(self.vectors[first].astype(float) @ self.vectors[second])


def word(number):
    return f"text {number}"


def scored(rows, scores):
    frame = pd.DataFrame({"id": range(len(rows)), "value": [word(row) for row in rows], "score": scores})
    return Datasource("scored", {"examples": frame.astype({"score": float})}, name="toy")


def pairs_of(kind, firsts, seconds, answers):
    names = {"scored_pairs": ("sentence1", "sentence2", "score"), "nli": ("premise", "hypothesis", "label")}
    columns = [[word(row) for row in firsts], [word(row) for row in seconds], answers]
    frame = pd.DataFrame({"id": range(len(firsts)), **dict(zip(names[kind], columns, strict=True))})
    return Datasource(kind, {"examples": frame}, name="toy")


def triplets(rows):
    frame = pd.DataFrame(
        {
            "id": range(len(rows)),
            "anchor": [word(row[0]) for row in rows],
            "positive": [word(row[1]) for row in rows],
            "negatives": [[word(number) for number in row[2]] for row in rows],
        }
    )
    return Datasource("triplets", {"examples": frame}, name="toy")


@pytest.mark.parametrize("k", [1, 5, 40])
def test_mean_of_neighbours_agrees_with_scikit_learn(k):
    encoder, scores = Fixed(), np.random.default_rng(1).normal(3, 2, 200)
    oracle = KNeighborsRegressor(k, metric="cosine", weights=lambda d: np.maximum(1 - d, 1e-12))
    oracle.fit(encoder.vectors[:150], scores[:150])
    found = neighbor_means(encoder.vectors[150:], encoder.vectors[:150], scores[:150], k)
    assert found == pytest.approx(oracle.predict(encoder.vectors[150:]), abs=1e-4)


def test_without_a_similar_neighbour_all_count_the_same():
    pool = np.array([[1, 0], [0, 1]], np.float32)
    assert neighbor_means(-pool, pool, np.array([2.0, 4.0]), 2).tolist() == [3.0, 3.0]


def test_scores_are_judged_as_scikit_learn_judges_them():
    encoder, truth = Fixed(), np.round(np.random.default_rng(2).normal(3, 2, 200), 1)
    held_out, reference = scored(range(150, 200), truth[150:]), scored(range(150), truth[:150])
    result = evaluate(encoder, held_out, reference=reference, settings={"neighbor_count": 7})
    predicted = neighbor_means(encoder.vectors[150:], encoder.vectors[:150], truth[:150], 7)
    assert result.metrics == pytest.approx(
        {
            "mae": mean_absolute_error(truth[150:], predicted),
            "rmse": mean_squared_error(truth[150:], predicted) ** 0.5,
            "r2": r2_score(truth[150:], predicted),
            "explained_variance": explained_variance_score(truth[150:], predicted),
        }
    )
    assert (result.primary, result.unit) == ("mae", "texts")
    assert result.per_query["mae"].to_numpy() == pytest.approx(np.abs(truth[150:] - predicted))
    assert "MAE (lower is better)" in repr(result) and "R²" in repr(result)


def test_scores_that_do_not_vary_are_told():
    result = evaluate(Fixed(), scored(range(5), [2.0] * 5), reference=scored(range(9, 20), range(11)))
    assert result.metrics["r2"] == 0.0 and any("R² tells nothing" in note for note in result.notes)


def test_a_triplet_counts_only_if_the_positive_beats_all_negatives():
    encoder, rng = Fixed(), np.random.default_rng(3)
    rows = [(a, p, list(rest)) for a, p, *rest in (rng.choice(200, 2 + n, False) for n in [1, 3, 2] * 20)]
    result = evaluate(encoder, triplets(rows))
    margins = [
        encoder.cosine(a, p) - max(encoder.cosine(a, negative) for negative in negatives)
        for a, p, negatives in rows
    ]
    assert result.per_query["margin"].to_numpy() == pytest.approx(margins, abs=2e-6)
    assert result.metrics["triplet_accuracy"] == np.mean([margin > 0 for margin in margins])
    assert result.metrics["margin"] == pytest.approx(np.mean(margins), abs=2e-6)
    assert 0.2 < result.metrics["triplet_accuracy"] < 0.6 and result.unit == "triplets"
    assert encoder.roles == {"query", "document"}


def test_a_negative_as_near_as_the_positive_is_a_failure():
    result = evaluate(Fixed(), triplets([(0, 1, [1]), (0, 0, [5])]))
    assert result.per_query["triplet_accuracy"].tolist() == [0.0, 1.0]
    assert any("1 triplets" in note for note in result.notes)


@pytest.mark.parametrize("levels", [3, 6, 10_000])
def test_correlations_agree_with_scipy_however_many_ties(levels):
    encoder, rng = Fixed(), np.random.default_rng(levels)
    firsts, seconds = rng.integers(0, 200, (2, 300))
    scores = rng.integers(0, levels, 300) / levels
    result = evaluate(encoder, pairs_of("scored_pairs", firsts, seconds, scores))
    cosines = np.round([encoder.cosine(*pair) for pair in zip(firsts, seconds, strict=True)], 6)
    assert result.metrics == pytest.approx(
        {
            "spearman": stats.spearmanr(cosines, scores).statistic,
            "pearson": stats.pearsonr(cosines, scores).statistic,
        }
    )
    assert (result.primary, result.unit, encoder.roles) == ("spearman", "pairs", {None})


def test_nli_labels_count_as_scores():
    encoder, rng = Fixed(), np.random.default_rng(4)
    firsts, seconds = rng.integers(0, 200, (2, 90))
    labels = rng.choice(["entailment", "neutral", "contradiction"], 90)
    result = evaluate(encoder, pairs_of("nli", firsts, seconds, labels))
    worth = [{"entailment": 1.0, "neutral": 0.5, "contradiction": 0.0}[label] for label in labels]
    cosines = np.round([encoder.cosine(*pair) for pair in zip(firsts, seconds, strict=True)], 6)
    assert result.metrics["spearman"] == pytest.approx(stats.spearmanr(cosines, worth).statistic)
    assert any("neutral 0.5" in note for note in result.notes)


def test_equal_scores_cannot_be_correlated_and_equal_cosines_give_zero():
    with pytest.raises(DataError, match="same score"):
        evaluate(Fixed(), pairs_of("scored_pairs", [0, 1], [2, 3], [0.5, 0.5]))
    result = evaluate(Fixed(), pairs_of("scored_pairs", [4, 4], [5, 5], [0.0, 1.0]))
    assert result.metrics == {"spearman": 0.0, "pearson": 0.0}
    assert any("equally similar" in note for note in result.notes)


@pytest.mark.parametrize("kind", ["scored", "triplets", "nli"])
def test_a_metric_of_another_kind_is_refused(kind):
    data = {
        "scored": scored([0, 1], [1, 2]),
        "triplets": triplets([(0, 1, [2])]),
        "nli": pairs_of("nli", [0, 1], [2, 3], ["neutral", "entailment"]),
    }[kind]
    with pytest.raises(PlanError, match="no metric of"):
        evaluate(Fixed(), data, reference=data, settings={"metric": "accuracy"})


@pytest.mark.parametrize("seed", ["x", -1, 1.5, True])
def test_a_seed_that_is_none_is_refused(seed):
    data = scored([0, 1], [1, 2])
    with pytest.raises(PlanError, match="seed is"):
        evaluate(Fixed(), data, reference=data, settings={"seed": seed})


ORACLES = {
    "rmse": lambda truth, guess: mean_squared_error(truth, guess) ** 0.5,
    "r2": r2_score,
    "explained_variance": explained_variance_score,
    "spearman": lambda truth, guess: stats.spearmanr(truth, guess).statistic,
    "pearson": lambda truth, guess: stats.pearsonr(truth, guess).statistic,
    "f1_macro": lambda truth, guess: f1_score(
        truth, guess, average="macro", labels=np.unique(truth), zero_division=0.0
    ),
}


@pytest.mark.parametrize("metric", ORACLES)
def test_counts_of_rows_stand_for_the_resample_itself(metric):
    """The value from counts is what the oracle says of the rows written out, ties and copies included."""
    rng = np.random.default_rng(5)
    truth = rng.integers(0, 6, 60)
    guess = rng.integers(0, 7, 60) if metric == "f1_macro" else truth + np.round(rng.normal(0, 2, 60))
    drawn = rng.integers(0, 60, (25, 60))
    counts = np.stack([np.bincount(rows, minlength=60) for rows in drawn]).astype(float)
    expected = [ORACLES[metric](truth[rows], guess[rows]) for rows in drawn]
    assert statistic(metric, truth, guess)(counts) == pytest.approx(np.array(expected))
    assert value_of(metric, truth, guess) == pytest.approx(ORACLES[metric](truth, guess))
