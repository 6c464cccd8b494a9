"""Scores, triplets, scored pairs and inference: what is kept, converted, dropped or refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from embedtune_nb.data.datasource import Datasource
from embedtune_nb.errors import DataError

SENTENCES = [f"sentence number {place}" for place in range(8)]
OTHERS = [f"another one, {place}" for place in range(8)]


def told(data):
    return {drop.reason: drop.count for drop in data.dropped}


def scored_pairs(scores, **options):
    table = {
        "sentence1": SENTENCES[: len(scores)],
        "sentence2": OTHERS[: len(scores)],
        "score": pd.Series(scores, dtype=object if any(isinstance(s, str) for s in scores) else None),
    }
    return Datasource.from_dict(table, kind="scored_pairs", **options)


@pytest.mark.parametrize(
    ("scores", "low", "high"),
    [
        ([0.0, 0.25, 1.0], 0, 1),
        ([0.4, 0.6, 0.61], 0, 1),
        ([-0.2, 0.5, 0.9], -1, 1),
        ([0.0, 2.5, 4.8], 0, 5),
        ([1.0, 3.2, 5.0], 1, 5),
        ([1, 2, 7, 4], 1, 7),
        ([0, 4, 2, 1], 0, 4),
        ([0.5, 33.0, 99.5], 0, 100),
        ([-7.5, 0.0, 312.0], -7.5, 312),
    ],
)
def test_similarities_become_zero_to_one_and_the_range_is_told(scores, low, high):
    data = scored_pairs(scores)
    assert data.score_range == (low, high)
    expected = [(score - low) / (high - low) for score in scores]
    assert data.frames["examples"]["score"].tolist() == pytest.approx(expected)
    assert any(f"{low:g} to {high:g}" in note for note in data.notes)


def test_a_named_range_holds_and_what_lies_outside_is_refused():
    data = scored_pairs([1.0, 2.0, 3.0], score_range=(0, 4))
    assert data.frames["examples"]["score"].tolist() == [0.25, 0.5, 0.75]
    with pytest.raises(
        DataError, match=r"Row 2 of column 'score' holds 3, outside of the range 0 to 2 \(1 such rows\)"
    ):
        scored_pairs([1.0, 2.0, 3.0], score_range=(0, 2))
    for wrong in [(2, 0), (0, float("inf")), 5, ("a", "b")]:
        with pytest.raises(DataError, match="score_range"):
            scored_pairs([1.0, 2.0], score_range=wrong)
    with pytest.raises(DataError, match="score_range was given for data of the kind 'scored'"):
        Datasource.from_dict({"text": ["a", "b"], "score": [1.0, 2.0]}, score_range=(0, 5))


@pytest.mark.parametrize("value", [float("inf"), -float("inf"), "a lot"])
def test_scores_that_are_no_finite_numbers_are_refused_with_their_row(value):
    with pytest.raises(DataError, match="Row 1 of column 'score'"):
        scored_pairs([0.5, value, 0.7])
    with pytest.raises(DataError, match="Row 1 of column 'score'"):
        Datasource.from_dict(
            {"text": SENTENCES[:3], "score": pd.Series([0.5, value, 2.0], dtype=object)}, kind="scored"
        )


def test_rows_without_a_score_are_dropped_and_counted():
    data = Datasource.from_dict({"text": SENTENCES[:4], "score": [0.5, np.nan, 3.0, None]})
    assert data.frames["examples"][["id", "value", "score"]].values.tolist() == [
        [0, SENTENCES[0], 0.5],
        [2, SENTENCES[2], 3.0],
    ]
    assert told(data) == {"no score": 2}


def test_equal_scores_teach_nothing_and_are_refused():
    with pytest.raises(DataError, match=r"All 3 rows have the score 0\.5"):
        scored_pairs([0.5, 0.5, 0.5])


def test_scores_of_texts_are_kept_as_they_are():
    data = Datasource.from_dict({"text": SENTENCES[:3], "score": [-3.5, 0.0, 120.0]})
    assert data.frames["examples"]["score"].tolist() == [-3.5, 0.0, 120.0]
    assert any("-3.5 to 120" in note for note in data.notes)


CLASSES = ["entailment", "neutral", "contradiction"]


@pytest.mark.parametrize(
    "labels",
    [[0, 1, 2], ["0", "1", "2"], [0.0, 1.0, 2.0], CLASSES, ["Entailment", " NEUTRAL", "contradiction "]],
)
def test_classes_of_inference_are_read_from_codes_and_names(labels):
    data = Datasource.from_dict({"premise": SENTENCES[:3], "hypothesis": OTHERS[:3], "label": labels})
    assert data.frames["examples"]["label"].tolist() == CLASSES


def test_undecided_rows_are_dropped_and_counted():
    labels = [0, -1, 2, 1, -1]
    data = Datasource.from_dict({"premise": SENTENCES[:5], "hypothesis": OTHERS[:5], "label": labels})
    assert data.frames["examples"]["id"].tolist() == [0, 2, 3]
    assert told(data) == {"undecided (label -1 or '-')": 2}


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 1, 3, 3], r"Row 2 of column 'label' holds 3, .*\(2 rows in all\)"),
        (["entailment", "neutral", "not_entailment", "neutral"], "Row 2 .*'not_entailment'"),
        ([0, "neutral", 2, 1], r"mixes codes \(0\) and names \('neutral'\)"),
        ([True, False, True, False], "Row 0 .*True"),
        ([1, 1, 1, 1], "All 4 rows are 'neutral'"),
    ],
)
def test_wrong_codes_of_inference_are_refused(labels, message):
    table = {"premise": SENTENCES[:4], "hypothesis": OTHERS[:4], "label": pd.Series(labels, dtype=object)}
    with pytest.raises(DataError, match=message):
        Datasource.from_dict(table, kind="nli")


def test_a_class_that_never_occurs_is_pointed_out():
    data = Datasource.from_dict({"premise": SENTENCES, "hypothesis": OTHERS, "label": [0, 1] * 4})
    assert any("No row is contradiction" in note for note in data.notes)


def test_negatives_come_from_one_column_several_or_lists():
    base = {"anchor": SENTENCES[:3], "positive": OTHERS[:3]}
    one = Datasource.from_dict({**base, "negative": ["x", "y", "z"]})
    several = Datasource.from_dict({**base, "negative_1": ["x", "y", "z"], "negative_2": ["u", None, "w"]})
    lists = Datasource.from_dict({**base, "negatives": [["x", "u"], ["y"], np.array(["z", "w"])]})
    assert one.frames["examples"]["negatives"].tolist() == [["x"], ["y"], ["z"]]
    assert several.frames["examples"]["negatives"].tolist() == [["x", "u"], ["y"], ["z", "w"]]
    assert several.fingerprint == lists.fingerprint != one.fingerprint
    assert lists.texts_by_role()["negatives"] == ["x", "u", "y", "z", "w"]


def test_negatives_that_are_the_positive_or_the_anchor_are_dropped_and_counted():
    data = Datasource.from_dict(
        {
            "anchor": ["a", "b", "c", "d"],
            "positive": ["p", "q", "r", "s"],
            "negatives": [["p", "n", "n"], ["b"], ["n", None, " "], []],
        }
    )
    assert data.frames["examples"][["anchor", "negatives"]].values.tolist() == [["a", ["n"]], ["c", ["n"]]]
    assert told(data) == {
        "no negative": 1,
        "negatives that are the anchor or the positive of their row": 2,
        "negatives given twice in their row": 1,
        "rows left without a negative": 1,
    }


def test_negatives_of_another_type_are_refused_with_their_row():
    base = {"anchor": SENTENCES[:3], "positive": OTHERS[:3]}
    with pytest.raises(DataError, match="Row 1 of column 'negatives' holds a bytes"):
        Datasource.from_dict({**base, "negatives": [["x"], ["y", b"z"], ["w"]]})
    with pytest.raises(DataError, match="A negative is a dict"):
        Datasource.from_dict({**base, "negatives": ["x", {"text": "y"}, "z"]})


def test_lists_that_a_csv_turned_into_texts_are_refused(tmp_path):
    lists = [["a hard one", "it's another"], ["third"]]
    frame = pd.DataFrame({"anchor": SENTENCES[:2], "positive": OTHERS[:2], "negatives": lists})
    frame.to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(DataError, match=r"written out as texts(?s:.*)literal_eval"):
        Datasource.from_csv(tmp_path / "t.csv")
    bracketed = frame.assign(negatives=["[sic] a text", "[unclear]"])
    assert Datasource.from_pandas(bracketed).texts_by_role()["negatives"] == ["[sic] a text", "[unclear]"]


NEW_KINDS = {
    "scored": {"text": SENTENCES, "score": np.linspace(-1, 3, 8)},
    "triplets": {"anchor": SENTENCES, "positive": OTHERS, "negatives": [["n", str(n)] for n in range(8)]},
    "scored_pairs": {"sentence1": SENTENCES, "sentence2": OTHERS, "score": np.linspace(0, 4.5, 8)},
    "nli": {"premise": SENTENCES, "hypothesis": OTHERS, "label": [0, 1, 2, 0, 1, 2, 0, 1]},
}


@pytest.mark.parametrize("kind", NEW_KINDS)
def test_each_kind_is_written_and_read_back_and_shown(kind, tmp_path):
    data = Datasource.from_dict(NEW_KINDS[kind], name="<b>mine</b>")
    again = Datasource.read(data.write(tmp_path))
    assert again.fingerprint == data.fingerprint
    assert again.frames["examples"].values.tolist() == data.frames["examples"].values.tolist()
    assert again.score_range == data.score_range and again.notes == data.notes
    shuffled = Datasource.from_pandas(data.to_pandas().drop(columns="id").iloc[::-1], kind=kind)
    assert shuffled.fingerprint != data.fingerprint
    assert kind in repr(data) and "8 " in repr(data)
    assert "<b>mine" not in data._repr_html_() and "8 " in data._repr_html_()


@pytest.mark.parametrize("kind", NEW_KINDS)
def test_a_change_of_any_value_changes_the_fingerprint(kind):
    data = Datasource.from_dict(NEW_KINDS[kind])
    examples = data.frames["examples"]
    other = {"score": 0.123, "label": "neutral", "negatives": ["n0"]}
    for column in examples.columns.drop("id"):
        changed = examples.copy()
        changed.at[0, column] = other.get(column, "something else")
        assert Datasource(kind, {"examples": changed}, name="x").fingerprint != data.fingerprint


INVISIBLE = ["\u200b", "\u200b \u200d\ufeff", "\u2060\u00ad", "\u202e\u202c", "\u3164", "\x00\x1b"]


@pytest.mark.parametrize("text", INVISIBLE)
def test_texts_in_which_nothing_can_be_seen_are_blank(text):
    data = Datasource.from_dict({"text": ["one", text, "two"], "label": ["a", "b", "b"]})
    assert data.texts() == ["one", "two"]
    assert told(data) == {"blank text": 1}
    with pytest.raises(DataError, match="1 dropped: no negative"):
        Datasource.from_dict({"anchor": ["a"], "positive": ["b"], "negative": [text]}, kind="triplets")


def test_texts_with_a_few_invisible_characters_are_texts():
    texts = ["👩\u200d👩\u200d👧", "می\u200cخواهم", "a\u200b", "ﷺ"]
    data = Datasource.from_dict({"text": texts, "label": ["a", "b", "a", "b"]})
    assert data.texts() == texts


def test_control_and_direction_characters_are_written_out_in_plain_text():
    acting = "\x1b[31mred\x1b[0m \u202egnp.exe\u202c\x07\u2066"
    data = Datasource.from_dict(
        {acting: [acting + "one", acting + "two"], "label": [acting, "b"]},
        roles={"value": acting, "label": "label"},
        name=acting,
    )
    for shown in (repr(data), data._repr_html_()):
        assert not set(shown) & set("\x1b\x07\u202e\u202c\u2066")
        assert "\\x1b[31mred" in shown and "\\u202e" in shown
    assert data.texts()[0] == acting + "one"
