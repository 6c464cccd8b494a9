"""Learning curves of several trials over each other."""

from __future__ import annotations

import altair as alt
import pandas as pd

from embedtune_nb import charts
from embedtune_nb.evaluation.metrics import directed_name
from embedtune_nb.sweep_charts.axes import base_rule

_LOSS = "train/loss"


def curves(
    points: pd.DataFrame,
    *,
    metric: str,
    base: float | None = None,
    smoothing: float = 0.8,
    width: int = 340,
    height: int = 200,
) -> alt.HConcatChart | alt.Chart:
    """Draw the training loss and the selecting metric of several trials over each other.

    Parameters
    ----------
    points
        Long: columns `trial`, `metric`, `step`, `epoch`, `value`.
    metric
        The one that selects, without ``eval/``.
    base
        Its value before training, drawn in orange.
    smoothing
        Weight of the past in the loss, 0 to 1.
    width, height
        Of one chart, in pixels.
    """
    names = [f"trial {index}" for index in dict.fromkeys(points["trial"])]
    hues = [charts.CATEGORIES[number % len(charts.CATEGORIES)] for number in range(len(names))]
    colour = alt.Color("named:N", scale=alt.Scale(domain=names, range=hues), title=None)
    points = points.assign(named=[f"trial {index}" for index in points["trial"]])
    loss, scores = points[points["metric"] == _LOSS], points[points["metric"] == f"eval/{metric}"]
    panels = []
    if len(loss):
        smoothed = _smoothed(loss, smoothing)
        panels.append(_panel([_lines(smoothed, colour)], f"{_LOSS} (smoothed)", width, height))
    if len(scores):
        told = directed_name(metric) + ("" if base is None else f" · base {base:.3f} (dashed)")
        lines = _lines(scores.rename(columns={"value": "score"}), colour, dots=True)
        panels.append(_panel([*base_rule(base), lines], told, width, height))
    if not panels:
        nothing = alt.Chart(pd.DataFrame({"text": ["no curves yet"]})).mark_text(color=charts.INK)
        return charts.finish(nothing.encode(text="text:N"))
    return charts.finish(alt.hconcat(*panels, spacing=24))


def _panel(layers: list[alt.Chart], title: str, width: int, height: int) -> alt.LayerChart:
    return alt.layer(*layers).properties(width=width, height=height, title=title)


def _lines(points: pd.DataFrame, colour: alt.Color, *, dots: bool = False) -> alt.Chart:
    column = "score" if dots else "value"
    marked = alt.Chart(points[["named", "epoch", "step", column]]).mark_line(
        strokeWidth=2, point=alt.OverlayMarkDef(size=32) if dots else False
    )
    return marked.encode(
        x=alt.X(
            "epoch:Q",
            title="epoch",
            axis=alt.Axis(grid=False, tickCount=5),
            scale=alt.Scale(domainMin=0, nice=False),
        ),
        y=alt.Y(f"{column}:Q", title=None, scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=5)),
        color=colour,
        tooltip=["named:N", "epoch:Q", "step:Q", f"{column}:Q"],
    )


def _smoothed(loss: pd.DataFrame, weight: float) -> pd.DataFrame:
    parts = [
        group.assign(value=charts.smooth(group["value"].to_numpy(dtype=float), weight))
        for _, group in loss.groupby("trial", sort=False)
    ]
    return pd.concat(parts)
