"""Which trial is best, and which of them nobody can tell apart."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from embedtune_nb.sweep.trial_folder import TrialRecord


def scored(trials: Sequence[TrialRecord]) -> list[TrialRecord]:
    """Return the trials that ran to their end with a finite score, without those that confirm another."""
    return [
        trial
        for trial in trials
        if trial.state == "done"
        and trial.confirms is None
        and trial.score is not None
        and math.isfinite(trial.score)
    ]


def best_base(scores: Iterable[float | None], higher_is_better: bool) -> float | None:
    """Return what one has without training: of several base models the best score; None if none is known."""
    known = [score for score in scores if score is not None]
    return (max if higher_is_better else min)(known, default=None)


def best_trial(trials: Sequence[TrialRecord], higher_is_better: bool) -> TrialRecord | None:
    """Return the trial with the best score, the earlier one of two that are equal; None without any."""
    return next(iter(best_first(trials, higher_is_better)), None)


def best_so_far(trials: Sequence[TrialRecord], higher_is_better: bool) -> list[tuple[int, float]]:
    """Return ``(index, best score of all trials up to this one)``, one entry for each scored trial."""
    better = max if higher_is_better else min
    line: list[tuple[int, float]] = []
    for trial in sorted(scored(trials), key=lambda trial: trial.index):
        score = float(trial.score or 0.0)
        line.append((trial.index, better(score, line[-1][1]) if line else score))
    return line


def ranks(
    trials: Sequence[TrialRecord],
    higher_is_better: bool,
    *,
    band: float | None = None,
    decision: Mapping[str, Any] | None = None,
) -> dict[str, int]:
    """Return the rank of each scored trial by its key, 1 for the best.

    Parameters
    ----------
    trials
        All trials of the sweep.
    higher_is_better
        Of the score.
    band
        Trials whose scores lie no further than this below the first of their rank share it. None, before
        the noise is known: only equal scores do.
    decision
        What the confirming runs decided. The winner has rank 1 whatever the search said of it, and a trial
        that lost to it on new seeds, not by a tie, does not share that rank.
    """
    decided = decision or {}
    winner = decided.get("winner")
    lost = set() if decided.get("tie") else {run["index"] for run in decided.get("confirmed", ())} - {winner}
    order = best_first(trials, higher_is_better)
    first = [
        trial
        for trial in order
        if trial.index == winner or (trial.index not in lost and _tied(order[0], trial, band))
    ]
    given = {trial.key: 1 for trial in first}
    leader: TrialRecord | None = None
    rank = 1
    for place, trial in enumerate((trial for trial in order if trial.key not in given), len(first) + 1):
        if leader is None or not _tied(leader, trial, band):
            leader, rank = trial, place
        given[trial.key] = rank
    return given


def _tied(one: TrialRecord, other: TrialRecord, band: float | None) -> bool:
    return abs(float(one.score or 0.0) - float(other.score or 0.0)) <= (band or 0.0)


def best_first(trials: Sequence[TrialRecord], higher_is_better: bool) -> list[TrialRecord]:
    """Return the scored trials, the best one first and the earlier one of two that are equal."""
    sign = -1.0 if higher_is_better else 1.0
    return sorted(scored(trials), key=lambda trial: (sign * float(trial.score or 0.0), trial.index))
