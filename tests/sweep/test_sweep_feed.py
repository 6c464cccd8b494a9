"""What a watcher of a sweep is told, from its files alone: trials, curves, ranks, time left."""

from __future__ import annotations

import math
import subprocess
import sys

import pytest
from made_up.sweep import BASE, METRIC, MadeUpSweep, finished_sweep
from made_up.verdict import VERDICT

from embedtune_nb.errors import NotFoundError
from embedtune_nb.jobs.job import Job
from embedtune_nb.store.events import Base
from embedtune_nb.sweep.feed import SweepFeed, snapshot_of_model
from embedtune_nb.sweep.ranking import ranks
from embedtune_nb.sweep.trial_folder import TrialRecord
from embedtune_nb.widgets.static_twin import clock, top_line
from embedtune_nb.widgets.trial_rows import sweep_summary
from embedtune_nb.widgets.watch import progress_line


@pytest.fixture
def sweep(home):
    made = MadeUpSweep()
    yield made
    made.close()


def test_a_running_trial_shows_what_its_curve_has_reached(sweep):
    key = sweep.begin()
    feed = SweepFeed(sweep.folder)
    assert feed.poll()
    (trial,) = feed.snapshot.trials
    assert (trial.state, trial.score, trial.steps_done) == ("running", None, 0)
    assert feed.snapshot.base_score == BASE
    reached = sweep.advance(key, 0.5)
    assert feed.poll()
    (trial,) = feed.snapshot.trials
    assert (trial.score, trial.steps_done) == (reached, 75)
    assert feed.snapshot.best is None, "a trial that still runs is best of nothing"
    assert not feed.poll(), "nothing is new"


def test_a_trial_whose_worker_died_is_lost_and_becomes_what_its_retry_says(sweep):
    sweep.begin()
    feed = SweepFeed(sweep.folder)
    feed.poll()
    sweep.close()
    assert feed.poll()
    assert feed.snapshot.trials[0].state == "lost"
    assert feed.snapshot.job.state == "lost"


def test_trials_curves_and_best_arrive_as_they_happen(sweep):
    feed = SweepFeed(sweep.folder)
    feed.poll()
    assert feed.snapshot.trials == [] and feed.snapshot.trial_count == 9
    for score in (0.55, 0.61, 0.58):
        sweep.trial(score=score)
        feed.poll()
    snapshot = feed.snapshot
    assert snapshot.best is not None and snapshot.best.index == 1
    assert [best for _, best in snapshot.best_so_far] == pytest.approx([0.55, 0.61, 0.61])
    assert snapshot.ranks == {"0000": 3, "0001": 1, "0002": 2}
    curve = snapshot.curves["0001"][f"eval/{METRIC}"]
    assert curve.step == [0, 30, 60, 90, 120, 150] and curve.value[-1] == pytest.approx(0.61)


def test_of_several_base_models_the_best_is_what_trials_are_measured_against(sweep):
    sweep.trial()
    key = sweep.begin()
    better = BASE + 0.05
    sweep._curves[key].emit(Base({f"eval/{METRIC}": better}))
    feed = SweepFeed(sweep.folder)
    feed.poll()
    assert feed.snapshot.base_score == better


def test_joining_late_tells_the_same_as_watching_from_the_start(sweep):
    early = SweepFeed(sweep.folder)
    for state in ("done", "pruned", "failed", "done"):
        sweep.trial(state)
        early.poll()
    late = SweepFeed(sweep.folder)
    late.poll()
    assert late.snapshot.trials == early.snapshot.trials
    assert late.snapshot.curves == early.snapshot.curves


def test_time_left_counts_trials_and_confirming_runs(sweep):
    feed = SweepFeed(sweep.folder)
    feed.poll()
    assert feed.snapshot.job.eta_seconds is None, "nothing has ended, so nobody can tell"
    sweep.trial()
    feed.poll()
    seconds = feed.snapshot.trials[0].seconds
    assert feed.snapshot.job.eta_seconds == pytest.approx((8 + 4) * seconds)
    sweep.advance(sweep.begin(), 0.5)
    feed.poll()
    assert feed.snapshot.job.eta_seconds == pytest.approx((7.5 + 4) * seconds), "half a trial less"


def test_time_left_is_the_same_figure_wherever_it_is_told(sweep):
    sweep.trial()
    sweep.advance(sweep.begin(), 0.4)
    job = Job(sweep.folder)
    feed, watched = SweepFeed(sweep.folder), job.feed()
    feed.poll()
    watched.poll()
    summary = sweep_summary(feed.snapshot, can_grow=True)
    assert summary["eta"] == job.eta == watched.snapshot.eta_seconds
    told = f"ETA {clock(summary['eta'])}"
    assert progress_line(watched.snapshot).endswith(told)
    assert told in top_line(feed.snapshot.job)


