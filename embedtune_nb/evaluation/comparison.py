"""Two evaluations of the same rows side by side, and what chance alone would make of them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from embedtune_nb.evaluation.bootstrap import bca_intervals
from embedtune_nb.evaluation.permutation import swap_p_values
from embedtune_nb.evaluation.result import Evaluation
from embedtune_nb.evaluation.statistics import OF_VOTES, ROW_VALUES, STATISTICS, statistic, value_of
from embedtune_nb.evaluation.tails import opposed_p_values
from embedtune_nb.plan.metrics import lower_is_better

CONFIDENCE = 0.95
_TIE = 1e-9
# Ranking the rows of every resample anew: 40 million ranks take some 5 s on one core.
_RANKS_MAX, _RESAMPLES_MIN, _UNLIMITED = 40_000_000, 1_000, 10**9


def comparable(before: Evaluation, after: Evaluation) -> list[str]:
    """Return the metrics that both evaluations have and that can be resampled."""
    shared = [name for name in after.metrics if name in before.metrics]
    of_rows = [name for name in shared if name in after.per_query and name in before.per_query]
    return of_rows + [
        name
        for name in shared
        if name in STATISTICS
        and all(_has_inputs(name, part) for part in (before, after))
        and name not in of_rows
    ]


def _has_inputs(name: str, evaluation: Evaluation) -> bool:
    return evaluation.answers is not None and (name not in OF_VOTES or evaluation.votes is not None)


class Comparison:
    """Metrics of two evaluations, row by row and under resampling.

    Parameters
    ----------
    before, after
        Of the same rows.
    names
        Metrics of :func:`comparable`, or columns of `per_query`.
    index
        Ids of the rows that are compared; all by default.
    """

    def __init__(
        self, before: Evaluation, after: Evaluation, names: Sequence[str], index: pd.Index | None = None
    ) -> None:
        self.names = list(names)
        self.index = before.per_query.index if index is None else index
        self._parts = (before, after)
        self._rows = tuple(part.per_query.loc[self.index] for part in self._parts)
        self._changes = {name: self._change(name) for name in self.names if name in before.per_query}

    def __len__(self) -> int:
        return len(self.index)

    def values(self, name: str) -> dict[str, Any]:
        """Return `metric`, `before`, `after`, `difference`, and `wins`, `losses`, `ties` of single rows."""
        if name in self._changes:
            first, second = (float(rows[name].mean()) for rows in self._rows)
            difference = float(self._changes[name].mean())
        else:
            first, second = (value_of(name, *side) for side in self._inputs(name))
            difference = second - first
        gains = self.gains(name)
        return {
            "metric": name,
            "before": first,
            "after": second,
            "difference": difference,
            "wins": int((gains > 0).sum()),
            "losses": int((gains < 0).sum()),
            "ties": int((gains == 0).sum()),
        }

    def gains(self, name: str) -> np.ndarray:
        """Return how much better each row got, (rows,); of what rows do not have, their row value's gain."""
        of_rows = name if name in self._changes else ROW_VALUES[name]
        change = self._change(of_rows)
        return -change if lower_is_better(of_rows) else change

    def standard_error(self, name: str, group_of_row: np.ndarray) -> float | None:
        """Return the standard error of the difference of a mean, rows of a group taken together.

        None for what is no mean.
        """
        if name not in self._changes:
            return None
        change = self._changes[name]
        sums = np.bincount(group_of_row, weights=change - change.mean())
        groups = len(sums)
        return math.sqrt(float((sums**2).sum()) * groups / max(groups - 1, 1)) / len(change)

    def judge(self, group_of_row: np.ndarray, *, seed: int, resamples: int) -> list[dict[str, Any]]:
        """Return a row a metric, in the order of `names`.

        Parameters
        ----------
        group_of_row
            (rows,) numbers from 0 up of what is resampled and swapped as a whole.
        seed, resamples
            Of the bootstrap; the swaps of the permutation test are as many.

        Returns
        -------
        list of dict
            What :meth:`values` returns, with `low`, `high` (BCa interval of the difference), `p`
            (two-sided, by permutation), `opposed_p` (of rare large changes the other way) and `resamples`.
            Metrics that are no means may get fewer.
        """
        found: dict[str, dict[str, Any]] = {}
        for names, part, affordable in self._parts_of_metrics():
            here = min(resamples, affordable)
            lows, highs = bca_intervals(
                part.resampled, group_of_row, seed=seed, resamples=here, confidence=CONFIDENCE
            )
            p_values = swap_p_values(part.swapped, group_of_row, seed=seed, permutations=here)
            for name, low, high, p in zip(names, lows, highs, p_values, strict=True):
                found[name] = {
                    **self.values(name),
                    "low": float(low),
                    "high": float(high),
                    "p": float(p),
                    "opposed_p": self._opposed_p(name, group_of_row),
                    "resamples": here,
                }
        return [found[name] for name in self.names]

    def _parts_of_metrics(self) -> Iterator[tuple[list[str], Means | _Anew, int]]:
        """Yield metrics that are computed alike, how, and how many resamples they can afford."""
        if self._changes:
            changes = np.stack(list(self._changes.values()), axis=1)
            yield list(self._changes), Means(changes), _UNLIMITED
        anew = [name for name in self.names if name not in self._changes]
        ranked = max(_RESAMPLES_MIN, _RANKS_MAX // len(self))
        for affordable, names in (
            (ranked, [name for name in anew if name not in OF_VOTES]),
            (_RESAMPLES_MIN, [name for name in anew if name in OF_VOTES]),
        ):
            if names:
                yield names, _Anew([(name, self._inputs(name)) for name in names]), affordable

    def _opposed_p(self, name: str, group_of_row: np.ndarray) -> float:
        """Return the p-value of rare large changes the other way, a group's rows taken together.

        Sums of groups of unequal size are skewed by their sizes alone, so it is asked only where most
        groups are single rows; elsewhere 0.
        """
        if name not in self._changes:
            return 0.0
        change = self._changes[name]
        sums = np.bincount(group_of_row, weights=change - change.mean())
        if len(sums) < len(change) / 2:
            return 0.0
        return float(opposed_p_values(change.mean() + sums * len(sums) / len(change)))

    def _inputs(self, name: str) -> list[tuple[np.ndarray, np.ndarray]]:
        if name in OF_VOTES:
            return self._votes
        found = []
        for part in self._parts:
            assert part.answers is not None, "only metrics of `comparable` are compared"
            answers = part.answers.loc[self.index]
            found.append((answers["truth"].to_numpy(), answers["predicted"].to_numpy()))
        return found

    @cached_property
    def _votes(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return the right columns and the votes of both sides, with the same labels in the same order."""
        before, after = (part.votes.loc[self.index] for part in self._parts)  # type: ignore[union-attr]
        labels = before.columns.union(after.columns)
        found = []
        for part, votes in zip(self._parts, (before, after), strict=True):
            assert part.answers is not None, "only metrics of `comparable` are compared"
            columns = labels.get_indexer(part.answers.loc[self.index, "truth"])
            found.append((columns, votes.reindex(columns=labels, fill_value=0).to_numpy(float)))
        return found

    def _change(self, name: str) -> np.ndarray:
        change = self._rows[1][name].to_numpy(float) - self._rows[0][name].to_numpy(float)
        change[np.abs(change) < _TIE] = 0.0
        return change


class Means:
    """Metrics that are means of their rows, as functions of counts and of swaps.

    *changes* is (rows, metrics): after minus before.
    """

    def __init__(self, changes: np.ndarray) -> None:
        self._changes = changes

    def resampled(self, counts: np.ndarray) -> np.ndarray:
        """Return after minus before, (metrics, resamples), for counts of rows, (resamples, rows)."""
        return (counts @ self._changes / counts.sum(axis=1)[:, None]).T

    def swapped(self, swaps: np.ndarray) -> np.ndarray:
        """Return the same, (metrics, permutations), with the rows marked by 1.0 on the other side."""
        return ((1 - 2 * swaps) @ self._changes / swaps.shape[1]).T


class _Anew:
    """Metrics computed anew from each set of rows, as functions of counts and of swaps.

    *sides* has a row a metric: the truth and what was predicted, before and after.
    """

    def __init__(self, sides: list[tuple[str, list[tuple[np.ndarray, np.ndarray]]]]) -> None:
        self._alone = [[statistic(name, *side) for side in pair] for name, pair in sides]
        self._mixed = [
            statistic(name, *(np.concatenate(parts) for parts in zip(*pair, strict=True)))
            for name, pair in sides
        ]

    def resampled(self, counts: np.ndarray) -> np.ndarray:
        """As for means."""
        return np.stack([after(counts) - before(counts) for before, after in self._alone])

    def swapped(self, swaps: np.ndarray) -> np.ndarray:
        """As for means: each side takes a row from before or from after."""
        kept = 1 - swaps
        first, second = np.hstack([kept, swaps]), np.hstack([swaps, kept])
        return np.stack([mixed(second) - mixed(first) for mixed in self._mixed])
