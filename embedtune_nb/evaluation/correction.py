"""Correction of p-values for how many comparisons were made."""

from __future__ import annotations

import numpy as np


def holm(p_values: np.ndarray) -> np.ndarray:
    """Return p-values that keep their meaning however many there are (Holm, 1979).

    Called significant below 5 %, the chance of even one false call among all of them is at most 5 %,
    whatever they have to do with each other.

    Parameters
    ----------
    p_values
        (comparisons,) from 0 to 1.

    Returns
    -------
    numpy.ndarray
        (comparisons,), each at least as large as given, at most 1.
    """
    p_values = np.asarray(p_values, float)
    order = np.argsort(p_values, kind="stable")
    count = len(p_values)
    stepped = np.maximum.accumulate(p_values[order] * (count - np.arange(count)))
    adjusted = np.empty(count)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted
