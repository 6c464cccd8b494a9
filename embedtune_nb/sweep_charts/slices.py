"""The score over each dimension."""

from __future__ import annotations

import json
from collections.abc import Sequence

import altair as alt
import numpy as np
import pandas as pd

from embedtune_nb import charts
from embedtune_nb.evaluation.metrics import directed_name
from embedtune_nb.plan.dimension import Dimension
from embedtune_nb.sweep_charts.axes import (
    base_rule,
    finished,
    identity,
    is_missing,
    labels,
    ordered,
    short,
    tick_values,
)

_APART = 0.18


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
    """Draw the score of finished trials over each dimension; the best one is a diamond, the base a rule.

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
    shown = finished(trials)
    best = (shown["score"].idxmax() if higher_is_better else shown["score"].idxmin()) if len(shown) else None
    shown = shown.assign(best=shown.index == best)
    known = [*shown["score"], *([] if base is None else [base])]
    pad = 0.06 * ((max(known, default=1.0) - min(known, default=0.0)) or 1.0)
    scores = alt.Scale(
        domain=[min(known, default=0.0) - pad, max(known, default=1.0) + pad], nice=False, zero=False
    )
    panels = [
        alt.layer(*base_rule(base), _points(shown, dimension, scores)).properties(
            width=width, height=height, title=dimension.name
        )
        for dimension in dimensions
    ]
    told = f"{directed_name(metric)} over each dimension · best ◆"
    told += "" if base is None else f" · base {base:.3f} (dashed)"
    return charts.finish(alt.concat(*panels, columns=columns, spacing=24).properties(title=told))


def _points(shown: pd.DataFrame, dimension: Dimension, scores: alt.Scale) -> alt.Chart:
    """Return the layer of trials; choices stand at even distances, the points of one a little apart."""
    known = np.array(
        [None in dimension.choices or not is_missing(v) for v in shown[dimension.name]], dtype=bool
    )
    has = shown.loc[known]
    tried = has[dimension.name]
    rows = has[["index", "score", "best"]].assign(value=[short(value) for value in tried])
    if dimension.kind == "choice":
        order = ordered(dimension)
        names, places = labels(order), [identity(choice) for choice in order]
        apart = np.random.default_rng(0).uniform(-_APART, _APART, len(has))
        rows = rows.assign(tried=[places.index(identity(value)) for value in tried] + apart)
        ticks: list[float] = list(range(len(names)))
        scale = alt.Scale(domain=[-0.5, len(names) - 0.5], nice=False)
    else:
        rows = rows.assign(tried=tried.astype(float))
        ticks = tick_values(dimension)
        names = [short(tick) for tick in ticks]
        scale = alt.Scale(
            type="log" if dimension.log else "linear",
            domain=[float(dimension.low or 0), float(dimension.high or 0)],
            nice=False,
            padding=8,
        )
    across = alt.X(
        "tried:Q",
        title=None,
        scale=scale,
        axis=alt.Axis(
            values=ticks,
            labelExpr=f"{json.dumps(names)}[indexof({json.dumps(ticks)}, datum.value)]",
            grid=False,
            labelOverlap=False,
        ),
    )
    marks = alt.Chart(charts.inert(rows)).mark_point(filled=True, color=charts.AFTER)
    return marks.encode(
        x=across,
        y=alt.Y("score:Q", title=None, scale=scores, axis=alt.Axis(tickCount=4)),
        shape=alt.condition("datum.best", alt.value("diamond"), alt.value("circle")),
        size=alt.condition("datum.best", alt.value(140), alt.value(45)),
        opacity=alt.condition("datum.best", alt.value(1), alt.value(0.6)),
        tooltip=["index:Q", "value:N", "score:Q"],
    )
