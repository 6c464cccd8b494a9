"""The whole story of a tuned model on one page that needs neither kernel nor network."""

from __future__ import annotations

import os
from html import escape
from pathlib import Path
from typing import Any

from embedtune_nb.errors import StoreError
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
    target = _writable(path)
    feed = model.job.feed()
    feed.poll()
    parts = late("map_of_model")(model).html_parts() if with_map else HtmlParts("", "")
    sections = [
        _section("Verdict", model.verdict._repr_html_()),
        _section("Training", static_twin.curves_html(feed.snapshot) + static_twin.run_html(feed.snapshot)),
    ]
    if with_map:
        sections.append(_section("The same texts before and after", parts.body))
    sections += [
        f"<section><details><summary>Plan</summary>{model.recipe._repr_html_()}</details></section>",
        _section("Code that does this", f"<pre><code>{escape(model.recipe.code)}</code></pre>"),
    ]
    body = f'<main class="etn-report">{"".join(sections)}</main>'
    target.write_text(page(HtmlParts(_STYLE + parts.head, body), model.name), encoding="utf-8")
    return target


def _writable(path: str | Path) -> Path:
    """Return *path* absolute, or refuse it before a map is computed for nothing."""
    target = Path(path).expanduser().absolute()
    if target.is_dir() or not target.parent.is_dir() or not os.access(target.parent, os.W_OK):
        what = "is a folder" if target.is_dir() else "lies in a folder that is not there or not writable"
        raise StoreError(
            f"{target} {what}.",
            expected="the path of a file to write",
            fix='name one, such as "report.html".',
        )
    return target


def _section(title: str, content: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{content}</section>"
