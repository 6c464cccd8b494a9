"""Rare large changes against the answer: do they occur often enough to know how often?"""

from __future__ import annotations

import numpy as np


def opposed_p_values(changes: np.ndarray) -> np.ndarray:
    """Return two-sided p-values of the mean where the skewness of the changes speaks against its sign.

    Where most queries lose a little and a few gain much, a sample that happens to hold none or few of the
    latter shows a loss with a deceptively small error. There, Student's t is corrected for skewness
    (Hall, 1992, the cubic transformation) and has the degrees of freedom that the kurtosis leaves to the
    variance (Satterthwaite, 1946).

    Parameters
    ----------
    changes
        (..., rows), of at least 3 rows.

    Returns
    -------
    numpy.ndarray
        (...,) p-values; 0 where the skewness does not speak against the sign, or nothing varies.
    """
    from scipy.stats import t as student

    rows = changes.shape[-1]
    mean = changes.mean(axis=-1)
    centred = changes - mean[..., None]
    variance = (centred**2).mean(axis=-1)
    varies = variance > 1e-24
    scale = np.where(varies, variance, 1.0)
    skewness = (centred**3).mean(axis=-1) / scale**1.5
    kurtosis = (centred**4).mean(axis=-1) / scale**2
    size = mean / np.sqrt(scale / (rows - 1))
    per_root = skewness / np.sqrt(rows)
    corrected = size + per_root * size**2 / 3 + per_root**2 * size**3 / 27 + per_root / 6
    left = np.clip(2 * rows / np.maximum(kurtosis - (rows - 3) / (rows - 1), 1e-9), 1, rows - 1)
    # two standard errors of the skewness of normal changes
    left = np.where(np.abs(skewness) > 2 * np.sqrt(6 / rows), left, rows - 1)
    # a correction beyond zero has turned the sign: nothing is left of the difference
    agreeing = np.maximum(corrected * np.sign(size), 0)
    return np.where(varies & (skewness * mean < 0), 2 * student.sf(agreeing, left), 0.0)
