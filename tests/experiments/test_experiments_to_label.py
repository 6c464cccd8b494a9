"""Rows to label next are those between two labels and those unlike all that was taught."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from embedtune_nb.data.datasource import Datasource
from embedtune_nb.errors import DataError
from embedtune_nb.experiments.to_label import rows_to_label

AXES = np.eye(8)


class Places:
    """A model that puts a text where its name says: ``"0+1 x"`` lies between the axes 0 and 1."""

    def embed(self, texts, role=None):
        vectors = [sum(AXES[int(axis)] for axis in text.split()[0].split("+")) for text in texts]
        return np.array([vector / np.linalg.norm(vector) for vector in vectors], np.float32)


@pytest.fixture
def taught():
    rows = [(f"{axis} taught {n}", f"label {axis}") for axis in (0, 1, 2) for n in range(6)]
    frame = pd.DataFrame(rows, columns=["value", "label"]).assign(id=range(len(rows)))
    return Datasource("labeled", {"examples": frame}, name="toy")


def test_what_lies_between_two_labels_and_what_lies_alone_are_chosen_in_turn(taught):
    pool = [*(f"0 plain {n}" for n in range(30)), "0+1 between", "7 alone", "1 plain"]
    chosen = rows_to_label(Places(), taught, pool, count=2)
    # the five nearest of a text between 0 and 1 tie and go by order: all vote for label 0
    assert set(chosen["why"]) <= {"uncertain", "uncovered"}
    assert "7 alone" in chosen["text"].tolist()
    assert chosen.loc[chosen["text"] == "7 alone", "similarity"].iloc[0] == pytest.approx(0)


def test_votes_that_split_are_uncertain_and_named(taught):
    frame = taught.frames["examples"].assign(label=[f"label {n % 2}" for n in range(18)])
    mixed = Datasource("labeled", {"examples": frame}, name="toy")
    chosen = rows_to_label(Places(), mixed, ["0 plain"], count=1)
    assert chosen["why"].tolist() == ["uncertain"]
    assert "'label 0'" in chosen["because"].iloc[0] and "'label 1'" in chosen["because"].iloc[0]
    assert chosen["uncertainty"].iloc[0] == pytest.approx(2 / 3)


def test_two_texts_that_say_the_same_are_not_both_asked_for_before_others(taught):
    pool = ["5 alone", "5 twin", "6 alone", "0 plain"]
    chosen = rows_to_label(Places(), taught, pool, count=4)
    uncovered = chosen[chosen["why"] == "uncovered"]["text"].tolist()
    assert {text[0] for text in uncovered[:2]} == {"5", "6"}


def test_what_was_taught_already_is_never_asked_for_and_rows_point_into_the_list(taught):
    pool = ["0 taught 1", "7 alone", "7 alone", "6 other"]
    chosen = rows_to_label(Places(), taught, pd.Series(pool, index=[5, 6, 7, 8]), count=10)
    assert sorted(chosen["text"]) == ["6 other", "7 alone"]
    assert [pool[row] for row in chosen["row"]] == chosen["text"].tolist()


@pytest.mark.parametrize("texts", ["one text", [], ["fine", None], ["fine", "  "], 5])
def test_what_is_no_list_of_texts_is_refused(taught, texts):
    with pytest.raises(DataError, match="text"):
        rows_to_label(Places(), taught, texts)


def test_uncertain_texts_near_to_what_was_taught_are_asked_for_in_their_turn(taught):
    frame = taught.frames["examples"].assign(label=[f"label {n % 2}" for n in range(18)])
    mixed = Datasource("labeled", {"examples": frame}, name="toy")
    chosen = rows_to_label(Places(), mixed, ["0 plain", "1 plain", "2 plain", "0 twin"], count=4)
    assert chosen["why"].tolist() == ["uncertain", "uncovered", "uncertain", "uncovered"]
    assert {text[0] for text in chosen["text"][:3]} == {"0", "1", "2"}, (
        "but not another one like a chosen one"
    )
