"""Workers killed at any moment, two at once, a reader beside them: the budget stays exact, nothing is lost.

Each worker is a process, killed with SIGKILL; training is pretended.
"""

from __future__ import annotations

import json
import random
import sqlite3
import time
from collections import Counter

import optuna
import pretend_trials
import pytest
from optuna.trial import TrialState
from pretend_trials import events, logged, new_sweep, records, start_worker, study_of, until

from embedtune_nb.jobs.job import Job
from embedtune_nb.store.home import home as home_folder
from embedtune_nb.store.home import models_folder
from embedtune_nb.sweep.trial_folder import COUNTED

pytestmark = [pytest.mark.jobs, pytest.mark.slow]


@pytest.fixture
def make(home, small_data, tiny_static):
    return lambda **settings: new_sweep(small_data, tiny_static, **settings)


def finish(folder):
    worker = start_worker(folder)
    worker.join(180)
    job = Job(folder)
    assert job.status == "done", job.log()
    return job


def kill(worker):
    worker.kill()
    worker.join()


def test_budget_is_exact_however_workers_are_killed(make):
    budget, draw = 8, random.Random(5)
    folder = make(trial_count=budget, seconds=0.3)
    for _ in range(6):
        first, helper = start_worker(folder), start_worker(folder, helper=True)
        until(lambda: (folder.path / "worker.json").exists())
        time.sleep(draw.uniform(0.5, 3.0))
        order = [first, helper]
        draw.shuffle(order)
        kill(order[0])
        time.sleep(draw.uniform(0.0, 0.7))
        kill(order[1])
        assert Job(folder).status in ("lost", "done")
        if Job(folder).status == "done":
            break
    helper = start_worker(folder, helper=True)
    finish(folder)
    kill(helper)
    trials = records(folder)
    assert sum(one.state in COUNTED for one in trials) == budget
    assert {one.state for one in trials} <= {"done", "failed", "lost"}
    again = {one.retry_of for one in trials}
    assert all(one.index in again for one in trials if one.state == "lost"), "each lost trial was retried"
    for one in trials:
        if one.retry_of is not None:
            assert (
                trials[one.retry_of].values == one.values and one.attempt == trials[one.retry_of].attempt + 1
            )
    firsts = [json.dumps(one.values) for one in trials if one.retry_of is None]
    assert len(set(firsts)) == len(firsts) == budget, "no point is tried by two workers"
    assert not any(one.state in (TrialState.RUNNING, TrialState.WAITING) for one in study_of(folder).trials)
    complete = [one.number for one in study_of(folder).trials if one.state is TrialState.COMPLETE]
    assert complete == [one.index for one in trials if one.state == "done"]
    begun = [key for key in logged(folder.path, "begin") if "seed" not in key]
    assert len(set(begun)) == len(begun), "a trial is carried out by one worker, and once"
    assert len([one for one in records(folder, confirming=True) if one.state == "done"]) == 4
    assert (models_folder() / "sweep").is_dir()


def test_a_trial_that_kills_every_worker_ends_as_failed_after_two_retries(make):
    folder = make(trial_count=3, seconds=30)
    for attempt in range(3):
        worker = start_worker(folder)
        until(
            lambda count=attempt + 1: (
                [one.state for one in records(folder)].count("running") == 1 and len(records(folder)) == count
            )
        )
        kill(worker)
    (folder.path / pretend_trials.PAUSE).write_text("0.05")
    finish(folder)
    chain = records(folder)[:3]
    assert [(one.state, one.attempt, one.retry_of) for one in chain] == [
        ("lost", 1, None),
        ("lost", 2, 0),
        ("failed", 3, 1),
    ]
    assert "died each of the 3 times" in chain[-1].reason
    assert sum(one.state in COUNTED for one in records(folder)) == 3


def test_two_workers_share_the_trials_and_the_confirming_runs(make):
    folder = make(trial_count=8, seconds=0.6)
    helper = start_worker(folder, helper=True)
    until(lambda: logged(folder.path, "begin"))
    finish(folder)
    kill(helper)
    by_worker = Counter(logged(folder.path, "begin", 2))
    assert len(by_worker) == 2 and min(by_worker.values()) >= 3
    trials = records(folder)
    assert [one.state for one in trials] == ["done"] * 8
    assert len({json.dumps(one.values) for one in trials}) == 8
    assert len(records(folder, confirming=True)) == 4


def test_a_killed_helper_is_made_good_by_the_first_worker(make):
    folder = make(trial_count=4, seconds=0.5)
    first, helper = start_worker(folder), start_worker(folder, helper=True)
    until(lambda: [one.state for one in records(folder)].count("running") == 2)
    kill(helper)
    first.join(120)
    assert Job(folder).status == "done"
    assert sum(one.state in COUNTED for one in records(folder)) == 4
    assert [one.state for one in records(folder)].count("lost") == 1


def test_killed_while_it_confirms_the_sweep_confirms_the_rest(make):
    folder = make(trial_count=3, seconds=0.3)
    worker = start_worker(folder)
    until(lambda: len(records(folder, confirming=True)) == 2)
    kill(worker)
    assert {one.state for one in records(folder, confirming=True)} == {"done", "lost"}
    finish(folder)
    assert [one.state for one in records(folder, confirming=True)] == ["done"] * 4
    begun = logged(folder.path, "begin")
    assert len([key for key in begun if "seed" in key]) == 5, "only the lost one is run again"
    assert len([key for key in begun if "seed" not in key]) == 3


def test_killed_between_publishing_and_the_last_word_nothing_is_trained_again(make):
    folder = make(trial_count=3, seconds=0.05)
    worker = start_worker(folder)
    until(lambda: (models_folder() / "sweep").is_dir())
    kill(worker)
    begun, written = logged(folder.path, "begin"), (models_folder() / "sweep").stat().st_mtime_ns
    finish(folder)
    assert logged(folder.path, "begin") == begun
    assert (models_folder() / "sweep").stat().st_mtime_ns == written
    assert events(folder, "published") and events(folder, "state")[-1]["state"] == "done"


def test_a_browser_of_studies_reads_and_writes_while_the_sweep_works(make):
    folder = make(trial_count=12, seconds=0.1)
    worker = start_worker(folder)
    until(lambda: (home_folder() / "studies.db").exists() and len(records(folder)) > 0)
    seen = set()
    while worker.is_alive():
        # as optuna-dashboard does: its own storage, with Optuna's own settings, opened again and again
        storage = optuna.storages.RDBStorage(f"sqlite:///{home_folder() / 'studies.db'}")
        study = optuna.load_study(study_name=folder.id, storage=storage)
        seen |= {one.number for one in study.trials}
        study.set_user_attr("note", f"{len(seen)} seen")
        raw = sqlite3.connect(home_folder() / "studies.db")
        raw.execute("SELECT * FROM trials").fetchall()  # a cursor left open holds a read transaction
        time.sleep(0.05)
        raw.close()
        storage.engine.dispose()
    worker.join()
    job = Job(folder)
    assert job.status == "done", job.log()
    assert seen == set(range(12))
    assert study_of(folder).user_attrs["note"] == "12 seen"
    assert "locked" not in job.log()
