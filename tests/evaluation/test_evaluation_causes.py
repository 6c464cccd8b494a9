"""Each likely cause is found where it was planted, and nowhere else."""

from __future__ import annotations

import numpy as np
import pandas as pd

from embedtune_nb.data.datasource import Datasource
from embedtune_nb.evaluation.causes import (
    CLOSE,
    LABEL_CONFLICT,
    NEAR_DUPLICATE,
    RARE_CLASS,
    TRUNCATED,
    UNKNOWN,
    Evidence,
    likely_causes,
)


def tokens(texts):
    return np.array([len(text.split()) for text in texts])


def rows(*told):
    columns = ["text", "answer", "displaced_by"]
    return pd.DataFrame(told, columns=columns, index=[f"q{n}" for n in range(len(told))])


def retrieval(queries, judged=(), groups=None):
    frame = pd.DataFrame({"id": list(queries), "text": list(queries.values())})
    if groups is not None:
        frame["group"] = groups
    documents = sorted({document for _, document in judged})
    frames = {
        "queries": frame,
        "corpus": pd.DataFrame({"id": documents, "text": documents}),
        "qrels": pd.DataFrame(
            [(q, d, 1.0) for q, d in judged], columns=["query_id", "corpus_id", "relevance"]
        ),
    }
    return Datasource("retrieval", frames, name="toy")


def labeled(*pairs):
    frame = pd.DataFrame(pairs, columns=["value", "label"]).assign(id=range(len(pairs)))
    return Datasource("labeled", {"examples": frame}, name="toy")


def evidence(data, reference, reads=50, reads_in_training=50, **options):
    return Evidence(data, reference, tokens, reads, reads_in_training, **options)


EMPTY = retrieval({"other": "something else entirely"}, [("other", "yes")])


def test_a_displacing_document_that_nearly_equals_the_right_one_is_called_a_near_duplicate():
    told = rows(
        ("how do I pay", "Open the menu and choose Pay now.", "Open the menu, and choose 'pay now'!"),
        ("how do I leave", "Close the window with the red cross.", "A cross is a figure of two lines."),
    )
    causes, notes = likely_causes(told, evidence(EMPTY, EMPTY))
    assert causes["cause"].tolist() == [NEAR_DUPLICATE, UNKNOWN]
    assert causes["why"].tolist()[1] == "" and notes == []


def test_texts_longer_than_the_model_reads_are_told_with_both_lengths():
    long, longer = "word " * 40, "word " * 90
    told = rows(
        ("short", longer, "no"), ("short", long, "no"), (longer, "yes", "no"), ("short", "yes", longer)
    )
    causes, _ = likely_causes(told, evidence(EMPTY, EMPTY, reads=60, reads_in_training=30))
    assert causes["cause"].tolist() == [TRUNCATED, TRUNCATED, TRUNCATED, UNKNOWN]
    assert causes["why"].iloc[0] == "The model reads 60 of the 90 tokens of the right answer."
    assert "Training read at most 30" in causes["why"].iloc[1] and "has 40" in causes["why"].iloc[1]
    assert "of the text" in causes["why"].iloc[2]


def test_without_a_tokenizer_it_is_said_that_nobody_looked():
    told = rows(("short", "word " * 90, "no"))
    causes, notes = likely_causes(told, Evidence(EMPTY, EMPTY, None, 60, 30))
    assert causes["cause"].tolist() == [UNKNOWN]
    assert "Truncated texts were not looked for" in notes[0]


def test_a_query_whose_twin_is_answered_by_what_displaced_it_is_a_label_conflict():
    train = retrieval({"t": "How can I change my pin code?"}, [("t", "wrong one")])
    told = rows(
        ("how can i change my pin code", "right one", "wrong one"),
        ("how can i fly", "right one", "wrong one"),
    )
    causes, _ = likely_causes(told, evidence(EMPTY, train))
    assert causes["cause"].tolist() == [LABEL_CONFLICT, UNKNOWN]


