"""Which column plays which role, and what a wrong or unclear one leads to."""

from __future__ import annotations

import pandas as pd
import pytest

from embedtune_nb.data.datasource import Datasource
from embedtune_nb.errors import ColumnError, DataError

TEXTS = [
    "how do I reset it",
    "where is my parcel",
    "cancel the order",
    "it broke at once",
    "the lid is gone",
    "no",
]
LABELS = ["help", "parcel", "parcel", "help", "help", "parcel"]
OTHERS = [f"answer number {place} in words" for place in range(6)]


@pytest.mark.parametrize("names", [("text", "label"), ("sentence", "category"), ("Utterance", "Intent")])
def test_usual_names_make_labeled_data(names):
    data = Datasource.from_dict({names[1]: LABELS, names[0]: TEXTS})
    assert data.kind == "labeled"
    assert data.roles["value"].column == names[0]
    assert data.roles["label"].column == names[1]
    assert data.frames["examples"]["value"].tolist() == TEXTS


def test_unusual_names_are_told_apart_by_content():
    data = Datasource.from_dict({"colA": LABELS, "colB": TEXTS})
    assert (data.kind, data.roles["value"].column, data.roles["label"].column) == ("labeled", "colB", "colA")
    assert "few distinct values (2)" in data.roles["label"].reason


@pytest.mark.parametrize(
    ("columns", "kind"),
    [
        (["question", "answer"], "pairs"),
        (["anchor", "positive"], "pairs"),
        (["query", "passage"], "pairs"),
        (["query", "document", "relevance"], "retrieval"),
    ],
)
def test_usual_names_make_pairs_and_retrieval(columns, kind):
    values = dict(zip(columns, [TEXTS, OTHERS, [1] * 6], strict=False))
    assert Datasource.from_dict(values).kind == kind


def test_two_text_columns_without_names_are_not_guessed():
    with pytest.raises(ColumnError) as caught:
        Datasource.from_dict({"a": TEXTS, "b": OTHERS})
    message = str(caught.value)
    assert "'a'" in message and "'b'" in message
    assert "roles={'anchor': 'a', 'positive': 'b'}" in message


def test_columns_that_fit_two_kinds_are_not_guessed():
    table = {"text": TEXTS, "label": LABELS, "question": TEXTS, "answer": OTHERS}
    with pytest.raises(ColumnError, match="labeled and pairs"):
        Datasource.from_dict(table)
    assert Datasource.from_dict(table, kind="pairs").roles["positive"].column == "answer"


def test_two_columns_for_one_role_are_listed():
    with pytest.raises(ColumnError, match="'sentence', 'comment'"):
        Datasource.from_dict({"sentence": TEXTS, "comment": OTHERS, "label": LABELS})


def test_a_name_equal_to_the_role_wins():
    data = Datasource.from_dict({"label": [0, 1, 1, 0, 0, 1], "category": LABELS, "text": TEXTS})
    assert data.roles["label"].column == "label"
    assert any("'category'" in note for note in data.notes)


def test_a_misspelt_column_names_the_nearest_and_the_list():
    with pytest.raises(ColumnError) as caught:
        Datasource.from_dict({"content_of_mail": TEXTS, "kind": LABELS}, roles={"value": "content_of_mial"})
    assert "Did you mean 'content_of_mail'?" in str(caught.value)
    assert "'kind'" in str(caught.value)


def test_a_misspelt_group_column_is_refused():
    with pytest.raises(ColumnError, match="Did you mean 'author'"):
        Datasource.from_dict({"text": TEXTS, "label": LABELS, "author": LABELS}, group_column="auhtor")


def test_a_misspelt_role_and_kind_are_refused():
    with pytest.raises(ColumnError, match="Did you mean 'value'"):
        Datasource.from_dict({"a": TEXTS, "b": LABELS}, roles={"valeu": "a"})
    with pytest.raises(DataError, match="Did you mean 'retrieval'"):
        Datasource.from_dict({"a": TEXTS, "b": LABELS}, kind="retrival")


def test_one_column_cannot_have_two_roles():
    with pytest.raises(ColumnError, match="two roles"):
        Datasource.from_dict({"a": TEXTS}, roles={"anchor": "a", "positive": "a"})


def test_named_roles_decide_the_kind():
    data = Datasource.from_dict({"a": TEXTS, "b": OTHERS}, roles={"anchor": "b", "positive": "a"})
    assert data.kind == "pairs"
    assert data.frames["examples"]["anchor"].tolist() == OTHERS


