"""The ways to make a memoryset from texts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from embedtune_nb.data.datasource import Datasource
from embedtune_nb.errors import DataError
from embedtune_nb.memory.create import create_memoryset
from embedtune_nb.memory.reading import check_model
from embedtune_nb.models.embedding_model import EmbeddingModel

C = TypeVar("C", bound="Constructors")


class Constructors:
    """The ``from_...`` methods that labeled and scored memorysets share.

    Each takes the options of ``from_pandas``, which each class has for itself.
    """

    kind: str
    _target: str

    @classmethod
    def from_list(cls: type[C], name: str, rows: Iterable[Mapping[str, Any]], **options: Any) -> C:
        """Make a memoryset from dicts, one a memory."""
        return cls._from(name, lambda **how: Datasource.from_list(rows, **how), **options)

    @classmethod
    def from_dict(cls: type[C], name: str, columns: Mapping[str, Iterable[Any]], **options: Any) -> C:
        """Make a memoryset from columns, ``{name: values}``."""
        return cls._from(name, lambda **how: Datasource.from_dict(columns, **how), **options)

    @classmethod
    def from_csv(
        cls: type[C],
        name: str,
        path: str | Path,
        *,
        separator: str = ",",
        encoding: str = "utf-8",
        **options: Any,
    ) -> C:
        """Make a memoryset from a CSV file with a header line (plain or gzip)."""
        form = {"separator": separator, "encoding": encoding}
        return cls._from(name, lambda **how: Datasource.from_csv(path, **form, **how), **options)

    @classmethod
    def from_jsonl(
        cls: type[C], name: str, path: str | Path, *, encoding: str = "utf-8", **options: Any
    ) -> C:
        """Make a memoryset from a file with one JSON object a line (plain or gzip)."""
        return cls._from(name, lambda **how: Datasource.from_jsonl(path, encoding=encoding, **how), **options)

    @classmethod
    def from_parquet(cls: type[C], name: str, path: str | Path, **options: Any) -> C:
        """Make a memoryset from a Parquet file."""
        return cls._from(name, lambda **how: Datasource.from_parquet(path, **how), **options)

    @classmethod
    def from_datasource(
        cls: type[C],
        name: str,
        data: Any,
        *,
        embedding_model: EmbeddingModel | None = None,
        instruction: str | None = None,
        if_exists: str = "error",
    ) -> C:
        """Make a memoryset from a Datasource of the same kind.

        Parameters
        ----------
        name, embedding_model, instruction, if_exists
            As for :meth:`from_pandas`.
        data
            A Datasource, or anything with ``to_datasource()``.

        Raises
        ------
        DataError
            If it is of another kind.
        """
        convert = getattr(data, "to_datasource", None)
        source = None if convert is None else convert()
        if source is None or source.kind != cls.kind:
            found = type(data).__name__ if source is None else f"Datasource of kind {source.kind!r}"
            raise DataError(
                f"The data is a {found}.",
                expected=f"a Datasource of kind {cls.kind!r}",
                fix="use from_pandas, from_list or from_dict for tables.",
            )
        model = check_model(embedding_model)
        return cls(create_memoryset(name, source, model, instruction, if_exists=if_exists))

    @classmethod
    def _from(
        cls: type[C],
        name: str,
        read: Callable[..., Datasource],
        *,
        value_column: str = "value",
        embedding_model: EmbeddingModel | None = None,
        instruction: str | None = None,
        if_exists: str = "error",
        **target: Any,
    ) -> C:
        known = f"{cls._target}_column"
        column = target.pop(known, cls._target)
        if target:
            raise TypeError(f"unexpected argument {next(iter(target))!r}; did you mean {known!r}?")
        # a default name that no column has is left to inference by usual names and content
        given = {"value": value_column, cls._target: column}
        roles = {role: name for role, name in given.items() if name != role}
        source = read(kind=cls.kind, roles=roles or None)
        return cls.from_datasource(
            name, source, embedding_model=embedding_model, instruction=instruction, if_exists=if_exists
        )
