"""Where a trained model got worse: from what its job kept, to rows that go on."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

import pandas as pd
import pytest

import embedtune_nb as et
from embedtune_nb.data.split import Split
from embedtune_nb.errors import DataError
from embedtune_nb.evaluation.causes import ADVICE
from embedtune_nb.training import reload_check
from embedtune_nb.training.kept import load_evaluation

pytestmark = pytest.mark.jobs

QUICK = {"epochs": 1, "batch_size": 16, "eval_steps": "off", "bf16": False}


@pytest.fixture(scope="module")
def trained(tiny_bert, topic_rows, tmp_path_factory):
    """Models of three kinds, trained so roughly that each got worse somewhere."""
    folder = tmp_path_factory.mktemp("regressions") / "home"
    draw = random.Random(0)
    texts = [row["value"] for row in topic_rows]
    pairs = [{"anchor": text, "positive": f"{draw.choice(texts)} {draw.randrange(10**6)}"} for text in texts]
    labels = [row["label"] for row in topic_rows]
    draw.shuffle(labels)
    shuffled = [{**row, "label": label} for row, label in zip(topic_rows, labels, strict=True)]
    kinds = {
        "labels": (shuffled, {"early_stopping": False}),
        "pairs": (et.Datasource.from_list(pairs, kind="pairs"), {}),
        "scores": (
            et.Datasource.from_list(
                [{"value": text, "score": draw.random()} for text in texts], kind="scored"
            ),
            {"early_stopping": False},
        ),
    }

    def check_here(command, **_):
        reload_check.main(Path(command[-1]))
        return subprocess.CompletedProcess(command, 0)

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EMBEDTUNE_HOME", str(folder))
        patch.setattr(reload_check.subprocess, "run", check_here)
        base = et.PretrainedEmbeddingModel(str(tiny_bert))
        yield {
            name: base.finetune(
                name, data, hyperparams={**QUICK, **more, "learning_rate": 1e-2}, executor="thread"
            )
            for name, (data, more) in kinds.items()
        }


@pytest.mark.parametrize("name", ["labels", "pairs", "scores"])
def test_values_and_losses_are_those_of_the_verdict_and_the_worst_stand_first(trained, name):
    model = trained[name]
    found = model.regressions()
    worse, everything = found.to_frame(), found.to_frame(everything=True)
    assert len(worse) == len(found) == model.verdict.losses > 0
    assert len(everything) == model.verdict.queries
    assert worse["worse_by"].is_monotonic_decreasing and (worse["worse_by"] > 0).all()
    kept = load_evaluation(model.job.folder.path / "evaluation" / "after").per_query[found.metric]
    assert everything.set_index("id")["after"].to_dict() == pytest.approx(kept.to_dict())
    assert set(worse["cause"]) <= set(ADVICE)
    assert (everything.loc[len(worse) :, "cause"] == "").all()
    assert found.causes["count"].sum() == len(worse)
    answers = load_evaluation(model.job.folder.path / "evaluation" / "after").answers
    if name == "pairs":
        assert answers is None and everything["said_after"].isna().all()
    else:
        assert everything.set_index("id")["said_after"].to_dict() == answers["predicted"].to_dict()


def test_a_query_that_lost_its_rank_has_something_that_displaced_it(trained):
    worse = trained["pairs"].regressions().to_frame()
    assert (worse["rank_after"] > worse["rank_before"]).all()
    assert worse["displaced_by"].notna().all()
    split = Split.read(trained["pairs"].job.folder.data)
    answers = split.verdict.to_pandas().groupby("query_id")["document"].apply(set)
    for row in worse.itertuples():
        assert row.answer in answers[row.id] and row.displaced_by not in answers[row.id]


def test_rows_go_on_to_a_datasource_that_warns_and_to_training_rows_that_are_none_of_the_held_out(trained):
    for name in ("labels", "pairs", "scores"):
        found = trained[name].regressions()
        rows = found.to_datasource()
        assert len(rows) == len(found)
        assert "held out to judge" in rows.notes[-1]
        near = found.training_rows(neighbors=1)
        text = {"labels": "value", "pairs": "text", "scores": "value"}[name]
        frame = "queries" if name == "pairs" else "examples"
        held_out = set(found.data.frames[frame][text])
        assert 0 < len(near) < len(found.reference)
        assert not held_out & set(near.frames[frame][text])


def test_negatives_are_mined_for_the_training_rows_with_the_tuned_model(trained):
    found = trained["pairs"].regressions()
    mined = found.mine_hard_negatives(progress=False, relative_margin=None)
    assert mined.kind == "triplets"
    queries = set(found.data.frames["queries"]["text"])
    assert not queries & set(mined.frames["examples"]["anchor"])


def test_rows_are_narrowed_by_cause_and_by_id_and_what_is_not_there_is_told(trained):
    found = trained["labels"].regressions()
    cause = found.causes["cause"].iloc[0]
    assert set(found.where(cause).to_frame()["cause"]) == {cause}
    first = found.to_frame()["id"].iloc[0]
    assert found.where(ids=[first]).to_frame()["id"].tolist() == [first]
    with pytest.raises(DataError, match="Did you mean 'truncated'"):
        found.where("truncate")
    with pytest.raises(DataError, match="No row"):
        found.where(ids=["nowhere"])
    with pytest.raises(DataError, match="neighbors is 0"):
        found.training_rows(neighbors=0)


def test_where_no_negatives_can_be_mined_none_are_advised(trained):
    for name, minable in (("pairs", True), ("scores", False)):
        found = trained[name].regressions()
        unclear = found.frame.assign(cause="not clear")
        found = et.Regressions(unclear, found.metric, found.unit, found.data, found.reference, found.model)
        assert ("mine_hard_negatives" in found.causes["advice"].iloc[0]) == minable
        assert ("mine_hard_negatives" in found._repr_html_()) == minable
        assert ("mine_hard_negatives()" in found.widget.head["ways"]) == minable
        assert found.widget.head["causes"][0]["advice"] == found.causes["advice"].iloc[0]


def test_faults_of_the_training_part_are_mended_from_here(trained):
    found = trained["labels"].regressions()
    assert len(found.fix("exact_duplicates")) <= len(found.reference)
    assert len(found.fix("label_noise")) <= len(found.reference), "the tuned model tells what is near"


def test_the_map_gets_every_held_out_row_with_its_cause(trained, monkeypatch):
    for name in ("labels", "pairs", "scores"):
        model, asked = trained[name], []
        monkeypatch.setattr(type(model), "map", lambda self, data, asked=asked, **options: asked.append(data))
        found = model.regressions()
        found.map()
        frame = asked[0].frames["queries" if name == "pairs" else "examples"]
        told = frame["group" if name == "pairs" else "label"]
        assert len(frame) == len(found.data)
        assert (told != "did not get worse").sum() == len(found)
        assert set(told) <= {*ADVICE, "did not get worse"}


def test_it_reads_as_lines_and_as_a_table_in_which_texts_stay_texts(trained):
    found = trained["labels"].regressions()
    assert repr(found).splitlines()[0] == found.summary
    assert f"{len(found)} of {len(found.frame)} held-out texts got worse" in found.summary
    hostile = found.frame.assign(text="<script>evil()</script>")
    page = et.Regressions(
        hostile, found.metric, found.unit, found.data, found.reference, found.model
    )._repr_html_()
    assert "&lt;script&gt;evil()" in page and "<script" not in page


def test_where_nothing_got_worse_it_says_so(trained):
    found = trained["labels"].regressions()
    none = found.frame.assign(worse_by=0.0)
    fine = et.Regressions(none, found.metric, found.unit, found.data, found.reference, found.model)
    assert len(fine) == 0 and fine.to_frame().empty
    assert repr(fine).startswith("None of") and "None of" in fine._repr_html_()
    with pytest.raises(DataError, match="nothing to mend"):
        fine.to_datasource()


def test_a_job_whose_folder_is_gone_is_told(trained, monkeypatch):
    monkeypatch.setattr("embedtune_nb.models.regressed.load_evaluation", lambda folder: None)
    with pytest.raises(DataError, match="no longer kept"):
        trained["labels"].regressions()


def test_vectors_that_were_not_kept_are_embedded_again_to_the_same_end(trained, monkeypatch):
    from embedtune_nb.evaluation.vectors import VectorCache

    kept = trained["pairs"].regressions().to_frame(everything=True)
    monkeypatch.setattr("embedtune_nb.models.regressed.load_vectors", lambda folder: VectorCache())
    anew = trained["pairs"].regressions().to_frame(everything=True)
    pd.testing.assert_frame_equal(
        kept[["id", "rank_before", "rank_after"]], anew[["id", "rank_before", "rank_after"]]
    )
