"""The map as a still picture: one compact SVG with before and after side by side."""

from __future__ import annotations

import math
from html import escape

import numpy as np
import pandas as pd

from embedtune_nb.widgets.map_snapshot import label_names

POINTS_MAX = 4000
_SIDE, _GAP, _TOP, _ROW, _COLUMNS = 360, 24, 24, 18, 3
_RINGS = {"before": "#E69F00", "after": "#0072B2"}
_INK, _OTHER = "#7a7f85", "#9aa3ad"
# Okabe-Ito without black and yellow, which vanish on a dark or a white page; then six more of even weight.
_HUES = (
    *("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9"),
    *("#8C6BB1", "#A6761D", "#66A61E", "#E7298A", "#1B9E9E", "#7A5195"),
)


def picture_svg(frame: pd.DataFrame) -> str:
    """Draw at most 4,000 of the texts twice, before and after, on one scale.

    The twelve most frequent labels have a colour and stand in the legend, the others are grey. Ground
    is transparent and text mid-grey, so that the picture reads on white paper and on a dark page.
    One path a label keeps it small: about ten bytes a point.
    """
    drawn = frame if len(frame) <= POINTS_MAX else frame.sample(POINTS_MAX, random_state=0)
    legend, groups = _groups(drawn)
    titles, marks = [], []
    places = _places(drawn)
    for column, side in enumerate(places):
        x = column * (_SIDE + _GAP)
        titles.append(
            f'<circle cx="{x + 7}" cy="10" r="4.5" fill="none" stroke="{_RINGS[side]}" stroke-width="2.5"/>'
            f'<text x="{x + 18}" y="14" font-weight="600">{side}</text>'
        )
        for colour, members in groups:
            path = "".join(f"M{x + a:.0f} {b:.0f}h0" for a, b in places[side][members])
            marks.append(f'<path d="{path}" stroke="{colour}"/>')

    width = 2 * _SIDE + _GAP
    bottom = math.ceil(max(xy[:, 1].max() for xy in places.values())) + 12
    entries = [_legend_entry(i, colour, name, bottom) for i, (colour, name) in enumerate(legend)]
    height = bottom + _ROW * math.ceil(len(entries) / _COLUMNS) + 8
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" font-family="system-ui,sans-serif" font-size="12" fill="{_INK}">'
        f'<g fill="none" stroke-width="3" stroke-linecap="round" stroke-opacity=".75">{"".join(marks)}</g>'
        f"{''.join(titles)}{''.join(entries)}</svg>"
    )


def _groups(frame: pd.DataFrame) -> tuple[list[tuple[str, str]], list[tuple[str, np.ndarray]]]:
    """Return the legend (colour, name) and which rows have which colour, the grey ones first."""
    if "label" not in frame or frame["label"].isna().all():
        return [], [(_HUES[0], np.ones(len(frame), dtype=bool))]
    names = label_names(frame["label"])
    common = names.value_counts().index[: len(_HUES)].tolist()
    legend = list(zip(_HUES, common, strict=False))
    groups = [(colour, (names == name).to_numpy()) for colour, name in legend]
    rest = ~names.isin(common).to_numpy()
    if rest.any():
        more = names.nunique() - len(common)
        legend.append((_OTHER, f"{more} other label{'s' * (more != 1)}" if more else "no label"))
        groups.insert(0, (_OTHER, rest))
    return legend, groups


def _places(frame: pd.DataFrame) -> dict[str, np.ndarray]:
    """Return the (n, 2) places of both sides in pixels of one map, y downwards."""
    sides = {side: frame[[f"x_{side}", f"y_{side}"]].to_numpy(float) for side in _RINGS}
    every = np.concatenate(list(sides.values()))
    low, high = every.min(axis=0), every.max(axis=0)
    scale = (_SIDE - 8) / (max(high - low) or 1.0)
    left, top = low[0], high[1]
    return {
        side: np.column_stack([4 + (xy[:, 0] - left) * scale, _TOP + 4 + (top - xy[:, 1]) * scale])
        for side, xy in sides.items()
    }


def _legend_entry(index: int, colour: str, name: str, bottom: int) -> str:
    x, y = (index % _COLUMNS) * 250, bottom + 14 + _ROW * (index // _COLUMNS)
    short = name if len(name) <= 34 else name[:33] + "…"
    return (
        f'<circle cx="{x + 7}" cy="{y - 4}" r="4" fill="{colour}"/>'
        f'<text x="{x + 18}" y="{y}">{escape(short)}</text>'
    )
