"""A job as plain text, a picture and a table: what remains where no widget can be shown."""

from __future__ import annotations

import base64
from html import escape
from typing import TYPE_CHECKING, Any

from embedtune_nb.jobs.feed import FINAL_STATES
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
_ANSWERS = {"better": ("▲", "Better"), "worse": ("▼", "Worse")}


def top_line(snapshot: Any) -> str:
    """Return one line: the verdict of a finished job, the reason of a failed one, else how far it is."""
    if snapshot.verdict:
        return f"{snapshot.name}: {verdict_line(snapshot.verdict)}"
    line = f"{snapshot.name}: {snapshot.state}"
    if snapshot.reason:
        line += f" ({first_line(snapshot.reason)})"
    if snapshot.steps_total:
        line += f", step {snapshot.steps_completed}/{snapshot.steps_total}"
    if snapshot.eta_seconds is not None and snapshot.state not in FINAL_STATES:
        line += f", ETA {clock(snapshot.eta_seconds)}"
    return line


def verdict_line(verdict: dict[str, Any]) -> str:
    """Return the verdict as the widget words it."""
    _, word = _ANSWERS.get(verdict["answer"], ("", "No difference shown"))
    return (
        f"{word}: {metric_title(verdict['metric'])} {verdict['before']:.3f} -> {verdict['after']:.3f}, "
        f"{verdict['difference']:+.3f} [{verdict['low']:+.3f}, {verdict['high']:+.3f}], "
        f"{verdict['wins']} wins, {verdict['losses']} losses, {verdict['ties']} ties"
    )


def metric_title(name: str) -> str:
    """Write a metric's name for people: `eval/ndcg@10` -> NDCG@10, `accuracy` -> Accuracy."""
    bare = name.rsplit("/", 1)[-1]
    if bare.split("@")[0] in {"ndcg", "mrr", "map"}:
        return bare.upper()
    return bare.replace("_", " ").capitalize()


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
    return _page(snapshot, picture="")


def picture_html(snapshot: Any) -> str:
    """Return top line, the curves as one SVG, and the table.

    The SVG travels as an image: pages that strip inline SVG still show it, and its colours are
    chosen to read on white and on black.
    """
    from embedtune_nb import charts

    if not any(len(series.step) for series in snapshot.series.values()):
        return text_html(snapshot)
    encoded = base64.b64encode(charts.svg(chart_of(snapshot)).encode()).decode()
    label = escape(f"Training loss and {metric_title(live_metric(snapshot))} of {snapshot.name}", quote=True)
    image = (
        f'<img src="data:image/svg+xml;base64,{encoded}" alt="{label}" style="max-width:100%;height:auto">'
    )
    return _page(snapshot, picture=image)


def _page(snapshot: Any, picture: str) -> str:
    sign = _STATE_SIGNS.get(snapshot.state, "?")
    head = f"<p><strong>{sign} {escape(top_line(snapshot))}</strong></p>"
    levers = "".join(f"<li>{escape(str(lever))}</li>" for lever in snapshot.levers or [])
    advice = f"<ul>{levers}</ul>" if levers else ""
    rows = "".join(
        f'<tr><th style="text-align:left;font-weight:normal">{escape(name)}</th>'
        f'<td style="text-align:left">{escape(value)}</td></tr>'
        for name, value in _facts(snapshot)
    )
    return f'<div class="etn-static">{head}{advice}{picture}<table style="color:inherit">{rows}</table></div>'


def _facts(snapshot: Any) -> list[tuple[str, str]]:
    facts = [("plan", " · ".join(recipe_of(snapshot)["line"]))]
    if snapshot.steps_total:
        facts.append(("steps", f"{snapshot.steps_completed} of {snapshot.steps_total}"))
    if snapshot.elapsed:
        facts.append(("time", clock(snapshot.elapsed)))
    if snapshot.texts_per_second:
        facts.append(("texts/s", f"{snapshot.texts_per_second:.0f}"))
    if snapshot.verdict:
        facts += [
            (metric_title(other["metric"]), _comparison(other))
            for other in [snapshot.verdict, *snapshot.verdict.get("others", [])]
        ]
    elif snapshot.best:
        facts.append((f"best {metric_title(snapshot.best['name'])}", f"{snapshot.best['value']:.3f}"))
    facts += [("notice", notice["text"]) for notice in snapshot.notices or []]
    return [(name, value) for name, value in facts if value]


def _comparison(other: dict[str, Any]) -> str:
    return (
        f"{other['before']:.3f} → {other['after']:.3f}  {other['difference']:+.3f} "
        f"[{other['low']:+.3f}, {other['high']:+.3f}]"
    )
