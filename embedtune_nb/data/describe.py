"""A Datasource in words, for terminals, logs and notebooks that show no HTML."""

from __future__ import annotations

from typing import TYPE_CHECKING

from embedtune_nb.data.kinds import LABELED, NLI, NLI_LABELS, RETRIEVAL, SCORED, SCORED_PAIRS, TRIPLETS
from embedtune_nb.data.lengths import LengthProfile
from embedtune_nb.data.visible import visible

if TYPE_CHECKING:
    from embedtune_nb.data.datasource import Datasource
    from embedtune_nb.data.roles import RoleChoice


def headline(data: Datasource) -> str:
    """Return the counts of *data* in one phrase."""
    count = f"{len(data):,}"
    if data.kind == RETRIEVAL:
        return (
            f"{count} queries, {len(data.frames['corpus']):,} documents, "
            f"{len(data.frames['qrels']):,} relevance judgements"
        )
    if data.kind == LABELED:
        counts = data.label_counts()
        low, high = int(counts.min()), int(counts.max())
        spread = f"{low:,}" if low == high else f"{low:,} to {high:,}"
        return f"{count} texts in {len(counts):,} classes of {spread} {'row' if high == 1 else 'rows'}"
    examples = data.frames["examples"]
    if data.kind in (SCORED, SCORED_PAIRS):
        what = "texts" if data.kind == SCORED else "pairs of sentences"
        scores = examples["score"]
        return f"{count} {what} with scores from {scores.min():.3g} to {scores.max():.3g}"
    if data.kind == NLI:
        counts = data.label_counts()
        classes = ", ".join(f"{counts[name]:,} {name}" for name in NLI_LABELS if name in counts)
        return f"{count} pairs of premise and hypothesis: {classes}"
    if data.kind == TRIPLETS:
        sizes = examples["negatives"].map(len)
        low, high = int(sizes.min()), int(sizes.max())
        each = f"{low:,}" if low == high else f"{low:,} to {high:,}"
        return f"{count} triplets with {each} {'negative' if high == 1 else 'negatives'} each"
    anchors, positives = (examples[role].nunique() for role in ("anchor", "positive"))
    return f"{count} pairs of {anchors:,} anchors and {positives:,} positives"


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
        lines.append(f"  kind       {data.kind}: {data.kind_reason}")
    lines += [f"  {role:<11}{columns_phrase(choice)}: {choice.reason}" for role, choice in data.roles.items()]
    lines += [f"  dropped    {drop.count:,}: {drop.reason}" for drop in data.dropped]
    lines += [f"  note       {note}" for note in data.notes]
    lines.append(f"  tokens     {lengths_line(data.profile())}")
    for row in data.sample(2).to_dict("records"):
        lines.append("  example    " + " | ".join(shortened(value, 60) for value in row.values()))
    return "\n".join(visible(line) for line in lines)


def columns_phrase(choice: RoleChoice) -> str:
    """Return ``column 'text'``, or ``columns 'a', 'b'``."""
    names = ", ".join(map(repr, choice.columns))
    return f"{'column' if len(choice.columns) == 1 else 'columns'} {names}"


def shortened(value: object, letters: int) -> str:
    """Return *value* on one line of at most *letters* characters, its control characters written out."""
    if isinstance(value, list):
        value = " / ".join(map(str, value))
    elif isinstance(value, float):
        value = f"{value:.4g}"
    line = visible(" ".join(str(value).split()))
    return line if len(line) <= letters else line[: letters - 1].rstrip() + "…"
