"""From neighbours to positions: UMAP, by its parts so that a neighbour graph is built once."""

from __future__ import annotations

from typing import Any

import numpy as np

FIRST_EPOCHS = 100
NEXT_EPOCHS = 200
NEXT_LEARNING_RATE = 0.1
_SPREAD, _MIN_DIST, _NEGATIVE_SAMPLES = 1.0, 0.1, 5


def neighbor_graph(vectors: np.ndarray, rows: np.ndarray, distances: np.ndarray, seed: int) -> Any:
    """Return UMAP's fuzzy graph of neighbours.

    Parameters
    ----------
    vectors
        (n, d) unit vectors.
    rows, distances
        (n, k) neighbours, the point itself first.
    """
    from umap.umap_ import fuzzy_simplicial_set

    graph, _, _ = fuzzy_simplicial_set(
        vectors,
        rows.shape[1],
        np.random.RandomState(seed),
        "cosine",
        knn_indices=np.ascontiguousarray(rows, np.int32),
        knn_dists=np.ascontiguousarray(distances, np.float32),
    )
    return graph


def first_layout(vectors: np.ndarray, graph: Any, seed: int) -> np.ndarray:
    """Lay out a graph from its principal components, then let it settle as `next_layout` does.

    Without settling, the step to the next map carries on the unfinished first one, and identical
    data moves two to three times as far.
    """
    rough = _optimise(vectors, graph, "pca", 1.0, FIRST_EPOCHS, seed)
    return next_layout(vectors, graph, rough, seed)


def next_layout(vectors: np.ndarray, graph: Any, start: np.ndarray, seed: int) -> np.ndarray:
    """Lay out a graph from given (n, 2) positions in small steps, so that only what must move does."""
    return _optimise(vectors, graph, start, NEXT_LEARNING_RATE, NEXT_EPOCHS, seed)


def principal_components(vectors: np.ndarray) -> np.ndarray:
    """Return the first two principal components, (n, 2), zeros where there are fewer."""
    centred = vectors.astype(float) - vectors.mean(axis=0, dtype=float)
    left, sizes, _ = np.linalg.svd(centred, full_matrices=False)
    points = np.zeros((len(vectors), 2))
    points[:, : min(2, len(sizes))] = (left * sizes)[:, :2]
    return points


def _optimise(
    vectors: np.ndarray, graph: Any, init: str | np.ndarray, learning_rate: float, epochs: int, seed: int
) -> np.ndarray:
    from umap.umap_ import find_ab_params, simplicial_set_embedding

    a, b = find_ab_params(_SPREAD, _MIN_DIST)
    points, _ = simplicial_set_embedding(
        vectors,
        graph.copy(),
        n_components=2,
        initial_alpha=learning_rate,
        a=a,
        b=b,
        gamma=1.0,
        negative_sample_rate=_NEGATIVE_SAMPLES,
        n_epochs=epochs,
        init=init if isinstance(init, str) else np.array(init, np.float32),
        random_state=np.random.RandomState(seed),
        metric="cosine",
        metric_kwds={},
        densmap=False,
        densmap_kwds={},
        output_dens=False,
        parallel=False,
        tqdm_kwds={"disable": True},
    )
    return points
