"""The trials of a sweep as list, table and pictures; from the job, or from the model when that is gone."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import optuna
import pandas as pd
import pytest
from made_up.sweep import BASE, METRIC, SPACE, MadeUpSweep, finished_sweep

from embedtune_nb import charts
from embedtune_nb.errors import NotFoundError
from embedtune_nb.jobs.job import Job
from embedtune_nb.plan.dimension import Dimension
from embedtune_nb.sweep.importance import importance
from embedtune_nb.sweep.reading import trials_of_job, trials_of_model
from embedtune_nb.sweep.snapshot import SweepSnapshot
from embedtune_nb.sweep.trial_folder import TrialFolder


@pytest.fixture
def sweep(home):
    return finished_sweep()


@pytest.fixture
def trials(sweep):
    return trials_of_job(Job(sweep.folder))


def test_the_table_has_a_row_a_trial_and_lists_confirming_runs_as_such(trials):
    frame = trials.to_frame()
    assert frame.columns.tolist() == [
        "index", "state", "rank", "learning_rate", "loss_scale", "batch_size", "epochs", "score", METRIC,
        "mrr@10", "train/loss", "seconds", "seed", "retry_of", "confirms", "is_default", "has_weights",
        "reason",
    ]  # fmt: skip
    assert frame["index"].tolist()[:9] == list(range(9))
    assert frame["confirms"].notna().tolist() == [False] * 9 + [True] * 4
    assert frame.loc[0, "is_default"] and frame.loc[0, "learning_rate"] == 2e-5
    assert frame["state"].value_counts().to_dict() == {"done": 11, "pruned": 1, "failed": 1}
    assert frame.loc[frame["rank"] == 1, "score"].max() == frame["score"].max()
    assert frame.loc[5, "reason"] == "The loss is not a number since step 31."


def test_it_is_a_sequence_of_the_trials_alone(trials, sweep):
    assert len(trials) == 9 and [trial.index for trial in trials] == list(range(9))
    assert trials[3].state == "pruned" and [trial.index for trial in trials[-2:]] == [7, 8]
    assert {trial.seed for trial in trials.confirmations} == {43, 44}
    assert trials.best.index == sweep.decision["winner"] == trials.decision["winner"]
    assert trials.best.rank == 1


def test_a_trial_is_found_by_its_index_though_one_is_missing(sweep):
    shutil.rmtree(sweep.folder.path / "trials" / "0004")
    trials = trials_of_job(Job(sweep.folder))
    assert trials[5].index == 5 and len(trials) == 8
    assert [trial.index for trial in trials] == [0, 1, 2, 3, 5, 6, 7, 8]
    assert next(reversed(trials)).index == 8
    with pytest.raises(IndexError, match="no trial 4"):
        trials[4]


def test_a_trial_tells_what_it_tried_and_what_came_of_it(trials):
    trial = trials[4]
    assert set(trial.hyperparameters) == {dimension.name for dimension in SPACE}
    assert trial.score == trial.metrics[METRIC] and trial.seconds > 0 and trial.seed == 42
    curve = trial.curve
    assert curve.columns.tolist() == ["metric", "step", "epoch", "seconds", "value"]
    scores = curve.loc[curve["metric"] == f"eval/{METRIC}"]
    assert scores["step"].tolist() == [0, 30, 60, 90, 120, 150] and scores["value"].iloc[0] == BASE
    assert trial.plan["learning_rate"] == trial.hyperparameters["learning_rate"]
    assert "NDCG@10" in repr(trial) and "trial 4" in repr(trial)


def test_the_diff_names_only_what_is_not_the_default(trials):
    assert trials[0].diff().empty, "the first trial tries the defaults"
    diff = trials[4].diff().set_index("setting")
    assert diff.loc["learning_rate", "default"] == 2e-5
    assert diff.loc["learning_rate", "tried"] == trials[4].hyperparameters["learning_rate"]


def test_the_diff_tells_which_loss_the_data_would_have_had(sweep):
    (folder, *_) = sweep.trials()
    plan = folder.plan()
    plan["settings"]["loss"] = {"value": "triplet", "source": "user", "reason": "you asked for it"}
    folder.plan_file.write_text(json.dumps(plan))
    diff = trials_of_job(Job(sweep.folder))[0].diff().set_index("setting")
    assert diff.loc["loss"].tolist() == ["contrastive", "triplet"]


def test_the_diff_follows_the_loss_where_that_was_searched(home):
    space = (
        Dimension("loss", "choice", "contrastive", "user", "", choices=("contrastive", "proxy")),
        Dimension("loss_scale", "float", 20.0, "user", "", 5.0, 50.0),
        Dimension("learning_rate", "float", 0.05, "user", "of word vectors", 1e-3, 0.1, log=True),
    )
    sweep = MadeUpSweep(space=space)
    sweep.trial()
    sweep.trial(loss="proxy", loss_scale=20.0)
    trials = trials_of_job(Job(sweep.folder))
    assert trials[0].diff().empty
    diff = trials[1].diff().set_index("setting")
    assert diff.loc["loss"].tolist() == ["contrastive", "proxy"]
    assert diff.loc["loss_scale"].tolist() == [30.0, 20.0], "the default of proxy, not of contrastive"
    sweep.close()


def test_a_searched_loss_and_the_loss_that_was_measured_are_two_columns(home):
    space = (
        Dimension("loss", "choice", "contrastive", "user", "", choices=("contrastive", "proxy")),
        Dimension("adapter", "choice", None, "user", "", choices=(None, "linear")),
    )
    sweep = MadeUpSweep(space=space)
    key = sweep.trial(loss="proxy", adapter=None)
    folder = TrialFolder(sweep.folder.path / "trials" / key)
    folder.write(replace(folder.record(), metrics={"accuracy": 0.7, "loss": 1.5}))
    trials = trials_of_job(Job(sweep.folder))
    frame = trials.to_frame()
    assert frame.columns.is_unique
    assert (frame.loc[0, "loss"], frame.loc[0, "eval/loss"]) == ("proxy", 1.5)
    assert "none" in repr(trials), "to do without an adapter was tried"
    sweep.close()


def test_weights_that_were_not_kept_say_how_to_keep_them(trials):
    with pytest.raises(NotFoundError, match="keep_trials"):
        trials[0].open()
    with pytest.raises(NotFoundError, match=r"ran to its end[\s\S]*train_again"):
        trials[5].publish("other")


@pytest.mark.slow
def test_the_model_knows_its_trials_when_the_job_is_gone(sweep, trials):
    folder = sweep.publish()
    shutil.rmtree(sweep.folder.path)
    kept = trials_of_model(folder, "api-docs", sweep.folder.id)
    pd.testing.assert_frame_equal(kept.to_frame(), trials.to_frame())
    assert kept.best.index == trials.best.index and repr(kept) == repr(trials)
    assert kept[4].plan["learning_rate"] == trials[4].hyperparameters["learning_rate"]
    assert kept[4].plan.base["id"] == "MINILM_L6"
    assert charts.svg(kept.curves([4, 6])).startswith("<svg")
    for use in (kept.best.open, lambda: kept.best.publish("x"), lambda: kept[4].train_again("x")):
        with pytest.raises(NotFoundError, match=r"deleted[\s\S]*trial\.code"):
            use()


def test_while_the_job_is_there_the_model_shows_its_trials(sweep):
    folder = sweep.publish()
    trials = trials_of_model(folder, "api-docs", sweep.folder.id)
    assert trials[sweep.decision["winner"]].folder is not None


def test_a_single_run_has_no_trials_and_says_so(home, tmp_path):
    trials = trials_of_model(tmp_path, "toy", "toy-20260101")
    assert len(trials) == 0 and trials.to_frame().empty and trials.confirmations == []
    assert "single run" in repr(trials) and "single run" in trials._repr_html_()
    for use in (lambda: trials.best, trials.history, trials.importance, trials.browse):
        with pytest.raises(NotFoundError, match="trial_count"):
            use()


@pytest.mark.slow
def test_a_sweep_that_just_began_says_that_nothing_is_there_yet(home):
    sweep = MadeUpSweep()
    trials = trials_of_job(Job(sweep.folder))
    assert len(trials) == 0 and trials.importance().empty and "0 trials" in repr(trials)
    with pytest.raises(NotFoundError, match="No trial"):
        trials.best
    with pytest.raises(NotFoundError, match="no trials yet"):
        trials.parallel()
    sweep.begin()
    running = trials_of_job(Job(sweep.folder))
    with pytest.raises(NotFoundError, match="wait until it is done"):
        running[0].open()
    for picture in (running.history, running.parallel, running.slices, running.curves):
        assert charts.svg(picture()).startswith("<svg"), "one trial without a score can be drawn"
    sweep.close()


def test_the_best_before_the_decision_is_that_of_the_best_score(home):
    sweep = MadeUpSweep()
    for score in (0.55, 0.61, 0.58):
        sweep.trial(score=score)
    assert trials_of_job(Job(sweep.folder)).best.index == 1
    sweep.close()


def test_hostile_words_stay_text(home):
    evil = "<script>alert(1)</script>"
    space = (Dimension("base_model", "choice", evil, "user", "", choices=(evil, "other")),)
    sweep = MadeUpSweep(space=space)
    sweep.trial(base_model=evil)
    sweep.trial("failed", reason=evil, base_model="other")
    trials = trials_of_job(Job(sweep.folder))
    assert "<script>alert" not in trials._repr_html_()
    for picture in (trials.parallel(), trials.slices(), trials.history()):
        assert "alert(1)</script>" not in picture.to_html()
    sweep.close()


def _study(trials):
    """Build the same study another way: an objective that looks its answers up."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize")
    for trial in trials:
        study.enqueue_trial(trial.hyperparameters)

    def objective(trial):
        trial.suggest_float("learning_rate", 1e-5, 1e-3, log=True)
        trial.suggest_float("loss_scale", 5.0, 50.0)
        trial.suggest_categorical("batch_size", [32, 64, 128])
        trial.suggest_int("epochs", 1, 4)
        return trials[trial.number].score

    study.optimize(objective, n_trials=len(trials))
    return study


