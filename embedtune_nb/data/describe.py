"""A Datasource in words, for terminals, logs and notebooks that show no HTML."""

from __future__ import annotations

from typing import TYPE_CHECKING

from embedtune_nb.data.kinds import LABELED, RETRIEVAL
from embedtune_nb.data.lengths import LengthProfile

if TYPE_CHECKING:
    from embedtune_nb.data.datasource import Datasource


def headline(data: Datasource) -> str:
    """Return the counts of *data* in one phrase."""
    if data.kind == LABELED:
        counts = data.label_counts()
        low, high = int(counts.min()), int(counts.max())
        spread = f"{low:,}" if low == high else f"{low:,} to {high:,}"
        return f"{len(data):,} texts in {len(counts):,} classes of {spread} {'row' if high == 1 else 'rows'}"
    if data.kind == RETRIEVAL:
        return (
            f"{len(data):,} queries, {len(data.frames['corpus']):,} documents, "
            f"{len(data.frames['qrels']):,} relevance judgements"
        )
    texts = data.texts_by_role()
    return f"{len(data):,} pairs of {len(texts['anchor']):,} anchors and {len(texts['positive']):,} positives"


def lengths_line(profile: LengthProfile) -> str:
    """Return the length profile in one phrase, saying how it came about."""
    marks = ", ".join(f"{name} {value:,}" for name, value in profile.percentiles.items())
    return f"{marks} ({lengths_source(profile)})"


def lengths_source(profile: LengthProfile) -> str:
    """Return how the lengths were found."""
    how = "estimated without a tokenizer" if profile.estimated else "counted with the tokenizer"
    return how + (f" on a sample of {len(profile.lengths):,}" if profile.sampled else "")


def describe(data: Datasource) -> str:
    """Return *data* as readable lines."""
    lines = [f"Datasource {data.name!r}: {data.kind}, {headline(data)}"]
    if data.kind_reason:
        lines.append(f"  kind     {data.kind}: {data.kind_reason}")
    lines += [f"  {role:<9}column {choice.column!r}: {choice.reason}" for role, choice in data.roles.items()]
    lines += [f"  dropped  {drop.count:,}: {drop.reason}" for drop in data.dropped]
    lines += [f"  note     {note}" for note in data.notes]
    lines.append(f"  tokens   {lengths_line(data.profile())}")
    for row in data.sample(2).to_dict("records"):
        lines.append("  example  " + " | ".join(shortened(value, 60) for value in row.values()))
    return "\n".join(lines)


def shortened(value: object, letters: int) -> str:
    """Return *value* on one line of at most *letters* characters."""
    line = " ".join(str(value).split())
    return line if len(line) <= letters else line[: letters - 1].rstrip() + "…"
