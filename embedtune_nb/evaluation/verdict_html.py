"""The verdict as a line of HTML with its interval drawn around zero, and tables by metric and by slice."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from embedtune_nb.evaluation.decision import BETTER, UNCLEAR, WORSE
from embedtune_nb.evaluation.figures import figures

if TYPE_CHECKING:
    from embedtune_nb.evaluation.verdict import Verdict

_COLOURS = {BETTER: "#009E73", WORSE: "#D55E00"}
_GREY = "var(--jp-ui-font-color2, #767676)"
_WIDTH, _HEIGHT, _PADDING = 160, 24, 8
_CELL = "text-align:left;padding:1px 12px 1px 0;font-weight:normal"
_HEAD = ("before → after", "difference", "", "wins · losses · ties", "")
_BY = {"label": "label", "length": "length", "group": "group (source)"}


def verdict_html(verdict: Verdict) -> str:
    """Return a self-contained fragment: answer as a word, figures, interval, other metrics, slices."""
    colour = _COLOURS.get(verdict.answer, _GREY)
    word, _, line = str(verdict).partition(": ")
    told = " ".join(part for part in (verdict.explanation, verdict.note) if part)
    explanation = f"<div>{html.escape(told)}</div>" if told else ""
    tested = "" if verdict.p is None else f", permutation test p = {verdict.p:.2g}"
    return (
        '<div style="font-family:var(--jp-ui-font-family,sans-serif);font-size:13px;line-height:1.6">'
        '<div style="display:flex;flex-wrap:wrap;align-items:center;gap:4px 12px;'
        'font-variant-numeric:tabular-nums">'
        f'<b style="border-left:4px solid {colour};padding-left:8px">{html.escape(word)}</b>'
        f"<span>{html.escape(line)}</span>{_interval_svg(vars(verdict), colour, verdict.confidence)}</div>"
        f'<div style="font-size:11px;color:{_GREY}">{explanation}'
        f"{verdict.queries:,} held-out {html.escape(verdict.unit)}, {verdict.confidence:.0%} interval{tested}"
        ". It is about this model; how far runs differ by their seed alone, model.noise_floor() measures."
        f"{_others(verdict)}{_slices(verdict)}</div></div>"
    )


def _others(verdict: Verdict) -> str:
    if not verdict.others:
        return ""
    corrected = len(verdict.others) > 1 and "answer" in verdict.others[0]
    rows = [[_cell(figures(row)["metric"]), *_cells(row, verdict.confidence)] for row in verdict.others]
    return _table(["other metrics", *_HEAD], rows) + (
        f"<div>Answers of these are corrected for {len(verdict.others)} comparisons (Holm).</div>"
        if corrected
        else ""
    )


def _slices(verdict: Verdict) -> str:
    if not verdict.slices:
        return ""
    answers = Counter(row["answer"] for row in verdict.slices)
    counts = ", ".join(
        f"{answers[answer]} {answer}" for answer in (BETTER, WORSE, UNCLEAR) if answers[answer]
    )
    reach = max(map(_reach, verdict.slices))
    rows = [
        [
            *map(_cell, (_BY[row["by"]], row["slice"], f"{row['queries']:,}")),
            *_cells(row, verdict.confidence, reach),
        ]
        for row in verdict.slices
    ]
    name = figures(verdict.slices[0])["metric"]
    folded = "open" if answers[WORSE] else ""
    note = f" {html.escape(verdict.slices_note)}" if verdict.slices_note else ""
    return (
        f"<details {folded}><summary>{html.escape(name)} by slice: {counts}</summary>"
        + _table(["by", "slice", verdict.unit, *_HEAD], rows)
        + f"<div>Answers are corrected for {len(rows)} slices (Holm).{note}</div></details>"
    )


def _cells(row: Mapping[str, Any], confidence: float, reach: float | None = None) -> list[str]:
    shown = figures(row)
    answer = row.get("answer", "")
    counts = " · ".join(f"{row[name]:,}" for name in ("wins", "losses", "ties")) if "wins" in row else ""
    drawn = _interval_svg(row, _COLOURS.get(answer, _GREY), confidence, reach=reach, height=14)
    return [
        _cell(f"{shown['before']} → {shown['after']}"),
        _cell(f"{shown['difference']} {shown['interval']}"),
        f'<td style="{_CELL}">{drawn}</td>',
        _cell(counts),
        _cell(answer),
    ]


def _cell(text: str) -> str:
    return f'<td style="{_CELL}">{html.escape(text)}</td>'


def _table(head: list[str], rows: list[list[str]]) -> str:
    titles = "".join(f'<th style="{_CELL}">{html.escape(text)}</th>' for text in head)
    body = "".join(f"<tr>{''.join(row)}</tr>" for row in rows)
    return (
        '<table style="color:inherit;font-size:11px;font-variant-numeric:tabular-nums">'
        f"<tr>{titles}</tr>{body}</table>"
    )


def _reach(row: Mapping[str, Any]) -> float:
    return max(abs(row["low"]), abs(row["high"]), 1e-12)


def _interval_svg(
    row: Mapping[str, Any],
    colour: str,
    confidence: float,
    *,
    reach: float | None = None,
    height: int = _HEIGHT,
) -> str:
    """Draw an interval around zero in the middle; *reach* is what the half width stands for."""
    reach = reach or _reach(row)

    def x(value: float) -> float:
        return round(_WIDTH / 2 + value / reach * (_WIDTH / 2 - _PADDING), 1)

    middle = height / 2
    shown = figures(row)
    label = f"{shown['difference']}, {confidence:.0%} interval {shown['low']} to {shown['high']}"
    return (
        f'<svg role="img" aria-label="{label}" width="{_WIDTH}" height="{height}"><title>{label}</title>'
        f'<line x1="{_PADDING}" x2="{_WIDTH - _PADDING}" y1="{middle}" y2="{middle}" '
        f'style="stroke:{_GREY};stroke-opacity:.35"/>'
        f'<line x1="{x(0)}" x2="{x(0)}" y1="2" y2="{height - 2}" style="stroke:{_GREY};stroke-width:1.5"/>'
        f'<line x1="{x(row["low"])}" x2="{x(row["high"])}" y1="{middle}" y2="{middle}" '
        f'style="stroke:{colour};stroke-width:{height / 4};stroke-linecap:round;stroke-opacity:.55"/>'
        f'<circle cx="{x(row["difference"])}" cy="{middle}" r="{height * 3 / 16}" '
        f'style="fill:{colour}"/></svg>'
    )
