"""Laying one map over another."""

from __future__ import annotations

import numpy as np


def standardise(points: np.ndarray) -> np.ndarray:
    """Return the (n, 2) points centred, with a root mean square distance of 1 from the centre."""
    centred = points - points.mean(axis=0)
    radius = np.sqrt((centred**2).sum(axis=1).mean())
    # texts that all lie in one place leave nothing but rounding, which must not be blown up to size
    return centred / radius if radius > 1e-7 else np.zeros_like(centred)


def align(points: np.ndarray, onto: np.ndarray) -> np.ndarray:
    """Rotate or mirror *points* so that they lie as near as possible to *onto* (Procrustes).

    Both are standardised first. The size is not fitted any further: a least-squares scale would
    shrink the second map the more it differs, and hide the very change it is to show.

    Returns
    -------
    numpy.ndarray
        (n, 2), in the frame of ``standardise(onto)``.
    """
    moving = standardise(points)
    left, _, right = np.linalg.svd(moving.T @ standardise(onto))
    return moving @ (left @ right)
