import numpy as np
import pandas as pd
import pytest
import pytrec_eval
from sklearn.metrics import ndcg_score

from embedtune_nb.data.datasource import Datasource
from embedtune_nb.errors import DataError, PlanError
from embedtune_nb.evaluation.evaluate import evaluate
from embedtune_nb.evaluation.metrics import display_name, score_queries
from embedtune_nb.evaluation.vectors import VectorCache

METRICS = {
    "ndcg@10": "ndcg_cut_10",
    "map@10": "map_cut_10",
    "recall@1": "recall_1",
    "recall@10": "recall_10",
    "precision@10": "P_10",
}


class Table:
    """An encoder that looks vectors up, and remembers what it was asked."""

    def __init__(self, vectors):
        self.vectors, self.asked = vectors, []

    def embed(self, texts, *, role=None, progress=None):
        self.asked.extend((role, text) for text in texts)
        if progress:
            progress(len(texts), len(texts))
        vectors = np.array([self.vectors[text] for text in texts], dtype=np.float32)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def random_task(seed, queries=25, documents=200, dimension=16, grades=(1, 2, 3)):
    rng = np.random.default_rng(seed)
    texts = {f"query {i}": rng.normal(size=dimension) for i in range(queries)}
    texts |= {f"document {i}": rng.normal(size=dimension) for i in range(documents)}
    relevance = {
        f"q{i}": {
            f"d{j}": int(rng.choice(grades))
            for j in rng.choice(documents, rng.integers(1, 25), replace=False)
        }
        for i in range(queries)
    }
    data = Datasource.from_retrieval(
        {f"q{i}": f"query {i}" for i in range(queries)},
        {f"d{i}": f"document {i}" for i in range(documents)},
        relevance,
    )
    return Table(texts), data, relevance


def run_of(encoder, data):
    queries, corpus = data.frames["queries"], data.frames["corpus"]
    scores = encoder.embed(queries["text"].tolist()) @ encoder.embed(corpus["text"].tolist()).T
    return {
        query: dict(zip(corpus["id"], map(float, row), strict=True))
        for query, row in zip(queries["id"], scores, strict=True)
    }


@pytest.mark.parametrize("seed", range(4))
def test_every_query_scores_as_in_trec_eval(seed):
    encoder, data, relevance = random_task(seed)
    result = evaluate(encoder, data)
    oracle = pytrec_eval.RelevanceEvaluator(relevance, set(METRICS.values())).evaluate(run_of(encoder, data))
    for query, values in oracle.items():
        for ours, theirs in METRICS.items():
            assert result.per_query.loc[query, ours] == pytest.approx(values[theirs], abs=1e-9), (query, ours)
        precision, recall = values["P_10"], values["recall_10"]
        f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
        assert result.per_query.loc[query, "f1@10"] == pytest.approx(f1, abs=1e-9)
    for name, value in result.metrics.items():
        assert value == pytest.approx(result.per_query[name].mean()), "the mean over queries"


@pytest.mark.parametrize("seed", range(3))
def test_reciprocal_rank_is_that_of_trec_eval_within_the_cutoff(seed):
    encoder, data, relevance = random_task(seed, grades=(1,))
    per_query = evaluate(encoder, data).per_query["mrr@10"]
    oracle = pytrec_eval.RelevanceEvaluator(relevance, {"recip_rank"}).evaluate(run_of(encoder, data))
    cut = {query: values["recip_rank"] for query, values in oracle.items()}
    assert any(value < 0.1 for value in cut.values()), "the cutoff must matter in this example"
    for query, value in cut.items():
        assert per_query[query] == pytest.approx(value if value >= 0.1 - 1e-12 else 0.0)


def test_graded_ndcg_agrees_with_scikit_learn():
    rng = np.random.default_rng(5)
    grades = rng.integers(0, 4, size=(30, 12)).astype(float)
    grades[:, 0] = 1
    ranked = np.tile(np.arange(12, 0, -1.0), (30, 1))
    ideal = -np.sort(-grades, axis=1)
    relevant = (grades > 0).sum(axis=1)
    linear = score_queries("ndcg@5", grades, ideal, relevant)
    assert linear.mean() == pytest.approx(ndcg_score(grades, ranked, k=5))
    exponential = score_queries("ndcg_exp@5", grades, ideal, relevant)
    assert exponential.mean() == pytest.approx(ndcg_score(2**grades - 1, ranked, k=5))
    huge = score_queries("ndcg_exp@5", grades * 1000, ideal * 1000, relevant)
    assert np.isfinite(huge).all()


