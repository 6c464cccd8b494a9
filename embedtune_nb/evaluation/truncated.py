"""Matryoshka: what is left of the quality when only the first numbers of every vector are kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from embedtune_nb.data.datasource import Datasource
from embedtune_nb.evaluation.evaluate import evaluate
from embedtune_nb.evaluation.metrics import directed_name
from embedtune_nb.evaluation.result import Evaluation
from embedtune_nb.evaluation.vectors import Progress, TextEncoder, VectorCache
from embedtune_nb.plan.metrics import lower_is_better


class TruncatedEncoder:
    """The first numbers of another encoder's vectors, scaled to length 1 again.

    Parameters
    ----------
    encoder
        The other encoder.
    dimension
        How many numbers are kept.
    cache
        Vectors of *encoder* that are known already.
    """

    def __init__(self, encoder: TextEncoder, dimension: int, cache: VectorCache) -> None:
        self._encoder, self._dimension, self._cache = encoder, dimension, cache

    def embed(self, texts: list[str], *, role: Any, progress: Progress | None) -> np.ndarray:
        """Return (n, dimension) float32 unit vectors."""
        vectors = self._cache.embed(self._encoder, texts, role=role, progress=progress)[:, : self._dimension]
        return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def score_truncated(
    encoder: TextEncoder,
    data: Datasource,
    dimensions: Sequence[int],
    *,
    reference: Datasource | None,
    settings: Mapping[str, Any],
    progress: Progress | None,
    cache: VectorCache,
) -> dict[int, float]:
    """Return the deciding metric at each of *dimensions*; other parameters as for ``evaluate``."""
    scores = {}
    for dimension in dimensions:
        shorter = TruncatedEncoder(encoder, dimension, cache)
        evaluation = evaluate(shorter, data, reference=reference, settings=settings, progress=progress)
        scores[int(dimension)] = evaluation.metrics[evaluation.primary]
    return scores


def retention_table(before: Evaluation, after: Evaluation) -> list[dict[str, Any]]:
    """Return one row a dimension, largest first: `dimension`, `before`, `after`, its `retention`."""
    whole = after.metrics[after.primary]
    return [
        {
            "dimension": size,
            "before": before.truncated.get(size),
            "after": after.truncated[size],
            "retention": retention(after.primary, whole, after.truncated[size]),
        }
        for size in sorted(after.truncated, reverse=True)
    ]


def retention_line(before: Evaluation, after: Evaluation) -> str:
    """Return the table as a sentence; empty where nothing was truncated."""
    said = ", ".join(
        f"{row['dimension']}: {row['after']:.3f}" + _share(row["retention"]) + f" (base {row['before']:.3f})"
        for row in retention_table(before, after)
    )
    return f"{directed_name(after.primary)} with fewer dimensions: {said}." if said else ""


def _share(kept: float | None) -> str:
    return "" if kept is None else f", {kept:.0%} kept"


def retention(metric: str, whole: float, truncated: float) -> float | None:
    """Return the share of the whole vector's quality that a truncated one keeps.

    Of an error, which grows, it is the whole vector's error as a share of the truncated one's. None
    where the whole vector shows no quality to keep.
    """
    if lower_is_better(metric):
        return whole / truncated if truncated > 0 else None
    return truncated / whole if whole > 0 else None
