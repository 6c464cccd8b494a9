"""What got worse as a plain table, for places that show no widgets."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    from embedtune_nb.evaluation.regressions import Regressions

ROWS_SHOWN = 20
TEXT_SHOWN = 160
_CELL = "text-align:left;vertical-align:top;padding:2px 12px 2px 0"
_NUMBER = "text-align:right;vertical-align:top;padding:2px 12px 2px 0;font-variant-numeric:tabular-nums"
_SMALL = "font-size:11px;color:var(--jp-ui-font-color2,#767676)"


def regressions_html(found: Regressions) -> str:
    """Return the summary, the causes with what to do, and the worst rows; every text is escaped."""
    rows = found.to_frame()
    parts = [f"<p><strong>{escape(found.summary)}</strong></p>"]
    advice = "".join(
        f"<li>{escape(row.cause)} ({row.count}): {escape(row.advice)}</li>" for row in _records(found.causes)
    )
    if advice:
        parts.append(f'<ul style="{_SMALL}">{advice}</ul>')
    if len(rows):
        head = "".join(
            f'<th style="{_NUMBER if title in ("before", "after", "rank") else _CELL}">{title}</th>'
            for title in ("text", "before", "after", "rank", "right answer", "displaced by", "likely cause")
        )
        body = "".join(_row(row) for row in _records(rows.head(ROWS_SHOWN)))
        parts.append(f'<table style="color:inherit"><tr>{head}</tr>{body}</table>')
    notes = list(found.notes)
    if len(rows) > ROWS_SHOWN:
        notes.append(f"The worst {ROWS_SHOWN} of {len(rows):,}; .to_frame() has all.")
    parts.append("".join(f'<p style="{_SMALL}">{escape(note)}</p>' for note in notes))
    return f'<div class="etn-static">{"".join(parts)}</div>'


def cut(value: Any, limit: int = TEXT_SHOWN) -> str:
    """Return *value* as text of at most *limit* characters; nothing for None."""
    if value is None or (isinstance(value, float) and pd.isna(value)):
        return ""
    text = str(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _row(row: Any) -> str:
    rank = "" if pd.isna(row.rank_before) else f"{row.rank_before} → {row.rank_after}"
    cells = [
        (_CELL, cut(row.text)),
        (_NUMBER, f"{row.before:.3f}"),
        (_NUMBER, f"{row.after:.3f}"),
        (_NUMBER, rank),
        (_CELL, cut(row.answer)),
        (_CELL, cut(row.displaced_by)),
        (_CELL, f"{row.cause}. {row.why}".rstrip(". ") + "."),
    ]
    return "<tr>" + "".join(f'<td style="{style}">{escape(text)}</td>' for style, text in cells) + "</tr>"


def _records(frame: pd.DataFrame) -> list[Any]:
    return list(frame.itertuples(index=False))
