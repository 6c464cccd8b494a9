"""Claims and the study: what is told to whom, mended after a death, restored, refused.

Training is pretended.
"""

from __future__ import annotations

import json
import shutil

import optuna
import pytest
from optuna.trial import TrialState
from pretend_trials import counted, events, logged, records, run, study_of

from embedtune_nb.errors import JobError, NotFoundError
from embedtune_nb.jobs.job import Job

pytestmark = pytest.mark.slow


def test_the_study_is_an_ordinary_one_without_the_confirming_runs(make):
    folder = make(trial_count=5)
    job = run(folder)
    study = study_of(folder)
    assert [one.state for one in study.trials] == [TrialState.COMPLETE] * 5
    assert [one.value for one in study.trials] == [one.score for one in records(folder)]
    assert study.trials[0].params == dict(records(folder)[0].values)
    assert study.trials[1].intermediate_values.keys() == set(range(10, 101, 10))
    assert study.trials[1].user_attrs["metrics"]["accuracy"] == pytest.approx(study.trials[1].value)
    assert study.user_attrs["metric"] == "accuracy" and study.user_attrs["seed"] == 42
    assert set(study.user_attrs["space"]) == {"learning_rate", "batch_size"}
    assert "optuna" in study.user_attrs["versions"]
    assert job.study.best_value == study.best_value
    assert isinstance(job.study.sampler, optuna.samplers.GPSampler)


def test_a_job_that_is_no_sweep_or_has_not_begun_has_no_study(make, small_data, tiny_static):
    from embedtune_nb.catalogue import resolve_base
    from embedtune_nb.plan.resolve import resolve
    from embedtune_nb.store.job_folder import create

    with pytest.raises(NotFoundError, match="holds no study"):
        Job(make()).study
    plan, split = resolve(resolve_base(str(tiny_static)), small_data, name="single")
    single = Job(create("single", plan.to_json(), split.write))
    with pytest.raises(JobError, match="no sweep"):
        single.study
    with pytest.raises(JobError, match="no sweep"):
        single.add_trials(1)


def test_values_that_cannot_be_planned_are_a_failed_trial(make):
    folder = make(trial_count=3)
    run(folder)  # makes the study
    Job(folder).study.enqueue_trial({"learning_rate": 1e-3, "batch_size": 8})
    Job(folder).study.enqueue_trial({"learning_rate": -1.0, "batch_size": 8})
    job = Job(folder).add_trials(2).wait(60)
    assert job.status == "done", job.reason
    asked, refused = records(folder)[3:]
    assert asked.state == "done" and asked.values == {"learning_rate": 1e-3, "batch_size": 8}
    assert refused.state == "failed" and "refused" in refused.reason


def test_an_exhausted_space_ends_the_search_with_a_word(make):
    folder = make(trial_count=3)
    plan = folder.plan()
    plan["space"] = [one for one in plan["space"] if one["name"] == "batch_size"]
    folder.plan_file.write_text(json.dumps(plan))
    job = run(folder)
    assert counted(folder) == 2
    assert any("2 trials instead of 3: all there is" in one["text"] for one in events(folder, "notice"))
    assert (job.steps_completed, job.steps_total) == (2, 2)


def test_a_lost_database_is_made_anew_from_the_trials(make, home):
    folder = make(trial_count=3)
    job = run(folder)
    for file in home.glob("studies.db*"):
        file.unlink()
    job.add_trials(2).wait(60)
    assert job.status == "done", job.log()
    study = study_of(folder)
    assert [one.value for one in study.trials] == [one.score for one in records(folder)]
    assert study.trials[1].params == dict(records(folder)[1].values)


def test_a_study_of_another_space_is_refused_with_the_difference(make):
    folder = make(trial_count=3)
    run(folder)
    plan = folder.plan()
    plan["space"][0]["high"] = 0.5
    folder.plan_file.write_text(json.dumps(plan))
    job = Job(folder).add_trials(1).wait(60)
    assert job.status == "failed"
    assert "learning_rate: there 1e-05 to 0.01, by ratios, here 1e-05 to 0.5" in job.reason