@pytest.mark.parametrize(
    ("table", "kind"),
    [
        ({"premise": TEXTS, "hypothesis": OTHERS, "label": [0, 1, 2, 0, 1, 2]}, "nli"),
        ({"sentence1": TEXTS, "sentence2": OTHERS, "gold_label": ["neutral", "entailment"] * 3}, "nli"),
        ({"sentence1": TEXTS, "sentence2": OTHERS, "score": [0.5, 1.0] * 3}, "scored_pairs"),
        ({"question1": TEXTS, "question2": OTHERS, "is_duplicate": [0, 1] * 3}, "scored_pairs"),
        ({"query": TEXTS, "passage": OTHERS, "similarity": [0.1, 0.9] * 3}, "scored_pairs"),
        ({"anchor": TEXTS, "positive": OTHERS, "negative": OTHERS[::-1]}, "triplets"),
        ({"query": TEXTS, "pos": OTHERS, "neg_1": OTHERS[::-1], "neg_2": [*OTHERS[1:], "x"]}, "triplets"),
        ({"text": TEXTS, "rating": [1, 2, 3, 4, 5, 5]}, "scored"),
        ({"words": TEXTS, "depth": [0.5, 1.5, 2.0, 3.5, 4.0, 2.5]}, "scored"),
    ],
)
def test_each_shape_is_recognised(table, kind):
    data = Datasource.from_dict(table)
    assert data.kind == kind
    assert {column for choice in data.roles.values() for column in choice.columns} == set(table)


def test_two_sentences_with_codes_are_inference_or_similarity_and_not_guessed():
    table = {"sentence1": TEXTS, "sentence2": OTHERS, "label": [0, 1, 2, 0, 1, 2]}
    with pytest.raises(ColumnError, match="scored_pairs and nli"):
        Datasource.from_dict(table)
    assert Datasource.from_dict(table, kind="nli").roles["premise"].column == "sentence1"
    assert Datasource.from_dict(table, kind="scored_pairs").score_range == (0.0, 2.0)


def test_a_text_with_a_label_and_a_score_is_not_guessed():
    table = {"text": TEXTS, "label": LABELS, "score": [0.5, 1.5, 2.0, 3.5, 4.0, 2.5]}
    with pytest.raises(ColumnError, match="labeled and scored"):
        Datasource.from_dict(table)
    assert Datasource.from_dict(table, kind="labeled").labels == ["help", "parcel"]
    assert Datasource.from_dict(table, roles={"score": "score"}).kind == "scored"
    assert Datasource.from_dict(table, roles={"value": "text", "score": "score"}).kind == "scored"


def test_named_roles_leave_the_rest_to_the_names():
    table = {"body": TEXTS, "rating": [1, 2, 3, 4, 5, 5]}
    assert Datasource.from_dict(table, roles={"value": "body"}).kind == "scored"
    triplets = {"q": TEXTS, "p": OTHERS, "hard": OTHERS[::-1], "easy": [*OTHERS[1:], "x"]}
    data = Datasource.from_dict(
        triplets, roles={"anchor": "q", "positive": "p", "negatives": ["hard", "easy"]}
    )
    assert data.kind == "triplets"
    assert data.frames["examples"]["negatives"].tolist()[0] == [OTHERS[5], OTHERS[1]]


def test_negatives_that_are_not_there_or_named_twice_are_refused():
    table = {"anchor": TEXTS, "positive": OTHERS, "hard": OTHERS[::-1]}
    with pytest.raises(ColumnError, match="Did you mean 'hard'"):
        Datasource.from_dict(table, roles={"negatives": ["hard", "hrd"]})
    with pytest.raises(ColumnError, match="named twice"):
        Datasource.from_dict(table, roles={"negatives": ["hard", "hard"]})
    with pytest.raises(ColumnError, match="two roles"):
        Datasource.from_dict(table, roles={"negatives": ["hard", "positive"], "positive": "positive"})


def test_whole_number_column_names_work():
    data = Datasource.from_pandas(pd.DataFrame({0: TEXTS, 1: LABELS}))
    assert (data.roles["value"].column, data.roles["label"].column) == (0, 1)


def test_columns_that_share_a_name_are_refused():
    with pytest.raises(DataError, match="share a name"):
        Datasource.from_pandas(pd.DataFrame([["a", "b"]], columns=["text", "text"]))


def test_another_type_than_a_table_names_the_right_constructor():
    with pytest.raises(DataError, match="from_list"):
        Datasource.from_pandas([{"text": "a"}])


def test_a_score_beside_two_texts_is_relevance_only_where_the_kind_says_so():
    table = {"query": TEXTS, "document": OTHERS, "score": [2, 1, 0, 1, 1, 1]}
    with pytest.raises(ColumnError, match="scored_pairs and retrieval"):
        Datasource.from_dict(table)
    data = Datasource.from_dict(table, kind="retrieval")
    assert data.roles["relevance"].column == "score"
    assert sorted(data.frames["qrels"]["relevance"]) == [1, 1, 1, 1, 2]
    assert data.frames["corpus"]["text"].tolist() == OTHERS  # one that answers nothing is still searched
    assert [(drop.count, drop.reason) for drop in data.dropped] == [(1, "relevance of 0 or less")]


def test_a_pair_judged_twice_counts_as_relevant_if_one_judgement_says_so():
    rows = [("a", "x", 0), ("a", "x", 2), ("a", "y", 1), ("b", "y", 0)]
    table = pd.DataFrame(rows, columns=["query", "document", "relevance"])
    data = Datasource.from_pandas(table)
    assert data.to_pandas()[["query", "document", "relevance"]].values.tolist() == [
        ["a", "x", 2],
        ["a", "y", 1],
    ]


def test_a_text_column_alone_is_no_labeled_data():
    with pytest.raises(ColumnError, match="cannot be told"):
        Datasource.from_dict({"text": ["one text", "two texts"]})
