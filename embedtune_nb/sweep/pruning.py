"""Ending trials early that lag behind the median of the others at the same share of their own schedule.

Epochs and batch size are often searched, so trials take different numbers of steps, and their evaluations
fall on different shares of their schedules. They are compared at the tenths: there a trial counts with
its first evaluation at or after that share. One that is evaluated seldom so counts with a somewhat later
value, which is why none is judged early, or by few others.
"""

from __future__ import annotations

import math

import optuna
from optuna.pruners import BasePruner, MedianPruner, NopPruner

#: A trial is left alone before this share of its own schedule: warmup is no time to be judged.
FROM_PERCENT = 30
#: Trials that ran to their end before any is pruned.
AFTER_TRIALS = 5
_TENTH = 10


def pruner(pruning: bool) -> BasePruner:
    """Return Optuna's pruner for a study of ours."""
    if not pruning:
        return NopPruner()
    return MedianPruner(n_startup_trials=AFTER_TRIALS, n_warmup_steps=FROM_PERCENT, n_min_trials=3)


class Reporter:
    """Takes the evaluations of one trial to its study.

    Parameters
    ----------
    trial
        Of the study; steps there are percent of the trial's own schedule.
    """

    def __init__(self, trial: optuna.Trial) -> None:
        self._trial = trial
        self._reached = 0

    def lags(self, fraction: float, value: float) -> bool:
        """Report *value*, measured after *fraction* of the schedule; return whether to end the trial here."""
        percent = _TENTH * math.floor(10 * fraction + 1e-9)
        if percent <= self._reached:
            return False
        for share in range(self._reached + _TENTH, percent + 1, _TENTH):
            self._trial.report(value, share)
        self._reached = percent
        return percent < 100 and self._trial.should_prune()
