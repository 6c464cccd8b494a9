"""How the space of a sweep looks: one line for each thing that is searched."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from html import escape
from typing import Any

from embedtune_nb.plan.dimension import Dimension

_WIDTH = 56


def space_rows(space: Sequence[Dimension]) -> list[tuple[str, str, str, str]]:
    """Return what is searched, where, what the first trial takes, and why; one row a dimension."""
    return [(axis.name, axis.extent(), _shown(axis.start), _why(axis)) for axis in space]


def space_as_text(space: Sequence[Dimension]) -> list[str]:
    """Return the space as the lines of an aligned table."""
    heads = ("Searched", "from", "first trial", "")
    rows = [heads, *space_rows(space)]
    name, extent, first = (max(len(row[column]) for row in rows) for column in range(3))
    extent = min(extent, _WIDTH)
    lines = []
    for place, (key, where, start, why) in enumerate(rows):
        indent = "" if place == 0 else "  "
        wheres, whys = textwrap.wrap(where, extent) or [""], textwrap.wrap(why, _WIDTH) or [""]
        for number in range(max(len(wheres), len(whys))):
            cells = (
                f"{indent}{key}" if number == 0 else "",
                wheres[number] if number < len(wheres) else "",
                start if number == 0 else "",
                whys[number] if number < len(whys) else "",
            )
            line = f"{cells[0]:<{name + 2}}  {cells[1]:<{extent}}  {cells[2]:>{first}}  {cells[3]}"
            lines.append(line.rstrip())
    return lines


def space_as_html(space: Sequence[Dimension]) -> str:
    """Return the space as a table; every text from outside is escaped."""
    rows = "".join(
        f'<tr><td>{escape(name)}</td><td class="x">{escape(extent)}</td><td class="v">{escape(first)}</td>'
        f'<td class="r">{escape(why)}</td></tr>'
        for name, extent, first, why in space_rows(space)
    )
    heads = "".join(
        f'<th class="g{mark}" scope="col">{head}</th>'
        for head, mark in (("Searched", ""), ("from", ""), ("first trial", " v"), ("", ""))
    )
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"


def _why(axis: Dimension) -> str:
    only = " and ".join(
        f"{name}={' or '.join(map(_shown, allowed))}" for name, allowed in axis.only_with.items()
    )
    return f"{axis.reason}; only with {only}" if only else axis.reason


def _shown(value: Any) -> str:
    if value is None:
        return "none"
    return f"{value:g}" if isinstance(value, float) else str(value)
