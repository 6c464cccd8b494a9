"""Ending trials early that lag behind the median of the others at the same share of their own schedule.

Epochs and batch size are often searched, so trials take different numbers of steps, and their evaluations
fall on different shares of their schedules. They are compared at the tenths: between two evaluations a
trial counts with what lies there on the straight line from one to the other, and before its first with
nothing, so that one that is looked at often is not measured against later values of the others.
"""

from __future__ import annotations

import math

import numpy as np
import optuna
from optuna.pruners import BasePruner, MedianPruner, NopPruner

#: A trial is left alone before this share of its own schedule: warmup is no time to be judged.
FROM_PERCENT = 30
#: Trials that ran to their end before any is pruned.
AFTER_TRIALS = 5
_TENTH = 10
# Half of 75 steps are 38, a share of 0.507: as good as a half.
_NEAR = 0.02


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
        self._last: tuple[float, float] | None = None

    def lags(self, fraction: float, value: float) -> bool:
        """Report *value*, measured after *fraction* of the schedule; return whether to end the trial here."""
        percent = _TENTH * math.floor(10 * fraction + 1e-9)
        before, self._last = self._last, (fraction, value)
        passed = range(self._reached + _TENTH, percent + 1, _TENTH)
        self._reached = max(self._reached, percent)
        if before is None:  # nothing is known of the way to here
            passed = passed[-1:] if fraction - percent / 100 < _NEAR else passed[:0]
        shares, values = zip(before or self._last, self._last, strict=True)
        for share in passed:
            self._trial.report(float(np.interp(share / 100, shares, values)), share)
        return bool(passed) and percent < 100 and self._trial.should_prune()
