"""Permutation test of a paired comparison: had before and after been swapped at random, how often so far?"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from embedtune_nb.evaluation.bootstrap import BLOCK

#: Differences of sums of equal numbers in another order agree to this share.
_EQUAL = 1e-9


def swap_p_values(
    differences: Callable[[np.ndarray], np.ndarray], group_of_row: np.ndarray, *, seed: int, permutations: int
) -> np.ndarray:
    """Return two-sided p-values, all from the same random swaps (Fisher, 1935; Smucker et al., 2007).

    Where nothing but chance tells before from after, swapping the two in any group of rows changes
    nothing about how differences are distributed.

    Parameters
    ----------
    differences
        From swaps, (permutations, rows) of 0.0 or 1.0 where the row changes sides, to after minus
        before, (metrics, permutations).
    group_of_row
        (rows,) numbers of the groups from 0 up; a group changes sides as a whole.
    seed, permutations
        Of the swaps.

    Returns
    -------
    numpy.ndarray
        (metrics,): the share of the swaps whose difference is at least as far from zero as the observed
        one, itself counted among them, so it is never 0, and 1 where nothing differs.
    """
    observed = np.abs(differences(np.zeros((1, len(group_of_row))))[:, 0])
    reached = np.ones(len(observed))
    least = (observed * (1 - _EQUAL))[:, None]
    for swaps in _swaps(group_of_row, seed, permutations):
        reached += (np.abs(differences(swaps)) >= least).sum(axis=1)
    return reached / (permutations + 1)


def _swaps(group_of_row: np.ndarray, seed: int, permutations: int) -> Iterator[np.ndarray]:
    rng = np.random.default_rng(seed)
    groups = int(group_of_row.max()) + 1
    at_once = max(1, BLOCK // len(group_of_row))
    for start in range(0, permutations, at_once):
        block = min(at_once, permutations - start)
        yield rng.integers(0, 2, (block, groups))[:, group_of_row].astype(float)