def test_another_database_can_be_named(make, home, monkeypatch, tmp_path):
    elsewhere = tmp_path / "elsewhere.db"
    monkeypatch.setenv("EMBEDTUNE_STUDIES", f"sqlite:///{elsewhere}")
    folder = make(trial_count=3)
    assert run(folder).status == "done"
    assert elsewhere.exists() and not (home / "studies.db").exists()
    monkeypatch.setenv("EMBEDTUNE_STUDIES", "postgresql://me:secret@nowhere/studies")
    with pytest.raises(Exception, match=r"me:\*\*\*@nowhere") as told:
        Job(folder).study
    assert "secret" not in str(told.value)


@pytest.mark.parametrize("named", ["sqlite:///studies.db", "sqlite://", "sqlite:///:memory:"])
def test_a_database_that_each_process_would_have_to_itself_is_refused(make, monkeypatch, named):
    monkeypatch.setenv("EMBEDTUNE_STUDIES", named)
    job = run(make(trial_count=2))
    assert job.status == "failed"
    assert "another database in each process" in job.reason and "four slashes" in job.reason


def test_a_deleted_folder_is_told_and_not_made_anew(make):
    folder = make(trial_count=2)
    job = run(folder)
    shutil.rmtree(folder.path)
    for ask in (lambda: job.add_trials(1), lambda: job.trials):
        with pytest.raises(NotFoundError, match="was deleted"):
            ask()
    assert not folder.path.exists()


def test_on_a_network_filesystem_one_worker_writes_and_says_why(make, home, monkeypatch):
    import sqlite3

    from embedtune_nb.sweep import studies

    monkeypatch.setattr(studies, "on_network", lambda path: "nfs4")
    folder = make(trial_count=3)
    assert run(folder).status == "done"
    assert any("nfs4" in one["text"] and one["level"] == "warning" for one in events(folder, "notice"))
    assert sqlite3.connect(home / "studies.db").execute("PRAGMA journal_mode").fetchone() == ("delete",)


def test_workers_share_cores_and_gpus(monkeypatch):
    import torch

    from embedtune_nb.encoder.choice import Choice
    from embedtune_nb.sweep import helpers

    monkeypatch.setattr(helpers, "choose_threads", lambda: Choice(16, "for a test"))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert helpers.shares_of_machine(4) == [{"OMP_NUM_THREADS": "4"}] * 4
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    shares = helpers.shares_of_machine(3)
    assert [one["CUDA_VISIBLE_DEVICES"] for one in shares] == ["0", "1", "0"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    assert [one["CUDA_VISIBLE_DEVICES"] for one in helpers.shares_of_machine(2)] == ["3", "5"]
    assert helpers.shares_of_machine(1) == [{"OMP_NUM_THREADS": "16"}]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_what_a_worker_had_no_time_to_tell_the_study_is_told_by_the_next_claim(make, monkeypatch):
    from embedtune_nb.sweep.claims import Claims

    folder = make(trial_count=3)
    tell, silent = Claims._tell, []

    def tell_or_die(claims, number, record):
        if number == 1 and not silent:
            silent.append(number)
            raise SystemExit  # as near to a kill as one process allows: nothing after it happens
        tell(claims, number, record)

    monkeypatch.setattr(Claims, "_tell", tell_or_die)
    job = run(folder)
    assert job.status == "failed" and study_of(folder).trials[1].state is TrialState.RUNNING
    job.resume().wait(60)
    assert job.status == "done"
    assert [one.state for one in study_of(folder).trials] == [TrialState.COMPLETE] * 3
    assert logged(folder.path, "begin").count("0001") == 1


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_trial_whose_worker_died_before_it_said_so_is_tried_once_more(make, monkeypatch):
    from embedtune_nb.sweep import claims

    folder = make(trial_count=3)
    suggest, silent = claims.suggest_shown, []

    def suggest_or_die(trial, space):
        if trial.number == 1 and not silent:
            silent.append(trial.number)
            raise SystemExit
        return suggest(trial, space)

    monkeypatch.setattr(claims, "suggest_shown", suggest_or_die)
    job = run(folder)
    assert job.status == "failed" and len(records(folder)) == 1
    job.resume().wait(60)
    lost, again = records(folder)[1:3]
    assert (lost.state, lost.values) == ("lost", again.values)
    assert (again.state, again.retry_of, again.attempt) == ("done", 1, 2)
    assert counted(folder) == 3
