"""Better, worse, or no difference shown: a paired comparison on queries that chose nothing."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from embedtune_nb.errors import DataError
from embedtune_nb.evaluation.bootstrap import bca_intervals
from embedtune_nb.evaluation.figures import figures
from embedtune_nb.evaluation.metrics import display_name
from embedtune_nb.evaluation.result import Evaluation
from embedtune_nb.evaluation.statistics import ROW_VALUES, STATISTICS, statistic, value_of
from embedtune_nb.evaluation.verdict_html import verdict_html
from embedtune_nb.plan.metrics import lower_is_better

CONFIDENCE = 0.95
_UNCLEAR = "no difference shown"
# Below 20 queries bootstrap intervals come out too narrow: with 8 to 12 queries and no true difference about
# 11 % of them excluded zero where 5 % should.
QUERIES_MIN = 20
# If k queries differ, chance alone lets all of them point one way with
# probability 2 ** (1 - k): under 5 % from 6.
DIFFERING_MIN = 6
_TIE = 1e-9
_POWER_80 = 1.96 + 0.84
_WIDTH = 2 * 1.96  # of a 95 % interval, in standard errors
_NEEDED_MAX = 100_000
# Ranking the rows of every resample anew: 40 million ranks take some 5 s on one core.
_RANKS_MAX, _RESAMPLES_MIN = 40_000_000, 1_000


@dataclass(frozen=True)
class Verdict:
    """The paired comparison of two evaluations of the same queries, texts, triplets or pairs.

    Attributes
    ----------
    metric, before, after, difference
        The deciding metric, its two values, and after minus before.
    low, high, confidence
        Interval of the difference (BCa bootstrap over queries).
    wins, losses, ties, queries
        Queries (or what `unit` says) on which it got better, worse, stayed. Of a metric that single
        rows do not have: on which the error (scores), the rank error (pairs) or the answer (labels) did.
    answer
        ``"better"`` (the interval lies wholly on the good side of zero: below it for an error),
        ``"worse"`` (wholly on the other) or ``"no difference shown"``.
    explanation
        Why nothing is shown and what would help; empty for a clear answer.
    resamples, seed
        Of the bootstrap.
    others
        The other metrics: dicts of metric, before, after, difference, low, high.
    unit
        What `queries` counts: ``"queries"``, ``"texts"``, ``"triplets"`` or ``"pairs"``.
    note
        What was done otherwise than asked, such as fewer resamples.
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
    unit: str = "queries"
    note: str = ""

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
    """Compare two evaluations row by row.

    The interval is the bias-corrected and accelerated bootstrap (Efron, 1987) over rows, the same
    resamples for every metric. Correlations, RMSE, R² and macro F1 are computed anew in each resample.

    Parameters
    ----------
    before, after
        Evaluations of the same queries, texts, triplets or pairs.
    metric
        The metric that decides. Default: the primary one of *after*.
    seed
        Of the resamples.
    resamples
        How many; with more than 4,000 rows, metrics that are computed anew get fewer, which `note` tells.

    Raises
    ------
    DataError
        If the two did not score the same rows, or the metric can not be resampled.
    """
    metric = metric or after.primary
    names = _comparable(before, after)
    if metric not in names:
        raise DataError(
            f"{display_name(metric)} has no value for single {after.unit} in both evaluations.",
            expected=f"one of {', '.join(names) or 'the metrics of single rows'}",
        )
    if before.per_query.empty or set(before.per_query.index) != set(after.per_query.index):
        raise DataError(
            f"The evaluations scored {len(before.per_query):,} and {len(after.per_query):,} {after.unit}, "
            "which are not the same ones.",
            fix="evaluate both on the same held-out data with the same settings.",
        )
    names = [metric] + [name for name in names if name != metric]
    comparison = _Comparison(before, after, names)
    used, note = _affordable(resamples, len(before.per_query), names)
    lows, highs = bca_intervals(
        comparison.differences, len(before.per_query), seed=seed, resamples=used, confidence=CONFIDENCE
    )
    rows = [
        {**comparison.values(name), "low": float(lows[place]), "high": float(highs[place])}
        for place, name in enumerate(names)
    ]
    gains = comparison.gains(metric)
    low, high = rows[0]["low"], rows[0]["high"]
    if lower_is_better(metric):
        low, high = -high, -low
    answer, explanation = _answer(gains, low, high, after.unit)
    if answer == _UNCLEAR and not explanation:
        error = comparison.standard_error(metric) or (high - low) / _WIDTH
        explanation = _rows_needed(len(gains), error, abs(rows[0]["difference"]), after.unit)
    return Verdict(
        **rows[0],
        wins=int((gains > 0).sum()),
        losses=int((gains < 0).sum()),
        ties=int((gains == 0).sum()),
        queries=len(gains),
        answer=answer,
        explanation=explanation,
        resamples=used,
        seed=seed,
        others=rows[1:],
        unit=after.unit,
        note=note,
    )


