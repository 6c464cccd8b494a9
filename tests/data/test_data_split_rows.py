"""Splits of scored texts, triplets, scored pairs and nli: sizes, proportions, and what is told."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from embedtune_nb.data.datasource import Datasource
from embedtune_nb.data.split import Split, split
from embedtune_nb.errors import DataError

WORDS = np.array([f"{a}{b}{c}" for a in "bdfgklmnprst" for b in "aeiou" for c in "bdfgklmnprst"])


def sentences(count, seed):
    picks = np.random.default_rng(seed).integers(0, len(WORDS), (count, 12))
    return [" ".join(WORDS[row]) for row in picks]


def scored(count=600):
    return pd.DataFrame({"text": sentences(count, 1), "score": np.random.default_rng(1).gamma(2, 3, count)})


def scored_pairs(count=600):
    scores = np.random.default_rng(2).integers(0, 21, count) / 4
    return pd.DataFrame({"sentence1": sentences(count, 1), "sentence2": sentences(count, 2), "score": scores})


def nli(premises=200):
    labels = ["entailment", "neutral", "contradiction"]
    return pd.DataFrame(
        {
            "premise": np.repeat(sentences(premises, 1), 3),
            "hypothesis": sentences(3 * premises, 2),
            "label": labels * premises,
        }
    )


def triplets(count=600):
    return pd.DataFrame(
        {
            "anchor": sentences(count, 1),
            "positive": sentences(count, 2),
            "negatives": [[text] for text in sentences(count, 3)],
        }
    )


MAKE = {"scored": scored, "scored_pairs": scored_pairs, "nli": nli, "triplets": triplets}


@pytest.mark.parametrize("kind", MAKE)
def test_parts_have_their_sizes_and_kind_and_come_back_from_disk(kind, tmp_path):
    data = Datasource.from_pandas(MAKE[kind]())
    result = split(data, selection=True)
    parts = {"train": result.train, "selection": result.selection, "verdict": result.verdict}
    assert {part.kind for part in parts.values()} == {kind}
    assert {name: len(part) for name, part in parts.items()} == pytest.approx(
        {"train": 420, "selection": 60, "verdict": 120}, abs=3
    )
    assert result.report["counts"] == {name: len(part) for name, part in parts.items()}
    again = Split.read(result.write(tmp_path))
    for name, part in parts.items():
        assert getattr(again, name).to_record() == part.to_record()
        pd.testing.assert_frame_equal(
            getattr(again, name).frames["examples"], part.frames["examples"], check_dtype=False
        )


@pytest.mark.parametrize("kind", ["scored", "scored_pairs"])
def test_each_band_of_scores_is_in_every_part_in_proportion(kind):
    data = Datasource.from_pandas(MAKE[kind]())
    result = split(data, selection=True)
    whole = data.frames["examples"]["score"]
    assert "10 bands of scores" in result.report["how"]
    for part in (result.train, result.selection, result.verdict):
        scores = part.frames["examples"]["score"]
        for mark in (0.1, 0.5, 0.9):
            assert (scores <= whole.quantile(mark)).mean() == pytest.approx(
                (whole <= whole.quantile(mark)).mean(), abs=0.03
            )


def test_premises_stay_whole_and_labels_in_proportion():
    result = split(Datasource.from_pandas(nli()), selection=True)
    parts = [part.frames["examples"] for part in (result.train, result.selection, result.verdict)]
    premises = [set(part["premise"]) for part in parts]
    assert sum(map(len, premises)) == 200
    for part in parts:
        assert part["label"].value_counts(normalize=True).tolist() == pytest.approx([1 / 3] * 3, abs=0.01)


def test_what_ties_everything_together_is_kept_apart_by_its_leading_text_and_told():
    table = triplets().assign(negatives=[["the one negative of all"]] * 600)
    result = split(Datasource.from_pandas(table), selection=True)
    assert "anchor or positive together" in result.report["how"]
    reasons = " ".join(result.report["reasons"])
    assert "600 of 600 rows hang together through a shared anchor, positive or negatives" in reasons
    assert "1 texts stand in more than one part" in reasons
    chain = scored_pairs()
    chain["sentence2"] = [*chain["sentence1"][1:], "the last of all"]
    told = split(Datasource.from_pandas(chain)).report
    assert "share a text as sentence1 together" in told["how"]


def test_groups_of_rows_stay_whole_or_are_refused():
    table = scored_pairs().assign(author=[f"author {place % 60}" for place in range(600)])
    result = split(Datasource.from_pandas(table, group_column="author"), selection=True)
    groups = [set(p.frames["examples"]["group"]) for p in (result.train, result.selection, result.verdict)]
    assert sum(map(len, groups)) == 60
    assert len(result.verdict) == pytest.approx(120, abs=10)
    lump = scored_pairs().assign(author=["one"] * 580 + ["two"] * 20)
    with pytest.raises(DataError, match=r"580 of 600 rows"):
        split(Datasource.from_pandas(lump, group_column="author"))


def test_near_copies_of_scored_texts_stay_together():
    table = scored(300)
    copies = table.assign(text=table["text"].str.upper() + "!", score=table["score"] + 1)
    result = split(Datasource.from_pandas(pd.concat([table, copies])), selection=True)
    originals = [
        {row % 300 for row in part.frames["examples"]["id"]}
        for part in (result.train, result.selection, result.verdict)
    ]
    assert sum(map(len, originals)) == 300


@pytest.mark.parametrize("kind", MAKE)
def test_a_given_set_is_the_verdict_and_rows_that_share_its_texts_leave(kind):
    table = MAKE[kind]()
    given = Datasource.from_pandas(table.iloc[:30])
    result = split(Datasource.from_pandas(table), selection=True, eval_datasource=given)
    assert result.verdict.fingerprint == given.fingerprint
    assert len(result.train) + len(result.selection) == 570
    assert [entry["count"] for entry in result.report["removed"]] == [30]
    with pytest.raises(DataError, match=r"Every (row|text) of the data"):
        split(given, eval_datasource=given)


def test_a_given_set_of_another_kind_or_scale_is_refused_or_told():
    data = Datasource.from_pandas(scored_pairs())
    with pytest.raises(DataError, match="'scored_pairs', eval_datasource is 'nli'"):
        split(data, eval_datasource=Datasource.from_pandas(nli()))
    other = scored_pairs(50).assign(sentence1=sentences(50, 8), sentence2=sentences(50, 9))
    other["score"] = np.linspace(0, 1, 50)
    told = split(data, eval_datasource=Datasource.from_pandas(other)).report["advice"]
    assert any("0 to 5" in line and "0 to 1" in line and "score_range" in line for line in told)