def test_equal_texts_with_other_labels_are_a_label_conflict_and_with_the_same_label_are_not():
    held_out = labeled(("where is my new card", "arrival"), ("where is my refund", "refund"))
    train = labeled(
        *[(f"filler number {n}", label) for n, label in enumerate(["arrival", "refund"] * 10)],
        ("Where is my new card?", "delivery"), ("Where is my refund?", "refund"),
        *[(f"parcel {n}", "delivery") for n in range(9)],
    )  # fmt: skip
    told = rows(("where is my new card", "arrival", "parcel 1"), ("where is my refund", "refund", "parcel 2"))
    causes, _ = likely_causes(told, evidence(held_out, train))
    assert causes["cause"].tolist() == [LABEL_CONFLICT, UNKNOWN]
    assert "'delivery'" in causes["why"].iloc[0]


def test_a_class_that_can_hardly_win_a_vote_is_rare():
    train = labeled(
        *[(f"common {n}", "common") for n in range(40)], ("rare one", "rare"), ("rare two", "rare")
    )
    told = rows(("ask", "rare", "common 1"), ("ask too", "common", "rare one"))
    causes, _ = likely_causes(told, evidence(labeled(("ask", "rare"), ("ask too", "common")), train))
    assert causes["cause"].tolist() == [RARE_CLASS, UNKNOWN]
    assert "2 of 42 training rows have the label 'rare'" in causes["why"].iloc[0]


def test_scores_far_from_those_of_equal_texts_are_a_conflict():
    def scored(*pairs):
        frame = pd.DataFrame(pairs, columns=["value", "score"]).assign(id=range(len(pairs)))
        return Datasource("scored", {"examples": frame}, name="toy")

    train = scored(
        ("A very good film!", 1.0), ("A very bad film!", 1.0), *[(f"t{n}", float(n)) for n in range(9)]
    )
    held_out = scored(("a very good film", 8.0), ("a very bad film", 1.2))
    told = rows(("a very good film", 8.0, "t1"), ("a very bad film", 1.2, "t2"))
    causes, _ = likely_causes(told, evidence(held_out, train))
    assert causes["cause"].tolist() == [LABEL_CONFLICT, UNKNOWN]


def test_several_causes_are_all_told_and_the_hardest_evidence_stands_first():
    told = rows(("ask", "Open the menu and choose " + "x " * 80, "open the menu, and choose " + "x " * 80))
    causes, _ = likely_causes(told, evidence(EMPTY, EMPTY, reads=60))
    assert causes["cause"].tolist() == [NEAR_DUPLICATE]
    assert "nearly the same" in causes["why"].iloc[0] and "reads 60 of the" in causes["why"].iloc[0]


def test_a_rare_group_of_queries_is_told_but_not_one_that_was_held_out_whole():
    train = retrieval(
        {f"t{n}": f"text {n}" for n in range(31)}, [("t0", "yes")], groups=["big"] * 30 + ["small"]
    )
    held_out = retrieval({"q0": "one", "q1": "two"}, [("q0", "yes")], groups=["small", "unseen"])
    causes, _ = likely_causes(rows(("one", "yes", "no"), ("two", "yes", "no")), evidence(held_out, train))
    assert causes["cause"].tolist() == [RARE_CLASS, UNKNOWN]


def test_a_text_that_all_its_neighbours_contradict_is_a_label_conflict_unless_there_is_harder_evidence():
    told = rows(("ask", "a", "b one"), ("word " * 90, "a", "b one")).assign(neighbors_say="b")
    train = labeled(*[(f"common {n}", "ab"[n % 2]) for n in range(40)])
    causes, _ = likely_causes(told, evidence(labeled(("ask", "a"), ("word " * 90, "a")), train, reads=60))
    assert causes["cause"].tolist() == [LABEL_CONFLICT, TRUNCATED]
    assert all("'b'" in why for why in causes["why"])


def test_a_decision_by_one_vote_is_a_close_call_where_nothing_harder_explains_it():
    told = rows(("ask", "a", "b one"), ("word " * 90, "a", "b one"))
    told = told.assign(close="Its neighbours voted 3 to 2.")
    train = labeled(*[(f"common {n}", "ab"[n % 2]) for n in range(40)])
    causes, _ = likely_causes(told, evidence(labeled(("ask", "a"), ("word " * 90, "a")), train, reads=60))
    assert causes["cause"].tolist() == [CLOSE, TRUNCATED]
    assert all("3 to 2" in why for why in causes["why"])
