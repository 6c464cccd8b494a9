"""Which values the next trial tries, as a plain function of what earlier ones came to.

The sampler works on a study of its own, in memory, because it is to know more than the study that is kept
and shown says: what a pruned trial had reached, and that a failed one is no place to go back to. Optuna's
Gaussian process learns from trials that ran to their end only, and would propose a pruned point again and
again. As a function of the history it also needs no state that a kill could take away.
"""

from __future__ import annotations

import math
import random
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import optuna
from optuna.samplers import BaseSampler, GPSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState, create_trial

from embedtune_nb.plan.dimension import Dimension
from embedtune_nb.sweep.encoding import Values, coded, every_point, point, start_values, suggest
from embedtune_nb.sweep.studies import quiet
from embedtune_nb.sweep.trial_folder import TrialRecord

_RANDOM_TRIES = 50


@dataclass(frozen=True)
class Sampling:
    """How a sweep searches.

    Attributes
    ----------
    sampler
        ``"gp"``, a Gaussian process with expected improvement, or ``"tpe"``, for spaces in which some
        dimensions have an effect beside others only.
    startup
        Trials before the sampler's model is used; until then values are drawn at random.
    higher_is_better
        Of the score.
    seed
        Of the sweep; the same history and seed give the same proposal.
    """

    sampler: str
    startup: int
    higher_is_better: bool
    seed: int

    def of_optuna(self, seed: int) -> BaseSampler:
        """Return Optuna's sampler; *seed* is its own."""
        if self.sampler == "gp":
            return GPSampler(seed=seed, n_startup_trials=self.startup, warn_independent_sampling=False)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # of group
            return TPESampler(seed=seed, n_startup_trials=self.startup, group=True)

    @property
    def direction(self) -> Literal["maximize", "minimize"]:
        """``"maximize"`` or ``"minimize"``."""
        return "maximize" if self.higher_is_better else "minimize"


def propose(space: Sequence[Dimension], trials: Sequence[TrialRecord], how: Sampling) -> Values | None:
    """Return what the next trial tries.

    Parameters
    ----------
    space
        What is searched.
    trials
        All trials so far, those at work included. Done and pruned ones count with their score, failed ones as
        if they had the worst of all; the point of one at work is avoided.
    how
        The sampler.

    Returns
    -------
    dict or None
        Values by dimension, those without effect left out; None when everything there is was tried.

    Notes
    -----
    The first proposal is the start of every dimension. No point is proposed twice: with one seed for all
    trials it would be the same run again.
    """
    taken = {point(space, trial.values) for trial in trials}
    start = start_values(space)
    if point(space, start) not in taken:
        return start
    # a sum would give the sweep with the next seed the same draws, one trial later
    seed = int(np.random.SeedSequence([how.seed, len(trials)]).generate_state(1)[0])
    values = _asked(space, _history(space, trials, how), how.of_optuna(seed), how)
    if point(space, values) not in taken:
        return values
    for turn in range(_RANDOM_TRIES):
        values = _asked(space, [], RandomSampler(seed=(seed + turn) % 2**32), how)
        if point(space, values) not in taken:
            return values
    untried = [one for one in every_point(space) or [] if point(space, one) not in taken]
    return random.Random(seed).choice(untried) if untried else None


def _asked(
    space: Sequence[Dimension], history: Sequence[FrozenTrial], sampler: BaseSampler, how: Sampling
) -> Values:
    with quiet():
        study = optuna.create_study(direction=how.direction, sampler=sampler)
        study.add_trials(history)
        return suggest(study.ask(), space)


def _history(space: Sequence[Dimension], trials: Sequence[TrialRecord], how: Sampling) -> list[FrozenTrial]:
    reached = {trial.index: score for trial in trials if (score := _score(trial)) is not None}
    if reached:
        worst = (min if how.higher_is_better else max)(reached.values())
        reached |= {trial.index: worst for trial in trials if trial.state == "failed"}
    history = []
    for trial in trials:
        known = coded(space, trial.values)
        if known is None:
            continue  # queued by hand, outside the space
        values, distributions = known
        score = reached.get(trial.index)
        if score is not None:
            history.append(create_trial(value=score, params=values, distributions=distributions))
        elif trial.state == "running":
            history.append(create_trial(state=TrialState.RUNNING, params=values, distributions=distributions))
    return history


def _score(trial: TrialRecord) -> float | None:
    ended = trial.state in ("done", "pruned")
    return trial.score if ended and trial.score is not None and math.isfinite(trial.score) else None
