"""Faults of the data are told in the plan, where somebody reads them before training."""

import random

import pandas as pd

from embedtune_nb.data.datasource import Datasource


def test_conflicting_labels_of_the_training_part_are_told_in_the_plan(plan_for, labeled):
    clean = labeled()
    frame = clean.frames["examples"][["value", "label"]]
    other = {label: number for number, label in enumerate(sorted(frame["label"].unique()))}
    names = sorted(other)
    wrong = frame.assign(
        value=frame["value"].str.upper(),
        label=[names[(other[label] + 1) % len(names)] for label in frame["label"]],
    )
    dirty = Datasource.from_pandas(pd.concat([frame, wrong]), kind="labeled")
    assert any("another label elsewhere" in sentence for sentence in plan_for(dirty).advice)
    assert not any("another label elsewhere" in sentence for sentence in plan_for(clean).advice)


def _pairs(anchors):
    rows = [
        {"anchor": anchor, "positive": f"{place} {_words(place)}"} for place, anchor in enumerate(anchors)
    ]
    return Datasource.from_list(rows, kind="pairs")


def _words(seed):
    draw = random.Random(seed)
    return " ".join("".join(draw.choices("abcdefghijklmnop", k=5)) for _ in range(6))


def test_near_copies_of_what_is_evaluated_on_are_told_in_the_plan(plan_for):
    anchors = [_words(1000 + place) for place in range(60)]
    mistyped = [anchor[:9] + "x" + anchor[10:] for anchor in anchors]
    told = [
        sentence for sentence in plan_for(_pairs([*anchors, *mistyped])).advice if "nearly equal" in sentence
    ]
    assert any("training rows nearly equal one of the evaluation data" in sentence for sentence in told)
    assert not any("of the evaluation data" in sentence for sentence in plan_for(_pairs(anchors)).advice)
