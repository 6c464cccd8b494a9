"""Altair pictures of comparisons, noise floors and learning curves, in the look of the others."""

from __future__ import annotations

from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from embedtune_nb import charts


def gains(frame: pd.DataFrame, *, names: list[str], against: str, width: int = 360) -> alt.VConcatChart:
    """Draw how much models gain over one of them, one panel a metric, with intervals around zero.

    Parameters
    ----------
    frame
        One row a model and metric: `model`, `title` (the metric for people), `difference`,
        `difference_low`, `difference_high`, `answer`.
    names
        Titles of the panels, in order.
    against
        The model that the others are compared with.
    width
        Of a panel, in pixels.
    """
    rows = charts.inert(frame).assign(
        low=frame["difference_low"], high=frame["difference_high"], zero=0.0,
        told=frame["difference"].map("{:+.3f} ".format) + frame["answer"],
    )  # fmt: skip
    panels = []
    for name in names:
        chart = alt.Chart(rows[rows["title"] == name])
        across = alt.X("difference:Q", title=None, axis=alt.Axis(tickCount=5))
        down = alt.Y("model:N", title=None, sort=None, axis=alt.Axis(labelLimit=180))
        layers = [
            chart.mark_rule(color=charts.INK, strokeDash=[3, 3]).encode(x="zero:Q"),
            chart.mark_rule(color=charts.AFTER, strokeWidth=5, opacity=0.45).encode(
                x="low:Q", x2="high:Q", y=down
            ),
            chart.mark_point(color=charts.AFTER, filled=True, size=50).encode(
                x=across, y=down, tooltip=["model", "difference", "low", "high", "answer"]
            ),
            chart.mark_text(dy=-10, fontSize=10, color=charts.INK).encode(x=across, y=down, text="told:N"),
        ]
        told = f"{name}, difference from {against}"
        panels.append(alt.layer(*layers).properties(width=width, height=alt.Step(34), title=told))
    return charts.finish(alt.vconcat(*panels, spacing=16))


def noise(runs: pd.DataFrame, *, title: str, band: float, width: int = 360) -> alt.LayerChart:
    """Draw one metric of runs that differ in their seed alone.

    Parameters
    ----------
    runs
        One row a run: `seed`, `value`.
    title
        The metric for people.
    band
        How far two runs may differ and still be a tie.
    width
        In pixels.
    """
    mean, spread = float(runs["value"].mean()), float(runs["value"].std(ddof=1))
    middle = pd.DataFrame({"low": [mean - spread], "high": [mean + spread], "mean": [mean]})
    across = alt.X("value:Q", title=None, scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=6))
    points = (
        alt.Chart(runs[["seed", "value"]])
        .mark_tick(color=charts.AFTER, thickness=2, size=28)
        .encode(x=across, tooltip=["seed", "value"])
    )
    area = alt.Chart(middle).mark_rect(color=charts.AFTER, opacity=0.18).encode(x="low:Q", x2="high:Q")
    centre = alt.Chart(middle).mark_rule(color=charts.AFTER, strokeDash=[4, 3]).encode(x="mean:Q")
    told = f"{title}: {len(runs)} seeds, mean and standard deviation; ties up to {band:.3f} apart"
    return charts.finish(alt.layer(area, centre, points).properties(width=width, height=48, title=told))


def learning_curve(
    points: pd.DataFrame,
    *,
    title: str,
    ahead: dict[str, Any],
    width: int = 420,
    height: int = 220,
) -> alt.LayerChart:
    """Draw a metric over the rows trained on, with bands, base, and what twice the data should bring.

    Parameters
    ----------
    points
        `rows`, `mean`, `low`, `high` (missing where there was one run), `base` (before training; orange).
    title
        The metric for people.
    ahead
        `rows`, `gain`, `low`, `high` (None where unknown) from the last point on; dashed.
    width, height
        In pixels.
    """
    last = points.iloc[-1]
    ticks = [*points["rows"].tolist(), ahead["rows"]]
    across = alt.X(
        "rows:Q",
        title="training rows",
        scale=alt.Scale(type="log", base=2, nice=False),
        axis=alt.Axis(values=ticks, grid=False, format=",d"),
    )
    down = alt.Y("mean:Q", title=None, scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=5))
    guess = pd.DataFrame(
        {"rows": [last["rows"], ahead["rows"]], "mean": [last["mean"], last["mean"] + ahead["gain"]]}
    )
    end = guess.iloc[[1]].assign(
        low=np.nan if ahead["low"] is None else last["mean"] + ahead["low"],
        high=np.nan if ahead["high"] is None else last["mean"] + ahead["high"],
    )
    measured = alt.Chart(points)
    layers = [
        measured.mark_line(color=charts.BEFORE, strokeWidth=1.5, strokeDash=[5, 3]).encode(
            x=across, y=alt.Y("base:Q", title=None)
        ),
        measured.mark_area(color=charts.AFTER, opacity=0.18).encode(
            x=across, y=alt.Y("low:Q", title=None), y2="high:Q"
        ),
        measured.mark_line(
            color=charts.AFTER, strokeWidth=2, point={"color": charts.AFTER, "size": 40}
        ).encode(x=across, y=down, tooltip=["rows", "mean", "low", "high"]),
        alt.Chart(guess).mark_line(color=charts.AFTER, strokeDash=[4, 4]).encode(x=across, y=down),
        alt.Chart(end)
        .mark_rule(color=charts.AFTER, strokeWidth=4, opacity=0.35)
        .encode(x=across, y="low:Q", y2="high:Q"),
        alt.Chart(end)
        .mark_point(color=charts.AFTER, size=50)
        .encode(x=across, y=down, tooltip=["rows", "mean"]),
    ]
    told = f"{title}   base {last['base']:.3f}   twice the data {ahead['gain']:+.3f}"
    return charts.finish(alt.layer(*layers).properties(width=width, height=height, title=told))
