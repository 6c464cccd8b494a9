"""How much neighbourhoods changed, how far points moved, and how far a map can be trusted."""

from __future__ import annotations

import numpy as np

_TRUST_SAMPLE = 1_500


def kept_share(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Return for every point which share of its neighbours it kept.

    Parameters
    ----------
    before, after
        (n, k) neighbour rows, without the point itself. With no neighbours at all, nothing was lost.

    Returns
    -------
    numpy.ndarray
        (n,) from 0 to 1.
    """
    if before.shape[1] == 0:
        return np.ones(len(before))
    return (before[:, :, None] == after[:, None, :]).any(axis=2).mean(axis=1)


def displacement(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Return the (n,) distances between two aligned (n, 2) maps, in radii of the map."""
    return np.linalg.norm(after - before, axis=1)


def trust(vectors: np.ndarray, points: np.ndarray, *, neighbors: int, seed: int) -> float | None:
    """Return the trustworthiness of a map (Venna and Kaski, 2001) on at most 1,500 of its points.

    1.0 means that whoever is near on the map is near in the full space. None where there are too
    few points to say.
    """
    from sklearn.manifold import trustworthiness

    rows = np.arange(len(points))
    if len(rows) > _TRUST_SAMPLE:
        rows = np.random.default_rng(seed).choice(rows, _TRUST_SAMPLE, replace=False)
    neighbors = min(neighbors, (len(rows) - 1) // 2)
    if neighbors < 1:
        return None
    return float(trustworthiness(vectors[rows], points[rows], n_neighbors=neighbors, metric="cosine"))
