"""One name, one model: re-running a cell never trains twice, and nothing is replaced silently."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pandas as pd
import pytest

import embedtune_nb as et
from embedtune_nb.errors import (
    AlreadyExistsError,
    ColumnError,
    DataError,
    LossError,
    NameRefusedError,
    NotFoundError,
    PlanError,
    StoreError,
)

SHORT = {"epochs": 1, "eval_steps": "off", "early_stopping": False, "batch_size": 16}
pytestmark = pytest.mark.jobs


@pytest.fixture(scope="module")
def labelled():
    words = ["apple", "pear", "plum", "iron", "gold", "zinc"]
    rows = [
        {"text": f"{a} {place} {b}", "label": "fruit" if words.index(a) < 3 else "metal"}
        for a in words
        for b in words
        for place in ("near", "on")
        if a != b
    ]
    return pd.DataFrame(rows)


@pytest.fixture
def base(tiny_bert, home):
    return et.PretrainedEmbeddingModel(str(tiny_bert))


@pytest.fixture(scope="module")
def home_with_model(tiny_bert, labelled, tmp_path_factory):
    """A home in which a thread of this process published the model ``small``."""
    folder = tmp_path_factory.mktemp("trained") / "home"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EMBEDTUNE_HOME", str(folder))
        base = et.PretrainedEmbeddingModel(str(tiny_bert))
        base.finetune("small", labelled, hyperparams=SHORT, executor="thread")
    return folder


@pytest.fixture
def trained(home, home_with_model):
    """That model, in a home of this test's own."""
    shutil.copytree(home_with_model, home, dirs_exist_ok=True)
    return et.FinetunedEmbeddingModel.open("small")


def test_the_same_cell_again_opens_the_model_and_trains_nothing(base, labelled, trained, recwarn):
    again = base.finetune("small", labelled, hyperparams=SHORT, executor="thread", if_exists="open")
    assert again.path == trained.path
    assert len(et.Job.all()) == 1
    assert [w for w in recwarn if "Opened the model 'small'" in str(w.message)], "it says so"
    assert not [w for w in recwarn if "asks for something else" in str(w.message)]
    job = base.finetune("SMALL", labelled, hyperparams=SHORT, if_exists="open", background=True)
    assert job.status == "done"
    assert job.result().path == trained.path


def test_a_taken_name_is_refused_by_default(base, labelled, trained):
    with pytest.raises(AlreadyExistsError, match="if_exists='open'"):
        base.finetune("small", labelled, hyperparams=SHORT)


def test_changed_settings_return_the_old_model_with_the_difference_told(base, labelled, trained):
    with pytest.warns(UserWarning, match="learning_rate"):
        again = base.finetune(
            "small", labelled, hyperparams={**SHORT, "learning_rate": 1e-4}, if_exists="open"
        )
    assert again.path == trained.path


def test_another_base_model_under_the_same_name_is_an_error(tiny_rope, labelled, trained):
    other = et.PretrainedEmbeddingModel(str(tiny_rope))
    with pytest.raises(PlanError, match="starts from"):
        other.finetune("small", labelled, hyperparams=SHORT, if_exists="open")


def test_a_dropped_model_is_gone_and_its_name_free(base, trained):
    et.FinetunedEmbeddingModel.drop("small")
    with pytest.raises(NotFoundError):
        et.FinetunedEmbeddingModel.open("small")
    with pytest.raises(NotFoundError):
        et.FinetunedEmbeddingModel.drop("small")
    et.FinetunedEmbeddingModel.drop("small", if_not_exists="ignore")
    assert et.FinetunedEmbeddingModel.all() == []


def test_a_misspelt_name_is_told_the_right_one(trained):
    with pytest.raises(NotFoundError, match="small"):
        et.FinetunedEmbeddingModel.open("smal")


def test_a_model_outlives_the_folder_of_its_job(base, labelled, trained):
    shutil.rmtree(trained.job.folder.path)
    job = base.finetune("small", labelled, hyperparams=SHORT, if_exists="open", background=True)
    assert job.status == "done"
    assert job.verdict == trained.verdict.to_dict()
    assert job.result().path == trained.path
    assert trained.job.id == job.id
    assert len(et.Job.all()) == 1


def test_damage_is_found_when_a_model_is_opened(trained):
    from embedtune_nb.errors import IntegrityError

    weights = trained.path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-10])
    with pytest.raises(IntegrityError, match="bytes"):
        et.FinetunedEmbeddingModel.open("small")


def test_a_damaged_model_can_be_dropped_and_the_others_are_still_listed(trained):
    (trained.path / "embedtune.json").write_text("{")
    with pytest.warns(UserWarning, match="left out"):
        assert et.FinetunedEmbeddingModel.all() == []
    et.FinetunedEmbeddingModel.drop("small")
    assert not trained.path.exists()


def test_a_dropped_model_is_trained_anew_by_the_same_cell(base, labelled, trained):
    et.FinetunedEmbeddingModel.drop("small")
    job = base.finetune("small", labelled, hyperparams=SHORT, if_exists="open", background=True)
    assert job.id != trained.job.id
    job.stop().wait(120)


