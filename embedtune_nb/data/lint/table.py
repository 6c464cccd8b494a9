"""Data of any kind as the checks look at it: numbered texts, and which row holds which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from embedtune_nb.data.copies import normalized
from embedtune_nb.data.kinds import (
    ENTAILMENT,
    LABELED,
    NLI,
    PAIRS,
    RETRIEVAL,
    SCORED,
    SCORED_PAIRS,
    TEXT_ROLES,
    TRIPLETS,
)
from embedtune_nb.data.lint.near_copies import NearCopies, near_copies

if TYPE_CHECKING:
    from embedtune_nb.data.datasource import Datasource

#: The column of each kind that says what a text or a pair is.
TARGET = {LABELED: "label", SCORED: "score", SCORED_PAIRS: "score", NLI: "label"}


@dataclass(frozen=True)
class Records:
    """A frame whose rows can be copies of one another.

    Attributes
    ----------
    frame
        Its name.
    columns
        ``{column: text numbers}``, int64 arrays of one entry a row.
    """

    frame: str
    columns: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))


class Table:
    """The texts of a Datasource, each different one once, and the rows that hold them.

    Attributes
    ----------
    texts : list of str
        The different texts.
    records : list of Records
        ``examples``, or ``queries`` and ``corpus`` for retrieval.
    negatives : (int64 array, int64 array) or None
        Rows and text numbers of the negatives of triplets.
    """

    def __init__(self, data: Datasource, *, look_for_near: bool = True) -> None:
        self.data, self.kind, self._look_for_near = data, data.kind, look_for_near
        listed: list[Sequence[str]] = []
        self.negatives: tuple[np.ndarray, np.ndarray] | None = None
        if data.kind == RETRIEVAL:
            listed = [data.frames["queries"]["text"].tolist(), data.frames["corpus"]["text"].tolist()]
        else:
            roles = [role for role in TEXT_ROLES[data.kind] if role != "negatives"]
            listed = [data.frames["examples"][role].tolist() for role in roles]
        negatives = [list(row) for row in data.frames["examples"]["negatives"]] if self._has_negatives else []
        listed.append([text for row in negatives for text in row])
        codes, unique = pd.factorize(np.array([text for part in listed for text in part], dtype=object))
        self.texts: list[str] = unique.tolist()
        parts = np.split(codes.astype(np.int64), np.cumsum([len(part) for part in listed])[:-1])
        if negatives:
            self.negatives = (np.repeat(np.arange(len(negatives)), list(map(len, negatives))), parts[-1])
        if data.kind == RETRIEVAL:
            self.records = [
                Records("queries", {"text": parts[0]}),
                Records("corpus", {"text": parts[1]}),
            ]
        else:
            columns = dict(zip(roles, parts, strict=False))
            self.records = [Records("examples", columns)]

    @property
    def _has_negatives(self) -> bool:
        return "negatives" in self.data.frames.get("examples", ())

    @property
    def target(self) -> pd.Series | None:
        """The label or score of each row, where the kind has one."""
        name = TARGET.get(self.kind)
        return None if name is None else self.data.frames["examples"][name]

    @cached_property
    def pairs(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Text numbers of anchors and of what belongs to them, where the kind has pairs."""
        if self.kind == RETRIEVAL:
            frames = self.data.frames
            queries = pd.Index(frames["queries"]["id"]).get_indexer(frames["qrels"]["query_id"])
            documents = pd.Index(frames["corpus"]["id"]).get_indexer(frames["qrels"]["corpus_id"])
            known = (queries >= 0) & (documents >= 0)
            asked, answers = (record.columns["text"] for record in self.records)
            return asked[queries[known]], answers[documents[known]]
        columns = self.records[0].columns
        if self.kind in (PAIRS, TRIPLETS):
            return columns["anchor"], columns["positive"]
        if self.kind == NLI:
            entailed = (self.data.frames["examples"]["label"] == ENTAILMENT).to_numpy()
            return columns["premise"][entailed], columns["hypothesis"][entailed]
        return None

    @cached_property
    def _normalized(self) -> tuple[np.ndarray, list[str]]:
        codes, unique = pd.factorize(np.array([normalized(text) for text in self.texts], dtype=object))
        return codes.astype(np.int64), unique.tolist()

    @property
    def plain(self) -> np.ndarray:
        """For each text the number of its normalised form."""
        return self._normalized[0]

    @property
    def plain_texts(self) -> list[str]:
        """The normalised forms."""
        return self._normalized[1]

    @cached_property
    def near(self) -> NearCopies:
        """Near-copies among the normalised forms; none where nobody is to look for them."""
        if not self._look_for_near:
            count = len(self.plain_texts)
            return NearCopies(np.arange(count), np.zeros(count, bool))
        return near_copies(self.plain_texts)

    @cached_property
    def alike(self) -> np.ndarray:
        """For each text a number that it shares with its copies and near-copies."""
        return self.near.roots()[self.plain]

    @cached_property
    def spare_of(self) -> np.ndarray:
        """For each text the number of the normalised form that can stand in for it without a chain."""
        return self.near.originals()[self.plain]

    def example(self, records: Records, row: int) -> tuple[str, ...]:
        """Return the texts of one row, and its label or score."""
        shown = tuple(self.texts[codes[row]] for codes in records.columns.values())
        target = self.target
        if target is None:
            return shown
        value = target.iloc[row]
        return (*shown, f"{value:.3g}" if isinstance(value, float) else str(value))
