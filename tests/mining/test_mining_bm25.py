"""BM25 and coverage against a plain reading of their formulas."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest

from embedtune_nb.mining.bm25 import BM25, top_of_rows

_WORDS = ["red", "green", "blue", "house", "tree", "river", "stone", "the", "a", "of", "and"]


@pytest.fixture(scope="module")
def texts() -> tuple[list[str], list[str]]:
    draw = random.Random(3)
    documents = [" ".join(draw.choices(_WORDS, k=draw.randint(1, 12))) for _ in range(60)]
    queries = [" ".join(draw.choices([*_WORDS, "unheard"], k=draw.randint(1, 5))) for _ in range(20)]
    return queries, documents


def _naive(query: str, documents: list[str], k1: float, b: float) -> list[float]:
    split = [document.split() for document in documents]
    mean = sum(map(len, split)) / len(split)
    scores = []
    for words in split:
        score = 0.0
        for word in query.split():
            holding = sum(word in other for other in split)
            idf = math.log(1 + (len(split) - holding + 0.5) / (holding + 0.5))
            count = words.count(word)
            score += idf * count * (k1 + 1) / (count + k1 * (1 - b + b * len(words) / mean))
        scores.append(score)
    return scores


@pytest.mark.parametrize(("k1", "b"), [(1.2, 0.75), (2.0, 0.0), (0.5, 1.0)])
def test_scores_are_those_of_the_formula(texts: tuple[list[str], list[str]], k1: float, b: float) -> None:
    queries, documents = texts
    index = BM25(documents, k1=k1, b=b)
    found = index.scores(index.queries(queries)).toarray()
    expected = np.array([_naive(query, documents, k1, b) for query in queries])
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)
    rows = np.arange(len(queries))
    pairs = index.scores_of_pairs(index.queries(queries), rows)
    np.testing.assert_allclose(pairs, expected[rows, rows], rtol=1e-9)


def test_coverage_is_the_weighted_share_of_the_querys_words(texts: tuple[list[str], list[str]]) -> None:
    queries, documents = texts
    index = BM25(documents)
    found = index.coverage(index.queries(queries)).toarray()
    for row, query in enumerate(queries):
        weight = {}
        for word in set(query.split()) - {"unheard"}:
            holding = sum(word in document.split() for document in documents)
            weight[word] = math.log(1 + (len(documents) - holding + 0.5) / (holding + 0.5))
        for column, document in enumerate(documents):
            shared = sum(w for word, w in weight.items() if word in document.split())
            assert found[row, column] == pytest.approx(shared / sum(weight.values()) if weight else 0.0)


def test_too_common_words_are_ignored_and_named() -> None:
    documents = ["the cat", "the dog", "the bird", "the cat and the dog"]
    index = BM25(documents, most_common=0.5)
    assert index.ignored == ["the"]
    assert index.scores(index.queries(["the"])).nnz == 0
    assert index.scores(index.queries(["the cat"])).nnz == 2


def test_signs_of_scripts_without_spaces_count_as_words() -> None:
    index = BM25(["東京の天気", "大阪の食べ物", "weather in tokyo"])
    scores = index.scores(index.queries(["東京"])).toarray()[0]
    assert scores[0] > 0 and scores[1] == 0 and scores[2] == 0


def test_texts_without_a_word_give_no_scores_and_no_error() -> None:
    index = BM25(["...", "!?"])
    assert index.scores(index.queries(["anything"])).toarray().tolist() == [[0.0, 0.0]]


def test_best_of_rows_with_ties_in_the_order_of_documents(texts: tuple[list[str], list[str]]) -> None:
    queries, documents = texts
    index = BM25(documents)
    scores = index.scores(index.queries(queries))
    dense = scores.toarray()
    for row, (columns, values) in enumerate(top_of_rows(scores, 7)):
        order = [column for column in np.argsort(-dense[row], kind="stable")[:7] if dense[row, column] > 0]
        assert columns.tolist() == order
        np.testing.assert_allclose(values, dense[row, order])
