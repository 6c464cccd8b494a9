"""A split comes back from disk as it went there, whatever the ids of two sources have in common."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from embedtune_nb.data.datasource import Datasource
from embedtune_nb.data.split import PARTS, Split, split

pytestmark = pytest.mark.slow

WORDS = np.array([f"{a}{b}" for a in "bdfgklmnprst" for b in "aeiou"])
COUNT = 40


def sentences(seed, count=COUNT):
    picks = np.random.default_rng(seed).integers(0, len(WORDS), (count, 9))
    return [" ".join(WORDS[row]) for row in picks]


def labeled(seed):
    return Datasource.from_dict({"text": sentences(seed), "label": ["a", "b", "c", "d"] * (COUNT // 4)})


def pairs(seed, positives):
    return Datasource.from_dict({"anchor": sentences(seed), "positive": positives}, kind="pairs")


def retrieval(seed, positives, id_of):
    queries = {id_of(place): text for place, text in enumerate(sentences(seed))}
    corpus = {id_of(place): text for place, text in enumerate([*positives, *sentences(seed + 1, 6)])}
    judged = {id_of(place): {id_of(place): 2, id_of((place + 1) % COUNT): 1} for place in range(COUNT)}
    return Datasource.from_retrieval(queries, corpus, judged)


ID_CLASHES = {
    "none": (lambda place: f"mine {place}", lambda place: f"theirs {place}"),
    "all": (lambda place: f"d{place}", lambda place: f"d{place}"),
    "some": (lambda place: f"d{place}", lambda place: f"d{place + 20}"),
    "with the new names": (
        lambda place: f"data:d{place}" if place % 2 else f"d{place}",
        lambda place: f"data:d{place}" if place % 3 else f"d{place}",
    ),
}


def data_and_evaluation(kind, given, clash):
    """Return two sources; half of their documents are the same texts, under other ids."""
    if kind == "labeled":
        return labeled(1), labeled(2) if given else None
    shared = sentences(7)
    mine, theirs = [*shared[:20], *sentences(8)[20:]], [*sentences(9)[20:], *shared[:20]]
    ids = ID_CLASHES[clash]
    data = pairs(1, mine) if kind == "pairs" else retrieval(1, mine, ids[0])
    if given == "pairs":
        return data, pairs(4, theirs)
    return data, retrieval(4, theirs, ids[1]) if given else None


CASES = [
    ("labeled", None, "none"),
    ("labeled", "labeled", "none"),
    ("pairs", None, "none"),
    ("retrieval", None, "all"),
    ("pairs", "pairs", "none"),
    *((kind, "retrieval", clash) for kind in ("pairs", "retrieval") for clash in ID_CLASHES),
    *(("retrieval", "pairs", clash) for clash in ID_CLASHES),
]


def answers(data):
    """Return {(query, document, relevance)} by text."""
    if data.kind == "pairs":
        return {(row.anchor, row.positive, 1.0) for row in data.training_pairs().itertuples()}
    return {(row.query, row.document, row.relevance) for row in data.to_pandas().itertuples()}


@pytest.mark.parametrize("selection", [False, True])
@pytest.mark.parametrize(("kind", "given", "clash"), CASES)
def test_what_is_read_is_what_was_written(kind, given, clash, selection, tmp_path):
    data, evaluation = data_and_evaluation(kind, given, clash)
    parts = split(data, selection=selection, eval_datasource=evaluation)
    again = Split.read(parts.write(tmp_path))
    assert again.report == parts.report
    for name in PARTS:
        part, kept = getattr(parts, name), getattr(again, name)
        assert (part is None) == (kept is None) == (name == "selection" and not selection)
        if part is None:
            continue
        assert part.to_record() == kept.to_record()
        for frame in part.frames:
            pd.testing.assert_frame_equal(kept.frames[frame], part.frames[frame], check_dtype=False)


@pytest.mark.parametrize(("kind", "given", "clash"), [case for case in CASES if case[0] != "labeled"])
def test_no_answer_gets_lost_or_changes_its_document(kind, given, clash):
    data, evaluation = data_and_evaluation(kind, given, clash)
    parts = split(data, selection=True, eval_datasource=evaluation)
    found = [answers(part) for part in (parts.train, parts.selection, parts.verdict)]
    assert found[0] | found[1] == (answers(data) if given else answers(data) - found[2])
    if given:
        assert found[2] == answers(evaluation)
    pool = parts.verdict.frames["corpus"]
    assert pool["id"].is_unique
    assert pool["id"].equals(parts.selection.frames["corpus"]["id"])
    if parts.train.kind == "retrieval":
        asked = set(parts.train.frames["qrels"]["corpus_id"])
        held_out = {
            identifier
            for part in (parts.selection, parts.verdict)
            for identifier in part.frames["qrels"]["corpus_id"]
        }
        assert not (set(parts.train.frames["corpus"]["id"]) - asked) & held_out
