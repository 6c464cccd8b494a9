"""Examples that hang together because they share a text, a document or a group."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components


def linked(count: int, memberships: Sequence[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Number *count* examples so that those linked through anything they share get the same number.

    Parameters
    ----------
    count
        How many examples there are.
    memberships
        Pairs of equally long arrays (example numbers, numbers of the thing it holds from 0 up). Each pair has
        things of its own: text 3 of one and text 3 of another are different things.

    Returns
    -------
    numpy.ndarray
        Shape (count,), int: component numbers from 0 up.
    """
    rows, things, offset = [], [], count
    for examples, held in memberships:
        rows.append(examples)
        things.append(held + offset)
        offset += int(held.max()) + 1 if len(held) else 0
    row = np.concatenate(rows) if rows else np.zeros(0, int)
    column = np.concatenate(things) if things else np.zeros(0, int)
    graph = coo_matrix((np.ones(len(row), bool), (row, column)), shape=(offset, offset))
    return np.unique(connected_components(graph, directed=False)[1][:count], return_inverse=True)[1]
