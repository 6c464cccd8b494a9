"""The whole story of a tuned model on one page that needs neither kernel nor network."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

from embedtune_nb.latebound import late
from embedtune_nb.widgets import static_twin
from embedtune_nb.widgets.map_page import HtmlParts, page

_STYLE = """<style>
.etn-report { display: grid; gap: 24px; }
.etn-report h2 { margin: 0 0 8px; font-size: 14px; }
.etn-report section { border: 1px solid #8885; border-radius: 8px; padding: 12px; overflow-x: auto; }
.etn-report pre { margin: 0; white-space: pre-wrap; }
.etn-report td, .etn-report th { padding: 2px 12px 2px 0; vertical-align: top; }
.etn-report summary { cursor: pointer; font-weight: 600; }
</style>"""


def save_report(model: Any, path: str | Path, *, with_map: bool = True) -> Path:
    """Write verdict, curves, plan, code and the interactive map of *model* to one HTML file.

    Parameters
    ----------
    model
        A FinetunedEmbeddingModel.
    path
        The file; replaced if it exists.
    with_map
        Also compute the map, unless it was computed before, and put it in with its texts. Leave it
        out where the page may not carry texts of the data.

    Returns
    -------
    Path
        The absolute path of the file.
    """
    feed = model.job.feed()
    feed.poll()
    parts = late("map_of_model")(model).html_parts() if with_map else HtmlParts("", "")
    sections = [
        _section("Verdict", model.verdict._repr_html_()),
        _section("Curves", static_twin.picture_html(feed.snapshot)),
    ]
    if with_map:
        sections.append(_section("The same texts before and after", parts.body))
    sections += [
        f"<section><details><summary>Plan</summary>{model.recipe._repr_html_()}</details></section>",
        _section("Code that does this", f"<pre><code>{escape(model.recipe.code)}</code></pre>"),
    ]
    body = f'<main class="etn-report">{"".join(sections)}</main>'
    target = Path(path).absolute()
    target.write_text(page(HtmlParts(_STYLE + parts.head, body), model.name), encoding="utf-8")
    return target


def _section(title: str, content: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{content}</section>"
