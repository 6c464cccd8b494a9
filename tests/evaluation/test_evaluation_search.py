import numpy as np
import pytest

from embedtune_nb.evaluation.search import exact_search


def unit(rng, count, dimension=8):
    vectors = rng.normal(size=(count, dimension)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_the_best_documents_come_first():
    rng = np.random.default_rng(0)
    queries, documents = unit(rng, 700), unit(rng, 300)
    scores, rows = exact_search(queries, documents, 10)
    full = queries.astype(float) @ documents.T.astype(float)
    assert np.array_equal(rows, np.argsort(-full, axis=1)[:, :10])
    assert np.allclose(scores, np.sort(full, axis=1)[:, ::-1][:, :10], atol=2e-6)


@pytest.mark.parametrize("copies", [3, 30, 200])
def test_copies_of_a_document_come_in_the_order_of_the_pool(copies):
    rng = np.random.default_rng(1)
    query, other = unit(rng, 1), unit(rng, 40)
    documents = np.concatenate([other, np.repeat(query, copies, axis=0), other])
    _, rows = exact_search(query, documents, 10)
    expected = list(range(40, 40 + min(copies, 10)))
    assert rows[0, : len(expected)].tolist() == expected


def test_a_pool_smaller_than_k_comes_back_whole():
    rng = np.random.default_rng(2)
    _, rows = exact_search(unit(rng, 4), unit(rng, 3), 10)
    assert rows.shape == (4, 3)
    assert all(sorted(row) == [0, 1, 2] for row in rows.tolist())


def test_adjusted_scores_reach_documents_that_the_first_look_missed():
    """More documents are put out than the search looks at beyond k, so it has to look again."""
    rng = np.random.default_rng(3)
    query = unit(rng, 1)
    documents = np.concatenate([np.repeat(query, 60, axis=0), unit(rng, 20)])

    def put_out(scores, query_rows, rows):
        return np.where(rows < 60, -np.inf, scores)

    _, rows = exact_search(query, documents, 5, adjust=put_out)
    assert rows.min() >= 60
