"""What mining takes, what it never takes, and what it says about the rest."""

from __future__ import annotations

import itertools
import random
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embedtune_nb.data.copies import normalized
from embedtune_nb.data.datasource import Datasource
from embedtune_nb.errors import DataError

_TOPICS = ["amber", "birch", "cedar", "delta", "ember", "flint", "grove", "heath"]


class Directions:
    """Embeds a text as the sum of fixed random directions of its words: exact, and without torch."""

    name = "directions"

    def embed(self, texts: list[str]) -> np.ndarray:
        return np.array([np.sum([self._word(word) for word in text.split()], axis=0) for text in texts])

    @staticmethod
    def _word(word: str) -> np.ndarray:
        return np.random.default_rng(sum(ord(letter) * 31**n for n, letter in enumerate(word))).normal(
            size=24
        )


def _pairs(seed: int, rows: int = 60, grouped: bool = False) -> Datasource:
    draw = random.Random(seed)
    anchors = [f"ask {draw.choice(_TOPICS)} {draw.choice(_TOPICS)} {n % 17}" for n in range(rows)]
    positives = [f"say {draw.choice(_TOPICS)} about {draw.choice(_TOPICS)} {n % 23}" for n in range(rows)]
    frame = pd.DataFrame({"anchor": anchors, "positive": positives})
    if grouped:
        frame["group"] = [f"g{n % 4}" for n in range(rows)]
    return Datasource.from_pandas(frame.drop_duplicates(["anchor", "positive"]), kind="pairs", name="talk")


def _mine(data: Datasource, strategy: str, **options: Any) -> Any:
    if strategy in ("model", "same_group"):
        options = {"model": Directions(), **options}
    return data.mine_hard_negatives(strategy, progress=False, **options)


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    strategy=st.sampled_from(["model", "bm25", "same_group", "partial_match"]),
    per_row=st.integers(1, 5),
    pick=st.sampled_from(["hardest", "random"]),
)
def test_no_negative_is_a_known_positive_or_a_copy_of_one(
    seed: int, strategy: str, per_row: int, pick: str
) -> None:
    data = _pairs(seed, grouped=strategy == "same_group")
    known: dict[str, set[str]] = {}
    for row in data.frames["examples"].itertuples():
        known.setdefault(normalized(row.anchor), set()).add(normalized(row.positive))
    try:
        mined = _mine(data, strategy, per_row=per_row, pick=pick)
    except DataError as error:
        assert "No row got a negative" in str(error)
        return
    assert mined.kind == "triplets"
    for row in mined.frames["examples"].itertuples():
        plain = {normalized(text) for text in row.negatives}
        assert 1 <= len(row.negatives) == len(plain) <= per_row
        assert not plain & (known[normalized(row.anchor)] | {normalized(row.anchor)})


def test_the_nearest_by_the_model_are_taken_in_order() -> None:
    data, model = _pairs(1, rows=30), Directions()
    mined = _mine(data, "model", per_row=2, relative_margin=None)
    row = mined.frames["examples"].iloc[3]
    documents = list(dict.fromkeys(data.frames["examples"]["positive"]))
    unit = [vector / np.linalg.norm(vector) for vector in model.embed([row.anchor, *documents])]
    known = set(data.frames["examples"].query("anchor == @row.anchor")["positive"])
    aside = set(mined.report.set_aside.query("anchor == @row.anchor")["candidate"])
    order = [documents[n] for n in np.argsort([-float(unit[0] @ vector) for vector in unit[1:]])]
    chosen = [text for text in order if text not in known and text not in aside]
    assert row.negatives[0] == chosen[0]
    scores = mined.report.scores.iloc[3]
    assert scores["negative_scores"] == sorted(scores["negative_scores"], reverse=True)
    assert scores["negative_scores"][0] == pytest.approx(
        float(unit[0] @ unit[1 + documents.index(row.negatives[0])]), abs=1e-5
    )


@pytest.mark.parametrize(
    ("margin", "limit"),
    [
        ({"absolute_margin": 0.2, "relative_margin": None}, lambda positive: positive - 0.2),
        ({"relative_margin": 0.3}, lambda positive: positive - 0.3 * abs(positive)),
        ({"absolute_margin": 0.0, "relative_margin": None}, lambda positive: positive),
        ({}, lambda positive: positive - 0.05 * abs(positive)),
    ],
)
def test_margins_set_aside_what_comes_too_near_and_list_it(margin: dict[str, Any], limit: Any) -> None:
    mined = _mine(_pairs(2), "model", **margin)
    scores = mined.report.scores
    assert all(max(row.negative_scores) <= limit(row.positive_score) + 1e-5 for row in scores.itertuples())
    near = mined.report.set_aside.query("reason.str.contains('too near')")
    assert len(near) and (near["score"] > limit(near["positive_score"])).all()
    assert mined.report.candidates["scores too near to the positive, or above it"] >= len(near)


