"""Faults of the data are told in the plan, where somebody reads them before training."""

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
