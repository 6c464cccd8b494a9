"""The ways to make a memoryset from texts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from embedtune_nb.data.datasource import Datasource
from embedtune_nb.errors import DataError
from embedtune_nb.memory.create import create_memoryset
from embedtune_nb.memory.reading import check_model
from embedtune_nb.memory.record import MemorysetRecord
from embedtune_nb.models.embedding_model import EmbeddingModel
from embedtune_nb.store.names import check_name

C = TypeVar("C", bound="Constructors")


class Constructors:
    """The ``from_...`` methods that labeled and scored memorysets share.

    Each takes the options of ``from_pandas``, which each class has for itself, and those of the method of
    the same name of :class:`~embedtune_nb.data.datasource.Datasource`.
    """

    kind: ClassVar[str]
    _target: ClassVar[str]

    def __init__(self, record: MemorysetRecord) -> None:
        self._record = record

    @classmethod
    def from_list(cls: type[C], name: str, rows: Iterable[Mapping[str, Any]], **options: Any) -> C:
        """Make a memoryset from dicts, one a memory."""
        return cls._from(name, Datasource.from_list, rows, **options)

    @classmethod
    def from_dict(cls: type[C], name: str, columns: Mapping[str, Iterable[Any]], **options: Any) -> C:
        """Make a memoryset from columns, ``{name: values}``."""
        return cls._from(name, Datasource.from_dict, columns, **options)

    @classmethod
    def from_arrow(cls: type[C], name: str, table: Any, **options: Any) -> C:
        """Make a memoryset from a pyarrow ``Table``."""
        return cls._from(name, Datasource.from_arrow, table, **options)

    @classmethod
    def from_csv(cls: type[C], name: str, path: str | Path, **options: Any) -> C:
        """Make a memoryset from a CSV file (plain or gzip); *separator* and *encoding* are options too."""
        return cls._from(name, Datasource.from_csv, path, **options)

    @classmethod
    def from_jsonl(cls: type[C], name: str, path: str | Path, **options: Any) -> C:
        """Make a memoryset from a file with one JSON object a line (plain or gzip)."""
        return cls._from(name, Datasource.from_jsonl, path, **options)

    @classmethod
    def from_parquet(cls: type[C], name: str, path: str | Path, **options: Any) -> C:
        """Make a memoryset from a Parquet file."""
        return cls._from(name, Datasource.from_parquet, path, **options)

    @classmethod
    def from_hf(cls: type[C], name: str, source: Any, **options: Any) -> C:
        """Make a memoryset from a Hugging Face data set; *split* and *config* are options too."""
        return cls._from(name, Datasource.from_hf, source, **options)

    @classmethod
    def from_torch(cls: type[C], name: str, dataset: Any, **options: Any) -> C:
        """Make a memoryset from a torch ``Dataset``; *names* and *limit* are options too."""
        return cls._from(name, Datasource.from_torch, dataset, **options)

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
        source: Any,
        *,
        value_column: str = "value",
        embedding_model: EmbeddingModel | None = None,
        instruction: str | None = None,
        if_exists: str = "error",
        **options: Any,
    ) -> C:
        target_column = options.pop(f"{cls._target}_column", cls._target)
        # a default name that no column has is left to inference by usual names and content
        given = {"value": value_column, cls._target: target_column}
        roles = {role: column for role, column in given.items() if column != role}
        data = read(source, kind=cls.kind, roles=roles or None, name=check_name(name), **options)
        return cls.from_datasource(
            name, data, embedding_model=embedding_model, instruction=instruction, if_exists=if_exists
        )