def test_time_left_is_told_again_when_a_sweep_goes_on(home):
    sweep = finished_sweep()
    feed = SweepFeed(sweep.folder)
    feed.poll()
    sweep.grow(11)
    feed.poll()
    trials = [trial.seconds for trial in feed.snapshot.trials if trial.confirms is None]
    # the best two were confirmed before: two trials are left
    assert feed.snapshot.job.eta_seconds == pytest.approx(2 * sum(trials) / len(trials))
    sweep.close()


def test_confirming_runs_stand_last_and_are_not_ranked(home):
    sweep = finished_sweep()
    feed = SweepFeed(sweep.folder)
    feed.poll()
    snapshot = feed.snapshot
    assert [trial.confirms is None for trial in snapshot.trials] == [True] * 9 + [False] * 4
    assert set(snapshot.ranks) == {trial.key for trial in snapshot.trials[:9] if trial.state == "done"}
    assert snapshot.band == 0.01 and snapshot.decision == sweep.decision
    assert snapshot.job.state == "done" and snapshot.job.eta_seconds is None
    assert snapshot.ranks[f"{sweep.decision['winner']:04d}"] == 1


def test_the_model_tells_the_same_when_the_job_is_gone(home):
    sweep = finished_sweep()
    feed = SweepFeed(sweep.folder)
    feed.poll()
    kept = snapshot_of_model(sweep.publish())
    assert kept.trials == feed.snapshot.trials
    assert kept.ranks == feed.snapshot.ranks and kept.best_so_far == feed.snapshot.best_so_far
    assert kept.dimensions == feed.snapshot.dimensions
    assert kept.job.verdict == feed.snapshot.job.verdict and kept.base_score == BASE
    mine, theirs = (s.curves["0001"][f"eval/{METRIC}"] for s in (kept, feed.snapshot))
    assert (mine.step, mine.value) == (theirs.step, theirs.value)


def test_a_model_of_a_single_run_has_no_sweep(tmp_path):
    with pytest.raises(NotFoundError, match="trial_count"):
        snapshot_of_model(tmp_path)


def trials_with(*scores):
    return [TrialRecord(i, 42, "done", {}, score=score) for i, score in enumerate(scores)]


def test_ties_within_the_band_share_a_rank():
    trials = trials_with(0.60, 0.57, 0.595, 0.562, 0.5)
    assert list(ranks(trials, True).values()) == [1, 2, 3, 4, 5]
    tied = ranks(trials, True, band=0.01)
    assert tied == {"0000": 1, "0002": 1, "0001": 3, "0003": 3, "0004": 5}


def test_lower_is_better_turns_the_ranks_around():
    assert ranks(trials_with(0.3, 0.1, 0.2), False) == {"0001": 1, "0002": 2, "0000": 3}


def test_the_winner_of_new_seeds_comes_first_and_the_loser_shares_no_first_rank():
    decision = {"winner": 1, "tie": False, "confirmed": [{"index": 0}, {"index": 1}]}
    given = ranks(trials_with(0.61, 0.60, 0.605), True, band=0.008, decision=decision)
    assert given == {"0001": 1, "0002": 1, "0000": 3}
    given = ranks(trials_with(0.61, 0.60, 0.605), True, band=0.008, decision=decision | {"tie": True})
    assert given == {"0000": 1, "0001": 1, "0002": 1}


def test_trials_that_did_not_end_or_have_no_number_have_no_rank():
    trials = [*trials_with(0.5, math.nan), TrialRecord(2, 42, "pruned", {}, score=0.9)]
    assert ranks(trials, True) == {"0000": 1}


@pytest.mark.slow
def test_importing_it_loads_neither_torch_nor_optuna():
    modules = "embedtune_nb.sweep.feed, embedtune_nb.sweep.reading, embedtune_nb.sweep_charts"
    code = f"import {modules}, sys; print({{'torch', 'optuna'}} & set(sys.modules))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "set()"


def test_one_line_says_how_far_a_sweep_is(sweep):
    assert repr(Job(sweep.folder)).endswith("sweep 'api-docs', running, trial 0/9)")
    for score in (0.55, 0.613, 0.58, 0.56):
        sweep.trial(score=score)
    job = Job(sweep.folder)
    assert repr(job).endswith("sweep 'api-docs', running, trial 4/9, best 0.613)")
    assert (job.steps_completed, job.steps_total) == (4, 9)
    feed = job.feed()
    feed.poll()
    assert progress_line(feed.snapshot).startswith("api-docs: trial 4/9, best NDCG@10 0.613, ETA ")
    assert top_line(feed.snapshot).startswith("api-docs: running, trial 4/9, best NDCG@10 0.613")


def test_one_line_tells_the_confirming_runs_and_the_verdict(home):
    sweep = MadeUpSweep(trial_count=3)
    for _ in range(3):
        sweep.trial()
    sweep.confirm()
    feed = Job(sweep.folder).feed()
    feed.poll()
    assert progress_line(feed.snapshot).startswith("api-docs: confirming 100%, best NDCG@10 0.6")
    sweep.finish()
    feed.poll()
    assert top_line(feed.snapshot) == f"api-docs: {VERDICT['text']}"
    assert VERDICT["text"] in repr(Job(sweep.folder))