def test_a_paraphrase_of_the_positive_is_set_aside_though_no_one_judged_it() -> None:
    documents = {
        "d1": "press the round button twice to restart the heater",
        "d2": "press the round button twice to restart the heaters",
        "d3": "press the square button to stop the fan",
        "d4": "unrelated words on quite another matter",
    }
    queries = {"q1": "which button do i press to restart the heater", "q2": "how do i stop the fan"}
    data = Datasource.from_retrieval(queries, documents, {"q1": ["d1"], "q2": ["d3"]})
    mined = _mine(data, "bm25", per_row=1)
    first = mined.frames["examples"].iloc[0]
    assert first.negatives == [documents["d3"]]
    aside = mined.report.set_aside.iloc[0]
    assert aside["candidate"] == documents["d2"] and "near-copy" in aside["reason"]


def test_ranks_count_what_is_no_known_positive() -> None:
    data, model = _pairs(3), Directions()
    mined = _mine(data, "model", per_row=60, rank_range=(6, 9), relative_margin=None)
    documents = list(dict.fromkeys(data.frames["examples"]["positive"]))
    vectors = model.embed(documents)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    for row in mined.frames["examples"].itertuples():
        known = set(data.frames["examples"].query("anchor == @row.anchor")["positive"])
        scores = vectors @ model.embed([row.anchor])[0]
        order = [documents[n] for n in np.argsort(-scores) if documents[n] not in known]
        assert set(row.negatives) <= set(order[5:9])


def test_score_range_bounds_the_scores() -> None:
    mined = _mine(_pairs(4), "model", score_range=(0.1, 0.3), relative_margin=None)
    scores = [score for row in mined.report.scores["negative_scores"] for score in row]
    assert scores and min(scores) >= 0.1 and max(scores) <= 0.3


def test_partial_matches_hold_some_of_the_query_but_not_all() -> None:
    frame = pd.DataFrame(
        {
            "anchor": ["repair the copper kettle", "sell an iron lamp"],
            "positive": ["copper kettles can be soldered; repair takes an hour", "lamps go for ten"],
        }
    )
    documents = {
        "p": frame.positive[0],
        "l": frame.positive[1],
        "all": "repair the copper kettle yourself",
        "some": "polish the copper kettle",
        "none": "nothing of that kind",
    }
    data = Datasource.from_retrieval(dict(enumerate(frame.anchor)), documents, {0: ["p"], 1: ["l"]})
    row = _mine(data, "partial_match", score_range=(0.3, 0.9)).frames["examples"].iloc[0]
    assert documents["some"] in row.negatives
    assert documents["all"] not in row.negatives and documents["none"] not in row.negatives


def test_same_group_stays_in_the_group() -> None:
    data = _pairs(5, grouped=True)
    groups = data.frames["examples"].groupby("positive")["group"].first()
    mined = _mine(data, "same_group", relative_margin=None)
    anchors = data.frames["examples"].groupby("anchor")["group"].first()
    for row in mined.frames["examples"].itertuples():
        assert {groups[text] for text in row.negatives} == {anchors[row.anchor]}
    with pytest.raises(DataError, match="group_column"):
        _mine(_pairs(5), "same_group")


def test_labeled_texts_of_a_group_get_negatives_of_that_group() -> None:
    draw = random.Random(15)
    rows = [
        {
            "value": f"{topic} {draw.choice(_TOPICS)} {draw.choice(_TOPICS)} {n}",
            "label": topic,
            "shop": f"shop {draw.randrange(3)}",
        }
        for topic in _TOPICS[:4]
        for n in range(15)
    ]
    shop = {row["value"]: row["shop"] for row in rows}
    mined = _mine(Datasource.from_list(rows, kind="labeled", group_column="shop"), "same_group")
    assert len(mined) > 50
    for row in mined.frames["examples"].itertuples():
        assert {shop[text] for text in row.negatives} == {shop[row.anchor]}


@pytest.mark.parametrize("strategy", ["model", "bm25", "same_group"])
def test_labels_give_positives_of_the_same_and_negatives_of_another_label(strategy: str) -> None:
    draw = random.Random(6)
    rows = [
        {"value": f"{topic} {draw.choice(_TOPICS)} {draw.choice(_TOPICS)} {n}", "label": topic}
        for topic in _TOPICS
        for n in range(12)
    ]
    data = Datasource.from_list(rows, kind="labeled")
    label = {row["value"]: row["label"] for row in rows}
    mined = _mine(data, strategy)
    again = _mine(data, strategy)
    assert len(mined) > 80 and mined.fingerprint == again.fingerprint
    for row in mined.frames["examples"].itertuples():
        assert label[row.positive] == label[row.anchor] and row.positive != row.anchor
        assert all(label[text] != label[row.anchor] for text in row.negatives)


