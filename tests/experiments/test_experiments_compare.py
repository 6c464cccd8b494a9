"""Models beside each other: the same rows, paired differences, the base included, leaks told."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import embedtune_nb as et
from embedtune_nb.data.split import Split
from embedtune_nb.errors import DataError
from embedtune_nb.evaluation.result import Evaluation
from embedtune_nb.experiments.compare import own_intervals
from embedtune_nb.experiments.comparison import Comparison, ranks_with_ties

pytestmark = pytest.mark.jobs


def test_without_data_the_models_are_compared_on_what_judged_them_and_the_base_is_there(small, tiny_bert):
    found = et.compare([small], progress=False)
    assert isinstance(found, et.Comparison)
    frame = found.to_frame()
    assert frame["model"].unique().tolist() == [str(tiny_bert), "small"]
    assert found.against == str(tiny_bert)
    row = frame[(frame["model"] == "small") & (frame["metric"] == "accuracy")].iloc[0]
    verdict = small.verdict
    assert row["value"] == pytest.approx(verdict.after)
    assert row["difference"] == pytest.approx(verdict.difference)
    assert row["answer"] == verdict.answer
    assert row["low"] <= row["value"] <= row["high"]
    assert not any("was trained on" in note for note in found.notes)
    base_rows = frame[frame["model"] == str(tiny_bert)]
    assert base_rows["difference"].isna().all() and (base_rows["answer"] == "").all()


def test_data_that_a_model_was_trained_on_is_told(small, labelled):
    told = [
        note for note in et.compare(small, labelled, progress=False, seed=7).notes if "trained on" in note
    ]
    assert len(told) == 1 and told[0].startswith("small was trained on")


def test_the_table_goes_out_as_markdown_and_html_and_as_a_chart(small):
    found = et.compare({"mine | ours": small}, progress=False)
    markdown = found.to_markdown(["accuracy"])
    head, _, *rows = markdown.split("\n\n")[0].splitlines()
    assert head == "| rank | model | Accuracy |"
    assert len(rows) == 2 and any("mine \\| ours" in row for row in rows)
    assert all(row.replace("\\|", "").count("|") == 4 for row in rows)
    assert "<script" not in found._repr_html_() and "mine | ours" in found._repr_html_()
    titles = [panel["title"] for panel in found.chart(["accuracy"]).to_dict()["vconcat"]]
    assert titles == [f"Accuracy, difference from {found.against}"]
    assert "small" not in repr(found) and "mine | ours" in repr(found)


def test_models_are_taken_by_name_and_by_job_and_compared_with_any_of_them(small):
    found = et.compare(["small", small.base_model], against="small", progress=False)
    assert set(found.verdicts) == {small.base_model}
    other = found.verdicts[small.base_model]
    assert other.difference == pytest.approx(-small.verdict.difference)
    assert et.compare(small.job, progress=False).verdicts["small"].after == small.verdict.after


@pytest.mark.parametrize(
    ("models", "options", "said"),
    [
        ([], {}, "no model"),
        (["smal"], {}, "smal"),
        ([3.5], {}, "float"),
        (["small", "small"], {}, "Two of the models"),
        (["small"], {"against": "smale"}, "Did you mean 'small'"),
    ],
)
def test_what_cannot_be_compared_is_told(small, models, options, said):
    with pytest.raises(et.EmbedtuneError, match=said):
        et.compare(models, progress=False, **options)


def test_base_models_need_data(base):
    with pytest.raises(DataError, match="no held-out part"):
        et.compare([base], progress=False)


def test_one_model_alone_has_no_gain_to_draw(base, labelled):
    found = et.compare(base, labelled, progress=False)
    assert len(found.to_frame()) and found.verdicts == {}
    with pytest.raises(DataError, match="only one model"):
        found.chart()


def test_the_interval_of_a_mean_is_the_bootstrap_of_scipy():
    rng = np.random.default_rng(0)
    values = rng.beta(2, 5, 120)
    per_query = pd.DataFrame({"ndcg@10": values}, index=[f"q{n}" for n in range(120)])
    low, high = own_intervals(
        Evaluation({"ndcg@10": values.mean()}, per_query, "ndcg@10"), seed=0, resamples=4_000
    )
    truth = stats.bootstrap((values,), np.mean, n_resamples=4_000, method="BCa", rng=1).confidence_interval
    assert low["ndcg@10"] == pytest.approx(truth.low, abs=2e-3)
    assert high["ndcg@10"] == pytest.approx(truth.high, abs=2e-3)


def test_ranks_are_shared_within_the_band_of_their_best():
    values = pd.Series([0.60, 0.58, 0.595, 0.50])
    assert ranks_with_ties(values, 0.015, lower=False).tolist() == [1, 3, 1, 4]
    assert ranks_with_ties(values, None, lower=False).tolist() == [1, 3, 2, 4]
    assert ranks_with_ties(values, 0.015, lower=True).tolist() == [3, 2, 3, 1]


def test_pairs_are_compared_as_queries_over_all_documents(base, topic_rows):
    texts = [row["value"] for row in topic_rows]
    pairs = pd.DataFrame({"anchor": [f"{text} please" for text in texts], "positive": texts})
    found = et.compare({"one": base, "same": base}, pairs, base=False, progress=False)
    assert found.unit == "queries" and found.primary == "ndcg@10" and found.rows == len(texts)
    frame = found.to_frame()
    assert {"ndcg@10", "mrr@10", "recall@10"} <= set(frame["metric"])
    same = frame[frame["model"] == "same"]
    assert (same["difference"] == 0).all() and set(same["answer"]) == {"no difference shown"}
    assert frame.loc[frame["metric"] == "ndcg@10", "rank"].tolist() == [1, 1]


def test_how_rows_were_resampled_is_told_once(base, topic_rows):
    texts = [row["value"] for row in topic_rows]
    data = pd.DataFrame({"anchor": texts, "positive": [f"{text} indeed" for text in texts]})
    grouped = et.Datasource.from_pandas(
        data.assign(group=[f"g{n // 3}" for n in range(len(texts))]), kind="pairs"
    )
    found = et.compare({"a": base, "b": base, "c": base}, grouped.to_retrieval(), base=False, progress=False)
    notes = [verdict.note for verdict in found.verdicts.values()]
    assert "groups" in notes[0] and len(set(notes)) == 1
    assert found.notes.count(notes[0]) == 1
    assert any("2 comparisons with a" in note for note in found.notes)


def test_a_base_that_is_gone_is_left_out_and_that_is_said(small, monkeypatch):
    def missing(name):
        raise et.EmbedtuneError(f"There is no base model {name!r}.")

    monkeypatch.setattr("embedtune_nb.experiments.entrants.PretrainedEmbeddingModel", missing)
    found = et.compare(small, progress=False)
    assert found.against == "small"
    assert any("The base of small is left out" in note for note in found.notes)


def test_an_evaluation_says_how_many_of_its_rows_the_model_was_trained_on(small, labelled):
    def told(data, **options):
        return [note for note in small.evaluate(data, **options).notes if "flatter" in note]

    assert told(labelled) == [], "the same seed holds out the very rows that training never saw"
    (mostly,) = told(labelled, seed=7)
    assert mostly.startswith("This model was trained on ") and "of the 38 rows scored" in mostly
    assert told(labelled.iloc[: len(labelled) // 2], seed=7), "also of a part of its data"


def test_pairs_of_which_one_text_was_trained_on_with_another_partner_are_not_called_seen(base, home):
    rows = [
        {"sentence1": f"text {n} here", "sentence2": f"its partner {n}", "score": n % 5 / 5}
        for n in range(60)
    ]
    data = et.Datasource.from_list(rows, kind="scored_pairs")
    quick = {"epochs": 1, "batch_size": 16, "eval_steps": "off", "bf16": False}
    model = base.finetune("judged", data, hyperparams=quick, executor="thread")
    others = et.Datasource.from_list(
        [{**row, "sentence2": "someone else"} for row in rows], kind="scored_pairs"
    )
    assert not any("flatter" in note for note in model.evaluate(others).notes)
    seen = len(Split.read(model.job.folder.data).train)
    assert any(f"trained on {seen} of the 60 rows" in note for note in model.evaluate(data).notes)


@pytest.mark.parametrize(("metric", "order"), [("accuracy", ["c", "a", "b"]), ("mae", ["b", "a", "c"])])
def test_models_that_share_a_rank_stand_in_the_order_of_their_values(metric, order):
    frame = pd.DataFrame({"model": ["a", "b", "c"], "metric": metric, "value": [0.59, 0.58, 0.60], "rank": 1})
    frame = frame.assign(low=0.5, high=0.7, difference=np.nan, difference_low=np.nan, difference_high=np.nan)
    table = Comparison(frame.assign(answer=""), "a", metric, "texts", 50, {}, {}, noise_band=0.05)
    lines = [line.split("|")[2].strip() for line in table.to_markdown().split("\n\n")[0].splitlines()[2:]]
    assert lines == order == [line.split()[1] for line in repr(table).splitlines()[1:4]]
