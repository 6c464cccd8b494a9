"""Noise floor and learning curve: real trainings, one after another, never one of them twice."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import embedtune_nb as et
from embedtune_nb.data.datasource import Datasource
from embedtune_nb.data.split import Split
from embedtune_nb.errors import AlreadyExistsError, DataError, PlanError
from embedtune_nb.experiments.learning_curve import _first, _order
from embedtune_nb.experiments.noise_floor import NoiseFloor, tie_factor
from embedtune_nb.experiments.repeats import evaluations_of
from embedtune_nb.store.events import EventWriter, State

pytestmark = pytest.mark.jobs


def test_other_seeds_train_on_the_same_rows_and_their_band_serves_comparisons(small):
    floor = small.noise_floor(seeds=3)
    assert floor.runs["seed"].tolist() == [42, 43, 44]
    assert floor.runs["accuracy"].iloc[0] == pytest.approx(small.verdict.after)
    parts = [Split.read(et.Job.open(name).folder.data) for name in floor.runs["name"]]
    assert len({part.train.fingerprint for part in parts}) == 1
    assert len({part.verdict.fingerprint for part in parts}) == 1
    assert et.Job.open("small-seed-43").plan["settings"]["seed"]["value"] == 43
    assert [model.name for model in et.FinetunedEmbeddingModel.all()] == ["small"], (
        "the further weights are gone"
    )
    row = floor.to_frame().iloc[0]
    values = floor.runs["accuracy"]
    assert row["metric"] == "accuracy" == floor.primary
    assert row["band"] == pytest.approx(stats.t.ppf(0.975, 2) * values.std(ddof=1) * np.sqrt(2))
    assert floor.is_tie(0.5, 0.5 + floor.band) and not floor.is_tie(0.5, 0.5001 + floor.band)
    compared = et.compare(small, progress=False)
    assert compared.noise_band == pytest.approx(floor.band)


def test_two_seeds_are_too_few_to_rank_by_and_that_is_said(small):
    assert "2 seeds hardly tell" in repr(small.noise_floor(seeds=2))
    compared = et.compare(small, progress=False)
    assert compared.noise_band is None
    assert any("rests on 2 seeds" in note and "seeds=3" in note for note in compared.notes)


def test_a_mistyped_model_is_told_the_tuned_one(small):
    with pytest.raises(et.EmbedtuneError, match="Did you mean 'small'"):
        et.compare(["smal"], progress=False)


def test_a_part_of_one_row_is_refused_before_anything_is_trained(small):
    with pytest.raises(PlanError, match=r"share of 0\.001 is 1 of"):
        small.learning_curve(Split.read(small.job.folder.data).train, fractions=(0.001, 1))


def test_a_second_call_trains_nothing_and_error_refuses(small):
    first = small.noise_floor(seeds=2)
    jobs = {job.id for job in et.Job.all()}
    again = small.noise_floor(seeds=2)
    assert {job.id for job in et.Job.all()} == jobs
    assert again.runs.equals(first.runs)
    with pytest.raises(AlreadyExistsError, match="small-seed-43"):
        small.noise_floor(seeds=2, if_exists="error")


def test_a_run_that_was_stopped_is_carried_on(small):
    first = small.noise_floor(seeds=[7])
    stopped = et.Job.open("small-seed-7")
    # as where a user stopped it: the folder is there, the model is not
    writer = EventWriter(stopped.folder.events)
    writer.emit(State("stopped"))
    writer.close()
    assert et.Job.open("small-seed-7").status == "stopped"
    again = small.noise_floor(seeds=[7])
    assert et.Job.open("small-seed-7").id == stopped.id, "the same job went on"
    assert again.runs["accuracy"].tolist() == pytest.approx(first.runs["accuracy"].tolist())


@pytest.mark.parametrize("seeds", [1, 0, True, "3", [], [42], [-1], 2.5])
def test_too_few_seeds_are_refused(small, seeds):
    with pytest.raises(PlanError, match="seeds is"):
        small.noise_floor(seeds=seeds)


def test_the_band_covers_the_difference_of_two_more_runs_nineteen_times_of_twenty():
    rng = np.random.default_rng(0)
    values = rng.normal(0.6, 0.01, (4_000, 5))
    bands = tie_factor(3) * values[:, :3].std(axis=1, ddof=1)
    covered = (np.abs(values[:, 3] - values[:, 4]) <= bands).mean()
    assert covered == pytest.approx(0.95, abs=0.012)


def test_noise_reads_as_a_sentence_and_shows_as_a_chart(small):
    floor = small.noise_floor(seeds=2)
    assert isinstance(floor, NoiseFloor)
    assert repr(floor).startswith("small: Accuracy") and "are a tie. 2 seeds hardly tell" in repr(floor)
    assert "2 seeds" in floor.chart().to_dict()["title"]


def test_growing_parts_are_judged_on_the_same_rows_and_lie_within_each_other(base, labelled, short):
    curve = base.learning_curve(
        labelled, (0.5, 1), repeats=2, name="grow", hyperparams=short, executor="thread"
    )
    runs = curve.runs
    assert runs["fraction"].tolist() == [0.5, 1.0, 0.5, 1.0]
    assert runs["name"].tolist() == ["grow-0.5-run-1", "grow-1-run-1", "grow-0.5-run-2", "grow-1-run-2"]
    parts = [Split.read(et.Job.open(name).folder.data) for name in runs["name"]]
    assert len({part.verdict.fingerprint for part in parts}) == 1
    texts = [set(part.train.frames["examples"]["value"]) for part in parts]
    assert texts[0] < texts[1] and texts[2] < texts[3] and texts[0] != texts[2]
    assert runs["rows"].tolist() == [len(part.train) for part in parts]
    frame = curve.to_frame()
    assert frame["mean"].tolist() == pytest.approx(runs.groupby("fraction")["accuracy"].mean().tolist())
    assert (frame["low"] <= frame["mean"]).all() and (frame["mean"] <= frame["high"]).all()
    for row in runs.itertuples():
        before, _ = evaluations_of(et.Job.open(row.name))
        assert curve.base["accuracy"].iloc[row.Index] == before.metrics["accuracy"]
    assert (frame["gain"] - (frame["mean"] - frame["base"])).abs().max() < 1e-12
    ahead = curve.expected_gain()
    assert ahead["rows"] == 2 * runs["rows"].max() and ahead["low"] <= ahead["gain"] <= ahead["high"]
    assert "Twice the data" in repr(curve)
    assert "twice the data" in curve.chart().to_dict()["title"]
    # only the one that is asked for rows to label stays, and a second call trains nothing
    assert [model.name for model in et.FinetunedEmbeddingModel.all()] == ["grow-1-run-1"]
    chosen = curve.label_next(["oven and pan", "unheard of things", "visa at the border"], count=2)
    assert len(chosen) == 2 and set(chosen["why"]) <= {"uncertain", "uncovered"}
    jobs = len(et.Job.all())
    again = base.learning_curve(
        labelled, (0.5, 1), repeats=2, name="grow", hyperparams=short, executor="thread"
    )
    assert len(et.Job.all()) == jobs and again.runs.equals(runs)


def test_where_nothing_but_documents_is_searched_the_base_is_evaluated_once(base, topic_rows, short):
    texts = [row["value"] for row in topic_rows]
    pairs = [{"anchor": text, "positive": f"{text} {n}"} for n, text in enumerate(texts)]
    data = Datasource.from_list(pairs, kind="pairs")
    options = {key: short[key] for key in ("epochs", "batch_size", "bf16")}
    curve = base.learning_curve(
        data, (0.5, 1), repeats=1, name="pairs", hyperparams=options, executor="thread"
    )
    assert curve.primary == "ndcg@10"
    assert curve.base["ndcg@10"].nunique() == 1
    events = [et.Job.open(name).folder.events.read_text() for name in curve.runs["name"]]
    assert ["evaluation was kept" in text for text in events] == [False, True]
    frame = curve.to_frame()
    assert frame["low"].isna().all(), "one run has no band"
    assert curve.expected_gain()["low"] is None and "too few runs" in curve.summary


def test_other_data_under_the_same_name_is_refused(base, labelled, short):
    options = {"repeats": 1, "name": "grow", "hyperparams": short, "executor": "thread"}
    base.learning_curve(labelled, (0.5, 1), **options)
    with pytest.raises(AlreadyExistsError, match="another recipe"):
        base.learning_curve(labelled.iloc[:-8], (0.5, 1), **options)


@pytest.mark.parametrize("fractions", [(1,), (0, 1), (0.5, 1.5), (), 0.5, ("half", 1)])
def test_fractions_that_make_no_curve_are_refused(base, labelled, fractions):
    with pytest.raises(PlanError, match="fractions is"):
        base.learning_curve(labelled, fractions)


def test_an_unknown_metric_is_told():
    floor = NoiseFloor(
        "m", "accuracy", pd.DataFrame({"seed": [1, 2], "name": ["a", "b"], "accuracy": [0.1, 0.2]})
    )
    with pytest.raises(DataError, match="ndcg"):
        floor.is_tie(0, 1, "ndcg@10")


def test_parts_of_labelled_data_hold_the_labels_in_proportion(labelled):
    parts = [labelled[labelled["label"] != "travel"], labelled[labelled["label"] == "travel"].iloc[:8]]
    data = Datasource.from_pandas(pd.concat(parts))
    half = _first(data, _order(data, seed=3), 0.5)
    whole, part = data.label_counts(), half.label_counts()
    assert ((part - whole / 2).abs() <= 1).all()


def test_a_merged_model_has_no_recipe_to_repeat(small):
    merged = small.merge_with_base(0.5, name="half", executor="thread")
    with pytest.raises(PlanError, match=r"merged from 'small'.*\n.*\n.*open\('small'\)\.noise_floor"):
        merged.noise_floor(seeds=2)


def test_a_published_trial_is_trained_again_with_other_seeds(small):
    # what a job of that kind leaves on record
    small._record.facts["plan"]["kind"] = "publish"
    floor = small.noise_floor(seeds=2)
    assert floor.runs["name"].tolist() == ["small", "small-seed-43"]
    assert et.Job.open("small-seed-43").kind == "finetune"
