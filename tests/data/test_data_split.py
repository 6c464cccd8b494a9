"""The three parts: their sizes, that nothing leaks between them, and that they are the same every time."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from embedtune_nb.data.datasource import Datasource
from embedtune_nb.data.split import Split, split
from embedtune_nb.errors import DataError, IntegrityError

WORDS = np.array([f"{a}{b}{c}" for a in "bdfgklmnprst" for b in "aeiou" for c in "bdfgklmnprst"])


def sentences(count, seed=0, words=12):
    picks = np.random.default_rng(seed).integers(0, len(WORDS), (count, words))
    return [" ".join(WORDS[row]) for row in picks]


def labeled(count=600, seed=0, **columns):
    labels = np.random.default_rng(seed).choice(["a", "b", "c"], count, p=[0.7, 0.2, 0.1])
    return pd.DataFrame({"text": sentences(count, seed), "label": labels, **columns})


def parts_of(result):
    return {name: part for name in ("train", "selection", "verdict") if (part := getattr(result, name))}


def values(part):
    return set(part.frames["examples"]["value"])


def asked_and_answered(part):
    if part.kind == "pairs":
        pairs = part.training_pairs()
        return set(pairs["anchor"]) | set(pairs["positive"])
    table = part.to_pandas()
    return set(table["query"]) | set(table["document"])


def assert_disjoint(sets):
    sets = list(sets)
    for place, first in enumerate(sets):
        for second in sets[place + 1 :]:
            assert not first & second


def test_labeled_parts_have_their_sizes_and_the_labels_in_proportion():
    data = Datasource.from_pandas(labeled(1000))
    result = split(data, selection=True)
    sizes = {name: len(part) for name, part in parts_of(result).items()}
    assert sizes == {"train": 700, "selection": 100, "verdict": 200}
    assert result.report["counts"] == sizes
    whole = data.label_counts() / len(data)
    for part in parts_of(result).values():
        share = part.label_counts() / len(part)
        assert (share - whole).abs().max() < 0.02
    assert_disjoint(values(part) for part in parts_of(result).values())


def test_without_a_chooser_nothing_is_kept_for_selection():
    result = split(Datasource.from_pandas(labeled(200)))
    assert result.selection is None
    assert len(result.train) + len(result.verdict) == 200


def test_the_held_out_parts_have_a_ceiling():
    result = split(Datasource.from_pandas(labeled(20_000)), selection=True)
    assert (len(result.selection), len(result.verdict)) == (1000, 2000)


def test_near_copies_stay_together():
    table = labeled(400)
    copies = table.copy()
    copies["text"] = [
        text.upper() + "!" if place % 2 else text + "s" for place, text in enumerate(table["text"])
    ]
    data = Datasource.from_pandas(pd.concat([table, copies]))
    result = split(data, selection=True)
    originals = [{row % 400 for row in part.frames["examples"]["id"]} for part in parts_of(result).values()]
    assert sum(map(len, originals)) == 400
    assert_disjoint(originals)
    assert any("Near-copies of another text: 400" in reason for reason in result.report["reasons"])


def test_texts_from_a_template_do_not_lump_together():
    table = pd.DataFrame(
        {
            "text": [f"please tell me when my order number {place} will arrive" for place in range(300)],
            "label": ["x", "y"] * 150,
        }
    )
    result = split(Datasource.from_pandas(table))
    assert len(result.verdict) == 60
    assert any("template" in reason for reason in result.report["reasons"])


def test_a_rare_label_keeps_a_row_to_train_on():
    table = labeled(300)
    table.loc[[3, 4], "label"] = "pair"
    table.loc[5, "label"] = "single"
    result = split(Datasource.from_pandas(table), selection=True)
    assert {"pair", "single"} <= set(result.train.labels)
    assert any("too rare" in reason and "single" in reason for reason in result.report["reasons"])


def test_labeled_groups_stay_whole():
    table = labeled(600, author=[f"author {place % 60}" for place in range(600)])
    result = split(Datasource.from_pandas(table, group_column="author"), selection=True)
    assert_disjoint(set(part.frames["examples"]["group"]) for part in parts_of(result).values())
    assert abs(len(result.verdict) - 120) <= 10


def pairs(count=300):
    return pd.DataFrame({"anchor": sentences(count, 1), "positive": sentences(count, 2)})


def test_pairs_that_share_any_text_stay_together():
    table = pairs(300)
    table.loc[100:149, "positive"] = table.loc[0:49, "positive"].to_numpy()
    table.loc[150:199, "anchor"] = [text.upper() for text in table.loc[0:49, "anchor"]]
    table.loc[200:249, "anchor"] = table.loc[50:99, "positive"].to_numpy()
    result = split(Datasource.from_pandas(table), selection=True)
    assert_disjoint({text.lower() for text in asked_and_answered(part)} for part in parts_of(result).values())
    assert result.train.kind == "pairs"
    assert result.verdict.kind == result.selection.kind == "retrieval"
    held_out = len(result.verdict.to_pandas()) + len(result.selection.to_pandas())
    assert len(result.train) + held_out == 300


def test_held_out_queries_search_the_documents_of_all_parts():
    table = pairs(300)
    result = split(Datasource.from_pandas(table), selection=True)
    for part in (result.selection, result.verdict):
        assert set(part.frames["corpus"]["text"]) == set(table["positive"])
    answers = dict(zip(table["anchor"], table["positive"], strict=True))
    for row in result.verdict.to_pandas().itertuples():
        assert answers[row.query] == row.document


@pytest.mark.parametrize("kind", ["pairs", "retrieval"])
def test_uneven_groups_stay_whole_and_near_the_wanted_sizes(kind):
    sizes = [300, 150, 90, 60, 45, 30, 25, 20, 15, 10, 8, 7, 6, 5, 5, 4, 4, 3, 3, 2, 2, 2, 1, 1, 1, 1]
    group = np.repeat([f"module {place}" for place in range(len(sizes))], sizes)
    table = pairs(len(group)).assign(module=group)
    names = {"anchor": "query", "positive": "document"} if kind == "retrieval" else {}
    data = Datasource.from_pandas(table.rename(columns=names), kind=kind, group_column="module")
    result = split(data, selection=True)
    group_of = dict(zip(table["anchor"], table["module"], strict=True))
    queries = {
        "train": result.train.training_pairs()["anchor"],
        "selection": result.selection.to_pandas()["query"],
        "verdict": result.verdict.to_pandas()["query"],
    }
    assert_disjoint({group_of[query] for query in found} for found in queries.values())
    assert abs(len(queries["verdict"]) - 160) <= 16
    assert abs(len(queries["selection"]) - 80) <= 8
    assert any("wanted 160" in reason for reason in result.report["reasons"])


def test_one_group_that_holds_nearly_all_is_refused():
    table = pairs(200).assign(book=["one"] * 190 + ["two"] * 10)
    with pytest.raises(DataError, match="largest with 190 of 200"):
        split(Datasource.from_pandas(table, group_column="book"))


def test_documents_that_tie_all_queries_together_are_told():
    queries = {f"q{place}": text for place, text in enumerate(sentences(100, 1))}
    corpus = {f"d{place}": text for place, text in enumerate(sentences(101, 2))}
    chain = {f"q{place}": [f"d{place}", f"d{place + 1}"] for place in range(100)}
    result = split(Datasource.from_retrieval(queries, corpus, chain))
    assert len(result.verdict) == 20
    assert not set(result.train.frames["queries"]["id"]) & set(result.verdict.frames["queries"]["id"])
    train, verdict = (set(part.frames["qrels"]["corpus_id"]) for part in (result.train, result.verdict))
    assert any(f"{len(train & verdict)} documents answer" in reason for reason in result.report["reasons"])


def test_training_never_sees_a_document_of_a_held_out_query():
    queries = {f"q{place}": text for place, text in enumerate(sentences(200, 1))}
    corpus = {f"d{place}": text for place, text in enumerate(sentences(500, 2))}
    judged = {f"q{place}": {f"d{2 * place}": 2, f"d{2 * place + 1}": 1} for place in range(200)}
    data = Datasource.from_retrieval(queries, corpus, judged)
    result = split(data, selection=True)
    seen = set(result.train.frames["corpus"]["id"])
    for part in (result.selection, result.verdict):
        assert not seen & set(part.frames["qrels"]["corpus_id"])
        assert len(part.frames["corpus"]) == 500
    assert {f"d{place}" for place in range(400, 500)} <= seen
    graded = result.verdict.frames["qrels"]["relevance"]
    assert sorted(set(graded)) == [1.0, 2.0]


def test_the_same_seed_gives_the_same_parts_and_another_does_not():
    data = Datasource.from_pandas(pairs(300))
    again = Datasource.from_pandas(pairs(300).set_index(np.arange(300)[::-1]))
    first, second, other = split(data, seed=7), split(again, seed=7), split(data, seed=8)
    assert first.verdict.fingerprint == second.verdict.fingerprint
    assert first.train.fingerprint == second.train.fingerprint
    assert first.verdict.fingerprint != other.verdict.fingerprint


def test_a_given_set_is_the_verdict_and_its_texts_leave_the_training_part():
    table = labeled(300)
    held_out = Datasource.from_pandas(labeled(100, seed=9))
    leak = held_out.frames["examples"].iloc[:5].rename(columns={"value": "text"})[["text", "label"]]
    leak = leak.assign(text=leak["text"].str.upper())
    data = Datasource.from_pandas(pd.concat([table, leak]))
    result = split(data, selection=True, eval_datasource=held_out)
    assert result.verdict.fingerprint == held_out.fingerprint
    assert len(result.train) + len(result.selection) == 300
    assert result.report["removed"] == [
        {"count": 5, "reason": "a copy or near-copy stands in eval_datasource"}
    ]


def test_a_given_retrieval_set_is_searched_in_the_documents_of_both():
    data = Datasource.from_pandas(pairs(100))
    given = pairs(120).iloc[95:]
    result = split(data, selection=True, eval_datasource=Datasource.from_pandas(given))
    assert set(result.verdict.to_pandas()["query"]) == set(given["anchor"])
    pool = set(pairs(120)["positive"])
    answers = dict(zip(pairs(120)["anchor"], pairs(120)["positive"], strict=True))
    for part in (result.selection, result.verdict):
        assert set(part.frames["corpus"]["text"]) == pool
        assert part.frames["corpus"]["id"].is_unique
        assert all(answers[row.query] == row.document for row in part.to_pandas().itertuples())
    assert not set(given["anchor"]) & set(result.train.training_pairs()["anchor"])
    assert result.report["removed"][0]["count"] == 5


def test_sets_that_cannot_be_compared_are_refused():
    data = Datasource.from_pandas(labeled(50))
    with pytest.raises(DataError, match="'labeled', eval_datasource is 'pairs'"):
        split(data, eval_datasource=Datasource.from_pandas(pairs(20)))
    numbered = Datasource.from_dict({"text": ["one", "two"], "label": [0, 1]})
    with pytest.raises(DataError, match="No label of eval_datasource"):
        split(data, eval_datasource=numbered)
    with pytest.raises(DataError, match="Every text"):
        split(data, eval_datasource=data)


def test_too_few_examples_are_refused_with_their_count():
    with pytest.raises(DataError, match="9 examples are too few"):
        split(Datasource.from_pandas(pairs(9)))
    small = split(Datasource.from_pandas(pairs(40)))
    assert any("rests on 8 queries" in advice for advice in small.report["advice"])
    assert not split(Datasource.from_pandas(labeled(800))).report["advice"]


@pytest.mark.parametrize("make", [labeled, pairs])
def test_a_written_split_is_read_back_the_same(tmp_path, make):
    result = split(Datasource.from_pandas(make(200)), selection=True)
    result.write(tmp_path)
    again = Split.read(tmp_path)
    assert again.report == result.report
    for name, part in parts_of(result).items():
        assert getattr(again, name).fingerprint == part.fingerprint
        assert getattr(again, name).kind == part.kind


def test_a_changed_file_is_noticed(tmp_path):
    split(Datasource.from_pandas(labeled(200))).write(tmp_path)
    path = tmp_path / "verdict.examples.parquet"
    frame = pd.read_parquet(path)
    frame.loc[0, "value"] = "another text"
    frame.to_parquet(path, index=False)
    with pytest.raises(IntegrityError):
        Split.read(tmp_path)
    with pytest.raises(IntegrityError):
        Split.read(tmp_path / "nowhere")


def test_labels_of_one_text_each_are_refused_before_anything_starts():
    rows = [{"text": f"some text {n} here", "label": f"c{n}"} for n in range(40)]
    with pytest.raises(DataError, match="Nothing can be held out"):
        split(Datasource.from_list(rows))