def test_contradictions_of_the_same_premise_and_what_is_also_entailed() -> None:
    frame = pd.DataFrame(
        [
            ("Two dogs run.", "Animals move.", "entailment"),
            ("Two dogs run.", "The dogs sleep.", "contradiction"),
            ("Two dogs run.", "Animals move", "contradiction"),  # contradicts the first row
            ("Two dogs run.", "It is warm.", "neutral"),
            ("A man sings.", "Someone sings.", "entailment"),
        ],
        columns=["premise", "hypothesis", "label"],
    )
    mined = _mine(Datasource.from_pandas(frame, kind="nli"), "contradiction")
    assert mined.frames["examples"][["anchor", "positive", "negatives"]].to_numpy().tolist() == [
        ["Two dogs run.", "Animals move.", ["The dogs sleep."]]
    ]
    assert mined.report.set_aside["candidate"].tolist() == ["Animals move"]
    assert {drop.reason: drop.count for drop in mined.report.dropped}["no contradiction of the premise"] == 1


def test_easy_to_hard_orders_rows_and_stages_keep_the_order() -> None:
    mined = _mine(_pairs(7), "model", order="easy_to_hard")
    hardness = mined.report.scores["hardness"].to_numpy()
    assert (np.diff(hardness) >= 0).all() and hardness[0] < hardness[-1]
    by_id = mined.report.scores.set_index("id")["hardness"]
    stages = mined.stages(3)
    assert sum(map(len, stages)) == len(mined)
    spans = [by_id[stage.frames["examples"]["id"]] for stage in stages]
    assert all(a.max() <= b.min() for a, b in itertools.pairwise(spans))


def test_every_row_and_candidate_is_accounted_for() -> None:
    mined = _mine(_pairs(8), "model", relative_margin=0.4)
    report = mined.report
    assert report.kept + sum(drop.count for drop in report.dropped) == report.rows == len(_pairs(8))
    assert report.kept == len(mined) and report.negatives == report.candidates["chosen"]
    assert report.to_frame()["count"].sum() == report.rows + sum(report.candidates.values())
    text = repr(mined)
    assert "directions ranked the candidates" in text and "too near" in text
    assert "<script>" not in mined._repr_html_()


def test_mined_triplets_can_be_written_and_read(tmp_path: Path) -> None:
    mined = _mine(_pairs(9, grouped=True), "model")
    again = Datasource.read(mined.write(tmp_path / "mined"))
    assert again.fingerprint == mined.fingerprint and again.kind == "triplets"
    assert "group" in again.frames["examples"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"strategy": "bm52"}, "Did you mean 'bm25'"),
        ({"per_row": 0}, "per_row"),
        ({"rank_range": (5, 2)}, "rank_range"),
        ({"rank_range": 10}, "rank_range"),
        ({"score_range": (0.9, 0.1)}, "lower number first"),
        ({"relative_margin": 1.5}, "relative_margin"),
        ({"absolute_margin": "much"}, "absolute_margin"),
        ({"order": "hard"}, "easy_to_hard"),
        ({"pick": "hard"}, "Did you mean 'hardest'"),
        ({"model": 3.5, "strategy": "model"}, "model is a float"),
        ({"strategy": "contradiction"}, "names no contradictions"),
        ({"strategy": "model", "score_range": (5, 6)}, "No row got a negative"),
    ],
)
def test_wrong_wishes_are_refused_with_what_to_do(options: dict[str, Any], words: str) -> None:
    options = {"strategy": "bm25", **options}
    if options["strategy"] == "model":
        options = {"model": Directions(), **options}
    with pytest.raises(DataError, match=words):
        _pairs(10).mine_hard_negatives(progress=False, **options)


def test_data_without_pairs_is_refused() -> None:
    frame = pd.DataFrame({"sentence1": ["a b", "c d"], "sentence2": ["e", "f"], "score": [0.1, 0.9]})
    with pytest.raises(DataError, match="which texts belong together"):
        Datasource.from_pandas(frame, kind="scored_pairs").mine_hard_negatives("bm25")


def test_a_model_folder_ranks_with_its_own_encoder(
    tiny_static: Path, topic_rows: list[dict[str, str]]
) -> None:
    mined = Datasource.from_list(topic_rows, kind="labeled").mine_hard_negatives(
        model=str(tiny_static), progress=False, relative_margin=None
    )
    assert len(mined) > 80
    assert any(str(tiny_static) in note for note in mined.report.notes)
