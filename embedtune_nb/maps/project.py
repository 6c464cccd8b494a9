"""Two aligned maps of the same texts, before and after, with what a reader needs to trust them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from embedtune_nb.errors import DataError
from embedtune_nb.maps import layout
from embedtune_nb.maps.align import align, standardise
from embedtune_nb.maps.change import displacement, kept_share, trust
from embedtune_nb.maps.neighbors import self_and_neighbors, unit_vectors
from embedtune_nb.maps.numba_cache import NumbaCache, keep_compiled, prepare_numba_cache

Progress = Callable[[str, int, int], None]

NEIGHBORS_SHOWN = 10
# Fewer different texts than this make no neighbourhoods that UMAP could lay out.
TEXTS_MIN = 15
# Principal components have no chance in them; their movement is counted in twentieths of the radius,
# about what identical texts move on a UMAP.
_UNIT_WITHOUT_NOISE = 0.05
_COMPILING = "compiling the map code (only the first time on this machine, about a minute)"


@dataclass
class Projection:
    """The same texts on two maps.

    Attributes
    ----------
    frame
        One row a text, in the order given: `x_before`, `y_before`, `x_after`, `y_after` (in radii of
        the before map), `kept` (share of its 10 nearest texts in the full space that a text kept),
        `moved` (displacement in units of the noise floor), `neighbors_before`, `neighbors_after`
        (lists of rows, nearest first).
    meta
        `trust_before`, `trust_after` (trustworthiness, None where there are too few texts),
        `noise_floor` (mean displacement of identical data, in radii), `kept_mean`, `neighbors`, `n`,
        `seed`, `recipe`.
    """

    frame: pd.DataFrame
    meta: dict[str, Any]

    def __repr__(self) -> str:
        return (
            f"Projection of {self.meta['n']:,} texts: {self.meta['kept_mean']:.0%} of neighbours kept, "
            f"identical data would move {self.meta['noise_floor']:.2f} of the radius. {self.meta['recipe']}"
        )


def project(
    before: np.ndarray,
    after: np.ndarray,
    *,
    neighbors: int = 15,
    seed: int = 0,
    progress: Progress | None = None,
) -> Projection:
    """Map the same texts before and after, so that what moves on the map has moved in the vectors.

    Before: exact neighbours, UMAP from principal components. After: its own neighbours, laid out in
    small steps from the before positions, then turned onto them. The step from before to after is
    also made with the before vectors alone, under another seed: so far would identical data move.

    Parameters
    ----------
    before, after
        (n, d) vectors of the same texts in the same order; compared by cosine. The two may differ in d.
    neighbors
        Neighbours per text in UMAP, the text itself included; at least 2.
    seed
        The same seed and vectors give the same maps.
    progress
        Called with a phase, steps done and steps in all.

    Raises
    ------
    DataError
        If the numbers of texts differ, there are none, or values are not finite.
    """
    if neighbors < 2:
        raise DataError(f"neighbors={neighbors}.", expected="a whole number from 2")
    before, after = unit_vectors(before, "before"), unit_vectors(after, "after")
    if len(before) != len(after):
        raise DataError(
            f"There are {len(before):,} vectors before and {len(after):,} after.",
            expected="the same texts in the same order on both sides",
        )
    report = progress or (lambda phase, done, total: None)
    different = len(np.unique(before, axis=0))
    if different < TEXTS_MIN or before.shape[1] < 2:
        reason = f"{different} different texts are too few for UMAP"
        return _small(before, after, neighbors, seed, reason, report)
    return _umap(before, after, neighbors, seed, report)


def _umap(before: np.ndarray, after: np.ndarray, neighbors: int, seed: int, report: Progress) -> Projection:
    cache = prepare_numba_cache()
    with ThreadPoolExecutor(2) as pool:
        ready = pool.submit(_load_umap, cache, report)
        if not cache.warm:
            ready.result()
        report("finding neighbours", 0, 4)
        wanted = max(neighbors - 1, NEIGHBORS_SHOWN)
        near_before, near_after = (self_and_neighbors(vectors, wanted) for vectors in (before, after))
        ready.result()
        graph_before, graph_after = (
            layout.neighbor_graph(vectors, rows[:, :neighbors], distances[:, :neighbors], seed)
            for vectors, (rows, distances) in ((before, near_before), (after, near_after))
        )
        report("laying out before", 1, 4)
        first = layout.first_layout(before, graph_before, seed)
        report("laying out after", 2, 4)
        # compiled code releases the interpreter lock, so the noise floor costs no time on a second core
        noisy = pool.submit(layout.next_layout, before, graph_before, first, seed + 1)
        second = layout.next_layout(after, graph_after, first, seed)
        still = noisy.result()
    noise_floor = float(displacement(standardise(first), align(still, first)).mean())
    recipe = (
        f"UMAP of {neighbors} cosine neighbours from principal components "
        f"({layout.FIRST_EPOCHS} + {layout.NEXT_EPOCHS} epochs); after started from before "
        f"({layout.NEXT_EPOCHS} epochs at {layout.NEXT_LEARNING_RATE}), then aligned."
    )
    report("checking", 3, 4)
    meta = {"noise_floor": noise_floor, "neighbors": neighbors, "seed": seed, "recipe": recipe}
    result = _projection(before, after, first, second, near_before[0], near_after[0], noise_floor, meta)
    report("done", 4, 4)
    return result


def _small(
    before: np.ndarray, after: np.ndarray, neighbors: int, seed: int, reason: str, report: Progress
) -> Projection:
    report("principal components", 0, 1)
    rows_before, rows_after = (self_and_neighbors(part, NEIGHBORS_SHOWN)[0] for part in (before, after))
    first, second = layout.principal_components(before), layout.principal_components(after)
    recipe = f"Principal components: {reason}. Movement in units of {_UNIT_WITHOUT_NOISE} of the radius."
    meta = {"noise_floor": 0.0, "neighbors": neighbors, "seed": seed, "recipe": recipe}
    result = _projection(before, after, first, second, rows_before, rows_after, _UNIT_WITHOUT_NOISE, meta)
    report("done", 1, 1)
    return result


def _projection(
    before: np.ndarray,
    after: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
    rows_before: np.ndarray,
    rows_after: np.ndarray,
    unit: float,
    meta: dict[str, Any],
) -> Projection:
    first, second = standardise(first), align(second, first)
    shown_before, shown_after = (rows[:, 1 : NEIGHBORS_SHOWN + 1] for rows in (rows_before, rows_after))
    kept = kept_share(shown_before, shown_after)
    frame = pd.DataFrame(
        {
            "x_before": first[:, 0],
            "y_before": first[:, 1],
            "x_after": second[:, 0],
            "y_after": second[:, 1],
            "kept": kept,
            "moved": displacement(first, second) / unit,
            "neighbors_before": shown_before.tolist(),
            "neighbors_after": shown_after.tolist(),
        }
    )
    seed, neighbors = meta["seed"], meta["neighbors"]
    meta |= {
        "n": len(frame),
        "kept_mean": float(kept.mean()),
        "trust_before": trust(before, first, neighbors=neighbors, seed=seed),
        "trust_after": trust(after, second, neighbors=neighbors, seed=seed),
    }
    return Projection(frame, meta)


def _load_umap(cache: NumbaCache, report: Progress) -> None:
    """Import UMAP; where nothing is compiled yet, compile it on a small example."""
    if not cache.warm:
        report(_COMPILING, 0, 4)
    import umap.umap_  # noqa: F401

    keep_compiled()
    if not cache.warm:
        vectors = unit_vectors(np.random.default_rng(0).normal(size=(64, 8)), "example")
        rows, distances = self_and_neighbors(vectors, TEXTS_MIN)
        layout.first_layout(vectors, layout.neighbor_graph(vectors, rows, distances, 0), 0)
        cache.mark_warm()
