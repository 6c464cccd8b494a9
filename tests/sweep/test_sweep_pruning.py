"""Which trials end early: those that lag behind others at the same share of their own schedule."""

from __future__ import annotations

import optuna
import pytest

from embedtune_nb.sweep.pruning import AFTER_TRIALS, Reporter, pruner


@pytest.fixture
def study():
    return optuna.create_study(direction="maximize", pruner=pruner(True))


def go(study: optuna.Study, looks: int, final: float) -> int | None:
    """Report a course that rises evenly to *final*; return the look at which it was to end, if any."""
    trial = study.ask()
    reporter = Reporter(trial)
    for look in range(1, looks + 1):
        if reporter.lags(look / looks, final * look / looks):
            return look
    study.tell(trial, final)
    return None


def test_a_trial_that_is_looked_at_often_is_not_measured_against_later_values(study):
    for number in range(AFTER_TRIALS):
        assert go(study, looks=2, final=0.8 + number / 100) is None
    assert go(study, looks=10, final=0.83) is None  # above the median all the way
    assert go(study, looks=10, final=0.4) == 5  # where the others are first known


def test_a_trial_that_is_looked_at_seldom_is_measured_by_those_that_are_often(study):
    for number in range(AFTER_TRIALS):
        assert go(study, looks=10, final=0.8 + number / 100) is None
    assert go(study, looks=3, final=0.9) is None
    assert go(study, looks=3, final=0.4) == 2  # its first look is at no tenth


def test_courses_of_other_rhythm_are_compared_on_the_line_between_two_looks(study):
    for number in range(AFTER_TRIALS):
        go(study, looks=3, final=0.8 + number / 100)
    values = study.trials[0].intermediate_values
    assert min(values) == 40  # the first look was at a third
    assert values[50] == pytest.approx(0.4)
    assert values[90] == pytest.approx(0.72)
    assert go(study, looks=10, final=0.825) is None


def test_a_first_look_close_to_a_tenth_counts_there(study):
    trial = study.ask()
    assert not Reporter(trial).lags(38 / 75, 0.5)
    assert study.trials[0].intermediate_values == {50: 0.5}


def test_without_pruning_nothing_ends_early():
    study = optuna.create_study(direction="maximize", pruner=pruner(False))
    for _ in range(AFTER_TRIALS):
        go(study, looks=4, final=0.9)
    assert go(study, looks=4, final=0.0) is None
