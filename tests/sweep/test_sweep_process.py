"""Sweeps in processes of their own, with real training: killed, carried on, shared by two workers."""

from __future__ import annotations

import os
import signal
from collections import Counter

import psutil
import pytest
from pretend_trials import counted, records, until

import embedtune_nb as et
from embedtune_nb.errors import PlanError

pytestmark = [pytest.mark.jobs, pytest.mark.slow]

SEARCH = {"learning_rate": (1e-4, 1e-1), "batch_size": [8, 16], "max_steps": 30}


@pytest.fixture
def base(tiny_static, home):
    return et.PretrainedEmbeddingModel(str(tiny_static))


def test_a_sweep_whose_worker_is_killed_is_carried_on_by_the_same_cell(base, small_data):
    def cell(trial_count=3):
        return base.finetune(
            "best", small_data, trial_count=trial_count, hyperparams=SEARCH, if_exists="open", background=True
        )

    job = cell()
    until(lambda: len(records(job.folder)) == 2)
    with pytest.warns(UserWarning, match=r"trial_count: there 3, here 5(.|\n)*add_trials\(2\)"):
        assert cell(trial_count=5).id == job.id
    os.kill(job.folder.worker()["pid"], signal.SIGKILL)
    until(lambda: job.status == "lost")
    with pytest.raises(PlanError, match=r"add_trials\(2\)"):
        cell(trial_count=5)
    with pytest.warns(UserWarning, match="Carrying on"):
        assert cell().id == job.id
    model = job.result()
    trials = records(job.folder)
    assert [one.state for one in trials].count("done") == counted(job.folder) == 3
    assert [
        (one.state, one.retry_of) for one in trials if one.state == "lost" or one.retry_of is not None
    ] == [
        ("lost", None),
        ("done", 1),
    ]
    assert len(job.study.trials) == 4
    assert model.job.id == job.id
    assert len(model.trials) == 4
    with pytest.warns(UserWarning, match="Opened the model"):
        assert cell().result().name == "best"


def test_a_further_worker_ends_in_order_with_the_sweep(base, small_data):
    job = base.finetune(
        "shared", small_data, trial_count=3, hyperparams={**SEARCH, "trial_workers": 2}, background=True
    )
    until(lambda: _helpers(job))
    [helper] = _helpers(job)
    job.result()
    assert not helper.is_running()
    assert counted(job.folder) == 3
    assert "Traceback" not in job.log(1000)
    feed = job.feed()
    feed.poll()
    assert not [one for one in feed.snapshot.notices if "ended unasked" in one["text"]]


def test_the_end_of_the_first_worker_is_the_end_of_the_others(base, small_data):
    job = base.finetune(
        "orphans",
        small_data,
        trial_count=9,
        hyperparams={**SEARCH, "max_steps": 2000, "trial_workers": 2},
        background=True,
    )
    until(lambda: [one.state for one in records(job.folder)].count("running") == 2)
    [helper] = _helpers(job)
    os.kill(job.folder.worker()["pid"], signal.SIGKILL)
    until(lambda: not helper.is_running())
    states = Counter(one.state for one in records(job.folder))
    assert (states["lost"], states["stopped"]) == (1, 1), "what the helper did is a stop, not a death"


def _helpers(job):
    if not job.folder.worker():
        return []
    first = psutil.Process(job.folder.worker()["pid"])
    return [one for one in first.children() if "--helper" in one.cmdline()]
