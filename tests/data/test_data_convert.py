"""From one kind to another: what comes out, what is counted as lost, and what is refused."""

from __future__ import annotations

import pytest

from embedtune_nb.data.datasource import Datasource
from embedtune_nb.errors import DataError

TEXTS = [f"text number {place}" for place in range(9)]


def told(data):
    return {drop.reason: drop.count for drop in data.dropped}


@pytest.fixture
def labeled():
    return Datasource.from_dict({"text": TEXTS, "label": list("aaaabbbcd"), "author": list("mmnnmmmmm")})


@pytest.fixture
def nli():
    rows = [
        ("p1", "h1", "entailment"),
        ("p1", "h2", "contradiction"),
        ("p1", "h3", "contradiction"),
        ("p1", "h4", "neutral"),
        ("p2", "h5", "entailment"),
        ("p3", "h6", "contradiction"),
        ("p4", "p4", "entailment"),
        ("p4", "h7", "contradiction"),
        ("p5", "h8", "entailment"),
        ("p5", "h8", "contradiction"),
    ]
    return Datasource.from_list(
        [dict(zip(("premise", "hypothesis", "label"), row, strict=True)) for row in rows]
    )


def test_labels_make_pairs_of_one_label_with_each_text_once(labeled):
    pairs = labeled.to_pairs()
    label = dict(zip(TEXTS, "aaaabbbcd", strict=True))
    table = pairs.frames["examples"]
    assert len(table) == 3
    assert all(label[row.anchor] == label[row.positive] for row in table.itertuples())
    used = [*table["anchor"], *table["positive"]]
    assert len(set(used)) == len(used)
    assert told(pairs) == {"left over: no other text of the same label to pair with": 3}
    assert pairs.fingerprint == labeled.to_pairs().fingerprint
    assert any("4 labels" in note for note in pairs.notes)


def test_pairs_of_labels_stay_within_their_group(labeled):
    table = labeled.to_pandas().rename(columns={"value": "text"}).assign(author=list("mmnnmmmmm"))
    grouped = Datasource.from_pandas(table, group_column="author").to_pairs()
    author = dict(zip(TEXTS, "mmnnmmmmm", strict=True))
    for row in grouped.frames["examples"].itertuples():
        assert author[row.anchor] == author[row.positive] == row.group


def test_labels_make_triplets_whose_negative_is_of_another_label(labeled):
    label = dict(zip(TEXTS, "aaaabbbcd", strict=True))
    for seed in range(5):
        table = labeled.to_triplets(seed=seed).frames["examples"]
        for row in table.itertuples():
            (negative,) = row.negatives
            assert label[row.anchor] == label[row.positive] != label[negative]


def test_inference_makes_triplets_of_what_is_entailed_and_what_is_contradicted(nli):
    triplets = nli.to_triplets()
    assert triplets.frames["examples"][["anchor", "positive", "negatives"]].values.tolist() == [
        ["p1", "h1", ["h2", "h3"]]
    ]
    assert told(triplets) == {
        "label neutral": 1,
        "entailment of a premise that nothing contradicts": 1,
        "contradiction of a premise that entails nothing": 1,
        "premise and hypothesis are the same text": 1,
        "negatives that are the anchor or the positive of their row": 1,
        "rows left without a negative": 1,
    }


def test_inference_makes_pairs_and_scores(nli):
    pairs = nli.to_pairs()
    assert pairs.training_pairs().values.tolist() == [["p1", "h1"], ["p2", "h5"], ["p5", "h8"]]
    assert told(pairs) == {
        "label neutral": 1,
        "label contradiction": 5,
        "premise and hypothesis are the same text": 1,
    }
    scores = nli.to_scored_pairs()
    assert scores.frames["examples"]["score"].tolist() == [1, 0, 0, 0.5, 1, 0, 1, 0, 1, 0]
    assert any("neutral 0.5" in note for note in scores.notes)


def test_scores_make_pairs_that_are_similar_where_the_scores_are_near():
    scores = [0.0, 10.0, 2.5, 7.5, 5.0, 1.0]
    data = Datasource.from_dict({"text": TEXTS[:6], "score": scores})
    of_text = dict(zip(TEXTS, scores, strict=False))
    ranked = data.to_scored_pairs()
    table = ranked.frames["examples"]
    assert len(table) == 3 and len({*table["sentence1"], *table["sentence2"]}) == 6
    for row in table.itertuples():
        assert row.score == pytest.approx(1 - abs(of_text[row.sentence1] - of_text[row.sentence2]) / 10)
    odd = Datasource.from_dict({"text": TEXTS[:5], "score": scores[:5]}).to_scored_pairs()
    assert told(odd) == {"left over: no other text to pair with": 1}


