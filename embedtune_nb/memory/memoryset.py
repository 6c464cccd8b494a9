"""What labeled and scored memorysets have in common."""

from __future__ import annotations

import copy
import html
import numbers
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from enum import Enum
from typing import Any, ClassVar, TypeVar

import numpy as np
import pandas as pd

from embedtune_nb.data.datasource import Datasource
from embedtune_nb.data.describe import shortened
from embedtune_nb.data.roles import RoleChoice
from embedtune_nb.errors import DataError, IntegrityError, PlanError
from embedtune_nb.evaluation.search import exact_search
from embedtune_nb.memory.constructors import Constructors
from embedtune_nb.memory.create import create_memoryset
from embedtune_nb.memory.reading import Reading, check_model, embed_all
from embedtune_nb.memory.record import (
    MemorysetRecord,
    find_memoryset,
    memoryset_names,
    no_such_memoryset,
)
from embedtune_nb.models.embedding_model import EmbeddingModel
from embedtune_nb.store import publish
from embedtune_nb.store.home import memorysets_folder
from embedtune_nb.store.locks import locked
from embedtune_nb.store.names import check_name, named_folder

M = TypeVar("M", bound="Memoryset")
_SHOWN_ROWS = 5


class Inherit(Enum):
    """Stands for an argument that was not given."""

    INHERIT = "as in the original"

    def __repr__(self) -> str:
        return "INHERIT"


