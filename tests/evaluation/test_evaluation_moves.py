"""Ranks before and after, and what displaced the right answer, against a plain count over sorted scores."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from embedtune_nb.data.datasource import Datasource
from embedtune_nb.evaluation.moves import Compared, moves


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def embedding(table):
    """Embed by looking up: text to vector."""
    return lambda by_role: {
        role: np.array([table[text] for text in texts], np.float32) for role, texts in by_role.items()
    }


def random_tables(texts, seed):
    rng = np.random.default_rng(seed)
    return [dict(zip(texts, unit(rng.normal(size=(len(texts), 8))), strict=True)) for _ in range(2)]


def retrieval(queries, documents, judged):
    frames = {
        "queries": pd.DataFrame({"id": list(queries), "text": list(queries.values())}),
        "corpus": pd.DataFrame({"id": list(documents), "text": list(documents.values())}),
        "qrels": pd.DataFrame(judged, columns=["query_id", "corpus_id", "relevance"]),
    }
    return Datasource("retrieval", frames, name="toy")


def test_ranks_are_those_of_sorted_scores_and_the_displacing_document_is_the_best_new_one_before_the_answer():
    queries = {f"q{n}": f"question {n}" for n in range(30)}
    documents = {f"d{n}": f"document {n}" for n in range(60)}
    judged = [(f"q{n}", f"d{n}", 1.0) for n in range(30)]
    before, after = random_tables([*queries.values(), *documents.values()], seed=0)
    data = retrieval(queries, documents, judged)
    frame = moves(
        Compared(data, data, embedding(before), embedding(after), pd.Series(1.0, index=list(queries)))
    )
    texts = list(documents.values())
    for n, row in enumerate(frame.itertuples()):
        orders = []
        for table in (before, after):
            scores = [float(np.float32(table[row.text]) @ np.float32(table[text])) for text in texts]
            orders.append(sorted(range(60), key=lambda place, scores=scores: -scores[place]))
        assert (row.rank_before, row.rank_after) == tuple(order.index(n) + 1 for order in orders)
        ahead = [place for place in orders[1] if orders[1].index(place) < orders[1].index(n)]
        new = [place for place in ahead if orders[0].index(place) > orders[0].index(n)]
        expected = (new or ahead or [None])[0]
        assert (
            (row.displaced_by == f"document {expected}")
            if expected is not None
            else pd.isna(row.displaced_by)
        )


def test_of_several_right_documents_the_one_is_followed_that_lost_most_and_no_right_one_displaces():
    queries, documents = {"q": "ask"}, {"a": "first", "b": "second", "c": "wrong", "e": "ask"}
    data = retrieval(queries, documents, [("q", "a", 1.0), ("q", "b", 1.0)])
    axis = np.eye(4)
    before = {"ask": axis[0], "first": unit(np.array([9, 1, 0, 0])), "second": unit(np.array([5, 1, 0, 0])),
              "wrong": axis[2]}  # fmt: skip
    after = {**before, "first": unit(np.array([1, 5, 0, 0])), "wrong": unit(np.array([3, 0, 1, 0]))}
    row = moves(Compared(data, data, embedding(before), embedding(after), pd.Series([1.0], index=["q"]))).loc[
        "q"
    ]
    assert (row["answer"], row["rank_before"], row["rank_after"]) == ("first", 1, 3)
    assert row["displaced_by"] == "wrong", "neither the other right document nor the query's own text"


def labeled(rows):
    frame = pd.DataFrame(rows, columns=["value", "label"]).assign(id=range(len(rows)))
    return Datasource("labeled", {"examples": frame}, name="toy")


def test_of_labels_the_place_of_the_nearest_text_with_the_right_label_is_told():
    held_out = labeled([("mine", "a")])
    train = labeled([("a one", "a"), ("b one", "b"), ("b two", "b")])
    axis = np.eye(3)
    before = {"mine": axis[0], "a one": axis[0], "b one": axis[1], "b two": axis[2]}
    after = {**before, "a one": axis[1], "b one": axis[0], "b two": unit(np.array([2, 0, 1]))}
    worse = pd.Series([1.0], index=[0])
    row = moves(Compared(held_out, train, embedding(before), embedding(after), worse)).iloc[0]
    assert (row["answer"], row["rank_before"], row["rank_after"]) == ("a", 1, 3)
    assert row["displaced_by"] == "b one"
    assert pd.isna(row["neighbors_say"]), "a right one votes too"


def test_a_label_that_no_training_text_has_is_told_without_ranks():
    held_out, train = labeled([("mine", "z")]), labeled([("a one", "a"), ("b one", "b")])
    table = {"mine": np.eye(2)[0], "a one": np.eye(2)[0], "b one": np.eye(2)[1]}
    worse = pd.Series([1.0], index=[0])
    row = moves(Compared(held_out, train, embedding(table), embedding(table), worse)).iloc[0]
    assert pd.isna(row["rank_before"]) and row["displaced_by"] == "a one"


def test_of_triplets_the_hardest_negative_displaces():
    frame = pd.DataFrame({"id": [0], "anchor": ["ask"], "positive": ["yes"], "negatives": [["no", "never"]]})
    data = Datasource("triplets", {"examples": frame}, name="toy")
    axis = np.eye(3)
    before = {"ask": axis[0], "yes": axis[0], "no": axis[1], "never": axis[2]}
    after = {**before, "yes": axis[1], "never": axis[0]}
    worse = pd.Series([1.0], index=[0])
    row = moves(Compared(data, data, embedding(before), embedding(after), worse)).iloc[0]
    assert (row["answer"], row["rank_before"], row["rank_after"]) == ("yes", 1, 3)
    assert row["displaced_by"] == "never"


@pytest.mark.parametrize("kind", ["scored_pairs", "nli"])
def test_of_judged_pairs_the_place_among_all_pairs_is_told(kind):
    columns = (
        ["sentence1", "sentence2", "score"] if kind == "scored_pairs" else ["premise", "hypothesis", "label"]
    )
    rows = [("a", "b", 1.0), ("a", "c", 0.5), ("a", "d", 0.0)]
    frame = pd.DataFrame(rows, columns=columns).assign(id=range(3))
    data = Datasource(kind, {"examples": frame}, name="toy")
    axis = np.eye(4)
    near, far = unit(np.array([9, 1, 0, 0])), unit(np.array([1, 9, 0, 0]))
    before = {"a": axis[0], "b": near, "c": unit(np.array([1, 1, 0, 0])), "d": far}
    after = {**before, "b": far, "d": near}
    frame = moves(
        Compared(data, data, embedding(before), embedding(after), pd.Series([1.0, 0, 1], index=range(3)))
    )
    assert frame["rank_before"].tolist() == [1, 2, 3]
    assert frame["rank_after"].tolist() == [3, 2, 1]


def test_of_scores_the_neighbour_whose_score_is_furthest_off_is_told():
    def scored(rows):
        frame = pd.DataFrame(rows, columns=["value", "score"]).assign(id=range(len(rows)))
        return Datasource("scored", {"examples": frame}, name="toy")

    held_out, train = scored([("mine", 1.0)]), scored([("near", 1.5), ("odd", 9.0), ("far", 50.0)])
    table = {"mine": np.eye(2)[0], "near": np.eye(2)[0], "odd": unit(np.array([2, 1])), "far": np.eye(2)[1]}
    worse = pd.Series([0.1], index=[0])
    row = moves(Compared(held_out, train, embedding(table), embedding(table), worse, neighbor_count=2)).iloc[
        0
    ]
    assert row["displaced_by"] == "odd", "the far one does not vote"


def test_the_one_wrong_label_of_all_voters_is_told():
    held_out = labeled([("mine", "a"), ("fine", "b")])
    train = labeled([("a one", "a"), ("b one", "b"), ("b two", "b")])
    axis = np.eye(3)
    table = {"mine": axis[0], "fine": axis[0], "a one": axis[1], "b one": axis[0], "b two": axis[0]}
    worse = pd.Series([1.0, 0.0], index=[0, 1])
    compared = Compared(held_out, train, embedding(table), embedding(table), worse, neighbor_count=2)
    assert moves(compared)["neighbors_say"].fillna("").tolist() == ["b", ""]


@pytest.mark.parametrize(
    ("voters", "told"), [(2, ""), (3, ""), (4, "2 to 2"), (5, "3 to 2"), (6, ""), (7, "")]
)
def test_a_vote_that_one_more_voice_would_have_turned_is_close(voters, told):
    held_out = labeled([("mine", "a")])
    train = labeled([("a one", "a"), ("a two", "a"), *((f"b {n}", "b") for n in range(5)), ("c one", "c")])
    axis = np.eye(2)
    near = {"a one", "a two", *(f"b {n}" for n in range(5))}
    table = {text: axis[0] if text in near else axis[1] for text in [*near, "c one"]} | {"mine": axis[0]}
    worse = pd.Series([1.0], index=[0])
    compared = Compared(held_out, train, embedding(table), embedding(table), worse, neighbor_count=voters)
    # copies tie and go by order: the two right ones vote first, then the wrong ones
    close = moves(compared)["close"].fillna("").iloc[0]
    assert close == (f"Its neighbours voted {told}." if told else "")


def test_documents_that_are_nearly_as_similar_are_a_close_call():
    queries, documents = {"q": "ask", "r": "plead"}, {"a": "right", "b": "wrong"}
    data = retrieval(queries, documents, [("q", "a", 1.0), ("r", "a", 1.0)])
    axis = np.eye(3)
    table = {"ask": unit(np.array([1.0, 1.005, 0])), "plead": unit(np.array([1.0, 2.0, 0]))}
    table |= {"right": axis[0], "wrong": axis[1]}
    worse = pd.Series([1.0, 1.0], index=["q", "r"])
    close = moves(Compared(data, data, embedding(table), embedding(table), worse))["close"]
    assert close["q"] == "The right answer is 0.004 less similar than what displaced it."
    assert pd.isna(close["r"])
