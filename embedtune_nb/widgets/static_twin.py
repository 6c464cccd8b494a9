"""A job as plain text, a picture and a table: what remains where no widget can be shown."""

from __future__ import annotations

import base64
from html import escape
from typing import TYPE_CHECKING, Any

from embedtune_nb.evaluation.figures import figures
from embedtune_nb.evaluation.metrics import display_name
from embedtune_nb.evaluation.verdict import Verdict
from embedtune_nb.jobs.feed import FINAL_STATES, unit_of
from embedtune_nb.widgets.summary import finite, live_metric, recipe_of, series_frame

if TYPE_CHECKING:
    import altair as alt

LOSS = "train/loss"
_STATE_SIGNS = {
    "queued": "○",
    "running": "●",
    "stopping": "●",
    "done": "✓",
    "stopped": "■",
    "failed": "✗",
    "lost": "?",
}


def top_line(snapshot: Any) -> str:
    """Return one line: the verdict of a finished job, the reason of a failed one, else how far it is."""
    if snapshot.verdict:
        return f"{snapshot.name}: {Verdict.from_dict(snapshot.verdict).text}"
    line = f"{snapshot.name}: {snapshot.state}"
    if snapshot.reason:
        line += f" ({first_line(snapshot.reason)})"
    if snapshot.steps_total:
        line += f", {unit_of(snapshot.kind)} {snapshot.steps_completed}/{snapshot.steps_total}"
    if snapshot.kind == "sweep" and snapshot.best:
        line += f", best {title(snapshot.best['name'])} {snapshot.best['value']:.3f}"
    if snapshot.eta_seconds is not None and snapshot.state not in FINAL_STATES:
        line += f", ETA {clock(snapshot.eta_seconds)}"
    return line


def clock(seconds: float) -> str:
    """Write seconds as `m:ss` or `h:mm:ss`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def first_line(text: str) -> str:
    """Return the first line of *text* that is not blank."""
    return next((line.strip() for line in text.splitlines() if line.strip()), "")


def chart_of(snapshot: Any) -> alt.Chart:
    """Return the curves of the job: training loss, and the evaluation metric with base and best."""
    from embedtune_nb import charts

    metric = live_metric(snapshot)
    return charts.curves(
        series_frame(snapshot),
        metric=metric,
        base=finite((snapshot.base or {}).get(metric)),
        best=snapshot.best,
    )


def text_html(snapshot: Any) -> str:
    """Return top line and table; cheap enough to travel with every repr."""
    return page(snapshot, _facts_table(snapshot))


def picture_html(snapshot: Any) -> str:
    """Return top line, the curves, and the table."""
    return page(snapshot, curves_html(snapshot) + _facts_table(snapshot))


def curves_html(snapshot: Any) -> str:
    """Return the curves as one SVG, or nothing where there are no points."""
    if not any(len(series.step) for series in snapshot.series.values()):
        return ""
    label = f"Training loss and {title(live_metric(snapshot))} of {snapshot.name}"
    return image_html(chart_of(snapshot), label)


def image_html(chart: Any, label: str) -> str:
    """Return *chart* as an image that needs nothing but itself.

    The SVG travels as an image: pages that strip inline SVG still show it, and its colours are
    chosen to read on white and on black.
    """
    from embedtune_nb import charts

    encoded = base64.b64encode(charts.svg(chart).encode()).decode()
    alt = escape(label, quote=True)
    return f'<img src="data:image/svg+xml;base64,{encoded}" alt="{alt}" style="max-width:100%;height:auto">'


def run_html(snapshot: Any) -> str:
    """Return a table of how the run went: plan, steps, time, notices."""
    return _table(_run_facts(snapshot))


def title(series: str) -> str:
    """Return the name of a series for people: ``"eval/ndcg@10"`` becomes ``"NDCG@10"``."""
    return display_name(series.rsplit("/", 1)[-1])


def page(snapshot: Any, body: str) -> str:
    """Return *body*, which is HTML, below the top line of the job and what is to be said about its end."""
    sign = _STATE_SIGNS.get(snapshot.state, "?")
    line, explanation = top_line(snapshot), ""
    if snapshot.verdict:
        verdict = Verdict.from_dict(snapshot.verdict)
        line, explanation = f"{snapshot.name}: {verdict}", verdict.explanation
    head = f"<p><strong>{sign} {escape(line)}</strong></p>"
    head += f"<p>{escape(explanation)}</p>" if explanation else ""
    levers = "".join(f"<li>{escape(str(lever))}</li>" for lever in snapshot.levers or [])
    advice = f"<ul>{levers}</ul>" if levers else ""
    return f'<div class="etn-static">{head}{advice}{body}</div>'


def _facts_table(snapshot: Any) -> str:
    return _table([*_values(snapshot), *_run_facts(snapshot)])


def _table(facts: list[tuple[str, str]]) -> str:
    rows = "".join(
        f'<tr><th style="text-align:left;font-weight:normal">{escape(name)}</th>'
        f'<td style="text-align:left">{escape(value)}</td></tr>'
        for name, value in facts
        if value
    )
    return f'<table style="color:inherit">{rows}</table>'


def _run_facts(snapshot: Any) -> list[tuple[str, str]]:
    facts = [("plan", " · ".join(recipe_of(snapshot)["line"]))]
    if snapshot.steps_total:
        facts.append((f"{unit_of(snapshot.kind)}s", f"{snapshot.steps_completed} of {snapshot.steps_total}"))
    if snapshot.elapsed:
        facts.append(("time", clock(snapshot.elapsed)))
    if snapshot.texts_per_second:
        facts.append(("texts/s", f"{snapshot.texts_per_second:.0f}"))
    return facts + [("notice", notice["text"]) for notice in snapshot.notices or []]


def _values(snapshot: Any) -> list[tuple[str, str]]:
    if snapshot.verdict:
        rows = [snapshot.verdict, *snapshot.verdict.get("others", [])]
        return [
            (row["metric"], f"{row['before']} → {row['after']}  {row['difference']} {row['interval']}")
            for row in map(figures, rows)
        ]
    if snapshot.best:
        return [(f"best {title(snapshot.best['name'])}", f"{snapshot.best['value']:.3f}")]
    return []
