"""What is dropped, converted or refused on the way in, and that it is told."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from embedtune_nb.data.datasource import Datasource
from embedtune_nb.errors import ColumnError, DataError


def labeled(texts, labels, **options):
    return Datasource.from_pandas(
        pd.DataFrame({"text": pd.Series(texts, dtype=object), "label": labels}), **options
    )


def told(data):
    return {drop.reason: drop.count for drop in data.dropped}


def test_missing_and_blank_entries_are_dropped_and_counted():
    data = labeled(
        ["one", None, float("nan"), "  ", "five", "six", "seven"], ["a", "b", "a", "b", None, "b", "a"]
    )
    assert data.frames["examples"]["value"].tolist() == ["one", "six", "seven"]
    assert data.frames["examples"]["id"].tolist() == [0, 5, 6]
    assert told(data) == {"no text": 2, "blank text": 1, "no label": 1}
    assert len(data) + sum(told(data).values()) == 7


def test_exact_copies_are_dropped_and_conflicts_kept_with_a_word():
    data = labeled(["one", "one", "one", "two"], ["a", "a", "b", "b"])
    assert data.to_pandas()[["value", "label"]].values.tolist() == [["one", "a"], ["one", "b"], ["two", "b"]]
    assert sum(told(data).values()) == 1
    assert any("more than one label" in note for note in data.notes)


@pytest.mark.parametrize("labels", [[1, "1", 1, "1"], [True, 1, 0, False], ["a", 2.5, "b", "a"]])
def test_mixed_label_types_are_refused_with_their_rows(labels):
    with pytest.raises(DataError, match=r"mixes types: .*row [01]\).*row [01]\)"):
        labeled(["w", "x", "y", "z"], pd.Series(labels, dtype=object))


def test_labels_that_became_floats_are_read_as_whole_numbers():
    data = labeled(["w", "x", "y", "z"], [1.0, 2.0, np.nan, 1.0])
    assert data.labels == [1, 2]
    assert all(isinstance(label, int) for label in data.frames["examples"]["label"].tolist())
    assert any("1.0" in note for note in data.notes)


def test_fractions_are_no_labels():
    with pytest.raises(DataError, match=r"0\.5 in row 1"):
        labeled(["w", "x", "y"], [1.0, 0.5, 2.0])


def test_truth_values_become_named_labels():
    data = labeled(["w", "x", "y"], [True, False, True])
    assert data.labels == ["False", "True"]
    assert any("truth values" in note for note in data.notes)


def test_categories_and_numpy_integers_are_labels():
    assert labeled(["w", "x", "y"], pd.Categorical(["b", "a", "b"])).labels == ["a", "b"]
    assert labeled(["w", "x", "y"], np.array([3, 1, 3], dtype=np.int8)).labels == [1, 3]


def test_several_labels_in_a_row_are_refused():
    with pytest.raises(DataError, match="explode"):
        labeled(["w", "x"], [["a", "b"], ["a"]], kind="labeled")


def test_labels_that_look_alike_are_pointed_out():
    data = labeled(["w", "x", "y"], ["Card", "card ", "cash"])
    assert any("differ only in case or spaces" in note for note in data.notes)


def test_numbers_among_texts_are_written_out_and_told():
    data = labeled(["one", 2, "three"], ["a", "b", "a"])
    assert data.frames["examples"]["value"].tolist() == ["one", "2", "three"]
    assert any("row 1" in note for note in data.notes)


def test_a_column_of_numbers_is_no_text():
    with pytest.raises(ColumnError, match="not texts"):
        Datasource.from_dict({"text": [1, 2, 3], "label": ["a", "b", "a"]})


@pytest.mark.parametrize("thing", [["a", "b"], b"bytes", {"a": 1}])
def test_other_things_than_texts_are_refused_with_their_row(thing):
    with pytest.raises(DataError, match="Row 1 of column 'text'"):
        labeled(["one", thing, "three"], ["a", "b", "a"])


def test_halves_of_broken_characters_are_mended():
    data = labeled(["fine", "broken \ud83d here", "x"], ["a", "b", "a"])
    assert data.frames["examples"]["value"].tolist()[1] == "broken \ufffd here"
    assert data.fingerprint


@pytest.mark.parametrize(
    ("texts", "labels", "message"),
    [
        ([], [], "no rows"),
        (["a", "b"], ["x", "x"], "All 2 rows have the label 'x'"),
        ([None, "  "], ["x", "y"], "Of 2 rows, 0 can be used"),
        (["same"] * 50, ["x"] * 50, "Of 50 rows|label 'x'"),
    ],
)
def test_data_that_cannot_serve_is_refused_with_its_count(texts, labels, message):
    with pytest.raises(DataError, match=message):
        labeled(texts, labels, kind="labeled")


def test_pairs_of_equal_texts_and_copies_are_dropped():
    data = Datasource.from_dict({"anchor": ["a", "b", "b", "c", "d"], "positive": ["a", "x", "x", "y", None]})
    assert data.training_pairs().values.tolist() == [["b", "x"], ["c", "y"]]
    assert sum(told(data).values()) == 3


def test_all_copies_of_one_pair_are_refused():
    with pytest.raises(DataError, match="Of 30 rows, 1 can be used"):
        Datasource.from_dict({"anchor": ["a"] * 30, "positive": ["b"] * 30})


def test_rows_without_a_group_stand_alone():
    data = Datasource.from_dict(
        {"text": list("abcd"), "label": list("xyxy"), "author": ["m", None, "m", None]}, group_column="author"
    )
    groups = data.frames["examples"]["group"]
    assert groups[0] == groups[2] and groups.nunique() == 3
    assert any("2 rows have no author" in note for note in data.notes)
