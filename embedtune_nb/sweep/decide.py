"""Which trial wins, once the best ones were run again on new seeds.

The best of many trials is partly the luckiest: its score overstates what the same values give again. So the
winner is not named by its search score. The best two are run again with seeds that the search never used,
and only those fresh scores are compared, against the noise that the seeds alone make: with the scores
``x[i, j]`` of candidate ``i`` and seed ``j``, the pooled variance is the sum of squared differences from each
candidate's own mean over ``sum(n[i] - 1)`` degrees of freedom, and two means differ when they lie further
apart than ``t * s * sqrt(1 / n[0] + 1 / n[1])``, ``t`` being Student's for 95 %: the two-sample t-test with
equal variances.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from embedtune_nb.evaluation.comparison import CONFIDENCE
from embedtune_nb.plan.sweep_settings import CONFIRMED, FRESH_SEEDS
from embedtune_nb.sweep.ranking import best_first
from embedtune_nb.sweep.trial_folder import TrialRecord

#: A tie is broken by cost only where one took less than this share of the other's time.
_CLEARLY_CHEAPER = 0.8


def candidates(trials: Sequence[TrialRecord], higher_is_better: bool) -> list[TrialRecord]:
    """Return the trials that are run again on new seeds: the best two, or the only one."""
    return best_first(trials, higher_is_better)[:CONFIRMED]


def fresh_seeds(seed: int) -> list[int]:
    """Return the seeds of the runs that confirm trials of a sweep with *seed*."""
    return [(seed + place) % 2**32 for place in range(1, FRESH_SEEDS + 1)]


def decide(trials: Sequence[TrialRecord], *, higher_is_better: bool, grain: float = 0.0) -> dict[str, Any]:
    """Return which trial wins, whether that is a tie, and how far its search score flattered it.

    Parameters
    ----------
    trials
        All trials of the sweep and the runs that confirm some of them; at least one trial has a score.
    higher_is_better
        Of the score.
    grain
        How much a single held-out row can move the score; a smaller difference is a tie, even where the seeds
        happened to agree.

    Returns
    -------
    dict
        ``winner``, the index of the trial that becomes the model: the best mean on new seeds, of the best two
        and of those that were run again before the sweep got more trials; or the best of the search where
        nothing was run again. ``proposed``, another index than the winner's only in a
        tie that a clearly cheaper trial takes part in. ``tie``. ``reason``, a sentence. ``spread``, the
        pooled standard deviation between seeds, and ``band``, how far two single runs may differ by their
        seed alone (``t * spread * sqrt(2)``, and no less than *grain*); None where it was not measured.
        ``optimism_gap``, by how much the winner's search score was better than its mean on new seeds.
        ``confirmed``, for each trial run again its ``index``, ``seeds``, ``scores``, ``mean`` and the
        ``seconds`` of its quickest run: the first one of a worker also loads and evaluates what the later
        ones share.
    """
    best = candidates(trials, higher_is_better)
    # a sweep that got more trials has others that were run again, and luckier scores do not undo that
    confirmed = [
        one for trial in best_first(trials, higher_is_better) if (one := _confirmed(trial, trials)).scores
    ]
    decision: dict[str, Any] = {
        "winner": best[0].index,
        "proposed": best[0].index,
        "tie": False,
        "spread": None,
        "band": None,
        "optimism_gap": None,
        "confirmed": [one.to_dict() for one in confirmed],
    }
    if not confirmed:
        unsure = "; no run with another seed confirmed it, so its score may be partly luck"
        return decision | {"reason": f"trial {best[0].index} had the best score of the search{unsure}"}
    noise = _Noise.of(confirmed, grain)
    confirmed.sort(key=lambda one: -one.mean if higher_is_better else one.mean)
    winner = confirmed[0]
    gap = float(winner.trial.score or 0.0) - winner.mean
    decision |= {
        "winner": winner.trial.index,
        "proposed": winner.trial.index,
        "spread": noise.spread,
        "band": noise.between(1, 1),
        "optimism_gap": gap if higher_is_better else -gap,
    }
    if len(confirmed) == 1:
        return decision | {"reason": _alone(winner, best)}
    return decision | _compared(winner, confirmed[1], noise)


def in_words(decision: Mapping[str, Any], *, kept: Collection[int]) -> str:
    """Return what to say of a decision; *kept* are the trials whose weights stay after it."""
    told = decision["reason"][0].upper() + decision["reason"][1:] + "."
    gap = decision["optimism_gap"]
    if gap is not None and gap > 0:
        told += f" The winner's score in the search was {gap:.2g} better than on new seeds."
    if (proposed := decision["proposed"]) == decision["winner"]:
        return told
    if proposed in kept:
        return f"{told} job.trials[{proposed}].publish(...) publishes the cheaper one."
    return f"{told} job.trials[{proposed}].train_again(...) makes a model of it; its weights are not kept."


@dataclass(frozen=True)
class _Confirmed:
    """A trial and its runs on new seeds."""

    trial: TrialRecord
    seeds: list[int]
    scores: list[float]
    seconds: float | None

    @property
    def mean(self) -> float:
        return math.fsum(self.scores) / len(self.scores)

    @property
    def told(self) -> str:
        return f"trial {self.trial.index} ({self.mean:.4g} on new seeds)"

    def to_dict(self) -> dict[str, Any]:
        return {
            "index": self.trial.index,
            "seeds": self.seeds,
            "scores": self.scores,
            "mean": self.mean,
            "seconds": self.seconds,
        }


def _confirmed(trial: TrialRecord, trials: Sequence[TrialRecord]) -> _Confirmed:
    runs = sorted(
        (
            run
            for run in trials
            if run.confirms == trial.index
            and run.state == "done"
            and run.score is not None
            and math.isfinite(run.score)
        ),
        key=lambda run: run.seed,
    )
    lasted = [run.seconds for run in (trial, *runs) if run.seconds is not None]
    return _Confirmed(
        trial,
        [run.seed for run in runs],
        [float(run.score) for run in runs if run.score is not None],
        min(lasted, default=None),
    )


@dataclass(frozen=True)
class _Noise:
    """What the seeds alone do to a score; spread is None where no trial was run twice."""

    spread: float | None
    freedom: int
    grain: float

    @classmethod
    def of(cls, confirmed: Sequence[_Confirmed], grain: float) -> _Noise:
        freedom = sum(len(one.scores) - 1 for one in confirmed)
        if freedom == 0:
            return cls(None, 0, grain)
        squares = math.fsum((score - one.mean) ** 2 for one in confirmed for score in one.scores)
        return cls(math.sqrt(squares / freedom), freedom, grain)

    def between(self, one: int, other: int) -> float | None:
        """Return how far the means of *one* and of *other* many runs may differ by their seeds alone."""
        if self.spread is None:
            return None
        from scipy.stats import t

        factor = float(t.ppf((1 + CONFIDENCE) / 2, self.freedom))
        return max(factor * self.spread * math.sqrt(1 / one + 1 / other), self.grain)


def _alone(winner: _Confirmed, best: Sequence[TrialRecord]) -> str:
    others = [trial.index for trial in best if trial.index != winner.trial.index]
    if not others:
        return f"trial {winner.trial.index} is the only one that came to a score"
    return f"{winner.told} won: trial {others[0]} came to no score on any new seed"


def _compared(winner: _Confirmed, other: _Confirmed, noise: _Noise) -> dict[str, Any]:
    apart = abs(winner.mean - other.mean)
    band = noise.between(len(winner.scores), len(other.scores))
    if band is None:
        unsure = "each was run again only once, so nobody can tell whether that is noise"
        return {"reason": f"{winner.told} beat {other.told}; {unsure}"}
    if apart > band:
        return {"reason": f"{winner.told} beat {other.told} by more than noise does ({band:.2g})"}
    noise_told = f"noise alone moves the difference by up to {band:.2g}" if apart else "they are equal"
    tie = f"{winner.told} and {other.told} are a tie: {noise_told}"
    cost, less = winner.seconds, other.seconds
    if cost is None or less is None or less >= _CLEARLY_CHEAPER * cost:
        return {"tie": True, "reason": tie}
    cheaper = f"trial {other.trial.index} is proposed: it trains in {less:.3g} s instead of {cost:.3g} s"
    return {"tie": True, "proposed": other.trial.index, "reason": f"{tie}; {cheaper}"}
