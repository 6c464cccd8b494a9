"""``evaluate`` without training: what is scored, how it is read, here or in a worker."""

from __future__ import annotations

import pytest

import embedtune_nb as et
from embedtune_nb.data.datasource import Datasource
from embedtune_nb.data.kinds import RETRIEVAL
from embedtune_nb.data.split_retrieval import as_retrieval
from embedtune_nb.encoder.encoder import Encoder
from embedtune_nb.errors import JobError, JobStoppedError, PlanError
from embedtune_nb.evaluation.evaluate import evaluate
from embedtune_nb.models.evaluation_job import run_evaluate
from embedtune_nb.store.events import EventWriter, State
from embedtune_nb.widgets.static_twin import text_html


@pytest.fixture
def base(home, tiny_bert):
    return et.PretrainedEmbeddingModel(str(tiny_bert))


@pytest.fixture
def pairs(topic_rows):
    values = [row["value"] for row in topic_rows]
    rows = [{"anchor": a, "positive": b} for a, b in zip(values[::2], values[1::2], strict=True)]
    return Datasource.from_list(rows, kind="pairs")


def test_a_subsample_scores_fewer_queries_against_all_documents(base, pairs):
    whole, some = base.evaluate(pairs), base.evaluate(pairs, subsample=0.25)
    assert len(some.per_query) == round(0.25 * len(whole.per_query))
    kept = whole.per_query.loc[some.per_query.index, "ndcg@10"]
    assert some.per_query["ndcg@10"].tolist() == pytest.approx(kept.tolist())
    assert any("queries were scored (subsample)" in note for note in some.notes)
    assert base.evaluate(pairs, subsample=10, seed=1).per_query.index.tolist() != (
        base.evaluate(pairs, subsample=10, seed=2).per_query.index.tolist()
    )


def test_an_evaluation_set_is_scored_against_all_of_the_data(base, labeled, topic_rows):
    roles = {"value": "value", "label": "label"}
    held_out = Datasource.from_list(topic_rows[:20], kind="labeled", roles=roles)
    found = base.evaluate(labeled, held_out, neighbor_count=1)
    assert len(found.per_query) == 20
    assert found.metrics["accuracy"] == 1.0  # each text is its own nearest neighbour there


def test_neighbours_can_vote_alike(base, labeled):
    by_similarity, alike = (
        base.evaluate(labeled, neighbor_count=9, neighbor_weighting=how) for how in ("similarity", "uniform")
    )
    assert by_similarity.notes[0].startswith("Similarity-weighted")
    assert alike.notes[0].startswith("Unweighted")
    shares = alike.votes.to_numpy() * 9
    assert shares == pytest.approx(shares.round(), abs=1e-5), "whole votes of nine"
    assert by_similarity.votes.to_numpy() != pytest.approx(alike.votes.to_numpy(), abs=1e-5)


@pytest.mark.parametrize("side", ["right", "left"])
def test_a_shorter_limit_reads_less_of_each_text_and_leaves_the_model_alone(base, pairs, side):
    before = base.embed([pairs.texts()[0]])
    found = base.evaluate(pairs, max_seq_length=6, truncation_side=side)
    limits = {"max_seq_length": 6, "truncation_side": side}
    searched = Datasource(RETRIEVAL, as_retrieval(pairs), name="searched")
    oracle = evaluate(Encoder.load(base.spec, limits), searched)
    assert found.metrics == pytest.approx(oracle.metrics)
    assert found.metrics != pytest.approx(base.evaluate(pairs).metrics)
    assert base.embed([pairs.texts()[0]]) == pytest.approx(before)