class Memoryset(Constructors):
    """A named collection of texts, embedded with one model and one instruction.

    Use the ``from_...`` methods, :meth:`open` or :meth:`clone` instead of this constructor.

    Parameters
    ----------
    record
        What stands in the store.
    """

    _title: ClassVar[str]

    def __init__(self, record: MemorysetRecord) -> None:
        super().__init__(record)
        self._model: EmbeddingModel | None = None

    # In the store ----------------------------------------------------------------------------------------

    @classmethod
    def open(cls: type[M], name: str) -> M:
        """Return the memoryset *name* (regardless of case). Loads no model.

        Raises
        ------
        NotFoundError
            If there is none; the message lists those there are.
        PlanError
            If it is of another kind.
        IntegrityError
            If files are missing or have another size than recorded.
        """
        record = find_memoryset(check_name(name))
        if record is None:
            raise no_such_memoryset(name)
        if record.facts["kind"] != cls.kind:
            raise PlanError(
                f"The memoryset {record.path.name!r} is of kind {record.facts['kind']!r}.",
                expected=f"one of kind {cls.kind!r}",
                fix=f"open it with {record.facts['kind'].capitalize()}Memoryset.open.",
            )
        return cls(record)

    @classmethod
    def all(cls: type[M]) -> list[M]:
        """Return all memorysets of this class, oldest first; a damaged one is left out with a warning."""
        found = []
        for name in memoryset_names():
            try:
                record = find_memoryset(name)
            except IntegrityError as damage:
                warnings.warn(f"The memoryset {name!r} is left out: {damage}", stacklevel=2)
                continue
            if record is not None and record.facts["kind"] == cls.kind:
                found.append(cls(record))
        return found

    @classmethod
    def drop(cls, name: str, if_not_exists: str = "error") -> None:
        """Delete the memoryset *name*; its model stays.

        Parameters
        ----------
        name
            The memoryset.
        if_not_exists
            ``"error"`` or ``"ignore"``.

        Raises
        ------
        NotFoundError
            If there is none and *if_not_exists* is ``"error"``.
        PlanError
            If it is of another kind.
        """
        if if_not_exists not in ("error", "ignore"):
            raise PlanError(
                f"if_not_exists={if_not_exists!r}.",
                expected="'error' or 'ignore'",
                fix="choose one of the two.",
            )
        name = check_name(name)
        folder = named_folder(memorysets_folder(), name)
        if not folder.is_dir():
            if if_not_exists == "error":
                raise no_such_memoryset(name)
            return
        with locked(memorysets_folder() / ".names" / f"{name.casefold()}.lock"):
            with suppress(IntegrityError):  # a damaged memoryset can be dropped too
                cls.open(name)
            publish.remove(folder)

    def clone(
        self: M,
        name: str,
        *,
        embedding_model: EmbeddingModel | None = None,
        instruction: str | Inherit | None = Inherit.INHERIT,
        if_exists: str = "error",
    ) -> M:
        """Make a copy of this memoryset under another name, embedded anew where the model is another.

        Parameters
        ----------
        name
            Of the copy.
        embedding_model
            What embeds the copy; None: the same model.
        instruction
            Of the copy; left out: the same one. None: none.
        if_exists
            ``"error"``, or ``"open"``: return the memoryset of that name if it was embedded with the same
            model; other texts or another instruction are told with a warning.

        Returns
        -------
        Memoryset
            Of the same class, with the same rows in the same order.

        Raises
        ------
        EmbedtuneError
            If the name is taken, or the model cannot be had.
        """
        model = self.embedding_model if embedding_model is None else check_model(embedding_model)
        wanted = self.instruction if isinstance(instruction, Inherit) else instruction
        record = create_memoryset(
            name, self._record.data, model, wanted, if_exists=if_exists, embedded=self._record
        )
        clone = type(self)(record)
        clone._model = model
        return clone

    # Facts -----------------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """The name it is published under."""
        return self._record.path.name

    @property
    def instruction(self) -> str | None:
        """The task in words, which a model that can read it is given with every text of this collection."""
        return self._record.facts["instruction"]

    @property
    def prompt(self) -> str:
        """What stands before every text when it is embedded; empty for nothing."""
        return self._reading.prompt

    @property
    def notes(self) -> list[str]:
        """What happened to the texts on the way in, one sentence each."""
        data = self._record.data
        dropped = [f"Dropped {drop.count:,}: {drop.reason}." for drop in data.dropped]
        return [*dropped, *data.notes, *self._record.facts["notes"]]

    @property
    def embedding_model(self) -> EmbeddingModel:
        """The model that embeds it.

        Raises
        ------
        EmbedtuneError
            If it is gone, damaged, or another one under the same name.
        """
        if self._model is None:
            self._model = self._reading.open_model()
        return self._model

    @property
    def embeddings(self) -> np.ndarray:
        """The vectors of the texts in their order: float32, (texts, dimension), unit length, read-only."""
        return self._record.vectors

    def __len__(self) -> int:
        """Return the number of texts."""
        return len(self._record.data)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Yield every memory as a dict with id, value and label or score."""
        yield from self.to_pandas().to_dict("records")

    def to_pandas(self) -> pd.DataFrame:
        """Return the memories as a table: id (row in the source), value, label or score."""
        return self._record.data.to_pandas()

    def to_datasource(self) -> Datasource:
        """Return the texts with their labels or scores and the instruction, ready for ``finetune``."""
        source = copy.copy(self._record.data)
        source.name, source.instruction = self.name, self.instruction
        # a memoryset has columns of its own, whatever those of its source were called
        source.roles = {role: RoleChoice(role, f"as in the memoryset {self.name!r}") for role in source.roles}
        return source

    # Searching -------------------------------------------------------------------------------------------

    def search(self, query: str | Sequence[str], count: int = 5) -> pd.DataFrame:
        """Find the memories nearest to a text (exact, FAISS flat index).

        Parameters
        ----------
        query
            One text or several. They are read as the memories were, with the same instruction.
        count
            Memories for each; all of them where there are fewer.

        Returns
        -------
        DataFrame
            Nearest first: similarity (cosine, -1 to 1), id, value, label or score. For several queries
            there is a first column ``query`` with the number of the query, from 0.

        Raises
        ------
        DataError
            If a query is no text, or blank, or *count* is no whole number from 1.
        """
        several = isinstance(query, Iterable) and not isinstance(query, (str, Mapping))
        queries: list[Any] = list(query) if several else [query]
        for text in queries or [None]:
            if not isinstance(text, str) or not text.strip():
                raise DataError(
                    f"The query is {text!r} ({type(text).__name__})." if queries else "There is no query.",
                    expected="a text, or a list of at least one text, none of them blank",
                )
        if isinstance(count, bool) or not isinstance(count, numbers.Integral) or count < 1:
            raise DataError(f"count is {count!r}.", expected="a whole number from 1")
        vectors = embed_all(self.embedding_model, queries, self.instruction)
        similarity, rows = exact_search(vectors, self.embeddings, int(count))
        found = self.to_pandas().iloc[rows.ravel()].reset_index(drop=True)
        found.insert(0, "similarity", similarity.ravel())
        if several:
            found.insert(0, "query", np.repeat(np.arange(len(queries)), rows.shape[1]))
        return found

    # On screen -------------------------------------------------------------------------------------------

    @property
    def _reading(self) -> Reading:
        return Reading.from_json(self._record.facts["reading"])

    def _facts_of_kind(self) -> dict[str, str]:
        raise NotImplementedError

    def _facts(self) -> dict[str, str]:
        facts = {"name": repr(self.name), "length": str(len(self)), **self._facts_of_kind()}
        if self.instruction is not None:
            used = "" if self.prompt else " (kept, not read by this model)"
            facts["instruction"] = f"{self.instruction!r}{used}"
        return {**facts, "embedding_model": self._reading.told()}

    def __repr__(self) -> str:
        lines = "".join(f"    {key}: {value},\n" for key, value in self._facts().items())
        return f"{self._title}({{\n{lines}}})"

    def _repr_html_(self) -> str:
        facts = {**self._facts(), "notes": " ".join(self.notes)}
        cells = "".join(
            f"<tr><th style='text-align:left'>{html.escape(key)}</th>"
            f"<td style='text-align:left'>{html.escape(value)}</td></tr>"
            for key, value in facts.items()
            if value
        )
        shown = self.to_pandas().head(_SHOWN_ROWS)
        shown = shown.assign(value=[shortened(text, 100) for text in shown["value"]])
        return f"<b>{self._title}</b><table>{cells}</table>{shown.to_html(index=False, escape=True)}"