def test_importance_is_that_of_optuna(home):
    sweep = MadeUpSweep(trial_count=30, seed=5)
    for _ in range(30):
        sweep.trial()
    trials = trials_of_job(Job(sweep.folder))
    theirs = optuna.importance.get_param_importances(_study(trials))
    ours = trials.importance().set_index("dimension")["importance"]
    assert ours.to_dict() == pytest.approx(theirs)
    assert ours.sum() == pytest.approx(1.0)
    assert trials.caution == ""
    sweep.close()


def test_importance_turns_with_the_direction(home):
    """What makes a loss small is important, not what makes it large."""
    sweep = MadeUpSweep(trial_count=20, space=SPACE[:2])
    for _ in range(20):
        sweep.trial()
    snapshot = trials_of_job(Job(sweep.folder)).snapshot
    mirrored = [replace(t, score=-(t.score or 0)) for t in snapshot.trials]
    turned = SweepSnapshot(snapshot.job, METRIC, False, dimensions=snapshot.dimensions, trials=mirrored)
    pd.testing.assert_frame_equal(importance(turned), importance(snapshot))
    sweep.close()


def test_importance_takes_dimensions_that_only_some_trials_have(home):
    space = (
        Dimension("loss", "choice", "contrastive", "user", "", choices=("contrastive", "triplet")),
        Dimension("loss_scale", "float", 20.0, "user", "", 5.0, 50.0, only_with={"loss": ("contrastive",)}),
        Dimension("adapter", "choice", None, "user", "", choices=(None, "linear")),
    )
    sweep = MadeUpSweep(space=space)
    for number in range(16):
        key = sweep.begin()
        folder = TrialFolder(sweep.folder.path / "trials" / key)
        record = folder.record()
        if record.values["loss"] == "triplet":
            values = {name: value for name, value in record.values.items() if name != "loss_scale"}
            folder.write(replace(record, values=values))
        sweep.end(key, score=0.5 + 0.01 * number)
    trials = trials_of_job(Job(sweep.folder))
    assert set(trials.importance()["dimension"]) == {"loss", "loss_scale", "adapter"}
    assert "no effect" in trials.parallel().to_json()
    sweep.close()


def test_few_trials_are_cautioned_about(trials):
    assert trials.caution == "7 finished trials: below 15 this order is mostly chance"
    assert trials.importance().attrs["caution"] == trials.caution
    assert trials.caution in trials.importance_chart().to_json()


@pytest.mark.filterwarnings("error")
def test_where_no_trial_stands_out_the_shares_say_that_they_tell_nothing(home):
    sweep = MadeUpSweep(trial_count=16, space=SPACE[:2])
    for _ in range(16):
        sweep.end(sweep.begin(), score=0.5)
    trials = trials_of_job(Job(sweep.folder))
    assert trials.importance()["importance"].tolist() == [0.5, 0.5]
    assert trials.caution == "all shares are equal: no trial stands out as the best"
    assert trials.caution in trials.importance_chart().to_json()
    sweep.close()


def test_the_library_says_nothing_of_the_study_in_memory(trials, capfd):
    optuna.logging.set_verbosity(optuna.logging.INFO)
    trials.importance()
    assert capfd.readouterr() == ("", "")


def test_unknown_curves_are_told_what_there_is(trials):
    with pytest.raises(NotFoundError, match="no trial 12"):
        trials.curves([2, 12])