@pytest.mark.jobs
@pytest.mark.parametrize("executor", ["thread", "process"])
def test_in_the_background_a_job_finds_the_same(base, labeled, executor):
    options = {"neighbor_count": 3, "subsample": 15, "max_seq_length": 8}
    here = base.evaluate(labeled, **options)
    job = base.evaluate(labeled, background=True, executor=executor, **options)
    assert isinstance(job, et.Job) and job.kind == "evaluate"
    there = job.result()
    assert there.metrics == pytest.approx(here.metrics)
    assert there.per_query.index.tolist() == here.per_query.index.tolist()
    assert there.notes == here.notes and there.primary == here.primary
    feed = job.feed()
    feed.poll()
    assert feed.snapshot.notices[0]["text"].startswith(f"Accuracy {there.metrics['accuracy']:.3f}  Macro F1")
    page = text_html(feed.snapshot)
    assert "evaluate-" in page and "Traceback" not in page
    with pytest.raises(JobStoppedError, match=r"call evaluate\(\) again"):
        run_evaluate(job.folder, lambda event: None, lambda: True)


def test_the_metric_that_stands_first_can_be_named(base, pairs):
    assert base.evaluate(pairs, metric="mrr@5").primary == "mrr@5"
    for background in (False, True):
        with pytest.raises(PlanError, match="no metric of pairs data") as told:
            base.evaluate(pairs, metric="accuracy", background=background)
        assert "ndcg@10" in str(told.value)
    assert et.Job.all() == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"subsample": 0}, "subsample is 0"),
        ({"subsample": 1.5}, "subsample is 1.5"),
        ({"subsample": True}, "subsample is True"),
        ({"max_seq_length": 1000}, "reads 64 tokens"),
        ({"max_seq_length": 2}, "max_seq_length is 2"),
        ({"truncation_side": "middle"}, "truncation_side is 'middle'"),
        ({"neighbor_weighting": "similarty"}, "Did you mean 'similarity'"),
        ({"background": True, "executor": "cloud"}, "no executor 'cloud'"),
    ],
)
def test_options_out_of_range_are_refused(base, labeled, options, message):
    with pytest.raises(PlanError, match=message):
        base.evaluate(labeled, **options)


def test_a_second_data_set_is_refused_where_every_row_is_scored(base, pairs):
    with pytest.raises(PlanError, match="eval_datasource has no effect on pairs data"):
        base.evaluate(pairs, pairs)


@pytest.mark.parametrize("options", [{"neighbor_count": 0}, {"neighbor_weighting": "similar"}])
def test_what_cannot_be_asked_of_neighbours_is_refused_before_a_job_begins(base, labeled, options):
    with pytest.raises(PlanError, match=next(iter(options))):
        base.evaluate(labeled, background=True, **options)
    assert et.Job.all() == []


@pytest.mark.parametrize("options", [{"max_seq_length": 16}, {"truncation_side": "left"}])
def test_what_a_model_that_cuts_nothing_cannot_heed_is_refused(home, tiny_static, labeled, options):
    static = et.PretrainedEmbeddingModel(str(tiny_static))
    with pytest.raises(PlanError, match=f"{next(iter(options))} has no effect"):
        static.evaluate(labeled, **options)


@pytest.mark.parametrize("options", [{"neighbor_count": 9}, {"neighbor_weighting": "uniform"}])
def test_neighbours_are_refused_where_they_have_nothing_to_vote_on(base, pairs, options):
    with pytest.raises(PlanError, match=f"{next(iter(options))} has no effect on pairs data"):
        base.evaluate(pairs, **options)


def test_a_metric_that_is_no_name_is_refused(base, pairs):
    with pytest.raises(PlanError, match="3 is no metric of pairs data"):
        base.evaluate(pairs, metric=3)


@pytest.mark.jobs
def test_a_stopped_evaluation_counts_no_steps_and_a_done_one_made_no_model(base, labeled):
    job = base.evaluate(labeled, background=True, executor="thread").wait()
    with pytest.raises(JobError, match="is done") as told:
        job.resume()
    assert "returns what it made" in str(told.value)
    writer = EventWriter(job.folder.events)
    writer.emit(State("stopped", reason="The evaluation was stopped."))
    writer.close()
    with pytest.raises(JobStoppedError, match=r"was stopped\.\n"):
        et.Job.open(job.id).result()
