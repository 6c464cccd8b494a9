"""A Datasource as a card in a notebook. All text of the data is escaped; nothing is loaded from elsewhere."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from embedtune_nb.data.describe import headline, lengths_source, shortened
from embedtune_nb.data.kinds import LABELED, NLI, SCORED, SCORED_PAIRS
from embedtune_nb.data.lengths import LengthProfile
from embedtune_nb.data.visible import visible

if TYPE_CHECKING:
    from embedtune_nb.data.datasource import Datasource

_CLASSES_SHOWN = 8
_SHORT = 28
_STYLE = """
.etn-data{--ink:var(--jp-ui-font-color1,CanvasText);--soft:var(--jp-ui-font-color2,GrayText);
--edge:var(--jp-border-color2,rgba(128,128,128,.35));--accent:#0072B2;color-scheme:light dark;
color:var(--ink);background:var(--jp-layout-color1,Canvas);border:1px solid var(--edge);
border-radius:8px;padding:12px;max-width:1100px;font:13px/1.45 var(--jp-ui-font-family,system-ui,sans-serif)}
[data-jp-theme-light="false"] .etn-data{--accent:#56B4E9;color-scheme:dark}
[data-jp-theme-light="true"] .etn-data{color-scheme:light}
@media(prefers-color-scheme:dark){body:not([data-jp-theme-light]) .etn-data{--accent:#56B4E9}}
.etn-data .top{display:flex;flex-wrap:wrap;gap:4px 12px;align-items:baseline;margin-bottom:8px}
.etn-data .top b{font-size:15px}
.etn-data .kind{border:1px solid var(--accent);color:var(--accent);border-radius:8px;padding:0 8px;
font-size:11px}
.etn-data .soft{color:var(--soft);font-size:11px}
.etn-data .columns{display:flex;flex-wrap:wrap;gap:16px 24px}
.etn-data .columns>div{flex:1 1 260px;min-width:0}
.etn-data h4{font-size:11px;font-weight:600;color:var(--soft);margin:8px 0 4px;letter-spacing:.02em}
.etn-data table{border-collapse:collapse;width:100%;margin:0;table-layout:auto;color:inherit;
font-size:inherit}
.etn-data tr,.etn-data tbody tr:nth-child(even),.etn-data tbody tr:hover{background:transparent}
.etn-data td,.etn-data th{text-align:left;vertical-align:top;padding:4px 12px 4px 0;border:0;
border-top:1px solid var(--edge);overflow-wrap:anywhere;white-space:normal;max-width:none}
.etn-data th{border-top:0;color:var(--soft);font-size:11px;font-weight:600}
.etn-data .short{white-space:nowrap;overflow-wrap:normal}
.etn-data .figure{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.etn-data ul{margin:0;padding-left:16px}.etn-data svg{display:block;width:100%;height:auto;max-width:440px}
.etn-data .bar{fill:var(--accent)}.etn-data .axis{fill:var(--soft);font-size:10px}
.etn-data .mark{stroke:var(--soft);stroke-width:1;stroke-dasharray:2 2}
.etn-data .meter{display:inline-block;height:8px;border-radius:2px;background:var(--accent);min-width:1px}
"""


def to_html(data: Datasource) -> str:
    """Return *data* as an HTML card: counts, roles and why, what was dropped, lengths, classes, samples."""
    profile = data.profile()
    blocks = [_roles(data), _lengths(profile)]
    if data.kind in (LABELED, NLI):
        blocks.append(_classes(data))
    if data.kind in (SCORED, SCORED_PAIRS):
        blocks.append(_scores(data))
    columns = "".join(f"<div>{block}</div>" for block in blocks)
    why = f'<span class="soft">{_safe(data.kind_reason)}</span>' if data.kind_reason else ""
    return (
        f'<div class="etn-data"><style>{_STYLE}</style>'
        f'<div class="top"><b>{_safe(data.name)}</b><span class="kind">{_safe(data.kind)}</span>'
        f"<span>{_safe(headline(data))}</span>{why}</div>"
        f'<div class="columns">{columns}</div>{_events(data)}{_samples(data)}</div>'
    )


def _safe(text: str) -> str:
    """Return *text* for a page: no mark-up, and no characters that act instead of being shown."""
    return html.escape(visible(text))


def _roles(data: Datasource) -> str:
    rows = "".join(
        f'<tr><td class="short">{_safe(role)}</td>'
        f'<td class="short"><code>{_safe(shortened(choice.column, 24))}</code></td>'
        f'<td class="soft">{_safe(choice.reason)}</td></tr>'
        for role, choice in data.roles.items()
    )
    if not rows:
        return f'<h4>Content</h4><span class="soft">fingerprint {data.fingerprint[:12]}</span>'
    return (
        '<h4>Roles</h4><table><thead><tr><th class="short">role</th><th class="short">column</th>'
        "<th>why</th></tr></thead>"
        f"<tbody>{rows}</tbody></table>"
        f'<span class="soft">fingerprint {data.fingerprint[:12]}</span>'
    )


def _events(data: Datasource) -> str:
    lines = [f"{drop.count:,} dropped: {drop.reason}" for drop in data.dropped] + data.notes
    if not lines:
        return ""
    items = "".join(f"<li>{_safe(line)}</li>" for line in lines)
    return f"<h4>On the way in</h4><ul>{items}</ul>"


def _lengths(profile: LengthProfile) -> str:
    counts, edges = profile.histogram()
    marks = {name: profile.percentiles[name] for name in ("p50", "p99")}
    picture = _histogram(counts, edges, "Histogram of text lengths in tokens", "tokens", marks)
    figures = "".join(f'<th class="figure">{name}</th>' for name in profile.percentiles)
    roles = {"all": profile.percentiles} if len(profile.by_role) == 1 else profile.by_role
    rows = "".join(
        f"<tr><td>{_safe(role)}</td>"
        + "".join(f'<td class="figure">{value:,}</td>' for value in found.values())
        + "</tr>"
        for role, found in roles.items()
    )
    return (
        f"<h4>Tokens a text</h4>{picture}"
        f"<table><thead><tr><th></th>{figures}</tr></thead><tbody>{rows}</tbody></table>"
        f'<span class="soft">{_safe(lengths_source(profile))}</span>'
    )


def _scores(data: Datasource) -> str:
    counts, edges = np.histogram(data.frames["examples"]["score"], bins=24)
    return "<h4>Scores</h4>" + _histogram(counts, edges, "Histogram of scores", "", {})


def _histogram(
    counts: np.ndarray, edges: np.ndarray, label: str, unit: str, marks: Mapping[str, float]
) -> str:
    width, height, base = 420, 96, 78
    step = width / len(counts)
    tallest = max(int(counts.max()), 1)
    names = [f"{edge:,.0f}" if unit else f"{edge:.3g}" for edge in edges]
    bars = "".join(
        f'<rect class="bar" x="{place * step + 0.5:.1f}" width="{step - 1:.1f}" '
        f'y="{base - tall:.1f}" height="{tall:.1f}"><title>{int(count):,} from {names[place]} to '
        f"{names[place + 1]} {unit}</title></rect>"
        for place, count in enumerate(counts)
        for tall in [max(count / tallest * (base - 16), 1.0 if count else 0.0)]
    )
    lines = ""
    for name, value in marks.items():
        x = min(value / edges[-1], 1) * width
        side = f'x="{x - 4:.1f}" text-anchor="end"' if x > width - 50 else f'x="{x + 4:.1f}"'
        lines += (
            f'<line class="mark" x1="{x:.1f}" x2="{x:.1f}" y1="2" y2="{base}"/>'
            f'<text class="axis" {side} y="10">{name}</text>'
        )
    axis = (
        f'<text class="axis" x="0" y="{height - 6}">{names[0]}</text>'
        f'<text class="axis" x="{width}" y="{height - 6}" text-anchor="end">{names[-1]} {unit}</text>'
    )
    picture = f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{label}">'
    return f"{picture}{bars}{lines}{axis}</svg>"


def _classes(data: Datasource) -> str:
    counts = data.label_counts()
    top = int(counts.iloc[0])
    shown = counts if len(counts) <= _CLASSES_SHOWN + 1 else counts.iloc[:_CLASSES_SHOWN]
    rows = "".join(
        f'<tr><td class="short" title="{_safe(shortened(label, 200))}">{_safe(shortened(label, 24))}</td>'
        f'<td class="figure">{count:,}</td>'
        f'<td style="width:35%"><span class="meter" style="width:{100 * count / top:.0f}%"></span></td></tr>'
        for label, count in shown.items()
    )
    rest = len(counts) - len(shown)
    more = f'<span class="soft">and {rest:,} more, down to {int(counts.min()):,} rows</span>' if rest else ""
    return f"<h4>Classes</h4><table><tbody>{rows}</tbody></table>{more}"


def _samples(data: Datasource) -> str:
    table = data.sample(4)
    if "relevance" in table and (table["relevance"] == 1).all():
        table = table.drop(columns="relevance")
    cells = {name: [shortened(value, 220) for value in table[name]] for name in table.columns}
    head, columns = "", []
    for name, values in cells.items():
        look = ' class="short"' if max(map(len, values)) <= _SHORT else ""
        head += f"<th{look}>{_safe(str(name))}</th>"
        columns.append([f"<td{look}>{_safe(value)}</td>" for value in values])
    rows = "".join("<tr>" + "".join(row) + "</tr>" for row in zip(*columns, strict=True))
    return f"<h4>Examples</h4><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
