"""What becomes of one trial: opened, published under a name of its own, trained again, continued."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import embedtune_nb as et
from embedtune_nb.errors import AlreadyExistsError, NotFoundError, PlanError
from embedtune_nb.training import reload_check

pytestmark = pytest.mark.slow


def _check_here(command, **_):
    """Carry out the check of a reloaded model in this process; that it is a fresh one is tested elsewhere."""
    reload_check.main(Path(command[-1]))
    return subprocess.CompletedProcess(command, 0)


@pytest.fixture(scope="module")
def home_with_sweep(tiny_static, topic_rows, tmp_path_factory):
    """A home in which a thread of this process carried out a sweep of three trials."""
    folder = tmp_path_factory.mktemp("sweep") / "home"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EMBEDTUNE_HOME", str(folder))
        patch.setattr(reload_check.subprocess, "run", _check_here)
        et.PretrainedEmbeddingModel(str(tiny_static)).finetune(
            "searched",
            pd.DataFrame([{**row, "value": f"{row['value']} {i}"} for i, row in enumerate(topic_rows * 2)]),
            hyperparams={"learning_rate": [1e-4, 1e-2, 1e-1], "epochs": 1, "batch_size": 32, "keep_trials": 2,
                         "confirm": False},
            trial_count=3,
            executor="thread",
        )  # fmt: skip
    return folder


@pytest.fixture
def model(home, home_with_sweep, monkeypatch):
    """The model of that sweep, in a home of this test's own."""
    monkeypatch.setattr(reload_check.subprocess, "run", _check_here)
    shutil.copytree(home_with_sweep, home, dirs_exist_ok=True)
    return et.FinetunedEmbeddingModel.open("searched")


def test_the_model_of_a_sweep_lists_its_trials(model):
    frame = model.trials.to_frame()
    assert frame["state"].tolist() == ["done"] * 3
    assert sorted(frame["learning_rate"]) == [1e-4, 1e-2, 1e-1]
    assert frame["has_weights"].sum() == 2 and frame.loc[model.trials.best.index, "has_weights"]
    assert model.recipe["learning_rate"] == model.trials.best.hyperparameters["learning_rate"]


def test_kept_weights_are_those_of_the_model(model):
    opened = model.trials.best.open()
    np.testing.assert_allclose(opened.embed("card bank cash"), model.embed("card bank cash"), atol=1e-6)


def test_a_trial_is_published_under_a_name_of_its_own(model):
    best = model.trials.best
    published = best.publish("mine", executor="thread")
    assert published.name == "mine" and published.verify() is published
    np.testing.assert_allclose(published.embed("rain storm"), model.embed("rain storm"), atol=1e-6)
    assert (
        published.verdict.after == model.verdict.after and published.verdict.queries == model.verdict.queries
    )
    assert published.recipe["learning_rate"] == best.hyperparameters["learning_rate"]
    assert [trial.index for trial in published.trials] == [0, 1, 2]
    assert f"trials[{best.index}]\ntrial.publish('mine')" in published.job.plan["code"]
    assert et.Job.open("mine").status == "done"
    with pytest.raises(AlreadyExistsError, match="mine"):
        best.publish("mine")
    assert et.FinetunedEmbeddingModel.open("searched").verify(), "the model of the sweep stays as it is"


def test_the_card_says_who_chose(model):
    other = next(t for t in model.trials if t.record.has_weights and t.index != model.trials.best.index)
    published = other.publish("mine", executor="thread")
    assert f"picked by hand; the sweep itself chose trial {model.trials.best.index}" in str(published.card)
    assert "picked by hand" not in str(model.card) and "chosen by Accuracy" in str(model.card)


def test_the_list_of_trials_of_a_published_trial_outlives_both_jobs(model):
    published = model.trials.best.publish("mine", executor="thread")
    before = published.trials.to_frame()
    shutil.rmtree(published.job.folder.path)
    shutil.rmtree(model.job.folder.path)
    after = et.FinetunedEmbeddingModel.open("mine").trials
    pd.testing.assert_frame_equal(after.to_frame(), before)
    assert after[0].code == "" or "finetune" in after[0].code


def test_training_again_repeats_the_trial_on_the_same_rows(model):
    best = model.trials.best
    again = best.train_again("again", executor="thread").result()
    np.testing.assert_allclose(again.embed("card bank cash"), model.embed("card bank cash"), atol=1e-5)
    assert again.verdict.queries == model.verdict.queries
    assert again.verdict.after == pytest.approx(model.verdict.after)
    assert len(again.trials) == 0, "it is a single run"


def test_what_shall_differ_does(model):
    trial = model.trials[0]
    job = trial.train_again("longer", executor="thread", epochs=2, batch_size=16, seed=7)
    plan = job.result().recipe
    assert (plan["epochs"], plan["batch_size"], plan["seed"]) == (2, 16, 7)
    assert plan["learning_rate"] == trial.hyperparameters["learning_rate"], "all else is the trial's"
    assert plan["steps_total"] == 2 * plan["steps_per_epoch"]
    assert plan.data["fingerprint"] == trial.plan.data["fingerprint"]
    assert "train_again('longer', epochs=2, batch_size=16, seed=7)" in plan.code


def test_another_loss_takes_what_has_an_effect_there(model):
    plan = model.trials[0].train_again("other", executor="thread", loss="contrastive").result().recipe
    assert plan["loss"] == "contrastive" and plan["loss_scale"] == 20.0


def test_continuing_starts_where_the_trial_ended(model, tiny_static):
    best = model.trials.best
    further = best.train_again("further", executor="thread", continue_from=True, learning_rate=1e-9).result()
    np.testing.assert_allclose(further.embed("card bank cash"), model.embed("card bank cash"), atol=1e-4)
    assert further.verdict.before == pytest.approx(model.verdict.after), "it is compared with its start"
    shutil.rmtree(model.job.folder.path)
    assert et.FinetunedEmbeddingModel.open("further").job.status == "done"
    assert Path(further.recipe.base["path"]).is_dir(), "its start does not depend on the sweep"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"learning_rte": 1e-3}, "learning_rate"),
        ({"learning_rate": (1e-4, 1e-3)}, "range"),
        ({"epochs": 0}, "epochs"),
        ({"loss": "no-such-loss"}, "no-such-loss"),
        ({"seed": "7"}, "seed"),
    ],
)
def test_a_change_that_is_no_good_is_refused_before_anything_starts(model, changes, told):
    with pytest.raises(PlanError, match=told):
        model.trials[0].train_again("never", executor="thread", **changes)
    with pytest.raises(NotFoundError):
        et.Job.open("never")


def test_weights_that_were_not_kept_cannot_be_continued_or_published(model):
    index = next(trial.index for trial in model.trials if not trial.record.has_weights)
    for use in (
        lambda trial: trial.publish("x"),
        lambda trial: trial.train_again("x", continue_from=True),
        lambda trial: trial.open(),
    ):
        with pytest.raises(NotFoundError, match="keep_trials"):
            use(model.trials[index])


@pytest.mark.jobs
def test_the_kernel_starts_such_runs_without_torch(home_with_sweep, tmp_path):
    """In a kernel of its own, with a worker of its own."""
    home = shutil.copytree(home_with_sweep, tmp_path / "home")
    code = (
        "import embedtune_nb as et, sys; trials = et.FinetunedEmbeddingModel.open('searched').trials;"
        "job = trials[0].train_again('again'); mine = trials.best.publish('mine', background=True);"
        "print('torch' in sys.modules, job.wait().status, mine.wait().status)"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "EMBEDTUNE_HOME": str(home)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout.split() == ["False", "done", "done"]
