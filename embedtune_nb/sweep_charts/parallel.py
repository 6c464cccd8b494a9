"""Each trial as a line across all dimensions: which combinations were good."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from embedtune_nb import charts
from embedtune_nb.evaluation.metrics import directed_name
from embedtune_nb.plan.dimension import Dimension
from embedtune_nb.sweep_charts.axes import NOWHERE, Axis, axis_of, finished, short

#: From a poor trial to a good one, readable on white and on black.
_RAMP = ["#9aa0a6", "#56B4E9", "#0072B2"]
_NO_EFFECT = "no effect"
_FAINTEST, _BELOW, _DIGITS = 0.3, 0.06, 4
#: Share of the way between two axes that the labels of the right one take.
_BESIDE_LABELS = 0.45


def parallel(
    trials: pd.DataFrame,
    dimensions: Sequence[Dimension],
    *,
    metric: str,
    higher_is_better: bool,
    base: float | None = None,
    axis_width: int = 130,
    height: int = 260,
) -> alt.LayerChart:
    """Draw each finished trial as a line across one axis a dimension and one for the score.

    Ranges run on their own scale, by ratios where they are searched that way; choices stand at even
    distances, the lines through one of them a little apart. Better scores are bluer, thicker and on top.

    Parameters
    ----------
    trials
        One row a trial.
    dimensions
        The axes, from the left.
    metric
        What `score` is; the last axis, better above.
    higher_is_better
        Of the score.
    base
        The score before training, marked on the last axis.
    axis_width, height
        From one axis to the next, and in all, in pixels.
    """
    shown = finished(trials)
    shown = shown.sort_values("score", ascending=higher_is_better).reset_index(drop=True)
    axes = [axis_of(dimension, shown[dimension.name].tolist()) for dimension in dimensions]
    score, base_height = _score_axis(directed_name(metric), shown["score"], base, higher_is_better)
    axes.append(score)
    lowest = NOWHERE - _BELOW if any(NOWHERE in axis.places for axis in axes) else 0.0
    titles = json.dumps([axis.name for axis in axes])
    across = alt.X(
        "x:Q",
        scale=alt.Scale(domain=[-0.6, len(axes) - 0.6], nice=False),
        axis=alt.Axis(
            orient="top", title=None, values=list(range(len(axes))), labelExpr=f"{titles}[datum.value]",
            ticks=False, grid=False, labelPadding=8, labelLimit=axis_width - 6, labelOverlap=False,
            labelFontSize=12,
        ),
    )  # fmt: skip
    down = alt.Y("y:Q", axis=None, scale=alt.Scale(domain=[lowest - 0.04, 1.04], nice=False))
    stems = alt.Chart(pd.DataFrame({"x": range(len(axes)), "y": 0.0, "top": 1.0})).mark_rule(
        color=charts.INK, opacity=0.6
    )
    ticks = alt.Chart(charts.inert(_labels(axes)))
    layers = [
        stems.encode(x=across, y=down, y2="top:Q"),
        *_strokes(_lines(shown, axes), axes, across, down),
        ticks.mark_tick(color=charts.INK, thickness=1, size=8, orient="horizontal").encode(x=across, y=down),
        ticks.mark_text(align="right", dx=-8, fontSize=11, color=charts.INK).encode(
            x=across, y=alt.Y("beside:Q", axis=None), text="text:N"
        ),
    ]
    if base_height is not None:
        mark = alt.Chart(pd.DataFrame({"x": [len(axes) - 1], "y": [base_height], "text": ["base"]}))
        layers += [
            mark.mark_tick(color=charts.BEFORE, thickness=3, size=18, orient="horizontal").encode(
                x=across, y=down
            ),
            mark.mark_text(align="left", dx=13, fontSize=11, color=charts.BEFORE).encode(
                x=across, y=down, text="text:N"
            ),
        ]
    told = f"{len(shown)} finished trials; the bluer and thicker a line, the better"
    drawing = alt.layer(*layers).properties(width=axis_width * len(axes), height=height, title=told)
    return charts.finish(drawing)


def _score_axis(
    name: str, scores: pd.Series, base: float | None, higher_is_better: bool
) -> tuple[Axis, float | None]:
    """Return the axis of the score, better above, and the height of the base."""
    known = [*scores, *([] if base is None else [base])]
    extent = Dimension(name, "float", None, "default", "", min(known, default=0), max(known, default=1))
    axis = axis_of(extent, known)

    def turned(place: float) -> float:
        return place if higher_is_better else 1 - place

    places = [turned(place) for place in axis.places]
    ticks = [(turned(place), text) for place, text in axis.ticks]
    return Axis(name, "score", places[: len(scores)], ticks), None if base is None else places[-1]


def _lines(shown: pd.DataFrame, axes: Sequence[Axis]) -> pd.DataFrame:
    """Return one row a trial, the worst first: its look, and height and value on each axis."""
    draw = np.random.default_rng(0)
    standing = np.arange(len(shown)) / max(1, len(shown) - 1)
    strength = _FAINTEST + (1 - _FAINTEST) * standing**2
    columns: dict[str, Any] = {
        "trial": shown["index"],
        "score": shown["score"],
        "standing": standing.round(_DIGITS),
        "width": (1.2 + 2 * standing**3).round(_DIGITS),
        "strength": strength.round(_DIGITS),
        "pale": (strength / 4).round(_DIGITS),
    }
    for number, axis in enumerate(axes):
        heights = np.array(axis.places) + axis.spread * draw.uniform(-1, 1, len(shown))
        columns[f"height{number}"] = heights.round(_DIGITS)
        columns[f"value{number}"] = [short(value) for value in shown[axis.column]]
    return pd.DataFrame(columns)


def _strokes(lines: pd.DataFrame, axes: Sequence[Axis], across: alt.X, down: alt.Y) -> list[alt.Chart]:
    """Return the layers that draw the lines, two from axis to axis.

    One climbs; the other, pale and level, passes the labels of the next axis, which stay readable below it.
    One row a trial serves them all: of frames with more than 5,000 rows Altair makes no picture.
    """
    drawn = alt.Chart(charts.inert(lines)).mark_rule(strokeCap="round")
    tooltip = [alt.Tooltip("trial:Q"), alt.Tooltip("score:Q")]
    tooltip += [alt.Tooltip(f"value{number}:N", title=axis.name) for number, axis in enumerate(axes[:-1])]
    look = {
        "color": alt.Color("standing:Q", scale=alt.Scale(range=_RAMP), legend=None),
        "strokeWidth": alt.StrokeWidth("width:Q", scale=None),
        "tooltip": tooltip,
    }
    layers = []
    for right in range(1, len(axes)):
        bend = right - _BESIDE_LABELS
        for start, end, left, strength in (
            (right - 1, bend, right - 1, "strength"),
            (bend, right, right, "pale"),
        ):
            layers.append(
                drawn.encode(
                    x=alt.XDatum(start, scale=across["scale"], axis=across["axis"]),
                    x2=alt.X2Datum(end),
                    y=alt.Y(f"height{left}:Q", scale=down["scale"], axis=None),
                    y2=f"height{right}:Q",
                    opacity=alt.Opacity(f"{strength}:Q", scale=None),
                    **look,
                )
            )
    return layers


def _labels(axes: Sequence[Axis]) -> pd.DataFrame:
    rows = []
    for number, axis in enumerate(axes):
        rows += [(number, place, place, text) for place, text in axis.ticks]
        if NOWHERE in axis.places:
            # below its place, where lines run level
            rows.append((number, NOWHERE, NOWHERE - _BELOW, _NO_EFFECT))
    return pd.DataFrame(rows, columns=["x", "y", "beside", "text"])
