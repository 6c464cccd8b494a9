"""The verdict as a line of HTML with its interval drawn around zero."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from embedtune_nb.evaluation.figures import figures

if TYPE_CHECKING:
    from embedtune_nb.evaluation.verdict import Verdict

_COLOURS = {"better": "#009E73", "worse": "#D55E00"}
_GREY = "var(--jp-ui-font-color2, #767676)"
_WIDTH, _HEIGHT, _PADDING = 160, 24, 8


def verdict_html(verdict: Verdict) -> str:
    """Return a self-contained fragment: answer as a word, figures, interval, other metrics."""
    colour = _COLOURS.get(verdict.answer, _GREY)
    word, _, line = str(verdict).partition(": ")
    told = " ".join(part for part in (verdict.explanation, verdict.note) if part)
    explanation = f"<div>{html.escape(told)}</div>" if told else ""
    others = " · ".join(
        f"{html.escape(other['metric'])} {other['before']} → {other['after']} {other['interval']}"
        for other in map(figures, verdict.others)
    )
    return (
        '<div style="font-family:var(--jp-ui-font-family,sans-serif);font-size:13px;line-height:1.6">'
        '<div style="display:flex;flex-wrap:wrap;align-items:center;gap:4px 12px;'
        'font-variant-numeric:tabular-nums">'
        f'<b style="border-left:4px solid {colour};padding-left:8px">{html.escape(word)}</b>'
        f"<span>{html.escape(line)}</span>{_interval_svg(verdict, colour)}</div>"
        f'<div style="font-size:11px;color:{_GREY}">{explanation}'
        f"{verdict.queries:,} held-out {html.escape(verdict.unit)}, {verdict.confidence:.0%} interval"
        + (f" · {others}" if others else "")
        + "</div></div>"
    )


def _interval_svg(verdict: Verdict, colour: str) -> str:
    reach = max(abs(verdict.low), abs(verdict.high), 1e-12)

    def x(value: float) -> float:
        return round(_WIDTH / 2 + value / reach * (_WIDTH / 2 - _PADDING), 1)

    middle = _HEIGHT / 2
    shown = figures(vars(verdict))
    label = f"{shown['difference']}, {verdict.confidence:.0%} interval {shown['low']} to {shown['high']}"
    return (
        f'<svg role="img" aria-label="{label}" width="{_WIDTH}" height="{_HEIGHT}"><title>{label}</title>'
        f'<line x1="{_PADDING}" x2="{_WIDTH - _PADDING}" y1="{middle}" y2="{middle}" '
        f'style="stroke:{_GREY};stroke-opacity:.35"/>'
        f'<line x1="{x(0)}" x2="{x(0)}" y1="2" y2="{_HEIGHT - 2}" style="stroke:{_GREY};stroke-width:1.5"/>'
        f'<line x1="{x(verdict.low)}" x2="{x(verdict.high)}" y1="{middle}" y2="{middle}" '
        f'style="stroke:{colour};stroke-width:6;stroke-linecap:round;stroke-opacity:.55"/>'
        f'<circle cx="{x(verdict.difference)}" cy="{middle}" r="4.5" style="fill:{colour}"/></svg>'
    )
