"""The winner is named by runs on new seeds, against their own noise; figures checked by hand."""

from __future__ import annotations

import math

import pytest

from embedtune_nb.sweep.decide import candidates, decide, fresh_seeds, in_words
from embedtune_nb.sweep.trial_folder import TrialRecord


def trial(index, score, *, seconds=10.0, state="done", **more):
    return TrialRecord(index, 42, state, {}, metric="accuracy", score=score, seconds=seconds, **more)


def again(index, *scores, seconds=10.0):
    return [
        TrialRecord(index, 43 + place, "done", {}, confirms=index, score=score, seconds=seconds)
        for place, score in enumerate(scores)
    ]


def test_the_best_two_scores_are_run_again_and_equal_ones_in_their_order():
    trials = [trial(0, 0.5), trial(1, 0.7), trial(2, 0.7), trial(3, 0.9, state="pruned"), trial(4, None)]
    assert [one.index for one in candidates(trials, True)] == [1, 2]
    assert [one.index for one in candidates(trials, False)] == [0, 1]
    assert fresh_seeds(42) == [43, 44]
    assert fresh_seeds(2**32 - 1) == [0, 1], "seeds stay in the range that generators take"


def test_a_clear_winner_on_new_seeds_wins_although_the_search_said_otherwise():
    decision = decide(
        [trial(0, 0.90), trial(1, 0.85), *again(0, 0.70, 0.72), *again(1, 0.84, 0.86)],
        higher_is_better=True,
    )
    # pooled variance (0.01² + 0.01² + 0.01² + 0.01²) / 2 = 0.0002; t(0.975, 2) = 4.302653
    spread = math.sqrt(0.0002)
    assert decision["spread"] == pytest.approx(spread)
    assert decision["band"] == pytest.approx(4.302653 * spread * math.sqrt(2), rel=1e-6)
    assert (decision["winner"], decision["proposed"], decision["tie"]) == (1, 1, False)
    assert decision["optimism_gap"] == pytest.approx(0.0)
    assert [(one["index"], one["mean"]) for one in decision["confirmed"]] == [
        (0, pytest.approx(0.71)),
        (1, pytest.approx(0.85)),
    ]


def test_a_difference_of_one_row_is_a_tie_even_where_seeds_agreed():
    runs = [trial(0, 0.75), trial(1, 0.80), *again(0, 0.75, 0.75), *again(1, 0.80, 0.80)]
    assert not decide(runs, higher_is_better=True)["tie"]
    one_of_20 = decide(runs, higher_is_better=True, grain=0.0501)
    assert one_of_20["tie"] and one_of_20["band"] == pytest.approx(0.0501)


def test_means_no_further_apart_than_seeds_move_them_are_a_tie():
    # the means may differ by t * spread * sqrt(1/2 + 1/2) = 4.302653 * 0.0141421 = 0.060849
    for apart, tie in ((0.0608, True), (0.0609, False)):
        decision = decide(
            [trial(0, 0.9), trial(1, 0.8), *again(0, 0.79, 0.81), *again(1, 0.79 - apart, 0.81 - apart)],
            higher_is_better=True,
        )
        assert decision["winner"] == 0
        assert decision["tie"] is tie
        assert ("a tie" in decision["reason"]) is tie


@pytest.mark.parametrize(("seconds", "proposed"), [(4.0, 1), (8.5, 0), (30.0, 0)])
def test_in_a_tie_the_clearly_cheaper_trial_is_proposed(seconds, proposed):
    dear = [trial(0, 0.9), *again(0, 0.80, 0.82)]
    cheap = [trial(1, 0.89, seconds=seconds), *again(1, 0.79, 0.81, seconds=seconds)]
    decision = decide([*dear, *cheap], higher_is_better=True)
    assert decision["tie"]
    assert decision["winner"] == 0
    assert decision["proposed"] == proposed
    assert ("4 s instead of 10 s" in decision["reason"]) == (proposed == 1)


