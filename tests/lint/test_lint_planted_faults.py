"""Faults planted in good data are found, and nothing is found where there is none."""

from __future__ import annotations

import random
import time

import numpy as np
import pandas as pd
import pytest

from embedtune_nb.data.datasource import Datasource
from embedtune_nb.errors import DataError

_SYLLABLES = ["ba", "ke", "li", "mo", "nu", "ra", "se", "ti", "vo", "zu", "dan", "fer", "gil", "hom", "jun"]


def _words(count: int, seed: int) -> list[str]:
    draw = random.Random(seed)
    return ["".join(draw.choices(_SYLLABLES, k=draw.randint(1, 3))) for _ in range(count)]


def _texts(count: int, seed: int, words: int = 10) -> list[str]:
    draw, vocabulary = random.Random(seed), _words(900, 1)
    return [" ".join(draw.choices(vocabulary, k=words)).capitalize() + "." for _ in range(count)]


def _labeled(texts: list[str], labels: list[object] | None = None) -> Datasource:
    labels = labels or [f"class {number % 4}" for number in range(len(texts))]
    return Datasource.from_pandas(pd.DataFrame({"value": texts, "label": labels}), kind="labeled")


def _edited(text: str, how: str, draw: random.Random) -> str:
    words = text.split()
    place = draw.randrange(1, len(words))
    if how == "typing error":
        spot = draw.randrange(1, len(text) - 2)
        return text[:spot] + "x" + text[spot + 1 :]
    if how == "word more":
        return " ".join([*words[:place], "so", *words[place:]])
    if how == "word less":
        return " ".join(words[:place] + words[place + 1 :])
    return " ".join([*words[:place][::-1], *words[place:]]) if how == "order" else text


@pytest.mark.parametrize("how", ["typing error", "word more", "word less"])
def test_nineteen_of_twenty_near_duplicates_are_found(how: str) -> None:
    originals = _texts(1200, seed=3)
    draw = random.Random(4)
    copies = [_edited(text, how, draw) for text in originals[:400]]
    labels = [f"class {number % 4}" for number in range(1200)]
    report = _labeled([*originals, *copies], [*labels, *labels[:400]]).lint()
    found = set(report["near_duplicates"].rows.tolist())
    assert len(found & set(range(1200, 1600))) >= 0.95 * 400
    assert not found & set(range(1200))  # and nothing else


@pytest.mark.slow
def test_fifty_thousand_rows_are_linted_in_seconds_and_their_faults_found() -> None:
    originals = _texts(45_000, seed=32, words=12)
    draw = random.Random(33)
    kinds = ("typing error", "word more", "word less")
    exact = [text.upper() + "!" for text in originals[:2_000]]
    near = [_edited(text, kinds[n % 3], draw) for n, text in enumerate(originals[2_000:5_000])]
    labels = [f"class {number % 50}" for number in range(45_000)]
    data = _labeled([*originals, *exact, *near], [*labels, *labels[:5_000]])
    started = time.process_time()
    report = data.lint(_labeled(_texts(1_000, seed=34)))
    assert time.process_time() - started < 20
    source = data.frames["examples"]["id"].to_numpy()
    told = {name: set(source[report[name].rows]) for name in ("exact_duplicates", "near_duplicates")}
    assert told["exact_duplicates"] >= set(range(45_000, 47_000))
    assert len(told["near_duplicates"] & set(range(47_000, 50_000))) >= 0.95 * 3_000


def test_every_exact_duplicate_is_found() -> None:
    originals = _texts(500, seed=5)
    copies = [text.upper().replace(".", " !") for text in originals[:100]]
    labels = [f"class {number % 4}" for number in range(500)]
    report = _labeled([*originals, *copies], [*labels, *labels[:100]]).lint()
    assert set(report["exact_duplicates"].rows.tolist()) == set(range(500, 600))
    assert "near_duplicates" not in report


def test_signs_that_tell_things_apart_make_no_copies() -> None:
    texts = [
        "what is c++?",
        "what is c#?",
        "what is c?",
        "a fee of £1",
        "a fee of €1",
        "a fee of $1",
        "1% off",
        "1 off",
    ]
    again = ["What is C++", "A fee of £ 1!", "a fee of: €1", "1% off..."]
    finding = _labeled([*texts, *again], ["x", "y"] * 4 + ["x", "y", "x", "x"]).lint()["exact_duplicates"]
    assert finding.rows.tolist() == [8, 10, 11]


def test_good_data_gives_no_findings() -> None:
    report = _labeled(_texts(400, seed=6)).lint(_labeled(_texts(100, seed=7)))
    assert len(report) == 0
    assert {"exact_duplicates", "near_duplicates", "exact_leaks", "near_leaks"} <= set(report.clean)


