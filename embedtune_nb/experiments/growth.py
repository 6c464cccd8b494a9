"""What twice the data would bring, from runs on parts of it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

_CONFIDENCE = 0.95
# 0 is logarithmic growth, the same gain at each doubling; 1 is soon used up. Exponents reported for learning
# curves lie between (Hestness et al., 2017: 0.07 to 0.35 for losses of large models).
_EXPONENTS = np.linspace(0.0, 1.0, 11)


def gain_of_doubling(rows: np.ndarray, values: np.ndarray) -> tuple[float, float | None, float | None]:
    """Estimate how much a metric changes when the data doubles.

    Fits ``a - b * rows ** -c`` by least squares, for c from 0 (growth with the logarithm) to 1. The interval
    is the union, over every c that an F test at 95 % does not rule out, of Student's t intervals of the gain
    given c: it is wide where the runs cannot tell how soon growth ends.

    Parameters
    ----------
    rows
        (n,) training rows of each run, at least two different numbers.
    values
        (n,) the metric of each run.

    Returns
    -------
    gain, low, high
        From ``max(rows)`` to twice as many. Without interval where two runs leave no degree of freedom.
    """
    from scipy.stats import f

    fits = list(_fits(np.asarray(rows, float), np.asarray(values, float)))
    degrees = len(values) - 2
    least = min(fit[0] for fit in fits)
    gain = next(fit[1] for fit in fits if fit[0] == least)
    if degrees < 1:
        return gain, None, None
    if np.unique(rows).size > 2 and degrees > 1:
        limit = least * (1 + f.ppf(_CONFIDENCE, 1, degrees - 1) / (degrees - 1))
        fits = [fit for fit in fits if fit[0] <= limit + 1e-15]
    return gain, min(fit[1] - fit[2] for fit in fits), max(fit[1] + fit[2] for fit in fits)


def _fits(rows: np.ndarray, values: np.ndarray) -> Iterator[tuple[float, float, float]]:
    """Yield for each exponent the squared error, the gain, and the half width of its interval."""
    from scipy.stats import t

    size = rows / rows.max()
    degrees = len(values) - 2
    for exponent in _EXPONENTS:
        x = np.log2(size) if exponent == 0 else (1 - size**-exponent) / exponent
        step = 1.0 if exponent == 0 else (1 - 2.0**-exponent) / exponent
        centred = x - x.mean()
        slope = float(centred @ values / (centred @ centred))
        residual = values - values.mean() - slope * centred
        error = float(residual @ residual)
        half = 0.0
        if degrees > 0:
            deviation = np.sqrt(error / degrees / (centred @ centred))
            half = float(t.ppf((1 + _CONFIDENCE) / 2, degrees) * deviation * step)
        yield error, slope * step, half
