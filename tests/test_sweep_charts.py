"""What the pictures of a sweep show: places on axes, best so far, words beside them."""

from __future__ import annotations

import pandas as pd
import pytest

from embedtune_nb import sweep_charts
from embedtune_nb.plan.dimension import Dimension
from embedtune_nb.sweep_charts.axes import NOWHERE, axis_of, short, tick_values

RATE = Dimension("learning_rate", "float", 2e-5, "default", "", 1e-5, 1e-3, log=True)
BATCH = Dimension("batch_size", "choice", 64, "user", "", choices=(128, 32, 64))


def frame(scores, **columns):
    count = len(scores)
    usual = {"index": range(count), "state": "done", "score": scores, "seed": 42, "confirms": None}
    return pd.DataFrame({**usual, **columns})


def values_of(chart, *names):
    """Return the data points of *chart* that have all these columns."""
    content = chart.to_dict()
    found = [row for rows in content["datasets"].values() for row in rows]
    return [row for row in found if set(names) <= set(row)]


def test_a_range_searched_by_ratios_lies_by_ratios():
    axis = axis_of(RATE, [1e-5, 1e-4, 1e-3, None])
    assert axis.places == pytest.approx([0.0, 0.5, 1.0, NOWHERE])
    assert [text for _, text in axis.ticks] == ["1e-5", "0.0001", "0.001"]


def test_choices_that_are_numbers_stand_by_size_at_even_distances():
    axis = axis_of(BATCH, [32, 128])
    assert axis.places == pytest.approx([1 / 6, 5 / 6])
    assert [text for _, text in axis.ticks] == ["32", "64", "128"]


def test_to_do_without_is_a_choice_with_a_place_of_its_own():
    adapter = Dimension("adapter", "choice", None, "user", "", choices=(None, "linear"))
    axis = axis_of(adapter, [None, "linear", float("nan")])
    assert axis.places == pytest.approx([0.25, 0.75, 0.25])
    assert axis.ticks[0][1] == "none"


def test_choices_whose_short_names_are_alike_are_told_apart():
    models = ("owner/multi-qa-MiniLM-L6-cos-v1", "owner/multi-qa-MiniLM-L6-dot-v1", "owner/other")
    base = Dimension("base_model", "choice", models[0], "user", "", choices=models)
    axis = axis_of(base, models)
    assert axis.places == pytest.approx([1 / 6, 3 / 6, 5 / 6])
    assert [text for _, text in axis.ticks] == [*models[:2], "other"]
    drawn = values_of(
        sweep_charts.slices(
            frame([0.5, 0.6, 0.7], base_model=models), [base], metric="accuracy", higher_is_better=True
        ),
        "tried",
    )
    assert [round(row["tried"]) for row in drawn] == [0, 1, 2]


@pytest.mark.parametrize(
    ("low", "high", "log", "kind", "wanted"),
    [
        (1e-6, 1e-2, True, "float", [1e-6, 1e-5, 1e-4, 1e-3, 1e-2]),
        (5, 50, False, "float", [5, 20, 30, 40, 50]),
        (1, 4, False, "int", [1, 2, 3, 4]),
        (1, 3, False, "int", [1, 2, 3]),
        (2, 100, True, "float", [2, 5, 10, 20, 50, 100]),
        (16, 128, True, "int", [16, 32, 64, 128]),
        (0.01, 0.15, True, "float", [0.01, 0.02, 0.05, 0.1, 0.15]),
        (1e-5, 1e-3, True, "float", [1e-5, 1e-4, 1e-3]),
        (0.0, 0.3, False, "float", [0.0, 0.1, 0.2, 0.3]),
    ],
)
def test_ticks_are_the_ends_and_round_numbers_apart_from_them(low, high, log, kind, wanted):
    ticks = tick_values(Dimension("x", kind, low, "user", "", low, high, log=log))
    assert ticks == pytest.approx(wanted)


