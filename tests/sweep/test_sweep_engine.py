"""A sweep from its first claim to its model: budget, order, failures, stops, more trials.

Training is pretended.
"""

from __future__ import annotations

import errno
import json

import pretend_trials
import pytest
from optuna.trial import TrialState
from pretend_trials import counted, events, logged, records, run, study_of, until

from embedtune_nb.errors import DataError, JobError, JobFailedError
from embedtune_nb.jobs.job import Job, submit
from embedtune_nb.store.events import EventWriter, Metrics
from embedtune_nb.store.home import models_folder
from embedtune_nb.sweep import carry_out
from embedtune_nb.sweep import run as run_module
from embedtune_nb.sweep.claims import Claims
from embedtune_nb.sweep.trial_folder import trial_folders

pytestmark = pytest.mark.slow


def test_a_sweep_tries_its_budget_confirms_the_best_two_and_publishes_one(make):
    folder = make(trial_count=6)
    job = run(folder)
    assert job.status == "done", job.log()
    trials = records(folder)
    assert [one.index for one in trials] == list(range(6))
    assert {one.state for one in trials} == {"done"}
    assert trials[0].is_default and not any(one.is_default for one in trials[1:])
    assert len({json.dumps(one.values) for one in trials}) == 6, "no point is tried twice"
    assert {one.seed for one in trials} == {42}, "all trials have the seed of the sweep"

    best = sorted(trials, key=lambda one: -one.score)[:2]
    again = records(folder, confirming=True)
    assert sorted((one.confirms, one.seed) for one in again) == sorted(
        (one.index, seed) for one in best for seed in (43, 44)
    )
    [decided] = events(folder, "decided")
    decision = decided["decision"]
    assert decision["winner"] in {one.index for one in best}
    published = json.loads((models_folder() / "sweep" / "embedtune.json").read_text())
    assert published["sweep"]["trial"] == decision["winner"]
    assert (
        published["plan"]["settings"]["learning_rate"]["value"]
        == trials[decision["winner"]].values["learning_rate"]
    )
    assert {one.index for one in trials if one.has_weights} == {one.index for one in best}
    assert not any(one.has_weights for one in again)
    for one in trial_folders(folder.path):
        assert one.weights.is_dir() == one.record().has_weights


def test_its_events_tell_phases_progress_and_the_best(make):
    folder = make(trial_count=5)
    run(folder)
    assert [(one["name"], one["total"]) for one in events(folder, "phase")[1:]] == [
        ("trials", 5),
        ("confirming", 4),
    ]
    progress = [(one["done"], one["total"]) for one in events(folder, "progress")]
    assert progress[:6] == [(done, 5) for done in range(6)]
    assert progress[-1] == (4, 4)
    best = [one["value"] for one in events(folder, "best")]
    assert best == sorted(best) and best[-1] == max(one.score for one in records(folder))


def failing(cause, when):
    """Return a trial that fails where *when* says so of its values."""

    def run_trial(folder, plan, *arguments, **more):
        if when(plan):
            raise cause
        return pretend_trials.run_trial(folder, plan, *arguments, **more)

    return run_trial


def test_failed_trials_use_up_budget_and_the_sweep_goes_on(make, monkeypatch):
    trial = failing(DataError("The loss is nan at step 3."), lambda plan: plan["batch_size"] == 16)
    monkeypatch.setattr(carry_out, "run_trial", trial)
    folder = make(trial_count=6)
    assert run(folder).status == "done"
    failed = [one for one in records(folder) if one.state == "failed"]
    assert counted(folder) == 6 and 0 < len(failed) < 6
    assert {one.reason for one in failed} == {"The loss is nan at step 3."}
    told = [one["text"] for one in events(folder, "notice") if "failed: The loss is nan" in one["text"]]
    assert len(told) == len(failed)
    assert {one.state for one in study_of(folder).trials if one.number == failed[0].index} == {
        TrialState.FAIL
    }


def test_if_all_fail_the_job_says_so_with_the_reasons(make, monkeypatch):
    monkeypatch.setattr(carry_out, "run_trial", failing(MemoryError("no room for 9 GB"), lambda plan: True))
    folder = make(trial_count=3)
    job = run(folder)
    assert job.status == "failed"
    with pytest.raises(JobFailedError, match=r"No trial succeeded. 3 of 3: MemoryError: no room for 9 GB"):
        job.result()
    assert counted(folder) == 3
    assert not (models_folder() / "sweep").exists()


def test_stop_keeps_what_is_done_and_resume_goes_on_with_the_exact_rest(make):
    folder = make(trial_count=5, seconds=0.2)
    job = submit(folder, "thread")
    until(lambda: len(records(folder)) == 3)
    job.stop().wait(60)
    assert job.status == "stopped"
    assert "2 of 5" in job.reason
    stopped = records(folder)[2]
    assert stopped.state == "stopped"
    job.resume().wait(60)
    assert job.status == "done"
    assert counted(folder) == 5
    [again] = [one for one in records(folder) if one.retry_of is not None]
    assert (again.retry_of, again.values, again.attempt) == (2, stopped.values, 1)
    assert len(records(folder)) == 6
    assert any("Trial 2 did not come to its end; trial 3" in one["text"] for one in events(folder, "notice"))
    assert [one.state for one in study_of(folder).trials].count(TrialState.COMPLETE) == 5


