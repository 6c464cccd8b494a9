"""The score over each dimension."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from embedtune_nb import charts
from embedtune_nb.evaluation.metrics import directed_name
from embedtune_nb.plan.dimension import Dimension
from embedtune_nb.sweep_charts.axes import base_rule, is_missing, ordered, short, tick_values

_LABEL = 90


def slices(
    trials: pd.DataFrame,
    dimensions: Sequence[Dimension],
    *,
    metric: str,
    higher_is_better: bool,
    base: float | None = None,
    columns: int = 3,
    width: int = 210,
    height: int = 150,
) -> alt.ConcatChart:
    """Draw the score over each dimension, one panel each; the best trial is a diamond, the base a rule.

    Parameters
    ----------
    trials
        One row a trial.
    dimensions
        One panel each.
    metric
        What `score` is.
    higher_is_better
        Of the score.
    base
        The score before training.
    columns
        Panels in a row.
    width, height
        Of a panel, in pixels.
    """
    shown = trials[trials["score"].notna() & trials["confirms"].isna()].reset_index(drop=True)
    best = (shown["score"].idxmax() if higher_is_better else shown["score"].idxmin()) if len(shown) else None
    shown = shown.assign(best=shown.index == best)
    panels = [
        alt.layer(*base_rule(base), *_points(shown, dimension, width)).properties(
            width=width, height=height, title=dimension.name
        )
        for dimension in dimensions
    ]
    told = f"{directed_name(metric)} over each dimension · best ◆"
    told += "" if base is None else f" · base {base:.3f} (dashed)"
    return charts.finish(alt.concat(*panels, columns=columns, spacing=24).properties(title=told))


def _points(shown: pd.DataFrame, dimension: Dimension, width: int) -> list[alt.Chart]:
    column = shown[dimension.name]
    without = None not in dimension.choices
    has = shown.loc[np.array([not (without and is_missing(value)) for value in column], dtype=bool)]
    rows = has[["index", "score", "best"]].assign(
        value=[short(value) for value in has[dimension.name]],
        apart=np.random.default_rng(0).uniform(-1, 1, len(has)),
    )
    encoding: dict[str, Any] = {}
    if dimension.kind == "choice":
        order = [short(choice) for choice in ordered(dimension)]
        encoding["x"] = alt.X(
            "value:N",
            title=None,
            scale=alt.Scale(domain=order),
            axis=alt.Axis(labelAngle=0 if width / len(order) > _LABEL / 2 else -30, grid=False),
        )
        encoding["xOffset"] = alt.XOffset("apart:Q", scale=alt.Scale(domain=[-3, 3]))
    else:
        rows = rows.assign(tried=has[dimension.name].astype(float))
        ticks = tick_values(dimension)
        written = " : ".join(f"datum.value == {tick!r} ? '{short(tick)}'" for tick in ticks) + " : ''"
        encoding["x"] = alt.X(
            "tried:Q",
            title=None,
            scale=alt.Scale(
                type="log" if dimension.log else "linear",
                domain=[dimension.low, dimension.high],
                nice=False,
                padding=8,
            ),
            axis=alt.Axis(values=ticks, labelExpr=written, grid=False, labelOverlap=False),
        )
    marks = alt.Chart(charts.inert(rows)).mark_point(filled=True, color=charts.AFTER)
    return [
        marks.encode(
            y=alt.Y("score:Q", title=None, scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=4)),
            shape=alt.condition("datum.best", alt.value("diamond"), alt.value("circle")),
            size=alt.condition("datum.best", alt.value(140), alt.value(45)),
            opacity=alt.condition("datum.best", alt.value(1), alt.value(0.6)),
            tooltip=["index:Q", "value:N", "score:Q"],
            **encoding,
        )
    ]
