"""The score of each trial and the best so far."""

from __future__ import annotations

import altair as alt
import pandas as pd

from embedtune_nb import charts
from embedtune_nb.evaluation.metrics import directed_name
from embedtune_nb.sweep_charts.axes import base_rule

#: Shape and colour of each kind of run; the words in the legend tell them apart without either.
_LOOKS = {
    "done": ("circle", charts.AFTER),
    "pruned": ("triangle-down", charts.INK),
    "running": ("square", charts.AFTER),
    "confirms another": ("diamond", charts.HELD_OUT),
    "other": ("cross", charts.INK),
}


def history(
    trials: pd.DataFrame,
    *,
    metric: str,
    higher_is_better: bool,
    base: float | None = None,
    width: int = 420,
    height: int = 220,
) -> alt.LayerChart:
    """Draw the score of each trial, the best so far as a line, and the base as a rule.

    Parameters
    ----------
    trials
        One row a trial.
    metric
        What `score` is.
    higher_is_better
        Of the score.
    base
        The score before training, drawn in orange.
    width, height
        In pixels.
    """
    kind = trials["state"].where(trials["state"].isin(["done", "pruned", "running"]), "other")
    points = trials.assign(kind=kind.where(trials["confirms"].isna(), "confirms another"))
    scored = points[points["score"].notna()]
    done = scored[scored["kind"] == "done"].sort_values("index")
    done = done.assign(best=done["score"].cummax() if higher_is_better else done["score"].cummin())
    across = alt.X(
        "index:Q",
        title="trial",
        axis=alt.Axis(tickMinStep=1, format="d", grid=False),
        scale=alt.Scale(domain=[-0.5, float(trials["index"].max()) + 0.5], nice=False),
    )
    down = alt.Y("score:Q", title=None, scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=5))
    present = [name for name in _LOOKS if name in set(scored["kind"])]
    shapes, colours = zip(*(_LOOKS[name] for name in present or _LOOKS), strict=True)
    legend = alt.Legend(title=None, orient="bottom") if len(present) > 1 else None
    shape = alt.Shape("kind:N", scale=alt.Scale(domain=present, range=list(shapes)), legend=legend)
    colour = alt.Color("kind:N", scale=alt.Scale(domain=present, range=list(colours)), legend=legend)
    line = alt.Chart(done[["index", "best"]]).mark_line(
        color=charts.AFTER, strokeWidth=2, interpolate="step-after"
    )
    marks = alt.Chart(scored[["index", "kind", "state", "score", "seed"]]).mark_point(
        size=65, filled=True, opacity=0.85
    )
    layers = [
        *base_rule(base),
        line.encode(x=across, y=alt.Y("best:Q", title=None)),
        marks.encode(
            x=across, y=down, shape=shape, color=colour, tooltip=["index:Q", "state:N", "score:Q", "seed:Q"]
        ),
    ]
    told = directed_name(metric)
    if len(done):
        best = done["score"].idxmax() if higher_is_better else done["score"].idxmin()
        told += f" · best {done.loc[best, 'score']:.3f} in trial {done.loc[best, 'index']}"
    told += "" if base is None else f" · base {base:.3f}"
    return charts.finish(alt.layer(*layers).properties(width=width, height=height, title=told))
