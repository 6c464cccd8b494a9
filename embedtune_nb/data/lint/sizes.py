"""Texts that say nothing, texts that are huge, and texts that a model would cut."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from embedtune_nb.data.lengths import profile_lengths
from embedtune_nb.data.lint.finding import Finding, NotLookedAt
from embedtune_nb.data.lint.table import Table

_EXAMPLES = 4
_HUGE, _TIMES_MEDIAN = 8_000, 10
_MUCH_CUT, _SOME_CUT = 0.05, 0.005


@dataclass(frozen=True)
class Reader:
    """What is known of the base model that will read the texts.

    Attributes
    ----------
    name
        What the model is called.
    max_length
        Tokens it reads; ``None`` where nothing limits it.
    tokenizer_file
        Its ``tokenizer.json``; ``None``: lengths are estimated.
    """

    name: str
    max_length: int | None
    tokenizer_file: Path | None = None


def empty_texts(table: Table) -> list[Finding]:
    """Find texts that are punctuation and nothing else."""
    return _findings(
        table,
        empty(table),
        "empty_texts",
        "warning",
        "are punctuation and nothing else",
        "They all look alike to a model, whatever belongs to them.",
    )


def huge_texts(table: Table) -> list[Finding]:
    """Find texts of more than 8,000 characters that are ten times as long as the median text."""
    return _findings(
        table,
        huge(table),
        "huge_texts",
        "note",
        f"have more than {_HUGE:,} characters, and ten times those of the median text",
        "Models read only their beginning, and one such text makes its whole batch slow.",
    )


def empty(table: Table) -> np.ndarray:
    """Return for each text whether it has no letter, digit or picture sign."""
    return np.array([not any(_tells(sign) for sign in text) for text in table.texts], bool)


def _tells(sign: str) -> bool:
    return sign.isalnum() or unicodedata.category(sign) == "So"


def huge(table: Table) -> np.ndarray:
    """Return for each text whether it is huge."""
    sizes = np.array([len(text) for text in table.texts])
    return sizes > max(_HUGE, _TIMES_MEDIAN * float(np.median(sizes)) if len(sizes) else 0)


def rows_holding(table: Table, marked: np.ndarray) -> dict[str, np.ndarray]:
    """Return ``{frame: rows}`` of the rows that hold a marked text."""
    held = {}
    for records in table.records:
        hit = np.zeros(len(records), bool)
        for codes in records.columns.values():
            hit |= marked[codes]
        if records.frame == "examples" and table.negatives is not None:
            rows, texts = table.negatives
            hit[rows[marked[texts]]] = True
        held[records.frame] = np.flatnonzero(hit)
    return held


def truncation(table: Table, reader: Reader | None) -> list[Finding] | NotLookedAt:
    """Find how many texts the base model would cut."""
    if reader is None:
        return NotLookedAt("truncation", "it depends on the model: give base=...")
    if reader.max_length is None:
        return []
    profile = profile_lengths({"text": table.texts}, reader.tokenizer_file)
    share = profile.truncated_share(reader.max_length)
    if share < _SOME_CUT:
        return []
    about = "About " if profile.sampled or profile.estimated else ""
    longest = sorted(table.texts, key=len)[-_EXAMPLES:]
    return [
        Finding(
            name="truncation",
            severity="warning" if share >= _MUCH_CUT else "note",
            summary=f"{about}{share:.1%} of the texts are longer than the {reader.max_length:,} tokens that "
            f"{reader.name} reads (the longest has {profile.percentiles['max']:,}).",
            count=round(share * len(table.texts)),
            total=len(table.texts),
            cost="What stands after the cut is never read.",
            fix="cut long documents into passages of their own, or choose a base model that reads more.",
            examples=tuple((text,) for text in reversed(longest)),
            frame="texts",
            mendable=False,
        )
    ]


def _findings(
    table: Table, marked: np.ndarray, name: str, severity: str, how: str, cost: str
) -> list[Finding]:
    found = []
    for records in table.records:
        rows = rows_holding(table, marked)[records.frame]
        if not len(rows):
            continue
        what = {"examples": "rows hold texts that", "queries": "queries", "corpus": "documents"}
        found.append(
            Finding(
                name=name,
                severity=severity,  # type: ignore[arg-type]
                summary=f"{len(rows):,} of {len(records):,} {what[records.frame]} {how}.",
                count=len(rows),
                total=len(records),
                cost=cost,
                fix=f'data.fix("{name}") leaves them out.',
                examples=tuple(table.example(records, int(row)) for row in rows[:_EXAMPLES]),
                frame=records.frame,
                rows=rows,
            )
        )
    return found
