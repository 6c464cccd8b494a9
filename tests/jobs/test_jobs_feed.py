"""What a watcher is told, from the events alone: states, curves, the way a resumed run continues them."""

from __future__ import annotations

import json
import os
import shutil
import threading

import pytest

from embedtune_nb.errors import JobError, NotFoundError
from embedtune_nb.jobs.feed import JobFeed
from embedtune_nb.jobs.job import Job
from embedtune_nb.store.events import Best, EventWriter, Metrics, Notice, Phase, State
from embedtune_nb.store.job_folder import create
from embedtune_nb.store.locks import is_held, take

PLAN = {
    "kind": "finetune",
    "name": "toy",
    "settings": {
        "steps_total": {"value": 10},
        "epochs": {"value": 2},
        "metric": {"value": "ndcg@10"},
        "eval_method": {"value": "retrieval"},
        "eval_steps": {"value": "epoch"},
    },
    "code": "",
}


@pytest.fixture
def folder(home):
    return create("toy", PLAN, lambda data: None)


def emit(folder, *events):
    writer = EventWriter(folder.events)
    for event in events:
        writer.emit(event)
    writer.close()


def test_alive_is_whoever_holds_the_lock(folder):
    held = take(folder.lock)
    feed = JobFeed(folder)
    feed.poll()
    assert feed.snapshot.state == "queued"
    emit(folder, State("running"))
    feed.poll()
    assert feed.snapshot.state == "running"
    assert take(folder.lock) is None, "nobody else can take it"
    os.close(held)
    assert not is_held(folder.lock)
    feed.poll()
    assert feed.snapshot.state == "lost"
    assert "killed" in feed.snapshot.reason


def test_a_job_of_another_host_is_unknown_never_lost(folder):
    emit(folder, State("running"))
    (folder.path / "worker.json").write_text(json.dumps({"pid": 1, "host": "elsewhere"}))
    feed = JobFeed(folder)
    feed.poll()
    assert feed.snapshot.state == "unknown"


@pytest.mark.parametrize("state", ["done", "failed", "stopped"])
def test_a_told_end_is_the_end(folder, state):
    emit(folder, State("running"), State(state, reason="because"))
    job = Job(folder)
    assert job.status == state
    assert job.reason == "because"
    assert job.wait(timeout=1) is job


def test_a_resumed_run_replaces_the_steps_it_repeats(folder):
    def step(number, loss):
        return Metrics(number, number / 5, {"train/loss": loss})

    emit(folder, Phase("training", 10), *(step(n, 1.0) for n in range(1, 8)))
    feed = JobFeed(folder)
    feed.poll()
    assert feed.snapshot.steps_completed == 7
    emit(folder, State("running"), Notice("Carrying on"), *(step(n, 2.0) for n in range(5, 11)))
    feed.poll()
    series = feed.snapshot.series["train/loss"]
    assert series.step == list(range(1, 11))
    assert series.value == [1.0] * 4 + [2.0] * 6
    assert len(series.wall) == len(series.epoch) == 10


def test_two_threads_may_poll_one_feed(folder):
    feed = JobFeed(folder)
    events = [Metrics(n, 0.0, {"train/loss": 1.0}) for n in range(1, 400)]
    stop = threading.Event()

    def poll():
        while not stop.is_set():
            feed.poll()

    threads = [threading.Thread(target=poll) for _ in range(3)]
    for thread in threads:
        thread.start()
    emit(folder, *events)
    stop.set()
    for thread in threads:
        thread.join()
    feed.poll()
    assert feed.snapshot.series["train/loss"].step == list(range(1, 400))


def test_the_metric_that_selects_is_the_one_that_is_shown(folder):
    emit(folder, Best("eval/ndcg@10", 0.6, 5))
    feed = JobFeed(folder)
    feed.poll()
    assert feed.snapshot.primary == "eval/ndcg@10"
    assert feed.snapshot.best == {"name": "eval/ndcg@10", "value": 0.6, "step": 5}


def test_a_job_is_found_by_id_and_by_name_and_a_map_of_that_name_is_not(folder, home):
    create("map-toy", {**PLAN, "kind": "map"}, lambda data: None)
    assert Job.open("toy").id == Job.open("TOY").id == Job.open(folder.id).id == folder.id
    with pytest.raises(NotFoundError, match="toy"):
        Job.open("nothing")


def test_a_deleted_folder_is_told_as_deleted(folder):
    held = take(folder.lock)
    emit(folder, State("running"))
    feed = JobFeed(folder)
    feed.poll()
    shutil.rmtree(folder.path)
    os.close(held)
    feed.poll()
    assert feed.snapshot.state == "lost"
    assert "gone" in feed.snapshot.reason and "killed" not in feed.snapshot.reason


@pytest.mark.parametrize("timeout", ["a", True, [1]])
def test_waiting_takes_seconds(folder, timeout):
    with pytest.raises(JobError, match="seconds as a number"):
        Job(folder).wait(timeout)