def test_a_job_with_an_unreadable_plan_does_not_hide_the_others(trained):
    broken = trained.job.folder.path.parent / "broken-job"
    broken.mkdir()
    (broken / "plan.json").write_text("")
    assert [job.name for job in et.Job.all()] == ["small"]


def test_column_arguments_are_heeded_and_the_missing_one_is_inferred(base):
    words = [
        f"{a} {b}" for a in ("one", "two", "six", "ten") for b in ("red", "blue", "green", "pink", "grey")
    ]
    frame = pd.DataFrame({"text": words, "body": [w[::-1] for w in words], "intent": ["a", "b"] * 10})
    plan = base.plan(frame, value_column="body", label_column="intent")
    assert plan.data["roles"]["value"]["column"] == "body"
    inferred = base.plan(frame.drop(columns="body"), label_column="intent")
    assert inferred.data["roles"]["value"]["column"] == "text"
    with pytest.raises(ColumnError, match="'text'"):
        base.plan(et.Datasource.from_pandas(frame.drop(columns="body")), value_column="body")


def test_two_kernels_that_ask_at_once_start_one_job(base, labelled, tiny_bert, home, tmp_path):
    path = tmp_path / "df.parquet"
    labelled.to_parquet(path)
    code = (
        "import embedtune_nb as et, pandas as pd, warnings; warnings.simplefilter('ignore')\n"
        f"base = et.PretrainedEmbeddingModel({str(tiny_bert)!r})\n"
        f"job = base.finetune('race', pd.read_parquet({str(path)!r}), hyperparams={SHORT!r}, "
        "background=True, if_exists='open')\nprint(job.id)"
    )
    both = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in "ab"]
    first, second = (process.communicate(timeout=120)[0].strip() for process in both)
    assert first == second != ""
    et.Job.open("race").stop().wait(120)


@pytest.mark.parametrize(
    ("change", "error", "told"),
    [
        ({"name": "../x"}, NameRefusedError, "letters"),
        ({"hyperparams": {"learning_rte": 1}}, PlanError, "learning_rate"),
        ({"loss": "contrastiv"}, LossError, "contrastive"),
        ({"loss": "cosent"}, PlanError, "labeled"),
        ({"trial_count": 0}, PlanError, "whole number"),
        ({"hyperparams": {"learning_rate": (1e-5, 1e-3)}}, PlanError, "trial_count"),
        ({"if_exists": "replace"}, PlanError, "open"),
        ({"executor": "proces"}, PlanError, "process"),
        ({"data": [("one.csv", "prediction"), ("two.csv", "contrastive")]}, DataError, "a DataFrame"),
        ({"label_column": "lable"}, ColumnError, "label"),
    ],
)
def test_whatever_is_wrong_is_told_before_a_job_starts(base, labelled, change, error, told):
    call = {"name": "x", "data": labelled, "background": True, **change}
    if "label_column" in change:
        call["value_column"] = "text"
    with pytest.raises(error, match=told):
        base.finetune(**call)
    assert et.Job.all() == []


@pytest.mark.parametrize(
    ("frame", "error"),
    [
        (pd.DataFrame({"text": [], "label": []}), DataError),
        (pd.DataFrame({"text": ["a b", "c d"] * 20, "label": ["one"] * 40}), DataError),
        (pd.DataFrame({"text": [None, float("nan"), ""] * 10, "label": ["a", "b", "c"] * 10}), DataError),
        ("a string", DataError),
    ],
)
def test_data_that_cannot_be_trained_on_starts_no_job(base, frame, error):
    with pytest.raises(error):
        base.finetune("x", frame, background=True)
    assert et.Job.all() == []


def test_a_stopped_run_that_is_not_carried_on_is_told(base, labelled, tmp_path):
    job = base.finetune("again", labelled, hyperparams={**SHORT, "epochs": 50}, background=True)
    job.stop().wait(120)
    assert job.status == "stopped"
    with pytest.warns(UserWarning, match=f"starts afresh, although job {job.id}"):
        afresh = base.finetune("again", labelled, hyperparams=SHORT, background=True)
    assert afresh.id != job.id
    afresh.stop().wait(120)


def test_a_file_where_the_model_would_stand_is_told_before_a_job_starts(base, labelled, home):
    (home / "models").mkdir(parents=True)
    (home / "models" / "Small").write_text("notes")
    with pytest.raises(AlreadyExistsError, match="is a file"):
        base.finetune("small", labelled, hyperparams=SHORT, background=True)
    assert et.Job.all() == []


@pytest.mark.parametrize("address", ["sqlite:///studies.db", "no address", "sqlite:////no/such/folder/s.db"])
def test_a_database_of_studies_that_cannot_be_opened_starts_no_sweep(base, labelled, monkeypatch, address):
    monkeypatch.setenv("EMBEDTUNE_STUDIES", address)
    with pytest.raises(StoreError, match=r"EMBEDTUNE_STUDIES|database of studies"):
        base.finetune("x", labelled, trial_count=3, background=True)
    assert et.Job.all() == []


@pytest.mark.parametrize("folder", [None, "", 7])
def test_a_model_is_saved_to_a_path_only(trained, folder):
    with pytest.raises(StoreError, match="path"):
        trained.save(folder)


def test_a_copy_that_cannot_be_written_is_told(trained, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="Could not copy"):
        trained.save(tmp_path / "file" / "below")