@pytest.mark.parametrize(("before", "told"), [(0.2, False), (0.99, True)])
def test_a_winner_that_is_no_better_than_its_base_model_is_told(make, monkeypatch, before, told):
    def trial(folder, *arguments, **more):
        outcome = pretend_trials.run_trial(folder, *arguments, **more)
        later = folder.events.read_bytes()
        folder.events.unlink()
        writer = EventWriter(folder.events)
        writer.emit(Metrics(0, 0, {"eval/accuracy": before}))
        writer.close()
        folder.events.write_bytes(folder.events.read_bytes() + later)
        return outcome

    monkeypatch.setattr(carry_out, "run_trial", trial)
    folder = make(trial_count=3)
    assert run(folder).status == "done"
    warned = [one["text"] for one in events(folder, "notice") if "Nothing was gained" in one["text"]]
    assert bool(warned) is told
    assert all("accuracy was 0.99 before training" in one for one in warned)


def test_an_earlier_sweep_is_not_carried_on_beside_another_of_its_name(make):
    earlier = submit(make(trial_count=3, seconds=0.2), "thread").stop().wait(60)
    other = submit(make(trial_count=3, seconds=0.5), "thread")
    for carry_on in (earlier.resume, lambda: earlier.add_trials(2)):
        with pytest.raises(JobError, match=f"{other.id} is making a model of this name right now"):
            carry_on()
    other.stop().wait(60)
    assert earlier.resume().wait(60).status == "done"
    assert earlier.steps_total == 3, "what was refused did not raise the budget"


def test_added_trials_are_carried_out_by_the_worker_at_work(make):
    folder = make(trial_count=3, seconds=0.2)
    job = submit(folder, "thread")
    until(lambda: counted(folder) == 1)
    job.add_trials(2)
    job.wait(60)
    assert counted(folder) == 5
    assert events(folder, "progress")[4]["total"] == 5
    with pytest.raises(JobError, match="1 or more"):
        job.add_trials(0)


def test_added_trials_start_an_ended_sweep_and_replace_the_model_only_for_a_new_winner(make, monkeypatch):
    monkeypatch.setattr(pretend_trials, "score", lambda values, seed: 0.5)
    folder = make(trial_count=3)
    job = run(folder)
    assert logged(folder.path, "published") == ["0"]
    job.add_trials(2).wait(60)
    assert job.status == "done" and counted(folder) == 5
    assert logged(folder.path, "published") == ["0"], "trial 0 wins still"

    monkeypatch.setattr(pretend_trials, "score", lambda values, seed: 0.6)
    job.add_trials(1).wait(60)
    assert logged(folder.path, "published") == ["0", "5"]
    assert any("replaces trial 0" in one["text"] for one in events(folder, "notice"))
    assert json.loads((models_folder() / "sweep" / "embedtune.json").read_text())["sweep"]["trial"] == 5


def test_trials_added_while_it_publishes_are_carried_out_too(make, monkeypatch):
    folder = make(trial_count=3)

    def publish(*arguments, **more):
        pretend_trials.publish_winner(*arguments, **more)
        if counted(folder) == 3:
            Job(folder).add_trials(1)

    monkeypatch.setattr(run_module, "publish_winner", publish)
    run(folder)
    assert counted(folder) == 4


def test_trials_added_as_the_last_one_ends_are_carried_out_too(make, monkeypatch):
    folder = make(trial_count=3)
    claim_next = Claims.next

    def claim_or_grow(claims):
        claim = claim_next(claims)
        if claim is None and counted(folder) == 3:
            Job(folder).add_trials(1)
        return claim

    monkeypatch.setattr(Claims, "next", claim_or_grow)
    assert run(folder).status == "done"
    assert counted(folder) == 4


def test_added_trials_are_told_while_a_trial_is_at_work(make, monkeypatch):
    monkeypatch.setattr(run_module, "_LOOK_SECONDS", 0.0)
    folder = make(trial_count=2, seconds=2.0)
    job = submit(folder, "thread")
    until(lambda: records(folder))
    job.add_trials(2)
    until(lambda: job.steps_total == 4)
    assert next(one["done"] for one in events(folder, "progress") if one["total"] == 4) == 0
    job.stop().wait(60)


def test_a_full_disk_ends_the_job_and_costs_no_budget(make, monkeypatch):
    full = OSError(errno.ENOSPC, "No space left on device")
    folder = make(trial_count=3)
    with monkeypatch.context() as patch:
        patch.setattr(carry_out, "run_trial", failing(full, lambda plan: counted(folder) == 1))
        job = run(folder)
    assert job.status == "failed" and "No space left" in job.reason
    assert counted(folder) == 1
    job.resume().wait(60)
    assert job.status == "done" and counted(folder) == 3


def test_trials_that_lag_are_pruned_and_keep_their_place_in_the_budget(make, monkeypatch):
    # every later trial is worse than those before it, all along its way
    order = iter(range(100))
    monkeypatch.setattr(pretend_trials, "score", lambda values, seed: 0.9 - 0.05 * next(order))
    folder = make(trial_count=9, confirm=False)
    plan = folder.plan()
    plan["settings"]["pruning"]["value"] = True
    folder.plan_file.write_text(json.dumps(plan))
    run(folder)
    states = [one.state for one in records(folder)]
    assert states == ["done"] * 5 + ["pruned"] * 4
    assert "median" in records(folder)[-1].reason
    assert records(folder)[-1].steps_done == 3, "no trial is judged before 30 % of its schedule"
    assert [one.state for one in study_of(folder).trials].count(TrialState.PRUNED) == 4


def test_without_confirmation_the_best_of_the_search_is_published(make):
    folder = make(trial_count=4, confirm=False, keep_trials=0)
    run(folder)
    assert records(folder, confirming=True) == []
    best = max(records(folder), key=lambda one: one.score)
    assert logged(folder.path, "published") == [str(best.index)]
    assert not any(one.weights.exists() for one in trial_folders(folder.path))
