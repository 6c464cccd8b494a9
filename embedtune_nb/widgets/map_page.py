"""The interactive map as HTML that needs neither kernel nor network."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from html import escape
from itertools import count
from typing import Any

from embedtune_nb.widgets.base import STATIC
from embedtune_nb.widgets.map_snapshot import MapSnapshot

_numbers = count(1)

# The policy lets the page run its own script and nothing load from anywhere.
_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' blob:; style-src 'unsafe-inline'; img-src data: blob:"
)
_PAGE_STYLE = """
:root { color-scheme: light dark; }
body {
  max-width: 1600px; margin: 0 auto; padding: 16px 24px;
  background: #fff; color: #212121; font: 13px/1.4 system-ui, sans-serif;
}
h1 { margin: 0 0 8px; font-size: 16px; }
@media (prefers-color-scheme: dark) { body { background: #16181b; color: #e4e4e4; } }
"""


@dataclass(frozen=True)
class HtmlParts:
    """A piece of a page: `head` holds styles, `body` the element with its data and script."""

    head: str
    body: str


def html_parts(snapshot: MapSnapshot, *, still: str = "") -> HtmlParts:
    """Return the map as a piece of any HTML page; several pieces may share a page.

    Parameters
    ----------
    snapshot
        What the map shows.
    still
        HTML shown where scripts do not run; the map takes its place.
    """
    key = f"etn-map-page-{next(_numbers)}"
    data = {**snapshot.message, "buffers": [base64.b64encode(part).decode() for part in snapshot.buffers]}
    code = (STATIC / "embedding_map.js").read_text(encoding="utf-8")
    css = (STATIC / "embedding_map.css").read_text(encoding="utf-8")
    body = f"""<div id="{key}">{still}</div>
<script type="application/json" id="{key}-data">{_inert(data)}</script>
<script type="application/json" id="{key}-code">{_inert(code)}</script>
<script type="module">
const read = (part) => JSON.parse(document.getElementById("{key}-" + part).textContent);
const url = URL.createObjectURL(new Blob([read("code")], {{ type: "text/javascript" }}));
const {{ mount }} = await import(url);
mount(document.getElementById("{key}"), read("data"));
</script>"""
    return HtmlParts(f"<style>{css}</style>", body)


def page(parts: HtmlParts, title: str) -> str:
    """Return a whole page that holds *parts* and forbids itself every request."""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>{_PAGE_STYLE}</style>
{parts.head}
</head>
<body>
<h1>{escape(title)}</h1>
{parts.body}
</body>
</html>
"""


def _inert(value: Any) -> str:
    """Write JSON that no text can turn into markup: without "<" no tag and no comment begins or ends."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False).replace("<", "\\u003c")
