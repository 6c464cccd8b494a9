import numpy as np
import pandas as pd
import pytest
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    confusion_matrix,
    f1_score,
    roc_auc_score,
)
from sklearn.neighbors import KNeighborsClassifier

from embedtune_nb.data.datasource import Datasource
from embedtune_nb.errors import DataError, PlanError
from embedtune_nb.evaluation.evaluate import evaluate
from embedtune_nb.evaluation.neighbor import neighbor_votes, sample_rows

TOPICS = {
    "fruit": ["apple", "pear", "plum", "cherry", "fig"],
    "tool": ["hammer", "saw", "drill", "plane", "file"],
    "metal": ["iron", "tin", "zinc", "lead", "gold"],
}


class Words:
    """Bags of hashed words: texts that share words are near."""

    def embed(self, texts, *, role=None, progress=None):
        return HashingVectorizer(n_features=512, norm="l2").transform(texts).toarray().astype(np.float32)


def labeled(seed, count, noise=0.0):
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(count):
        label = list(TOPICS)[number % 3]
        said = list(TOPICS)[rng.integers(3)] if rng.random() < noise else label
        rows.append(
            {"value": f"{' '.join(rng.choice(TOPICS[said], 3))} number{seed}x{number}", "label": label}
        )
    return Datasource.from_pandas(pd.DataFrame(rows), kind="labeled")


def unit(rng, count, dimension=6):
    vectors = rng.normal(size=(count, dimension)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.mark.parametrize("k", [1, 5, 20])
def test_votes_agree_with_scikit_learn(k):
    rng = np.random.default_rng(k)
    pool, asking, labels = unit(rng, 400), unit(rng, 150), rng.choice(["a", "b", "c", "d"], 400)
    oracle = KNeighborsClassifier(k, metric="cosine", weights=lambda d: np.maximum(1 - d, 0)).fit(
        pool, labels
    )
    assert neighbor_votes(asking, pool, labels, k).predicted.tolist() == oracle.predict(asking).tolist()


def test_labels_that_tie_go_to_the_nearest_neighbour():
    pool = np.array([[1, 0], [0, 1]], np.float32)
    assert neighbor_votes(
        np.array([[0, -1], [-1, 0]], np.float32), pool, np.array(["x", "y"]), 2
    ).predicted.tolist() == [
        "x",
        "y",
    ], "no neighbour is similar at all, so no vote counts and the nearer one decides"


def test_metrics_agree_with_scikit_learn():
    train, held_out = labeled(0, 300, noise=0.3), labeled(1, 120, noise=0.3)
    result = evaluate(Words(), held_out, reference=train)
    examples, pool = held_out.frames["examples"], train.frames["examples"]
    encoder = Words()
    votes = neighbor_votes(
        encoder.embed(examples["value"]), encoder.embed(pool["value"]), pool["label"].to_numpy(), 5
    )
    predicted, truth = votes.predicted, examples["label"].to_numpy()
    assert result.metrics["accuracy"] == pytest.approx(accuracy_score(examples["label"], predicted))
    assert result.metrics["f1_macro"] == pytest.approx(
        f1_score(examples["label"], predicted, average="macro")
    )
    assert result.metrics["f1_micro"] == pytest.approx(f1_score(truth, predicted, average="micro"))
    assert result.metrics["roc_auc"] == pytest.approx(
        np.mean([roc_auc_score(truth == name, votes.shares[:, i]) for i, name in enumerate(votes.labels)])
    )
    assert result.metrics["pr_auc"] == pytest.approx(
        np.mean(
            [
                average_precision_score(truth == name, votes.shares[:, i])
                for i, name in enumerate(votes.labels)
            ]
        )
    )
    labels = sorted(TOPICS)
    assert result.confusion().index.tolist() == result.confusion().columns.tolist() == labels
    assert (
        result.confusion().to_numpy().tolist() == confusion_matrix(truth, predicted, labels=labels).tolist()
    )
    assert 0.5 < result.metrics["accuracy"] < 0.95
    assert set(result.per_query["accuracy"]) == {0.0, 1.0}
    assert result.per_query.index.tolist() == examples["id"].tolist()
    assert result.primary == "accuracy"


def test_numbers_as_labels_work():
    frame = pd.DataFrame({"value": ["red apple", "red pear", "old saw", "old drill"], "label": [3, 3, 8, 8]})
    asked = pd.DataFrame({"value": ["red plum", "old plane"], "label": [3, 8]})
    result = evaluate(
        Words(),
        Datasource.from_pandas(asked, kind="labeled"),
        reference=Datasource.from_pandas(frame, kind="labeled"),
        settings={"neighbor_count": 1},
    )
    assert result.metrics == dict.fromkeys(result.metrics, 1.0)
    assert result.confusion().loc["3", "3"] == 1


def test_caps_are_applied_alike_each_time_and_reported():
    train, held_out = labeled(0, 200), labeled(1, 90)
    settings = {"neighbor_eval_count": 40, "neighbor_eval_pool_subsample": 0.25, "seed": 3}
    first, second = (evaluate(Words(), held_out, reference=train, settings=settings) for _ in range(2))
    assert len(first.per_query) == 40
    assert first.per_query.equals(second.per_query)
    text = " ".join(first.notes)
    assert "40 of 90 held-out texts" in text and "50 of 200 reference texts" in text
    assert "50 of 200" in repr(first) and "50 of 200" in first._repr_html_()


def test_an_unseen_label_is_mentioned():
    train = Datasource.from_pandas(
        labeled(0, 60).frames["examples"].query("label != 'metal'"), kind="labeled"
    )
    result = evaluate(Words(), labeled(1, 30), reference=train)
    assert any("10 texts bear a label" in note and "metal" in note for note in result.notes)


def test_labels_need_a_reference():
    with pytest.raises(DataError, match="reference"):
        evaluate(Words(), labeled(0, 10))


def test_a_retrieval_metric_is_refused_for_labels():
    with pytest.raises(PlanError, match="accuracy"):
        evaluate(Words(), labeled(1, 9), reference=labeled(0, 30), settings={"metric": "ndcg@10"})


def test_samples_keep_order_and_hold_no_row_twice():
    rows = sample_rows(100, 30, seed=1)
    assert len(set(rows.tolist())) == 30 and rows.tolist() == sorted(rows)
    assert sample_rows(10, None, 0).tolist() == sample_rows(10, 1.0, 0).tolist() == list(range(10))
    assert len(sample_rows(3, 0.01, 0)) == 1
    assert sample_rows(100, 30, seed=2).tolist() != rows.tolist()


def test_texts_that_no_reference_text_resembles_lower_the_coverage():
    held_out = Datasource.from_pandas(
        pd.DataFrame({"value": ["apple pear", "qqq www"], "label": ["fruit", "tool"]}), kind="labeled"
    )
    result = evaluate(Words(), held_out, reference=labeled(0, 60))
    assert result.metrics["coverage"] == 0.5
    assert result.votes.iloc[1].tolist() == pytest.approx([1 / 3] * 3, abs=1e-6)


def test_one_label_alone_has_no_area_under_a_curve():
    only = labeled(1, 30).filter(lambda row: row["label"] == "tool")
    result = evaluate(Words(), only, reference=labeled(0, 60))
    assert "roc_auc" not in result.metrics and any("no ROC-AUC" in note for note in result.notes)
    with pytest.raises(DataError, match="cannot decide"):
        evaluate(Words(), only, reference=labeled(0, 60), settings={"metric": "roc_auc"})