def test_leaks_are_told_apart_and_all_found() -> None:
    evaluation = _texts(90, seed=8)
    draw = random.Random(9)
    exact = [text.lower() for text in evaluation[:30]]
    near = [_edited(text, "typing error", draw) for text in evaluation[30:60]]
    train = _labeled([*_texts(300, seed=10), *exact, *near])
    report = train.lint(_labeled(evaluation))
    assert set(report["exact_leaks"].rows.tolist()) == set(range(300, 330))
    assert set(report["near_leaks"].rows.tolist()) == set(range(330, 360))


def test_without_evaluation_data_leaks_are_said_not_to_have_been_looked_at() -> None:
    report = _labeled(_texts(50, seed=11)).lint()
    assert "exact_leaks" not in report.clean
    with pytest.raises(DataError, match="eval_datasource"):
        report["exact_leaks"]


def test_one_document_behind_training_and_evaluation_queries() -> None:
    documents = {f"d{n}": text for n, text in enumerate(_texts(40, seed=12, words=30))}
    questions = _texts(40, seed=13, words=6)

    def data(places: range) -> Datasource:
        return Datasource.from_retrieval(
            {f"q{n}": questions[n] for n in places}, documents, {f"q{n}": [f"d{n // 2}"] for n in places}
        )

    # queries 18 and 19 share a document, one on each side
    report = data(range(19)).lint(data(range(19, 40)))
    assert report["document_leaks"].rows.tolist() == [18]
    assert "exact_leaks" not in report


def test_any_document_of_a_query_counts_not_its_first_alone() -> None:
    documents = {f"d{n}": text for n, text in enumerate(_texts(9, seed=30, words=30))}
    ours = Datasource.from_retrieval(
        {"q1": "first one", "q2": "second one"}, documents, {"q1": ["d0", "d1"], "q2": ["d2", "d3"]}
    )
    theirs = Datasource.from_retrieval({"x": "another matter"}, documents, {"x": ["d8", "d3"]})
    assert ours.lint(theirs)["document_leaks"].rows.tolist() == [1]
    # pairs, triplets and retrieval ask alike, so one can be held against the other
    assert ours.to_pairs().lint(theirs)["document_leaks"].rows.tolist() == [3]
    assert ours.to_pairs().fix("document_leaks", eval_datasource=theirs).texts_by_role()["positive"] == [
        documents[f"d{n}"] for n in range(3)
    ]


def test_sentences_and_groups_shared_with_the_evaluation_data() -> None:
    texts = _texts(8, seed=31)

    def data(first: list[int], second: list[int], groups: list[str | None]) -> Datasource:
        frame = pd.DataFrame(
            {
                "sentence1": [texts[n] for n in first],
                "sentence2": [texts[n] for n in second],
                "score": np.linspace(0, 1, len(first)),
                "book": groups,
            }
        )
        return Datasource.from_pandas(frame, kind="scored_pairs", group_column="book")

    ours = data([0, 1, 2, 4], [1, 2, 3, 5], ["m", "n", "o", None])
    theirs = data([6, 3, 6, 7], [7, 7, 5, 6], ["n", "y", "z", None])
    # row 1 by its group, row 2 by its second sentence, row 3 by its second; rows without a group are alone
    assert ours.lint(theirs)["document_leaks"].rows.tolist() == [1, 2, 3]
    alone = data([0, 1, 2, 4], [1, 2, 0, 0], ["m", "q", "o", None])
    assert "document_leaks" in alone.lint(theirs).clean


def test_texts_with_two_labels() -> None:
    texts = _texts(200, seed=14)
    data = _labeled([*texts, *(text.upper() for text in texts[:10])], ["a", "b"] * 100 + ["c"] * 10)
    finding = data.lint()["conflicting_labels"]
    assert set(finding.rows.tolist()) == {*range(10), *range(200, 210)}


def test_scores_of_one_pair_that_contradict_each_other_in_either_order() -> None:
    first, second = _texts(60, seed=15), _texts(60, seed=16)
    frame = pd.DataFrame(
        {
            "sentence1": [*first, second[0], second[1]],
            "sentence2": [*second, first[0], first[1]],
            "score": [*np.linspace(0, 1, 60), 0.9, 0.02],
        }
    )
    finding = Datasource.from_pandas(frame, kind="scored_pairs").lint()["conflicting_labels"]
    assert set(finding.rows.tolist()) == {0, 60}  # rows 1 and 61 nearly agree


def test_a_negative_that_is_a_known_positive() -> None:
    frame = pd.DataFrame(
        {
            "anchor": ["how do i pay", "how do i pay", "where is it"],
            "positive": ["with a card", "in cash", "on the left"],
            "negatives": [["on the left"], ["With a card!"], ["with a card"]],
        }
    )
    finding = Datasource.from_pandas(frame, kind="triplets").lint()["conflicting_labels"]
    assert finding.rows.tolist() == [1]


def test_labels_in_several_forms() -> None:
    labels = ["spam"] * 50 + ["ham"] * 45 + ["Spam "] * 5
    finding = _labeled(_texts(100, seed=17), labels).lint()["mixed_labels"]
    assert set(finding.rows.tolist()) == set(range(95, 100))
    assert "'Spam '" in finding.summary