def _comparable(before: Evaluation, after: Evaluation) -> list[str]:
    """Return the metrics that both evaluations have and that can be resampled."""
    of_rows = [
        name for name in after.per_query.columns if name in before.per_query.columns and name in after.metrics
    ]
    if before.answers is None or after.answers is None:
        return of_rows
    return of_rows + [name for name in after.metrics if name in STATISTICS and name in before.metrics]


class _Comparison:
    """The rows of two evaluations side by side, and their metrics under resampling."""

    def __init__(self, before: Evaluation, after: Evaluation, names: list[str]) -> None:
        self.names = names
        index = before.per_query.index
        self._rows = (before.per_query, after.per_query.loc[index])
        self._answers = None
        if before.answers is not None and after.answers is not None:
            self._answers = tuple(
                (part.loc[index, "truth"].to_numpy(), part.loc[index, "predicted"].to_numpy())
                for part in (before.answers, after.answers)
            )
        self._changes = {name: self._change(name) for name in names if name in before.per_query}
        self._means = np.stack([*self._changes.values(), np.zeros(len(index))], axis=1)
        self._statistics = {
            name: [statistic(name, *side) for side in self._answers or ()]
            for name in names
            if name not in self._changes
        }

    def values(self, name: str) -> dict[str, Any]:
        """Return the metric before, after, and the difference."""
        if name in self._changes:
            first, second = (float(rows[name].mean()) for rows in self._rows)
            return {
                "metric": name,
                "before": first,
                "after": second,
                "difference": float(self._changes[name].mean()),
            }
        first, second = (value_of(name, *side) for side in self._answers or ())
        return {"metric": name, "before": first, "after": second, "difference": second - first}

    def differences(self, counts: np.ndarray) -> np.ndarray:
        """Return all differences, (metrics, resamples), for counts of rows, (resamples, rows)."""
        means = dict(zip(self._changes, (counts @ self._means / counts.sum(axis=1)[:, None]).T, strict=False))
        anew = {name: after(counts) - before(counts) for name, (before, after) in self._statistics.items()}
        return np.stack([{**means, **anew}[name] for name in self.names])

    def gains(self, name: str) -> np.ndarray:
        """Return how much better each row got, (rows,)."""
        of_rows = name if name in self._changes else ROW_VALUES[name]
        change = self._change(of_rows)
        return -change if lower_is_better(of_rows) else change

    def standard_error(self, name: str) -> float | None:
        """Return the standard error of the difference of a mean; None for what is no mean."""
        if name not in self._changes:
            return None
        change = self._changes[name]
        return float(change.std(ddof=1)) / math.sqrt(len(change))

    def _change(self, name: str) -> np.ndarray:
        change = self._rows[1][name].to_numpy(float) - self._rows[0][name].to_numpy(float)
        change[np.abs(change) < _TIE] = 0.0
        return change


def _affordable(resamples: int, rows: int, names: list[str]) -> tuple[int, str]:
    if not any(name in STATISTICS for name in names) or resamples * rows <= _RANKS_MAX:
        return resamples, ""
    used = min(resamples, max(_RESAMPLES_MIN, _RANKS_MAX // rows))
    return used, f"The interval rests on {used:,} resamples, not {resamples:,}: there are {rows:,} rows."


def _answer(gains: np.ndarray, low: float, high: float, unit: str) -> tuple[str, str]:
    """Return the answer and, where the rows are too few, why; *low* and *high* are the ends of the gain."""
    count, differing = len(gains), int((gains != 0).sum())
    if differing == 0:
        return _UNCLEAR, f"Not one of the {count:,} {unit} changed."
    if count < QUERIES_MIN:
        return (
            _UNCLEAR,
            f"{count} {unit} are too few to tell a gain from chance; at least {QUERIES_MIN} are needed.",
        )
    if differing < DIFFERING_MIN:
        return _UNCLEAR, (
            f"Only {differing} of {count:,} {unit} changed; even if all had changed the same way, "
            f"that happens by chance. At least {DIFFERING_MIN} are needed."
        )
    if low > 0:
        return "better", ""
    if high < 0:
        return "worse", ""
    return _UNCLEAR, ""


def _rows_needed(count: int, error: float, size: float, unit: str) -> str:
    """Say how many rows a difference of this size needs to be shown four times out of five.

    *error* is the standard error of the difference; it shrinks with the root of the rows.
    """
    needed = count * (_POWER_80 * error / size) ** 2 if size > 0 else math.inf
    if needed > _NEEDED_MAX:
        return f"A difference this small would need more than {_NEEDED_MAX:,} {unit} to be shown."
    rounded = max(int(float(f"{needed:.2g}")), count + 1)
    return f"To show a difference of this size, about {rounded:,} {unit} would be needed."
