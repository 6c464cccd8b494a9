"""Permutation test, groups, slices and correction of the verdict."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from embedtune_nb.data.datasource import Datasource
from embedtune_nb.evaluation.correction import holm
from embedtune_nb.evaluation.permutation import swap_p_values
from embedtune_nb.evaluation.result import Evaluation
from embedtune_nb.evaluation.slices import length_classes
from embedtune_nb.evaluation.statistics import value_of
from embedtune_nb.evaluation.tails import opposed_p_values
from embedtune_nb.evaluation.traits import traits_of
from embedtune_nb.evaluation.verdict import Verdict, paired_verdict

pytestmark = pytest.mark.slow


def evaluation(values, traits=None, **others):
    ids = [f"q{i}" for i in range(len(values))]
    columns = {"ndcg@10": np.asarray(values, float)} | {
        name: np.asarray(part) for name, part in others.items()
    }
    per_query = pd.DataFrame(columns, index=ids)
    told = None if traits is None else pd.DataFrame({"shared": range(len(ids))} | traits, index=ids)
    return Evaluation(per_query.mean().to_dict(), per_query, "ndcg@10", traits=told)


def paired(truth, before, after, metric):
    ids = range(len(truth))

    def one(predicted):
        answers = pd.DataFrame({"truth": truth, "predicted": predicted}, index=ids)
        errors = pd.DataFrame({"rank_error": np.abs(truth - predicted)}, index=ids)
        value = value_of(metric, truth, predicted)
        return Evaluation({metric: value}, errors, metric, answers=answers, unit="pairs")

    return one(before), one(after)


def compare(before, after, traits=None, **options):
    return paired_verdict(
        evaluation(before), evaluation(after, traits), **{"seed": 0, "resamples": 2_000} | options
    )


def test_the_p_value_is_that_of_scipy():
    rng = np.random.default_rng(0)
    change = np.round(rng.normal(0.05, 0.2, 40), 2)
    ours = compare(np.full(40, 0.5), 0.5 + change, resamples=10_000).p
    theirs = stats.permutation_test(
        (change,), np.mean, permutation_type="samples", n_resamples=10_000, rng=np.random.default_rng(1)
    ).pvalue
    assert 0.02 < theirs < 0.5
    assert ours == pytest.approx(theirs, abs=0.015)


def test_a_metric_of_all_rows_is_tested_by_swapping_its_answers():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=60)
    before, after = truth + rng.normal(0, 1.2, 60), truth + rng.normal(0, 0.8, 60)
    verdict = paired_verdict(*paired(truth, before, after, "spearman"), seed=0, resamples=4_000)
    observed = stats.spearmanr(truth, after).statistic - stats.spearmanr(truth, before).statistic
    reached = 0
    for _ in range(2_000):
        swap = rng.random(60) < 0.5
        first, second = np.where(swap, after, before), np.where(swap, before, after)
        difference = stats.spearmanr(truth, second).statistic - stats.spearmanr(truth, first).statistic
        reached += abs(difference) >= abs(observed) - 1e-12
    assert verdict.difference == pytest.approx(observed)
    assert verdict.p == pytest.approx(reached / 2_000, abs=0.03) and 0.005 < verdict.p < 0.5


def test_where_nothing_differs_the_p_value_is_1():
    assert compare(np.full(50, 0.5), np.full(50, 0.5)).p == 1.0
    alike = swap_p_values(lambda swaps: np.zeros((2, len(swaps))), np.arange(9), seed=0, permutations=99)
    assert alike.tolist() == [1.0, 1.0]


def test_interval_and_test_must_agree():
    """Six queries that all gained: the interval excludes zero, and so it does by chance in 3 % of cases."""
    gains = np.zeros(30)
    gains[:5] = [1.0, 1.0, 1.0, 1.0, -0.01]
    gains[5:8] = -0.01
    verdict = compare(np.full(30, 0.0), gains)
    assert verdict.low > 0 and verdict.p > 0.05
    assert verdict.answer == "no difference shown"
    assert "permutation test" in verdict.explanation


def test_holm_is_as_published():
    assert holm(np.array([0.01, 0.04, 0.03, 0.005])).tolist() == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm(np.array([0.5, 0.9])).tolist() == [1.0, 1.0]
    assert holm(np.array([])).tolist() == []


def test_copies_of_a_query_are_no_further_evidence():
    """Ten copies of each query in one group give the interval of the queries themselves."""
    rng = np.random.default_rng(0)
    before, after = rng.random(40), rng.random(40)
    once = compare(before, after)
    group = np.repeat(np.arange(40), 10)
    copied = compare(before.repeat(10), after.repeat(10), {"group": group, "words": 1})
    assert (copied.low, copied.high, copied.p) == pytest.approx((once.low, once.high, once.p))
    assert copied.groups == 40 and "400 queries in 40 groups" in copied.note
    blind = compare(before.repeat(10), after.repeat(10))
    assert blind.high - blind.low < 0.5 * (copied.high - copied.low), "the example must tell the two apart"


def test_few_groups_show_nothing_however_many_queries():
    group = np.arange(200) % 4
    verdict = compare(np.zeros(200), np.ones(200), {"group": group, "words": 1})
    assert verdict.answer == "no difference shown" and "belong to 4 groups" in verdict.explanation


def test_queries_that_share_a_document_are_resampled_together_unless_all_do():
    queries = {f"q{i}": f"question {i}" for i in range(60)}
    documents = {f"d{i}": f"answer {i}" for i in range(30)}
    two_each = Datasource.from_retrieval(queries, documents, {f"q{i}": {f"d{i // 2}": 1} for i in range(60)})
    change = np.random.default_rng(0).normal(size=60)
    verdict = compare(np.zeros(60), change, traits_of(two_each).to_dict("list"))
    assert verdict.groups == 30 and "30 groups of queries that share" in verdict.note
    chained = {f"q{i}": {f"d{i // 2}": 1, f"d{(i + 1) // 2 % 30}": 1} for i in range(60)}
    lump = Datasource.from_retrieval(queries, documents, chained)
    verdict = compare(np.zeros(60), change, traits_of(lump).to_dict("list"))
    assert verdict.groups is None and "60 of 60 queries hang together" in verdict.note


def test_a_loss_hidden_in_a_gain_is_found_by_its_slice():
    rng = np.random.default_rng(0)
    label = np.array(["many"] * 300 + ["rare"] * 40 + ["few"] * 5)
    change = np.where(label == "rare", -0.3, 0.2) + rng.normal(0, 0.1, 345)
    traits = {"label": label, "words": rng.integers(1, 30, 345)}
    verdict = compare(np.full(345, 0.5), 0.5 + change, traits)
    assert verdict.answer == "better"
    table = verdict.slice_frame().set_index(["by", "slice"])
    assert table.loc[("label", "many"), "answer"] == "better"
    rare = table.loc[("label", "rare")]
    assert rare["answer"] == "worse" and rare["queries"] == 40 and rare["wins"] + rare["losses"] == 40
    assert rare["difference"] == pytest.approx(change[label == "rare"].mean())
    assert rare["low"] < rare["difference"] < rare["high"] and rare["p_adjusted"] >= rare["p"]
    assert ("label", "few") not in table.index and "1 smaller label" in verdict.slices_note
    assert [by for by, _ in table.index].count("length") == 3
    page = verdict._repr_html_()
    assert "<details open>" in page and "1 worse" in page, "bad news is not folded away"


def test_slices_and_other_metrics_without_a_difference_are_rarely_called_one():
    """Uncorrected, some of 15 slices and metrics would be called in every other verdict."""
    rng = np.random.default_rng(0)
    called = 0
    for seed in range(60):
        traits = {"label": rng.choice(list("abcdef"), 300), "words": rng.integers(1, 9, 300)}
        before = evaluation(np.zeros(300), **{f"recall@{k}": np.zeros(300) for k in range(1, 7)})
        after = evaluation(
            rng.normal(size=300), traits, **{f"recall@{k}": rng.normal(size=300) for k in range(1, 7)}
        )
        verdict = paired_verdict(before, after, metric="ndcg@10", seed=seed, resamples=500)
        judged = [*verdict.others, *verdict.slices]
        called += any(row["answer"] != "no difference shown" for row in judged)
    assert called <= 10


def test_an_error_that_falls_in_a_slice_is_better():
    rng = np.random.default_rng(0)
    traits = pd.DataFrame({"words": np.repeat([2, 9], 50), "shared": range(100)})
    errors = [pd.DataFrame({"mae": rng.random(100) * top}) for top in (1.0, 0.3)]
    before, after = (
        Evaluation({"mae": float(part["mae"].mean())}, part, "mae", traits=traits, unit="texts")
        for part in errors
    )
    verdict = paired_verdict(before, after, seed=0, resamples=1_000)
    assert verdict.answer == "better" and set(verdict.slice_frame()["answer"]) == {"better"}
    assert verdict.slice_frame()["slice"].tolist() == ["2 words", "9 words"]
    assert verdict.slice_frame().columns[2] == "texts"


def test_lengths_are_cut_into_thirds():
    classes = length_classes(pd.Series([1, 2, 3, 4, 5, 6, 7, 8, 90]))
    assert classes.astype(str).value_counts().to_dict() == {
        "1 to 3 words": 3,
        "4 to 6 words": 3,
        "7 to 90 words": 3,
    }
    assert set(length_classes(pd.Series([4] * 9))) == {"4 words"}


def test_all_metrics_stand_in_one_table():
    rng = np.random.default_rng(0)
    before = evaluation(rng.random(50), **{"recall@1": np.zeros(50)})
    after = evaluation(rng.random(50), **{"recall@1": np.ones(50)})
    verdict = paired_verdict(before, after, metric="ndcg@10", seed=0, resamples=500)
    table = verdict.to_frame().set_index("metric")
    assert table.index.tolist() == ["ndcg@10", "recall@1"]
    assert table.loc["recall@1", ["wins", "losses", "ties"]].tolist() == [50, 0, 0]
    assert table.loc["recall@1", "answer"] == "better" and table.loc["ndcg@10", "answer"] == verdict.answer


def test_a_verdict_of_an_earlier_or_later_version_opens():
    old = {
        "metric": "ndcg@10", "before": 0.521, "after": 0.597, "difference": 0.076, "low": 0.058,
        "high": 0.094, "confidence": 0.95, "wins": 180, "losses": 66, "ties": 404, "queries": 650,
        "answer": "better", "explanation": "", "text": "Better: ...", "resamples": 10_000,
        "seed": 42, "of_the_future": 1,
        "others": [
            {"metric": "mrr@10", "before": 0.4, "after": 0.5, "difference": 0.1, "low": 0.05, "high": 0.2}
        ],
    }  # fmt: skip
    verdict = Verdict.from_dict(old)
    assert verdict.text.startswith("Better: NDCG@10 0.521 -> 0.597")
    assert "MRR@10" in verdict._repr_html_() and verdict.slice_frame().empty
    assert verdict.to_frame()["metric"].tolist() == ["ndcg@10", "mrr@10"]


def test_pairs_keep_their_groups_for_the_verdict():
    rows = [
        {"anchor": f"question {i}", "positive": f"answer {i}", "group": f"book {i // 4}"} for i in range(120)
    ]
    verdict = Datasource.from_list(rows, kind="pairs", group_column="group").split(seed=0).verdict
    traits = traits_of(verdict)
    texts = verdict.frames["queries"].set_index("id")["text"]
    assert len(traits) >= 20
    assert all(traits["group"] == [f"book {int(text.split()[1]) // 4}" for text in texts.loc[traits.index]])


def test_rare_gains_against_many_small_losses_are_no_worse():
    """Two queries of sixty gained much: nobody knows yet how often that happens."""
    rng = np.random.default_rng(0)
    change = np.concatenate([rng.uniform(-0.02, -0.01, 58), [0.1, 0.12]])
    for direction in (1, -1):
        verdict = compare(np.full(60, 0.5), 0.5 + direction * change)
        assert verdict.low * verdict.high > 0 and verdict.p < 0.01, "the example must deceive both"
        assert verdict.answer == "no difference shown"
        assert "changed much the other way" in verdict.text


def test_skewness_is_asked_only_where_it_speaks_against_the_answer():
    rng = np.random.default_rng(0)
    skewed = rng.exponential(size=(2, 80)) - 0.5
    skewed[1] *= -1
    assert skewed.mean(axis=1)[0] > 0 > skewed.mean(axis=1)[1]
    assert opposed_p_values(skewed).tolist() == [0.0, 0.0]
    against = np.concatenate([rng.exponential(size=117) + 0.5, [-12.0, -14.0, -13.0]])
    assert stats.skew(against) < -3
    size, skew = stats.ttest_1samp(against, 0).statistic, stats.skew(against) / np.sqrt(120)
    corrected = size + skew * size**2 / 3 + skew**2 * size**3 / 27 + skew / 6
    variance_of_variance = stats.kurtosis(against, fisher=False) - 117 / 119
    expected = 2 * stats.t.sf(corrected, 2 * 120 / variance_of_variance)
    assert opposed_p_values(against) == pytest.approx(expected) and 0 < expected < 1
    few = np.concatenate([rng.normal(size=50) + 2.0, [-2.0, -3.0, -2.5]])
    assert -3 < stats.skew(few) < -1 and opposed_p_values(few) == 0.0, "this much is the sample's own"
    assert opposed_p_values(np.concatenate([few, [-30.0]])) > 0.05, "one row against all others"
    assert opposed_p_values(np.full(30, 0.25)) == 0.0
    assert opposed_p_values(np.zeros(30)) == 0.0


def test_areas_under_curves_are_judged_from_the_votes():
    rng = np.random.default_rng(0)
    truth = rng.choice(["a", "b", "c"], 150)

    def voted(sure):
        shares = rng.dirichlet([1, 1, 1], 150) * (1 - sure) + sure * (truth[:, None] == ["a", "b", "c"])
        votes = pd.DataFrame(shares, columns=["a", "b", "c"])
        answers = pd.DataFrame({"truth": truth, "predicted": votes.idxmax(axis=1)})
        rows = pd.DataFrame(
            {
                "accuracy": (answers["truth"] == answers["predicted"]).astype(float),
                "vote_share": shares[truth[:, None] == ["a", "b", "c"]],
            }
        )
        area = roc_auc_score(truth, shares, multi_class="ovr")
        metrics = {"accuracy": float(rows["accuracy"].mean()), "roc_auc": float(area)}
        return Evaluation(metrics, rows, "accuracy", answers=answers, votes=votes, unit="texts")

    before, after = voted(0.1), voted(0.3)
    after.votes = after.votes[["c", "a", "b"]]
    verdict = paired_verdict(before, after, seed=0, resamples=2_000)
    row = verdict.to_frame().set_index("metric").loc["roc_auc"]
    assert row["before"] == pytest.approx(before.metrics["roc_auc"])
    assert row["after"] == pytest.approx(after.metrics["roc_auc"]), "labels in another order"
    assert 0 < row["low"] < row["difference"] < row["high"] and row["answer"] == "better"
    assert (row["p"], verdict.others[0]["resamples"]) == (pytest.approx(1 / 1001), 1_000)