def test_labels_of_several_types() -> None:
    examples = pd.DataFrame({"id": range(6), "value": _texts(6, seed=18), "label": [1, 1, "1", 2, 2, 2]})
    data = Datasource("labeled", {"examples": examples}, name="mixed")
    assert data.lint()["mixed_labels"].rows.tolist() == [2]
    assert set(data.fix("mixed_labels").labels) == {"1", "2"} or set(data.fix("mixed_labels").labels) == {
        1,
        2,
    }


def test_rare_and_lonely_classes() -> None:
    labels = ["large"] * 120 + ["rare"] * 5 + ["alone"]
    report = _labeled(_texts(126, seed=19), labels).lint()
    assert set(report["class_imbalance"].rows.tolist()) == set(range(120, 126))
    assert report["lonely_labels"].rows.tolist() == [125]


def _questions_and_answers(count: int) -> tuple[list[str], list[str]]:
    draw, words = random.Random(20), _words(300, 2)
    asks = [
        f"{draw.choice(['how', 'where', 'why', 'when'])} do i {' '.join(draw.choices(words, k=4))}?"
        for _ in range(count)
    ]
    answers = [
        f"You can find the {' '.join(draw.choices(words, k=12))} in the settings." for _ in range(count)
    ]
    return asks, answers


def test_rows_with_swapped_columns() -> None:
    asks, answers = _questions_and_answers(400)
    swapped = set(range(0, 400, 16))
    frame = pd.DataFrame(
        {
            "anchor": [answers[n] if n in swapped else asks[n] for n in range(400)],
            "positive": [asks[n] if n in swapped else answers[n] for n in range(400)],
        }
    )
    data = Datasource.from_pandas(frame, kind="pairs")
    assert set(data.lint()["swapped_columns"].rows.tolist()) == swapped
    mended = data.fix("swapped_columns").frames["examples"]
    assert mended["anchor"].tolist() == asks
    assert mended["positive"].tolist() == answers


def test_columns_swapped_as_a_whole() -> None:
    asks, answers = _questions_and_answers(100)
    right = Datasource.from_pandas(pd.DataFrame({"anchor": asks, "positive": answers}), kind="pairs")
    wrong = Datasource.from_pandas(pd.DataFrame({"anchor": answers, "positive": asks}), kind="pairs")
    assert "exchanged_columns" not in right.lint()
    assert "exchanged_columns" in wrong.lint()
    assert wrong.fix("exchanged_columns").frames["examples"]["anchor"].tolist() == asks


def test_columns_that_read_alike_are_not_judged() -> None:
    frame = pd.DataFrame({"anchor": _texts(200, seed=21), "positive": _texts(200, seed=22)})
    report = Datasource.from_pandas(frame, kind="pairs").lint()
    with pytest.raises(DataError, match="read alike"):
        report["swapped_columns"]


def test_scores_that_run_backwards() -> None:
    texts = [text.split() for text in _texts(100, seed=23)]
    rows = [
        {"sentence1": " ".join(words), "sentence2": " ".join(words[:keep] + other[keep:]), "score": 10 - keep}
        for number, (words, other) in enumerate(zip(texts, reversed(texts), strict=True))
        for keep in [number % 10]
    ]
    data = Datasource.from_list(rows, kind="scored_pairs")
    assert "backward_scores" in data.lint()
    assert "backward_scores" not in data.fix("backward_scores").lint()


def test_empty_and_huge_texts() -> None:
    texts = [*_texts(59, seed=24), "\U0001f600 \U0001f600", "?! --", " ".join(_texts(400, seed=25))]
    report = _labeled(texts).lint()
    assert report["empty_texts"].rows.tolist() == [60]
    assert report["huge_texts"].rows.tolist() == [61]
    assert len(_labeled(texts).fix("empty_texts", "huge_texts")) == 60


def test_truncation_is_counted_with_the_base_models_tokenizer(tiny_bert: object) -> None:
    texts = [*_texts(30, seed=26), *(" ".join(["rain"] * 80) + f" {word}" for word in _words(10, 3))]
    data = _labeled(texts)
    finding = data.lint(base=tiny_bert)["truncation"]  # reads 64 tokens
    assert finding.count == 10
    with pytest.raises(DataError, match="base="):
        data.lint()["truncation"]


def test_label_noise_is_found_by_neighbours_and_only_with_vectors() -> None:
    generator = np.random.default_rng(0)
    centres = np.eye(8)[:4] * 5
    labels = np.arange(400) % 4
    vectors = centres[labels] + generator.normal(size=(400, 8))
    told = [f"class {label}" for label in labels]
    wrong = set(range(0, 400, 25))
    for row in wrong:
        told[row] = f"class {(labels[row] + 1) % 4}"
    data = _labeled(_texts(400, seed=27), told)
    assert set(data.lint(vectors=vectors)["label_noise"].rows.tolist()) == wrong
    assert any(check.name == "label_noise" and check.applies for check in data.lint().not_looked_at)
    assert len(data.fix("label_noise", vectors=vectors)) == 400 - len(wrong)
