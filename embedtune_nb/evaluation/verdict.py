"""Better, worse, or no difference shown: a paired comparison on queries that chose nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np
import pandas as pd

from embedtune_nb.errors import DataError
from embedtune_nb.evaluation.comparison import CONFIDENCE, Comparison, comparable
from embedtune_nb.evaluation.correction import holm
from embedtune_nb.evaluation.decision import UNCLEAR, decide_row, why_unclear
from embedtune_nb.evaluation.figures import figures
from embedtune_nb.evaluation.grouping import Grouping, grouping_of
from embedtune_nb.evaluation.metrics import display_name
from embedtune_nb.evaluation.result import Evaluation
from embedtune_nb.evaluation.slices import judge_slices
from embedtune_nb.evaluation.verdict_html import verdict_html

_WIDTH = 2 * 1.96  # of a 95 % interval, in standard errors
_METRIC_COLUMNS = ("metric", "before", "after", "difference", "low", "high", "wins", "losses", "ties")
_TEST_COLUMNS = ("p", "p_adjusted", "answer")


@dataclass(frozen=True)
class Verdict:
    """The paired comparison of two evaluations of the same queries, texts, triplets or pairs.

    It is about these two models. How much two runs differ by their seed alone is another question, which
    ``model.noise_floor()`` answers.

    Attributes
    ----------
    metric, before, after, difference
        The deciding metric, its two values, and after minus before.
    low, high, confidence
        Interval of the difference (BCa bootstrap over queries, or over groups of them).
    wins, losses, ties, queries
        Queries (or what `unit` says) on which it got better, worse, stayed. Of a metric that single
        rows do not have: on which the error (scores), the rank error (pairs) or the answer (labels) did.
    answer
        ``"better"`` (the interval lies wholly on the good side of zero: below it for an error, and the
        permutation test agrees at the level that so many rows allow: 4 % for 50, nearly 5 % for 500),
        ``"worse"`` (wholly on the other) or ``"no difference shown"``.
    explanation
        Why nothing is shown and what would help; empty for a clear answer.
    resamples, seed
        Of the bootstrap and of the permutation test.
    others
        The other metrics: dicts of metric, before, after, difference, low, high, wins, losses, ties, `p`,
        `p_adjusted`, `answer` and how many `resamples` they rest on. The deciding metric was named
        beforehand and stands by itself; the others are corrected for how many they are (Holm), so an
        interval beside zero may go with "no difference shown".
    unit
        What `queries` counts: ``"queries"``, ``"texts"``, ``"triplets"`` or ``"pairs"``.
    note
        What was done otherwise than asked, such as fewer resamples, or resampling by group.
    p
        Two-sided p-value of the permutation test; None in verdicts of earlier versions.
    opposed_p
        P-value where rare large changes speak against the answer, else 0; see
        :mod:`embedtune_nb.evaluation.tails`. Above the level it takes the answer back.
    groups
        How many groups were resampled as a whole; None where each row stands for itself.
    slices
        The same within parts of the rows: dicts with `by` (label, length or group), `slice` and `queries`
        beside what the metrics have, corrected among themselves (Holm).
    slices_note
        What was too small to be judged by itself.
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
    p: float | None = None
    opposed_p: float = 0.0
    groups: int | None = None
    slices: list[dict[str, Any]] = field(default_factory=list)
    slices_note: str = ""

    @property
    def text(self) -> str:
        """The verdict line, followed by the explanation where there is one."""
        return f"{self}. {self.explanation}" if self.explanation else str(self)

    def to_frame(self) -> pd.DataFrame:
        """Return one row a metric, the deciding one first: values, interval, rows, p-values, answer."""
        columns = [*_METRIC_COLUMNS, *_TEST_COLUMNS]
        return pd.DataFrame([vars(self), *self.others]).reindex(columns=columns)

    def slice_frame(self) -> pd.DataFrame:
        """Return one row a slice: what it is cut by, its name and size, then as :meth:`to_frame`."""
        columns = ["by", "slice", "queries", *_METRIC_COLUMNS, *_TEST_COLUMNS]
        return pd.DataFrame(self.slices, columns=columns).rename(columns={"queries": self.unit})

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
        """Restore what `to_dict` gave, in this version or another."""
        known = {part.name for part in fields(cls)}
        return cls(**{name: value for name, value in values.items() if name in known})


def paired_verdict(
    before: Evaluation, after: Evaluation, *, metric: str | None = None, seed: int, resamples: int = 10_000
) -> Verdict:
    """Compare two evaluations row by row.

    The interval is the bias-corrected and accelerated bootstrap (Efron, 1987) over rows, the same
    resamples for every metric; the p-value that of a permutation test that swaps before and after. Rows
    that belong together (a group of the data, a shared text or document) are resampled and swapped as one.
    Correlations, areas, RMSE, R² and macro F1 are computed anew in each resample.

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
    names = comparable(before, after)
    _require_comparable(before, after, metric, names)
    names = [metric] + [name for name in names if name != metric]
    comparison = Comparison(before, after, names)
    traits = after.traits if after.traits is not None else before.traits
    if traits is not None:
        traits = traits.loc[comparison.index]
    grouping = grouping_of(traits, len(comparison), after.unit)
    rows = comparison.judge(grouping.of_row, seed=seed, resamples=resamples)
    main, *others = rows
    main["answer"] = decide_row(main, main["p"], grouping.groups)
    for row, p in zip(others, holm(np.array([row["p"] for row in others])), strict=True):
        row |= {"p_adjusted": float(p), "answer": decide_row(row, float(p), grouping.groups)}
    slices, slices_note = judge_slices(before, after, metric, seed=seed, resamples=resamples)
    return Verdict(
        **main,
        queries=len(comparison),
        explanation=_explanation(comparison, main, grouping, after.unit),
        seed=seed,
        others=others,
        unit=after.unit,
        note=" ".join(filter(None, [grouping.note, _fewer(main, resamples, len(comparison))])),
        groups=grouping.groups,
        slices=slices,
        slices_note=slices_note,
    )


def _require_comparable(before: Evaluation, after: Evaluation, metric: str, names: list[str]) -> None:
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


def _explanation(comparison: Comparison, row: dict[str, Any], grouping: Grouping, unit: str) -> str:
    if row["answer"] != UNCLEAR:
        return ""
    error = comparison.standard_error(row["metric"], grouping.of_row)
    return why_unclear(
        row, groups=grouping.groups, error=error or (row["high"] - row["low"]) / _WIDTH, unit=unit
    )


def _fewer(row: dict[str, Any], asked: int, rows: int) -> str:
    if row["resamples"] == asked:
        return ""
    return (
        f"The interval rests on {row['resamples']:,} resamples, not {asked:,}: in each, "
        f"{display_name(row['metric'])} is computed anew from {rows:,} rows."
    )
