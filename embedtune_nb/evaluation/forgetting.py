"""Forgetting: what tuning did to texts that have nothing to do with the task.

A fixed probe of short English sentences on 40 everyday topics ships with the package. Both models embed
it. Whether neighbours changed says that the space moved; whether sentences of one topic still find one
another says whether something general was lost with that.
"""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from embedtune_nb.errors import DataError

_FILE = Path(__file__).with_name("general_probe.txt")
#: Neighbours whose staying is counted.
NEIGHBORS = 10
_CONFIDENCE = 0.95
# Matrix products give one pair of vectors cosines that differ by about 1e-7 from place to place.
_DECIMALS = 6


@dataclass(frozen=True)
class GeneralProbe:
    """The sentences of the probe.

    Attributes
    ----------
    texts
        The sentences, those of one topic together.
    topics
        The topic of each.
    """

    texts: list[str]
    topics: list[str]


@cache
def general_probe() -> GeneralProbe:
    """Return the probe: 240 sentences, six of each of 40 topics, the same in every run."""
    texts, topics, topic = [], [], ""
    for line in _FILE.read_text(encoding="utf-8").splitlines():
        if line.startswith("# "):
            topic = line[2:]
        elif line:
            texts.append(line)
            topics.append(topic)
    return GeneralProbe(texts, topics)


@dataclass(frozen=True)
class Forgetting:
    """What became of the general probe.

    Attributes
    ----------
    neighbors_kept
        Mean share of a sentence's ten nearest sentences that are among the ten nearest still; 1 where
        nothing moved. Blind to a rotation of the whole space, which changes no search.
    drift
        Mean cosine distance, 0 to 2, between a sentence's vector before and after: how far the vectors
        of an index have moved. None where the two models have vectors of different length.
    topics_before, topics_after
        Share of a sentence's five nearest sentences that are of its topic (each topic has six), mean
        over all sentences.
    low, high
        95 % t-interval of the change of that share; topics count as the independent units.
    texts
        Sentences in the probe.
    """

    neighbors_kept: float
    drift: float | None
    topics_before: float
    topics_after: float
    low: float
    high: float
    texts: int

    @property
    def change(self) -> float:
        """The share of neighbours of the own topic, after minus before."""
        return self.topics_after - self.topics_before

    @property
    def standard_error(self) -> float:
        """Of the change, topics being the independent units."""
        quantile = stats.t.ppf((1 + _CONFIDENCE) / 2, len(set(general_probe().topics)) - 1)
        return float((self.high - self.low) / 2 / quantile)

    @property
    def answer(self) -> str:
        """``"forgotten"`` or ``"gained"`` where the interval excludes zero, else ``"no loss shown"``."""
        if self.high < 0:
            return "forgotten"
        return "gained" if self.low > 0 else "no loss shown"

    @property
    def text(self) -> str:
        """The finding as a sentence."""
        moved = "" if self.drift is None else f", drift {self.drift:.3f}"
        return (
            f"General probe ({self.texts} sentences): {self.answer}, neighbours of the same topic "
            f"{self.topics_before:.3f} -> {self.topics_after:.3f}, {self.change:+.3f} "
            f"[{self.low:+.3f}, {self.high:+.3f}]; {self.neighbors_kept:.0%} of neighbours kept{moved}"
        )

    def __str__(self) -> str:
        return self.text

    __repr__ = __str__

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as JSON-able values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Forgetting:
        """Restore what :meth:`to_dict` gave."""
        return cls(**values)

    def to_frame(self) -> pd.DataFrame:
        """Return one row a figure: `measure`, `before`, `after`; a measure of change has no before."""
        return pd.DataFrame(
            [
                ("neighbours of the same topic", self.topics_before, self.topics_after),
                ("neighbours kept", None, self.neighbors_kept),
                ("drift", None, self.drift),
            ],
            columns=["measure", "before", "after"],
        ).astype({"before": float, "after": float})

    def metrics(self) -> dict[str, float]:
        """Return the figures that make curves during training, by name."""
        drift = {} if self.drift is None else {"forgetting/drift": self.drift}
        return {
            "forgetting/topics": self.topics_after,
            "forgetting/neighbors_kept": self.neighbors_kept,
            **drift,
        }

    def _repr_html_(self) -> str:
        return f"<div>{html.escape(self.text)}</div>"


def forgetting(before: np.ndarray, after: np.ndarray) -> Forgetting:
    """Compare what two models make of the general probe.

    Parameters
    ----------
    before, after
        (240, d) and (240, e) unit vectors of :func:`general_probe`'s texts, in their order.

    Raises
    ------
    DataError
        If these are not as many vectors as there are texts.
    """
    probe = general_probe()
    if not len(before) == len(after) == len(probe.texts):
        raise DataError(
            f"Got {len(before)} and {len(after)} vectors of the general probe.",
            expected=f"{len(probe.texts)} of each model",
            fix="embed general_probe().texts, in their order, with both models.",
        )
    topic, names = pd.factorize(np.array(probe.topics))
    same = len(topic) // len(names) - 1
    old, new = _nearest(before), _nearest(after)
    kept = [len(np.intersect1d(a, b)) for a, b in zip(old[:, :NEIGHBORS], new[:, :NEIGHBORS], strict=True)]
    own = [(topic[rows[:, :same]] == topic[:, None]).mean(axis=1) for rows in (old, new)]
    low, high = _t_interval(np.bincount(topic, own[1] - own[0]) / np.bincount(topic))
    comparable = before.shape[1] == after.shape[1]
    cosines = np.einsum("nd,nd->n", before, after, dtype=np.float64) if comparable else None
    return Forgetting(
        neighbors_kept=float(np.mean(kept)) / NEIGHBORS,
        drift=None if cosines is None else max(0.0, float(1 - cosines.mean())),
        topics_before=float(own[0].mean()),
        topics_after=float(own[1].mean()),
        low=low,
        high=high,
        texts=len(probe.texts),
    )


def _nearest(vectors: np.ndarray) -> np.ndarray:
    """Return for every text the numbers of all others, (n, n - 1), nearest first, ties in order."""
    cosines = np.round(vectors @ vectors.T, _DECIMALS)
    np.fill_diagonal(cosines, -np.inf)
    return np.argsort(-cosines, axis=1, kind="stable")[:, :-1]


def _t_interval(values: np.ndarray) -> tuple[float, float]:
    half = stats.t.ppf((1 + _CONFIDENCE) / 2, len(values) - 1) * stats.sem(values)
    return float(values.mean() - half), float(values.mean() + half)