def test_how_to_get_the_cheaper_trial_depends_on_whether_its_weights_are_kept():
    scores = [*again(0, 0.79, 0.81), *again(1, 0.78, 0.80, seconds=2.0)]
    decision = decide([trial(0, 0.9), trial(1, 0.8, seconds=2.0), *scores], higher_is_better=True)
    assert decision["proposed"] == 1
    assert "job.trials[1].publish(...)" in in_words(decision, kept=[0, 1])
    assert "job.trials[1].train_again(...)" in in_words(decision, kept=[0])


def test_the_optimism_gap_is_positive_where_the_search_flattered_the_winner():
    up = decide([trial(0, 0.9), *again(0, 0.80, 0.84)], higher_is_better=True)
    assert up["optimism_gap"] == pytest.approx(0.08)
    down = decide([trial(0, 0.9), *again(0, 1.0, 1.1)], higher_is_better=False)
    assert down["optimism_gap"] == pytest.approx(0.15)
    assert up["band"] == pytest.approx(12.7062 * math.hypot(0.02, 0.02) * math.sqrt(2), rel=1e-5)
    assert "only one" in up["reason"]


def test_where_less_is_better_the_lower_mean_wins():
    decision = decide(
        [trial(0, 0.2), trial(1, 0.3), *again(0, 0.51, 0.52), *again(1, 0.31, 0.32)], higher_is_better=False
    )
    assert decision["winner"] == 1


def test_without_new_seeds_the_best_of_the_search_wins_and_the_doubt_is_told():
    decision = decide([trial(0, 0.2), trial(1, 0.3)], higher_is_better=True)
    assert decision["winner"] == 1
    assert decision["band"] is None and decision["optimism_gap"] is None
    assert "luck" in decision["reason"]


def test_a_trial_that_fails_on_every_new_seed_does_not_win():
    failed = [TrialRecord(0, seed, "failed", {}, confirms=0) for seed in (43, 44)]
    decision = decide([trial(0, 0.9), trial(1, 0.8), *failed, *again(1, 0.7, 0.7)], higher_is_better=True)
    assert decision["winner"] == 1
    assert "no score on any new seed" in decision["reason"]


def test_one_run_each_tells_no_noise():
    decision = decide([trial(0, 0.9), trial(1, 0.8), *again(0, 0.7), *again(1, 0.8)], higher_is_better=True)
    assert decision["winner"] == 1
    assert decision["band"] is None and not decision["tie"]
    assert "only once" in decision["reason"]


def test_scores_that_no_seed_moves_are_a_tie_only_if_equal():
    same = decide(
        [trial(0, 0.9), trial(1, 0.9), *again(0, 0.9, 0.9), *again(1, 0.9, 0.9)], higher_is_better=True
    )
    assert same["tie"] and same["band"] == 0 and same["reason"].endswith("a tie: they are equal")
    apart = decide(
        [trial(0, 0.9), trial(1, 0.8), *again(0, 0.9, 0.9), *again(1, 0.8, 0.8)], higher_is_better=True
    )
    assert not apart["tie"]


def test_a_trial_that_was_run_again_before_the_sweep_grew_is_not_undone_by_luckier_scores():
    before = [trial(0, 0.90), trial(1, 0.80), *again(0, 0.88, 0.89), *again(1, 0.79, 0.80)]
    more = [trial(2, 0.95), trial(3, 0.94), *again(2, 0.80, 0.81), *again(3, 0.78, 0.79)]
    decision = decide([*before, *more], higher_is_better=True)
    assert (decision["winner"], decision["tie"]) == (0, False)
    assert [one["index"] for one in decision["confirmed"]] == [2, 3, 0, 1]
    # each of the four pairs lies 0.01 apart: pooled variance 4 * 2 * 0.005² / 4; t(0.975, 4) = 2.776445
    assert decision["band"] == pytest.approx(2.776445 * math.sqrt(5e-5) * math.sqrt(2), rel=1e-6)