def test_scored_pairs_make_pairs_above_a_score_of_their_scale():
    data = Datasource.from_dict(
        {
            "sentence1": TEXTS[:5],
            "sentence2": [*TEXTS[5:9], TEXTS[4]],
            "score": [5.0, 4.0, 3.9, 0.0, 4.5],
        }
    )
    pairs = data.to_pairs()
    assert pairs.training_pairs().values.tolist() == [[TEXTS[0], TEXTS[5]], [TEXTS[1], TEXTS[6]]]
    assert told(pairs) == {"score below 0.8": 2, "both sentences are the same text": 1}
    assert any("0.8 (4 in the source)" in note for note in pairs.notes)
    assert len(data.to_pairs(min_score=0.0)) == 4
    with pytest.raises(DataError, match="No pairs come out"):
        data.filter(lambda row: row["score"] < 0.5).to_pairs()


def test_retrieval_makes_pairs_and_counts_idle_documents_and_lost_grades():
    data = Datasource.from_retrieval(
        {"q1": "who", "q2": "where"},
        {"d1": "one", "d2": "two", "d3": "three", "d4": "who"},
        {"q1": {"d1": 2, "d2": 1, "d4": 1}, "q2": {"d2": 1}},
    )
    pairs = data.to_pairs()
    assert pairs.training_pairs().values.tolist() == [["who", "one"], ["who", "two"], ["where", "two"]]
    assert told(pairs) == {"query and document are the same text": 1, "documents that answer no query": 1}
    assert any("Grades (1 to 2)" in note for note in pairs.notes)
    best = data.to_pairs(min_score=2)
    assert best.training_pairs().values.tolist() == [["who", "one"]]
    assert told(best)["relevance below 2"] == 3


def test_triplets_make_pairs_and_retrieval_with_their_negatives_as_documents():
    data = Datasource.from_dict(
        {"anchor": ["a", "a", "b"], "positive": ["p", "p", "q"], "negatives": [["n"], ["m"], ["p", "n"]]}
    )
    pairs = data.to_pairs()
    assert pairs.training_pairs().values.tolist() == [["a", "p"], ["b", "q"]]
    assert told(pairs) == {"negatives": 4, "the pair stands in an earlier triplet": 1}
    retrieval = data.to_retrieval()
    assert retrieval.frames["corpus"]["text"].tolist() == ["p", "q", "n", "m"]
    assert retrieval.frames["corpus"]["id"].is_unique
    assert retrieval.to_pandas()[["query", "document"]].values.tolist() == [["a", "p"], ["b", "q"]]


def test_pairs_make_retrieval_and_keep_their_groups():
    data = Datasource.from_dict(
        {"anchor": ["a", "b"], "positive": ["p", "q"], "book": ["x", "y"]}, group_column="book"
    )
    retrieval = data.to_retrieval()
    assert retrieval.frames["queries"][["text", "group"]].values.tolist() == [["a", "x"], ["b", "y"]]
    assert retrieval.to_pairs().fingerprint == data.fingerprint


def test_what_makes_no_sense_is_refused_with_what_would(labeled, nli):
    pairs = nli.to_pairs()
    with pytest.raises(DataError, match="mine_hard_negatives"):
        pairs.to_triplets()
    for refused in (labeled.to_scored_pairs, labeled.to_retrieval, nli.to_retrieval, pairs.to_scored_pairs):
        with pytest.raises(DataError, match="can become"):
            refused()
    with pytest.raises(DataError, match="has no scores"):
        labeled.to_pairs(min_score=0.5)
    assert pairs.to_pairs() is pairs


def test_filtering_by_rule_and_by_mask_counts_what_is_left_out(labeled):
    by_rule = labeled.filter(lambda row: row["label"] in ("a", "b"))
    mask = (labeled.to_pandas()["label"] < "c").tolist()
    assert by_rule.fingerprint == labeled.filter(mask).fingerprint
    assert by_rule.texts() == TEXTS[:7]
    assert told(by_rule) == {"left out by the filter": 2}
    assert len(labeled) == 9
    for wrong in ([True], [1] * 9, ["yes"] * 9):
        with pytest.raises(DataError, match="The filter is"):
            labeled.filter(wrong)
    with pytest.raises(DataError, match="leaves none of 9"):
        labeled.filter(lambda row: False)


def test_filtered_queries_keep_all_documents():
    data = Datasource.from_retrieval(
        {"q1": "who", "q2": "where"}, {"d1": "one", "d2": "two"}, {"q1": ["d1"], "q2": ["d2"]}
    )
    kept = data.filter(lambda query: query["text"] == "who")
    assert kept.to_pandas()[["query", "document"]].values.tolist() == [["who", "one"]]
    assert len(kept.frames["corpus"]) == 2
