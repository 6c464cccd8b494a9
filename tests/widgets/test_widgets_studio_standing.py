"""What stands under the name of a model to be made, what Train does about it, and what goes on elsewhere."""

from __future__ import annotations

import json
import os
import time

import ipywidgets
import pytest
from studio_hands import PATIENCE, cards, control, parts, pick

from embedtune_nb.jobs.job import Job
from embedtune_nb.store.events import EventWriter, State
from embedtune_nb.store.job_folder import create
from embedtune_nb.store.locks import take
from embedtune_nb.widgets.studio_plan import standing_of
from embedtune_nb.widgets.studio_summaries import step_lines

pytestmark = pytest.mark.slow


def mark_of_plan(studio):
    return next(line["mark"] for line in step_lines(studio.state) if line["key"] == "plan")


def tell(folder, state):
    """Write a state as the job's worker would."""
    writer = EventWriter(folder.events)
    writer.emit(State(state))
    writer.close()


def ended_job(studio, state):
    """Return the folder of a job of the studio's plan that ended in *state*; None: without a word."""
    folder = create("table", studio.plan.to_json(), lambda data: None)
    if state is not None:
        tell(folder, state)
    return folder


def test_a_running_job_of_the_name_is_attached_to_and_that_is_said(studio_of, table, tiny_bert):
    studio = pick(studio_of(table=table), "table")
    plan = studio.plan
    assert standing_of("table", plan).button == "Train"
    folder = create("table", plan.to_json(), lambda data: None)
    lock = take(folder.lock)
    try:
        standing = standing_of("Table", plan)
        assert standing.button == "Attach to the running job" and "another" not in standing.remark
        control(studio, "epochs").value = "4"
        studio.wait(PATIENCE)
        assert "with another epochs" in standing_of("table", studio.plan).remark
    finally:
        os.close(lock)


@pytest.mark.parametrize("published", [False, True])
def test_a_name_that_stands_for_another_base_model_is_taken(studio_of, table, tiny_bert, home, published):
    studio = pick(studio_of(table=table), "table")
    folder = create("table", studio.plan.to_json(), lambda data: None)
    lock = take(folder.lock)
    if published:
        facts = {"name": "table", "created": "2026-01-01T10:20:00", "plan": studio.plan.to_json()}
        (home / "models" / "table").mkdir(parents=True)
        (home / "models" / "table" / "embedtune.json").write_text(json.dumps(facts))
    try:
        cards(studio, "base-cards").value = ""
        control(studio, "Hub id or folder").value = str(tiny_bert)
        studio.wait(PATIENCE)
        assert studio.plan is not None and studio.state.missing == "The name is taken."
        assert "base model 'MINILM_L6'" in studio.state.standing.remark
        assert control(studio, "Train").disabled
        cards(studio, "base-cards").value = "MINILM_L6"
        studio.wait(PATIENCE)
        assert not control(studio, "Open this model" if published else "Attach to the running job").disabled
    finally:
        os.close(lock)


@pytest.mark.parametrize(
    ("end", "button"),
    [("done", "Train"), ("stopped", "Carry on"), ("failed", "Carry on"), (None, "Carry on")],
)
def test_only_what_did_not_get_done_is_carried_on(studio_of, table, end, button):
    studio = pick(studio_of(table=table), "table")
    ended_job(studio, end)
    standing = standing_of("table", studio.plan)
    assert standing.button == button
    assert bool(standing.remark) == (button == "Carry on")


def test_what_was_stopped_with_other_settings_is_taken(studio_of, table):
    studio = pick(studio_of(table=table), "table")
    ended_job(studio, "stopped")
    control(studio, "epochs").value = "4"
    studio.wait(PATIENCE)
    assert "enter another name" in studio.state.standing.remark and control(studio, "Train").disabled


def test_a_job_that_goes_on_elsewhere_is_followed_again(studio_of, table):
    studio = pick(studio_of(table=table), "table")
    folder = ended_job(studio, "stopped")
    with studio._desk.lock:
        studio._watch.show(Job(folder))
    studio._watch.wait(PATIENCE)
    assert studio.state.job.state == "stopped"
    lock = take(folder.lock)
    try:
        tell(folder, "running")
        studio._watch._go_on.click()
        deadline = time.monotonic() + PATIENCE
        while studio.state.job.state != "running" and time.monotonic() < deadline:
            time.sleep(0.02)
        assert studio.state.job.state == "running" and studio._watch._problem.value == ""
    finally:
        os.close(lock)


@pytest.mark.parametrize("suggested", [True, False])
def test_a_name_that_cannot_be_looked_up_harms_nothing_else(studio_of, table, home, suggested):
    (home / "models" / "damaged").mkdir(parents=True)
    variable = "damaged" if suggested else "table"
    studio = pick(studio_of(**{variable: table}), variable)
    name = control(studio, "Name of the new model")
    name.value = "damaged"
    studio.wait(PATIENCE)
    assert studio.plan is not None and mark_of_plan(studio) == "attention"
    told = [part.value for part in parts(studio) if isinstance(part, ipywidgets.HTML)]
    assert any("no readable embedtune.json" in text for text in told)
    name.value = "another"
    studio.wait(PATIENCE)
    assert studio.plan.name == "another" and mark_of_plan(studio) == "done"
    assert not control(studio, "Train").disabled
