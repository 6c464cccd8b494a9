"""How much each dimension mattered, as bars."""

from __future__ import annotations

import altair as alt
import pandas as pd

from embedtune_nb import charts


def importance(shares: pd.DataFrame, *, caution: str = "", width: int = 300) -> alt.LayerChart:
    """Draw how much each dimension mattered, the most important above.

    Parameters
    ----------
    shares
        Columns `dimension` and `importance`, which adds up to 1.
    caution
        What to bear in mind; it stands below the title, and the bars are pale.
    width
        In pixels.
    """
    shown = charts.inert(shares).assign(told=shares["importance"].map("{:.0%}".format))
    down = alt.Y("dimension:N", title=None, sort=None, axis=alt.Axis(labelLimit=180, grid=False))
    across = alt.X("importance:Q", axis=None, scale=alt.Scale(domain=[0, 1]))
    chart = alt.Chart(shown)
    bars = chart.mark_bar(color=charts.AFTER, opacity=0.6 if caution else 0.9, size=14)
    texts = chart.mark_text(align="left", dx=5, color=charts.INK)
    title = alt.TitleParams(
        "importance (PED-ANOVA)", subtitle=caution, subtitleColor=charts.BEFORE, anchor="start"
    )
    layers = [
        bars.encode(x=across, y=down, tooltip=["dimension:N", "importance:Q"]),
        texts.encode(x=across, y=down, text="told:N"),
    ]
    return charts.finish(alt.layer(*layers).properties(width=width, height=alt.Step(26), title=title))
