"""The before/after map of the same texts, in a notebook and on a page of its own."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from embedtune_nb.errors import DataError
from embedtune_nb.widgets.base import Widget
from embedtune_nb.widgets.map_page import HtmlParts, html_parts, page
from embedtune_nb.widgets.map_picture import POINTS_MAX, picture_svg
from embedtune_nb.widgets.map_snapshot import MapSnapshot, check_frame

if TYPE_CHECKING:
    import altair as alt


class EmbeddingMap(Widget, stem="embedding_map"):
    """The same texts before and after fine-tuning in one picture, with a slider between the two.

    The wheel zooms, dragging pans, pointing at a text shows its neighbours before and after; a click
    keeps it. A label of the legend shows that label alone. Keys: arrows, plus, minus, 0 (reset),
    space (play), / (search), Escape.

    Parameters
    ----------
    frame
        One row a text: `text`, `x_before`, `y_before`, `x_after`, `y_after`, `kept` (share of
        neighbours kept, 0 to 1), `moved` (displacement in units of the noise floor),
        `neighbors_before` and `neighbors_after` (k row numbers each, nearest first); if you like
        `label`, and `role` (`"query"` or `"document"`). None makes an empty map to `fill` later.
    meta
        Figures of the projection: `trust_before`, `trust_after`, `noise_floor`, `kept_mean`, and how
        many texts were `left_out` of it.

    Raises
    ------
    ColumnError, DataError
        The frame lacks a column or cannot be drawn.

    Examples
    --------
    >>> result = project(before, after)  # doctest: +SKIP
    >>> EmbeddingMap(result.frame.assign(text=texts, label=labels), result.meta)  # doctest: +SKIP
    """

    def __init__(self, frame: pd.DataFrame | None = None, meta: Mapping[str, Any] | None = None) -> None:
        self._frame: pd.DataFrame | None = None
        self._meta: dict[str, Any] = {}
        self._snapshot: MapSnapshot | None = None
        self._progress: dict[str, Any] | None = None
        self._revision = 0
        if frame is not None:
            self._take(frame, meta or {})
        super().__init__()
        self.on_msg(self._receive)

    @property
    def meta(self) -> dict[str, Any]:
        """Figures of the projection (a copy); empty until the map is filled."""
        return dict(self._meta)

    def fill(self, frame: pd.DataFrame, meta: Mapping[str, Any] | None = None) -> None:
        """Show *frame*, in all views that are open; parameters as for the class. Any thread may call it."""
        self._take(frame, meta or {})
        self.error = ""
        self._send_state()

    def progress(self, phase: str, done: int = 0, total: int = 0) -> None:
        """Say what an empty map is waiting for.

        Parameters
        ----------
        phase
            In words, e.g. ``"compiling, the first time only"``.
        done, total
            How far it is; a *total* of 0 shows no bar.
        """
        self._progress = {"type": "progress", "phase": phase, "done": int(done), "total": int(total)}
        if self._snapshot is None:
            self._send_state()

    def to_frame(self) -> pd.DataFrame:
        """Return a copy of the frame; changing it does not change the map."""
        return self._filled().copy()

    def chart(self, *, colour: str = "label") -> alt.HConcatChart:
        """Return before and after side by side as an Altair chart.

        Parameters
        ----------
        colour
            Column to colour by, e.g. ``"label"``, ``"kept"`` or ``"moved"``.

        Notes
        -----
        Of more than 4,000 texts a fixed sample is drawn, and the chart's title says so.
        """
        from embedtune_nb import charts

        frame = self._filled().drop(columns=["neighbors_before", "neighbors_after"])
        if colour not in frame and colour != "label":
            raise DataError(f"The map has no column {colour!r}.", expected=", ".join(frame.columns))
        sample = frame if len(frame) <= POINTS_MAX else frame.sample(POINTS_MAX, random_state=0)
        chart = charts.before_after(sample, colour=colour)
        return chart if sample is frame else chart.properties(title=_sampled(len(frame)))

    def save_html(self, path: str | Path, *, title: str = "Before and after fine-tuning") -> Path:
        """Write a page with this interactive map that works offline, and return its path."""
        path = Path(path)
        path.write_text(page(self.html_parts(), title), encoding="utf-8")
        return path

    def html_parts(self) -> HtmlParts:
        """Return the interactive map as `head` and `body` for a larger page, e.g. a report."""
        self._filled()
        return html_parts(self._snapshot, still=self._still())

    def __repr__(self) -> str:
        if self._snapshot is None:
            waiting = self._progress["phase"] if self._progress else "empty"
            return f"EmbeddingMap({waiting})"
        return f"EmbeddingMap({self._summary()})"

    def fallback_html(self) -> str:
        """Return the figures and a still picture, for places that show no widgets."""
        if self._snapshot is None:
            return f"<p>{escape(repr(self))}</p>"
        return self._still()

    def _still(self) -> str:
        encoded = base64.b64encode(picture_svg(self._filled()).encode()).decode()
        sampled = f" · {_sampled(len(self._filled()))}" if len(self._filled()) > POINTS_MAX else ""
        return (
            f'<div class="etn-static"><img src="data:image/svg+xml;base64,{encoded}" '
            'alt="The texts before and after, side by side" style="max-width:100%;height:auto">'
            f"<p>{escape(self._summary() + sampled)}</p></div>"
        )

    def _summary(self) -> str:
        message = self._snapshot.message
        meta = message["meta"]
        parts = [f"{message['n']:,} texts"]
        if meta["left_out"]:
            parts.append(f"{meta['left_out']:,.0f} more not in the picture")
        if message["labels"]:
            count = len(message["labels"])
            parts.append(f"{count} label{'s' * (count != 1)}")
        if meta["trust_before"] is not None and meta["trust_after"] is not None:
            parts.append(f"trustworthiness {meta['trust_before']:.2f}/{meta['trust_after']:.2f}")
        if meta["noise_floor"] is not None:
            parts.append(f"identical data would move {meta['noise_floor']:.2f}")
        if meta["kept_mean"] is not None:
            parts.append(f"neighbours kept {meta['kept_mean']:.0%}")
        return " · ".join(parts)

    def _take(self, frame: pd.DataFrame, meta: Mapping[str, Any]) -> None:
        check_frame(frame)
        frame = frame.reset_index(drop=True)
        figures = {"kept_mean": float(frame["kept"].mean()), **meta}
        self._revision += 1
        self._snapshot = MapSnapshot.of(frame, figures, self._revision)
        self._frame, self._meta = frame, figures

    def _filled(self) -> pd.DataFrame:
        if self._frame is None:
            raise DataError(
                "The map is still empty.", fix="Wait until it is drawn, or call `fill(frame, meta)`."
            )
        return self._frame

    def _receive(self, _: Any, message: Any, buffers: list[Any]) -> None:
        if isinstance(message, dict) and message.get("type") == "ready":
            self._send_state()

    def _send_state(self) -> None:
        if self._snapshot is not None:
            self.send(self._snapshot.message, self._snapshot.buffers)
        elif self._progress is not None:
            self.send(self._progress)


def _sampled(total: int) -> str:
    return f"{POINTS_MAX:,} of {total:,} texts drawn"
