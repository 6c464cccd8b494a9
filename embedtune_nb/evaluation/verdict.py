"""Better, worse, or no difference shown: a paired comparison on queries that chose nothing."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from embedtune_nb.errors import DataError
from embedtune_nb.evaluation.figures import figures
from embedtune_nb.evaluation.metrics import display_name
from embedtune_nb.evaluation.result import Evaluation
from embedtune_nb.evaluation.verdict_html import verdict_html

CONFIDENCE = 0.95
# Below 20 queries bootstrap intervals come out too narrow: with 8 to 12 queries and no true difference about
# 11 % of them excluded zero where 5 % should.
QUERIES_MIN = 20
# If k queries differ, chance alone lets all of them point one way with
# probability 2 ** (1 - k): under 5 % from 6.
DIFFERING_MIN = 6
_TIE = 1e-9
_POWER_80 = 1.96 + 0.84
_NEEDED_MAX = 100_000


@dataclass(frozen=True)
class Verdict:
    """The paired comparison of two evaluations of the same queries.

    Attributes
    ----------
    metric, before, after, difference
        The deciding metric, its two means, and after minus before.
    low, high, confidence
        Interval of the difference (BCa bootstrap over queries).
    wins, losses, ties, queries
        Queries on which the value rose, fell, stayed.
    answer
        ``"better"`` (the interval lies above zero), ``"worse"`` (below) or ``"no difference shown"``.
    explanation
        Why nothing is shown and what would help; empty for a clear answer.
    resamples, seed
        Of the bootstrap.
    others
        The other per-query metrics: dicts of metric, before, after, difference, low, high.
    """

    metric: str
    before: float
    after: float
    difference: float
    low: float
    high: float
    wins: int
    losses: int
    ties: int
    queries: int
    answer: str
    explanation: str
    resamples: int
    seed: int
    confidence: float = CONFIDENCE
    others: list[dict[str, Any]] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The verdict line, followed by the explanation where there is one."""
        return f"{self}. {self.explanation}" if self.explanation else str(self)

    def __str__(self) -> str:
        shown = figures(vars(self))
        return (
            f"{self.answer.capitalize()}: {shown['metric']} {shown['before']} -> {shown['after']}, "
            f"{shown['difference']} {shown['interval']}, "
            f"{self.wins:,} wins, {self.losses:,} losses, {self.ties:,} ties"
        )

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return verdict_html(self)

    def to_dict(self) -> dict[str, Any]:
        """Return the verdict as JSON-able values, `text` included."""
        return {**asdict(self), "text": self.text}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Verdict:
        """Restore what `to_dict` gave."""
        return cls(**{name: value for name, value in values.items() if name != "text"})


def paired_verdict(
    before: Evaluation, after: Evaluation, *, metric: str | None = None, seed: int, resamples: int = 10_000
) -> Verdict:
    """Compare two evaluations query by query.

    The interval is the bias-corrected and accelerated bootstrap (Efron, 1987) of the mean difference
    over queries, the same resamples for every metric.

    Parameters
    ----------
    before, after
        Evaluations of the same queries.
    metric
        The metric that decides; must have a value for every query. Default: the primary one of *after*.
    seed
        Of the resamples.
    resamples
        How many.

    Raises
    ------
    DataError
        If the two did not score the same queries, or the metric has no per-query values.
    """
    metric = metric or after.primary
    shared = [name for name in after.per_query.columns if name in before.per_query.columns]
    if metric not in shared:
        raise DataError(
            f"{display_name(metric)} has no value for single queries in both evaluations.",
            expected=f"one of {', '.join(shared) or 'the metrics of single queries'}",
        )
    if before.per_query.empty or set(before.per_query.index) != set(after.per_query.index):
        raise DataError(
            f"The evaluations scored {len(before.per_query):,} and {len(after.per_query):,} queries, "
            "which are not the same ones.",
            fix="evaluate both on the same held-out data with the same settings.",
        )
    names = [metric] + [name for name in shared if name != metric]
    first = before.per_query[names].to_numpy(float).T
    second = after.per_query.loc[before.per_query.index, names].to_numpy(float).T
    differences = second - first
    differences[np.abs(differences) < _TIE] = 0.0
    lows, highs = mean_interval(differences, seed=seed, resamples=resamples)
    rows = [
        {
            "metric": name,
            "before": float(first[place].mean()),
            "after": float(second[place].mean()),
            "difference": float(differences[place].mean()),
            "low": float(lows[place]),
            "high": float(highs[place]),
        }
        for place, name in enumerate(names)
    ]
    deciding = differences[0]
    answer, explanation = _answer(deciding, rows[0]["low"], rows[0]["high"])
    return Verdict(
        **rows[0],
        wins=int((deciding > 0).sum()),
        losses=int((deciding < 0).sum()),
        ties=int((deciding == 0).sum()),
        queries=len(deciding),
        answer=answer,
        explanation=explanation,
        resamples=resamples,
        seed=seed,
        others=rows[1:],
    )


def mean_interval(
    differences: np.ndarray, *, seed: int, resamples: int, confidence: float = CONFIDENCE
) -> tuple[np.ndarray, np.ndarray]:
    """Return lower and upper ends of the BCa interval of each row's mean.

    Parameters
    ----------
    differences
        (metrics, queries). A row of one single value has no spread: both ends are that value.
    """
    from scipy.stats import bootstrap

    lows, highs = differences.mean(axis=1), differences.mean(axis=1)
    spread = np.ptp(differences, axis=1) > 0
    if spread.any():
        interval = bootstrap(
            (differences[spread],),
            np.mean,
            axis=1,
            n_resamples=resamples,
            batch=max(1, 4_000_000 // differences[spread].size),
            vectorized=True,
            confidence_level=confidence,
            method="BCa",
            rng=np.random.default_rng(seed),
        ).confidence_interval
        lows[spread], highs[spread] = interval.low, interval.high
    return lows, highs


def _answer(differences: np.ndarray, low: float, high: float) -> tuple[str, str]:
    unclear = "no difference shown"
    count, differing = len(differences), int((differences != 0).sum())
    if differing == 0:
        return unclear, f"Not one of the {count:,} queries changed."
    if count < QUERIES_MIN:
        return (
            unclear,
            f"{count} queries are too few to tell a gain from chance; at least {QUERIES_MIN} are needed.",
        )
    if differing < DIFFERING_MIN:
        return unclear, (
            f"Only {differing} of {count:,} queries changed; even if all had changed the same way, "
            f"that happens by chance. At least {DIFFERING_MIN} are needed."
        )
    if low > 0:
        return "better", ""
    if high < 0:
        return "worse", ""
    return unclear, _queries_needed(differences)


def _queries_needed(differences: np.ndarray) -> str:
    """Say how many queries a difference of this size needs to be shown four times out of five."""
    mean, spread = abs(differences.mean()), differences.std(ddof=1)
    needed = (_POWER_80 * spread / mean) ** 2 if mean > 0 else math.inf
    if needed > _NEEDED_MAX:
        return f"A difference this small would need more than {_NEEDED_MAX:,} queries to be shown."
    rounded = max(int(float(f"{needed:.2g}")), len(differences) + 1)
    return f"To show a difference of this size, about {rounded:,} queries would be needed."