def test_long_names_are_shortened_beside_an_axis():
    assert short("sentence-transformers/all-mpnet-base-v2") == "all-mpnet-bas…"
    assert (short(2e-5), short(0.00031234), short(64), short(None)) == ("2e-5", "0.000312", "64", "none")


@pytest.mark.parametrize(("higher", "line"), [(True, [0.5, 0.6, 0.6]), (False, [0.5, 0.5, 0.4])])
def test_history_follows_the_best_so_far_in_the_right_direction(higher, line):
    drawn = sweep_charts.history(
        frame([0.5, 0.6, 0.4]), metric="accuracy", higher_is_better=higher, base=0.45
    )
    assert [row["best"] for row in values_of(drawn, "index", "best")] == line
    assert "base 0.450" in drawn.to_json()


def test_pruned_failed_and_confirming_runs_do_not_raise_the_line():
    trials = frame(
        [0.5, 0.9, None, 0.95], state=["done", "pruned", "failed", "done"], confirms=[None, None, None, 0]
    )
    drawn = sweep_charts.history(trials, metric="accuracy", higher_is_better=True)
    assert [row["best"] for row in values_of(drawn, "best")] == [0.5]
    kinds = {row["kind"] for row in values_of(drawn, "kind")}
    assert kinds == {"done", "pruned", "confirms another"}


def test_the_best_line_comes_last_so_that_nothing_covers_it():
    trials = frame([0.5, 0.7, 0.6], learning_rate=[1e-5, 1e-4, 1e-3], batch_size=[32, 64, 128])
    for higher, order in ((True, [0, 2, 1]), (False, [1, 2, 0])):
        drawn = sweep_charts.parallel(trials, [RATE, BATCH], metric="accuracy", higher_is_better=higher)
        lines = values_of(drawn, "standing")
        assert [row["trial"] for row in lines] == order
        assert lines[-1]["height2"] == pytest.approx(1.0), "better is above, whatever better means"


def test_a_pruned_trial_is_never_the_best():
    trials = frame([0.5, 0.9], state=["done", "pruned"], learning_rate=[1e-4, 1e-3])
    drawn = sweep_charts.slices(trials, [RATE], metric="accuracy", higher_is_better=True)
    assert [(row["index"], row["best"]) for row in values_of(drawn, "best")] == [(0, True)]
    lines = sweep_charts.parallel(trials, [RATE], metric="accuracy", higher_is_better=True)
    assert {row["trial"] for row in values_of(lines, "standing")} == {0}


@pytest.mark.slow
def test_five_hundred_trials_can_be_drawn():
    count = 500
    trials = frame(
        [0.5 + place / 1000 for place in range(count)],
        learning_rate=[1e-5 * (1 + place / 50) for place in range(count)],
        batch_size=[(32, 64, 128)[place % 3] for place in range(count)],
    )
    space = [RATE, BATCH] * 4
    for drawn in (
        sweep_charts.parallel(trials, space, metric="accuracy", higher_is_better=True),
        sweep_charts.slices(trials, space[:2], metric="accuracy", higher_is_better=True),
        sweep_charts.history(trials, metric="accuracy", higher_is_better=True),
    ):
        assert len(drawn.to_json()) > 10_000


def test_curves_overlay_trials_and_keep_the_base():
    points = pd.DataFrame(
        [
            (trial, metric, step, step / 10, value + trial / 10)
            for trial in (3, 1)
            for metric, value in (("train/loss", 1.0), ("eval/accuracy", 0.5))
            for step in (1, 2, 3)
        ],
        columns=["trial", "metric", "step", "epoch", "value"],
    )
    drawn = sweep_charts.curves(points, metric="accuracy", base=0.4)
    assert len(drawn.to_dict()["hconcat"]) == 2
    assert {row["named"] for row in values_of(drawn, "named", "score")} == {"trial 1", "trial 3"}
    assert "base 0.400" in drawn.to_json()
