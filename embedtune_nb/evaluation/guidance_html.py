"""The help on metrics as a folded table."""

from __future__ import annotations

import html

import pandas as pd

_CELL = "text-align:left;vertical-align:top;padding:2px 12px 2px 0"


def guide_html(guide: pd.DataFrame) -> str:
    """Return a ``<details>`` with one row a metric of ``Evaluation.guide()``; empty where there is none."""
    if guide.empty:
        return ""
    rows = "".join(
        f'<tr><th style="{_CELL}">{html.escape(row["name"])}</th>'
        f'<td style="{_CELL}">{html.escape(row["meaning"])}</td>'
        f'<td style="{_CELL}">{html.escape(row["use"])}</td>'
        f'<td style="{_CELL}">{_good(row)}</td></tr>'
        for row in guide.to_dict("records")
    )
    head = "".join(
        f'<th style="{_CELL}">{name}</th>' for name in ("metric", "what it measures", "good for", "good from")
    )
    return (
        '<details style="font-size:11px"><summary>What these metrics mean</summary>'
        f"<table><tr>{head}</tr>{rows}</table>"
        "<div>Values are means over all rows, each counting the same. The thresholds are rules of thumb. "
        "Look at one metric that heeds the order (MRR, NDCG) and one that does not (precision, recall).</div>"
        "</details>"
    )


def _good(row: dict) -> str:
    if row["good"] is None:
        return ""
    return f"{row['good_from']:.2f} ({'reached' if row['good'] else 'not reached'})"
