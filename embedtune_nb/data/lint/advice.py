"""The findings of weight in a sentence each, quickly enough for every plan."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from embedtune_nb.data.lint.clashes import batch_clashes
from embedtune_nb.data.lint.columns import misordered_columns
from embedtune_nb.data.lint.duplicates import exact_duplicates, near_duplicates
from embedtune_nb.data.lint.finding import Finding, NotLookedAt
from embedtune_nb.data.lint.labels import conflicting_labels, mixed_labels
from embedtune_nb.data.lint.leaks import compared_texts, near_leaks
from embedtune_nb.data.lint.linter import comparable
from embedtune_nb.data.lint.sizes import empty_texts
from embedtune_nb.data.lint.table import Table

if TYPE_CHECKING:
    from embedtune_nb.data.datasource import Datasource

# Near-copies are looked for in texts of no more characters than these: about a second.
_MOST_CHARACTERS = 3_000_000


def lint_advice(
    data: Datasource, batch_size: int | None = None, *, held_out: Datasource | None = None
) -> list[str]:
    """Return what the linter finds serious or a warning, without embeddings and within about two seconds.

    In large data near-copies are left out, which one more sentence then says. The same data and batch size
    are looked at once.

    Parameters
    ----------
    data
        What will be trained on.
    batch_size
        Rows of a batch, for in-batch false negatives; ``None``: they are not looked for.
    held_out
        What will be evaluated on, for near-copies of it in the training data; a split leaves no exact ones.
    """
    return list(_advice(_ByContent(data), batch_size, None if held_out is None else _ByContent(held_out)))


class _ByContent:
    """A Datasource that equals another of the same content, so that a cache knows it again."""

    def __init__(self, data: Datasource) -> None:
        self.data = data

    def __hash__(self) -> int:
        return hash(self.data.fingerprint)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _ByContent) and other.data.fingerprint == self.data.fingerprint


@lru_cache(maxsize=4)
def _advice(content: _ByContent, batch_size: int | None, held_out: _ByContent | None) -> tuple[str, ...]:
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
    if held_out is not None:
        told += _near_leaks(table, comparable(data, held_out.data))
    if not small:
        told.append("Near-copies were not looked for in so much text; data.lint() does.")
    return tuple(told)


def _near_leaks(table: Table, evaluation: Table) -> list[str]:
    compared = [part.plain_texts[place] for part in (table, evaluation) for place in compared_texts(part)]
    if sum(map(len, compared)) > _MOST_CHARACTERS:
        return ["Near-copies of the evaluation data were not looked for; data.lint(eval_datasource) does."]
    return [
        f"{finding.summary} {finding.cost} To do: a split never tears a group (group_column=...); where you "
        'hold out the data yourself, data.fix("near_leaks", eval_datasource=...) leaves these rows out.'
        for finding in near_leaks(table, evaluation)
    ]


def _grave(outcome: list[Finding] | NotLookedAt) -> list[Finding]:
    if isinstance(outcome, NotLookedAt):
        return []
    return [finding for finding in outcome if finding.severity != "note"]
