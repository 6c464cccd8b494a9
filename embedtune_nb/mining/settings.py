"""What can be asked of mining, checked before anything is embedded."""

from __future__ import annotations

import math
import numbers
from dataclasses import dataclass
from typing import Any, Literal

from embedtune_nb.errors import DataError, did_you_mean

STRATEGIES = {
    "model": "the nearest documents by embedding",
    "bm25": "the documents with the most words of the query, weighted by rarity",
    "partial_match": "documents that hold some of what is asked, but not all",
    "same_group": "the nearest documents of the same group, or of the labels nearest to the row's own "
    "(domain confusion)",
    "contradiction": "hypotheses that contradict the premise (nli data)",
}
#: Candidates must score at least this share below their positive where a model judges (as in NV-Retriever,
#: Moreira et al. 2024, which found 95 % of the positive's score the best limit).
RELATIVE_MARGIN = 0.05
#: Share of the query's words, weighted by idf, that a partial match holds.
PARTIAL = (0.3, 0.8)


@dataclass(frozen=True)
class Settings:
    """The arguments of ``Datasource.mine_hard_negatives``, checked."""

    strategy: str
    per_row: int
    rank_range: tuple[int, int]
    score_range: tuple[float, float] | None
    absolute_margin: float | None
    relative_margin: float | None
    order: Literal["source", "easy_to_hard"]
    pick: Literal["hardest", "random"]
    seed: int

    @property
    def has_margin(self) -> bool:
        """Whether a score too near to that of the positive makes a candidate suspect."""
        return self.absolute_margin is not None or self.relative_margin is not None


def check_settings(
    strategy: str,
    *,
    judged: bool,
    per_row: Any,
    rank_range: Any,
    score_range: Any,
    absolute_margin: Any,
    relative_margin: Any,
    order: Any,
    pick: Any,
    seed: Any,
) -> Settings:
    """Return the settings, or raise a DataError that says what is wrong with which.

    Parameters
    ----------
    judged
        Whether ``relative_margin="auto"`` is a margin: a model scores, and nothing better is known.
    """
    if strategy not in STRATEGIES:
        raise DataError(
            f"There is no strategy {strategy!r}.",
            expected="; ".join(f"{name!r}: {meaning}" for name, meaning in STRATEGIES.items()),
            fix=did_you_mean(str(strategy), STRATEGIES) + "Choose one of them.",
        )
    if not _whole(per_row) or per_row < 1:
        raise DataError(f"per_row is {per_row!r}.", expected="a whole number from 1: negatives for each row")
    if not _whole(seed) or seed < 0:
        raise DataError(f"seed is {seed!r}.", expected="a whole number from 0")
    ranks = _pair("rank_range", rank_range, "two whole ranks such as (1, 100); 1 is the nearest")
    if not all(_whole(rank) for rank in ranks) or not 1 <= ranks[0] <= ranks[1]:
        raise DataError(
            f"rank_range is {rank_range!r}.", expected="two whole ranks such as (1, 100); 1 is the nearest"
        )
    if score_range is not None:
        score_range = _pair("score_range", score_range, "two numbers, the lower first")
        if score_range[0] > score_range[1]:
            raise DataError(f"score_range is {score_range!r}.", expected="the lower number first")
    elif strategy == "partial_match":
        score_range = PARTIAL
    if relative_margin == "auto":
        relative_margin = RELATIVE_MARGIN if judged else None
    for name, margin, most in (
        ("absolute_margin", absolute_margin, math.inf),
        ("relative_margin", relative_margin, 1.0),
    ):
        if margin is not None and (not _number(margin) or not 0 <= margin < most):
            raise DataError(
                f"{name} is {margin!r}.",
                expected="None, or a number from 0" + (" to below 1" if most == 1 else ""),
            )
    for name, value, options in (
        ("order", order, ("source", "easy_to_hard")),
        ("pick", pick, ("hardest", "random")),
    ):
        if value not in options:
            raise DataError(
                f"{name} is {value!r}.",
                expected=" or ".join(map(repr, options)),
                fix=did_you_mean(str(value), options) + "Choose one of them.",
            )
    return Settings(
        strategy, per_row, ranks, score_range, absolute_margin, relative_margin, order, pick, seed
    )


def _pair(name: str, value: Any, expected: str) -> tuple[Any, Any]:
    if isinstance(value, (tuple, list)) and len(value) == 2 and all(_number(part) for part in value):
        return value[0], value[1]
    raise DataError(f"{name} is {value!r}.", expected=expected)


def _number(value: Any) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool) and not math.isnan(value)


def _whole(value: Any) -> bool:
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)
