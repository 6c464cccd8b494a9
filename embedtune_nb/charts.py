"""Altair pictures of results: a DataFrame in, a Chart out.

Every chart has a transparent ground and mid-grey text, so that one picture reads on white paper and
on a dark page. Colours are those of Okabe and Ito (https://jfly.uni-koeln.de/color/); orange stands
for before, blue for after, everywhere.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

BEFORE, AFTER, HELD_OUT = "#E69F00", "#0072B2", "#CC79A7"
FONT = "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif"
INK, GRID = "#7a7f85", "#8a8f9540"
# Okabe-Ito without black and yellow, which vanish on a dark or a white page; then further even hues.
CATEGORIES = [
    "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#8C6BB1", "#A6761D",
    "#66A61E", "#E7298A", "#1B9E9E", "#7570B3", "#B07AA1", "#4E79A7", "#F28E2B", "#76B7B2",
    "#59A14F", "#9C755F", "#E15759", "#BAB0AC",
]  # fmt: skip


def curves(
    frame: pd.DataFrame,
    *,
    metric: str,
    base: float | None = None,
    best: dict[str, Any] | None = None,
    loss: str = "train/loss",
    smoothing: float = 0.8,
    width: int = 360,
    height: int = 180,
) -> alt.HConcatChart | alt.Chart:
    """Draw training loss and an evaluation metric side by side.

    Parameters
    ----------
    frame
        Long: columns `metric`, `step`, `value` (and `epoch`, `seconds` for the tooltip).
    metric
        The evaluation metric of the right chart, as named in *frame*.
    base
        Its value before training, drawn as an orange rule.
    best
        `{"name", "value", "step"}`, marked by a diamond.
    loss
        The metric of the left chart; ``eval/loss``, on held-out rows, is drawn beside ``train/loss``.
    smoothing
        Weight of the past in the smoothed loss, 0 to 1; the raw values stay faintly visible.
    width, height
        Of one chart, in pixels.
    """
    parts = []
    points = frame[frame["metric"] == loss]
    if len(points):
        held_out = frame[frame["metric"] == f"eval/{loss.rsplit('/', 1)[-1]}"]
        parts.append(_loss_chart(points, held_out, loss, smoothing, width, height))
    points = frame[frame["metric"] == metric]
    if len(points) or base is not None:
        parts.append(_metric_chart(points, metric, base, best, width, height))
    if not parts:
        return finish(alt.Chart(pd.DataFrame({"text": ["no values yet"]})).mark_text().encode(text="text:N"))
    return finish(alt.hconcat(*parts, spacing=24))


def smooth(values: np.ndarray, weight: float) -> np.ndarray:
    """Return the exponential moving average of *values*, (n,), freed of its bias towards the start.

    Parameters
    ----------
    values
        (n,) values; NaN stays NaN and is passed over.
    weight
        Weight of the past, 0 (raw) to below 1.
    """
    smoothed, mean, mass = np.full(len(values), np.nan), 0.0, 0.0
    for index, value in enumerate(values):
        if np.isfinite(value):
            mean = weight * mean + (1 - weight) * value
            mass = weight * mass + (1 - weight)
            smoothed[index] = mean / mass
    return smoothed


def merge_curve(frame: pd.DataFrame, metric: str, *, width: int = 360, height: int = 200) -> alt.HConcatChart:
    """Draw what merging with the base does to the task and to the general probe, side by side.

    Parameters
    ----------
    frame
        Columns `weight`, `score`, `topics`, `neighbors_kept`, `suggested`; one row a weight.
    metric
        What `score` is, as written for people.
    width, height
        Of one chart, in pixels.
    """
    axis = alt.X("weight:Q", title="weight of the tuned model (0: base)", axis=alt.Axis(tickCount=6))
    taken = frame[frame["suggested"]]
    rule = alt.Chart(taken).mark_rule(color=HELD_OUT, strokeDash=[5, 3], strokeWidth=1.5).encode(x=axis)

    def curve(points: pd.DataFrame, column: str, scale: alt.Scale, **encoding: Any) -> alt.Chart:
        vertical = alt.Y(f"{column}:Q", title=None, scale=scale, axis=alt.Axis(tickCount=5))
        dots = {"size": 36} if "color" in encoding else {"size": 36, "color": AFTER}
        line = alt.Chart(points).mark_line(color=AFTER, strokeWidth=2, point=dots)
        return line.encode(x=axis, y=vertical, tooltip=["weight", column], **encoding)

    names = {"topics": "neighbours of the same topic", "neighbors_kept": "neighbours kept"}
    kept = frame.rename(columns=names).melt("weight", list(names.values()), "general probe", "share")
    colour = alt.Color(
        "general probe:N",
        scale=alt.Scale(range=[AFTER, BEFORE]),
        legend=alt.Legend(orient="right", title=None, labelLimit=0),
    )
    shown = f"suggested {taken['weight'].iloc[0]:g} (dashed)" if len(taken) else ""
    task = alt.layer(curve(frame, "score", _around(frame["score"])), rule).properties(
        width=width, height=height, title=f"{metric}   {shown}"
    )
    shares = curve(kept, "share", _around(kept["share"]), color=colour, strokeDash="general probe:N")
    general = alt.layer(shares, rule).properties(width=width, height=height, title="general probe")
    return finish(alt.hconcat(task, general, spacing=24))


def _around(values: pd.Series) -> alt.Scale:
    """Return the scale of an axis for *values*; were they all alike, Vega would write 0 beside them."""
    low, high = float(values.min()), float(values.max())
    if high - low > 1e-9:
        return alt.Scale(zero=False)
    room = 0.05 * (abs(low) or 1.0)
    return alt.Scale(domain=[low - room, high + room], nice=False)


def before_after(
    frame: pd.DataFrame,
    *,
    colour: str = "label",
    width: int = 340,
    height: int = 340,
    point_size: int = 14,
) -> alt.HConcatChart:
    """Draw a map of the same texts before and after, side by side on one scale.

    Parameters
    ----------
    frame
        Columns `x_before`, `y_before`, `x_after`, `y_after`; `text` for the tooltip.
    colour
        A column: few distinct values become categories (the most frequent keep a colour of their own,
        the rest is grey), numbers a ramp.
    width, height
        Of one map, in pixels.
    point_size
        Area of a point in square pixels.
    """
    frame, encoding = _coloured(inert(frame), colour)
    tooltip = [column for column in ("text", colour, "kept", "moved") if column in frame]
    spans = [
        _span(frame, ["x_before", "x_after"]),
        _span(frame, ["y_before", "y_after"]),
    ]
    maps = [
        alt.Chart(frame, title=title)
        .mark_circle(size=point_size, opacity=0.7)
        .encode(
            x=alt.X(f"x_{side}:Q", axis=None, scale=alt.Scale(domain=spans[0], nice=False)),
            y=alt.Y(f"y_{side}:Q", axis=None, scale=alt.Scale(domain=spans[1], nice=False)),
            tooltip=tooltip,
            **encoding,
        )
        .properties(width=width, height=height)
        for side, title in (("before", "before"), ("after", "after"))
    ]
    return finish(alt.hconcat(*maps, spacing=16))


def finish(chart: Any) -> Any:
    """Give *chart* the look that all share; a notebook shows it without a network."""
    looked_at = (
        chart.configure(background="transparent", font=FONT)
        .configure_view(stroke=None)
        .configure_axis(
            labelColor=INK, titleColor=INK, gridColor=GRID, domain=False, tickColor=GRID,
            titleFontWeight="normal", labelFontSize=11, titleFontSize=11,
        )
        .configure_title(color=INK, fontSize=12, anchor="start", fontWeight="normal")
        .configure_legend(labelColor=INK, titleColor=INK, labelFontSize=11, titleFontSize=11)
    )  # fmt: skip
    kind: Any = type(looked_at)
    # past the chart's own __setattr__, which would take it for a part of the specification
    object.__setattr__(looked_at, "__class__", _shown_offline(kind))
    return looked_at


class _ShownOffline:
    """A chart that is displayed as SVG: what Altair displays by itself is a page that loads its library."""

    def _repr_mimebundle_(self, *args: Any, **kwargs: Any) -> Any:
        if alt.renderers.active != "default":  # the user chose another way
            return super()._repr_mimebundle_(*args, **kwargs)  # type: ignore[misc]
        return {"image/svg+xml": svg(self), "text/plain": f"<{type(self).__name__}>"}


@cache
def _shown_offline(kind: Any) -> Any:
    return type(kind.__name__, (_ShownOffline, kind), {"__module__": kind.__module__})


def svg(chart: Any) -> str:
    """Render *chart* as SVG, without a browser and without a network."""
    import io

    out = io.StringIO()
    chart.save(out, format="svg")
    return out.getvalue()


def _steps() -> alt.X:
    # from zero and no further than the data, so that both charts share one scale
    return alt.X(
        "step:Q",
        title="step",
        axis=alt.Axis(grid=False, tickCount=6),
        scale=alt.Scale(domainMin=0, nice=False),
    )


def _loss_chart(
    points: pd.DataFrame, held_out: pd.DataFrame, loss: str, smoothing: float, width: int, height: int
) -> alt.LayerChart:
    points = points.assign(smoothed=smooth(points["value"].to_numpy(dtype=float), smoothing))
    axis = _steps()
    chart = alt.Chart(points)
    raw = chart.mark_line(color=AFTER, opacity=0.25, strokeWidth=1).encode(
        x=axis, y=alt.Y("value:Q", title=None, scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=5))
    )
    strong = chart.mark_line(color=AFTER, strokeWidth=2).encode(
        x=axis, y=alt.Y("smoothed:Q", title=None), tooltip=["step", "value", "smoothed"]
    )
    layers, title = [raw, strong], loss
    if len(held_out):
        dots = {"color": HELD_OUT, "size": 36}
        layers.append(
            alt.Chart(held_out)
            .mark_line(color=HELD_OUT, strokeWidth=2, strokeDash=[5, 3], point=dots)
            .encode(x=axis, y=alt.Y("value:Q", title=None), tooltip=["step", "value"])
        )
        title += f"   {held_out['metric'].iloc[0]} (dashed) {held_out['value'].iloc[-1]:.3f}"
    return alt.layer(*layers).properties(width=width, height=height, title=title)


def _metric_chart(
    points: pd.DataFrame,
    metric: str,
    base: float | None,
    best: dict[str, Any] | None,
    width: int,
    height: int,
) -> alt.LayerChart:
    vertical = alt.Y("value:Q", title=None, scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=5))
    axis = _steps()
    layers = [
        alt.Chart(points).mark_line(color=AFTER, strokeWidth=2, point={"color": AFTER, "size": 36}).encode(
            x=axis, y=vertical, tooltip=["step", "value"]
        )
    ]  # fmt: skip
    title = metric
    if base is not None:
        rule = pd.DataFrame({"value": [base], "label": [f"base {base:.3f}"]})
        layers.append(
            alt.Chart(rule).mark_rule(color=BEFORE, strokeWidth=1.5, strokeDash=[5, 3]).encode(y=vertical)
        )
        title += f"   base {base:.3f}"
    if best is not None and best.get("name", metric).rsplit("/", 1)[-1] == metric.rsplit("/", 1)[-1]:
        mark = pd.DataFrame({"step": [best["step"]], "value": [best["value"]]})
        layers.append(
            alt.Chart(mark)
            .mark_point(shape="diamond", size=110, filled=True, color=AFTER)
            .encode(x=axis, y=vertical)
        )
        title += f"   best {best['value']:.3f} ◆"
    return alt.layer(*layers).properties(width=width, height=height, title=title)


def inert(frame: pd.DataFrame) -> pd.DataFrame:
    """Break what could end a script: Altair writes the data of a chart raw into the page's own script."""
    texts = frame.select_dtypes(include=["object", "string", "category"]).columns
    broken = {
        name: frame[name].map(
            lambda value: re.sub(r"<(?=[/!])", "<\u2060", value) if isinstance(value, str) else value
        )
        for name in texts
    }
    return frame.assign(**broken)


def _coloured(frame: pd.DataFrame, colour: str) -> tuple[pd.DataFrame, dict[str, Any]]:
    if colour not in frame or frame[colour].isna().all():
        return frame, {"color": alt.value(AFTER)}
    if pd.api.types.is_numeric_dtype(frame[colour]) and frame[colour].nunique() > len(CATEGORIES):
        return frame, {"color": alt.Color(f"{colour}:Q", scale=alt.Scale(scheme="viridis"))}
    names = frame[colour].astype(str)
    common = names.value_counts().index[: len(CATEGORIES)].tolist()
    if names.nunique() > len(common):
        names = names.where(names.isin(common), "other")
        domain, hues = [*common, "other"], [*CATEGORIES, "#b0b0b0"]
    else:
        domain, hues = common, CATEGORIES[: len(common)]
    encoding = alt.Color(f"{colour}:N", scale=alt.Scale(domain=domain, range=hues), title=colour)
    return frame.assign(**{colour: names}), {"color": encoding}


def _span(frame: pd.DataFrame, columns: list[str]) -> list[float]:
    values = frame[columns].to_numpy(dtype=float)
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    pad = 0.03 * ((high - low) or 1.0)
    return [low - pad, high + pad]
