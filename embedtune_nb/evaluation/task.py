"""What every evaluation is given, and the checks of its settings."""

from __future__ import annotations

import numbers
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from embedtune_nb.data.datasource import Datasource
from embedtune_nb.errors import DataError, PlanError, did_you_mean
from embedtune_nb.evaluation.vectors import Progress, TextEncoder, VectorCache, embed_roles

NEIGHBOR_COUNT = 5
WEIGHTINGS = ("similarity", "uniform")


@dataclass(frozen=True)
class Task:
    """One encoder, the data that it is scored on, and how.

    Parameters are those of :func:`embedtune_nb.evaluation.evaluate.evaluate`.
    """

    encoder: TextEncoder
    data: Datasource
    reference: Datasource | None
    settings: Mapping[str, Any]
    progress: Progress | None
    cache: VectorCache

    def embed(self, texts_by_role: Mapping[Any, list[str]]) -> dict[Any, np.ndarray]:
        """Return unit vectors by role, (texts, dimension), each distinct text embedded once."""
        return embed_roles(self.encoder, texts_by_role, self.progress, self.cache)

    def metric(self, known: Sequence[str]) -> str:
        """Return the metric that decides: the one asked for, else the first of *known*."""
        wanted = self.settings.get("metric") or known[0]
        if wanted not in known:
            raise PlanError(
                f"{wanted!r} is no metric of {self.data.kind} data. {did_you_mean(wanted, known)}".strip(),
                expected=" or ".join(map(repr, known)),
            )
        return wanted

    @property
    def seed(self) -> int:
        """The seed of samples; 0 unless one is set."""
        return check_seed(self.settings.get("seed") or 0)

    @property
    def neighbor_count(self) -> int:
        """How many neighbours are asked."""
        return check_neighbor_count(self.settings.get("neighbor_count"))

    @property
    def weighted(self) -> bool:
        """Whether neighbours vote with their similarity, and not all alike."""
        return check_weighting(self.settings.get("neighbor_weighting")) == WEIGHTINGS[0]

    def pool(self) -> Datasource:
        """Return the reference, whose texts are asked for their label or score."""
        if len(self.data) == 0 or self.reference is None or len(self.reference) == 0:
            raise DataError(
                "Labels and scores are judged by nearest neighbours in a reference set, and "
                + ("there is nothing to judge." if len(self.data) == 0 else "none was given."),
                fix="pass held-out texts as `data` and the training part as `reference`.",
            )
        return self.reference


def check_seed(seed: Any) -> int:
    """Return *seed* if it can start a random generator.

    Raises
    ------
    PlanError
        If it is no whole number from 0 to 2**32 - 1.
    """
    if not _whole(seed) or not 0 <= seed < 2**32:
        raise PlanError(f"seed is {seed!r}.", expected="a whole number from 0", fix="give such a number.")
    return int(seed)


def check_neighbor_count(count: Any) -> int:
    """Return how many neighbours are asked: *count*, or 5 for None.

    Raises
    ------
    PlanError
        If it is no whole number from 1.
    """
    count = NEIGHBOR_COUNT if count is None else count
    if not _whole(count) or count < 1:
        raise PlanError(f"neighbor_count is {count!r}.", expected="a whole number from 1")
    return int(count)


def check_weighting(weighting: Any) -> str:
    """Return how neighbours vote: *weighting*, or ``"similarity"`` for None.

    Raises
    ------
    PlanError
        If there is no such weighting.
    """
    weighting = weighting or WEIGHTINGS[0]
    if weighting not in WEIGHTINGS:
        raise PlanError(
            f"neighbor_weighting is {weighting!r}. {did_you_mean(str(weighting), WEIGHTINGS)}".strip(),
            expected=" or ".join(map(repr, WEIGHTINGS)),
        )
    return str(weighting)


def _whole(value: Any) -> bool:
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)
