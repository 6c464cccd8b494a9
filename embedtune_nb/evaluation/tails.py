"""Rare large changes against the answer: do they occur often enough to know how often?"""

from __future__ import annotations

import numpy as np

# Only a skewness beyond this is asked about: a few rows against all others. A smaller one says more of the
# sample than of where it comes from: samples that miss the rare large changes look even, and those that hold
# them need no warning. There, the stricter level of the other two tests (`decision.level_of`) keeps errors
# as rare and costs less power (benchmarks/README.md).
_SKEWNESS_MIN = 3.0
_ROWS_MIN = 3


def opposed_p_values(changes: np.ndarray) -> np.ndarray:
    """Return two-sided p-values of the mean where extreme skewness of the changes speaks against its sign.

    Where most queries lose a little and one or two gain much, nobody knows yet how often that happens, and
    the loss has a deceptively small error. There, Student's t is corrected for skewness
    (Hall, 1992, the cubic transformation) and has the degrees of freedom that the kurtosis leaves to the
    variance (Satterthwaite, 1946).

    Parameters
    ----------
    changes
        (..., rows).

    Returns
    -------
    numpy.ndarray
        (...,) p-values; 0 where the skewness is within 3 or does not speak against the sign, nothing varies,
        or there are fewer than 3 rows.
    """
    from scipy.stats import t as student

    rows = changes.shape[-1]
    if rows < _ROWS_MIN:
        return np.zeros(changes.shape[:-1])
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
    # a correction beyond zero has turned the sign: nothing is left of the difference
    agreeing = np.maximum(corrected * np.sign(size), 0)
    against = (skewness * mean < 0) & (np.abs(skewness) > _SKEWNESS_MIN)
    return np.where(varies & against, 2 * student.sf(agreeing, left), 0.0)
