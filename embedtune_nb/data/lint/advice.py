"""The findings of weight in a sentence each, quickly enough for every plan."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from embedtune_nb.data.lint.clashes import batch_clashes
from embedtune_nb.data.lint.columns import misordered_columns
from embedtune_nb.data.lint.duplicates import exact_duplicates, near_duplicates
from embedtune_nb.data.lint.finding import Finding, NotLookedAt
from embedtune_nb.data.lint.labels import conflicting_labels, mixed_labels
from embedtune_nb.data.lint.sizes import empty_texts
from embedtune_nb.data.lint.table import Table

if TYPE_CHECKING:
    from embedtune_nb.data.datasource import Datasource

# Near-copies are looked for in texts of no more characters than these: about a second.
_MOST_CHARACTERS = 3_000_000


def lint_advice(data: Datasource, batch_size: int | None = None) -> list[str]:
    """Return what the linter finds serious or a warning, without embeddings and within about two seconds.

    In large data near-copies are left out, which one more sentence then says. The same data and batch size
    are looked at once.

    Parameters
    ----------
    data
        What will be trained on.
    batch_size
        Rows of a batch, for in-batch false negatives; ``None``: they are not looked for.
    """
    return list(_advice(_ByContent(data), batch_size))


class _ByContent:
    """A Datasource that equals another of the same content, so that a cache knows it again."""

    def __init__(self, data: Datasource) -> None:
        self.data = data

    def __hash__(self) -> int:
        return hash(self.data.fingerprint)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _ByContent) and other.data.fingerprint == self.data.fingerprint


@lru_cache(maxsize=4)
def _advice(content: _ByContent, batch_size: int | None) -> tuple[str, ...]:
    data = content.data
    small = sum(map(len, data.texts())) <= _MOST_CHARACTERS
    table = Table(data, look_for_near=small)
    outcomes = [
        conflicting_labels(table),
        mixed_labels(table),
        misordered_columns(table),
        exact_duplicates(table),
        near_duplicates(table),
        empty_texts(table),
        [] if batch_size is None else batch_clashes(table, batch_size),
    ]
    grave = [finding for outcome in outcomes for finding in _grave(outcome)]
    told = [f"{finding.summary} To do: {finding.fix}" for finding in grave]
    if told and not small:
        told.append("Near-copies were not looked for in so much text; data.lint() does.")
    return tuple(told)


def _grave(outcome: list[Finding] | NotLookedAt) -> list[Finding]:
    if isinstance(outcome, NotLookedAt):
        return []
    return [finding for finding in outcome if finding.severity != "note"]