def test_the_gain_is_named_where_grades_differ():
    encoder, data, _ = random_task(0)
    graded = evaluate(encoder, data)
    assert "NDCG@10 (exponential gain)" in repr(graded) and "NDCG@10 (linear gain)" in graded._repr_html_()
    assert any("linear gain" in note and "2^grade - 1" in note for note in graded.notes)
    encoder, data, _ = random_task(0, grades=(1,))
    assert "ndcg_exp@10" not in evaluate(encoder, data).metrics


def test_the_result_explains_its_metrics():
    encoder, data, _ = random_task(0, grades=(1,))
    result = evaluate(encoder, data, settings={"metric": "recall@5"})
    guide = result.guide().set_index("name")
    assert guide.index[0] == "Recall@5" and all("@" in name for name in guide.index)
    good = guide["good_from"].dropna().to_dict()
    assert good == {"NDCG@10 (linear gain)": 0.75, "MRR@10": 0.70, "MAP@10": 0.60, "Recall@10": 0.90}
    assert guide.loc["Recall@10", "good"] == (result.metrics["recall@10"] >= 0.90)
    assert guide.loc["Recall@1", "good"] is None, "the rule of thumb was told for K = 10"
    assert "first 5" in guide.loc["Recall@5", "meaning"] and "FAQ" in guide.loc["MRR@10", "use"]
    page = result._repr_html_()
    assert "FAQ search" in page and "0.90 (not reached)" in page


def test_equal_documents_do_not_help_or_harm_by_chance():
    """All documents look the same, so rank is the order of the pool."""
    texts = {"question": [1, 0]} | {f"document {i}": [1, 1] for i in range(50)}
    data = Datasource.from_retrieval(
        {"q": "question"}, {f"d{i}": f"document {i}" for i in range(50)}, {"q": {"d3": 1}}
    )
    assert evaluate(Table(texts), data).metrics["mrr@10"] == 0.25


def test_a_query_does_not_find_itself():
    texts = {"how to sort": [1, 0, 0], "sorting a list": [1, 1, 0], "closing a file": [0, 0, 1]}
    queries, corpus = {"q": "how to sort"}, dict(zip("abc", texts, strict=True))
    result = evaluate(Table(texts), Datasource.from_retrieval(queries, corpus, {"q": {"b": 1}}))
    assert result.metrics["mrr@10"] == 1.0
    assert any("word for word" in note for note in result.notes)
    judged = evaluate(Table(texts), Datasource.from_retrieval(queries, corpus, {"q": {"a": 1}}))
    assert judged.metrics["mrr@10"] == 1.0, "a judged document counts, even with the query's own text"


def test_identical_texts_are_embedded_once_and_a_cache_spares_the_rest():
    encoder, data, _ = random_task(0)
    corpus = data.frames["corpus"]
    doubled = pd.concat([corpus, corpus.assign(id="again-" + corpus["id"])])
    data = Datasource.from_retrieval(data.frames["queries"], doubled, data.frames["qrels"])
    cache, seen = VectorCache(), []
    first = evaluate(encoder, data, cache=cache, progress=lambda done, total: seen.append((done, total)))
    assert len(encoder.asked) == len(set(encoder.asked)) == 225
    assert seen[-1] == (225, 225) and seen == sorted(seen)
    assert ("query", "query 0") in encoder.asked and ("document", "document 0") in encoder.asked
    again = evaluate(encoder, data, cache=cache)
    assert len(encoder.asked) == 225
    assert again.metrics == first.metrics


def test_the_deciding_metric_is_added_and_listed_first():
    encoder, data, _ = random_task(1)
    result = evaluate(encoder, data, settings={"metric": "recall@5"})
    assert result.primary == "recall@5"
    assert result.to_frame()["metric"].tolist()[0] == "recall@5"
    assert "Recall@5" in repr(result) and "Recall@5" in result._repr_html_()


def test_a_misspelt_metric_is_named():
    encoder, data, _ = random_task(1)
    with pytest.raises(PlanError, match="ndcg@10"):
        evaluate(encoder, data, settings={"metric": "ncdg@10"})


def test_pairs_ask_to_be_split_first():
    pairs = Datasource.from_dict({"anchor": ["a b", "c d"], "positive": ["e f", "g h"]}, kind="pairs")
    with pytest.raises(DataError, match="split pairs first"):
        evaluate(Table({}), pairs)


def test_names_for_people():
    names = ["ndcg@10", "mrr@10", "recall@1", "accuracy", "f1_macro"]
    assert [display_name(name) for name in names] == ["NDCG@10", "MRR@10", "Recall@1", "Accuracy", "Macro F1"]
