"""What a person picked as data, as a plain value: where it is, what its columns mean, the code for it."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from embedtune_nb.data import readers
from embedtune_nb.data.csv_files import likely_separator, read_csv
from embedtune_nb.data.datasource import Datasource
from embedtune_nb.data.kinds import OPTIONAL_ROLES, ROLES
from embedtune_nb.data.roles import RoleChoice, choose_roles
from embedtune_nb.errors import DataError, EmbedtuneError, did_you_mean
from embedtune_nb.memory.memoryset import Memoryset

Origin = Literal["frame", "datasource", "ready", "file"]
READY_MADE = {
    "retrieval": "api_docs, first sentence -> description",
    "labeled": "api_docs, first sentence -> module",
}
_CSV, _TSV = (".csv", ".csv.gz"), (".tsv", ".tsv.gz")
_JSONL, _PARQUET = (".jsonl", ".jsonl.gz", ".ndjson"), (".parquet", ".pq")


@dataclass(frozen=True)
class DataChoice:
    """A choice of data.

    Attributes
    ----------
    origin
        ``"frame"`` or ``"datasource"`` (a variable of the notebook; also a memoryset), ``"ready"`` (comes
        with the package) or ``"file"``.
    name
        The variable, the kind of the ready-made data, or the path.
    kind
        None to have it inferred.
    roles
        Only the columns a person named, ``{role: column}``.
    group
        Column whose rows stay together in a split.
    """

    origin: Origin
    name: str
    kind: str | None = None
    roles: Mapping[str, Hashable] = field(default_factory=dict)
    group: Hashable | None = None

    @property
    def has_columns(self) -> bool:
        """Whether there are columns to give roles to."""
        return self.origin in ("frame", "file")

    @property
    def title(self) -> str:
        """What to call it on screen."""
        if self.origin == "ready":
            return "api-docs"
        return Path(self.name).name.split(".")[0] if self.origin == "file" else self.name

    def with_kind(self, kind: str | None) -> DataChoice:
        """Return the choice with another kind; roles belong to a kind, so they are inferred anew."""
        return replace(self, kind=kind, roles={})

    def with_role(self, role: str, column: Hashable | None) -> DataChoice:
        """Return the choice with *column* named for *role*; None leaves it to be inferred."""
        if role == "group":
            return replace(self, group=column)
        roles = {**self.roles, role: column}
        return replace(self, roles={key: value for key, value in roles.items() if value is not None})

    def table(self, namespace: Mapping[str, Any]) -> pd.DataFrame:
        """Return the DataFrame, from the notebook's variables or from the file.

        Raises
        ------
        DataError
            If it is not there any more, or cannot be read.
        """
        if self.origin == "file":
            return _read_file(self.name)
        table = namespace.get(self.name)
        if not isinstance(table, pd.DataFrame):
            raise _gone(self.name, namespace, "a DataFrame")
        return table

    def read(self, namespace: Mapping[str, Any]) -> Datasource:
        """Return the Datasource.

        Raises
        ------
        EmbedtuneError
            If the data is gone, unreadable, ambiguous or unusable; the message says what to do.
        """
        if self.origin == "ready":
            from embedtune_nb import datasets

            return datasets.api_docs(self.name)
        if self.origin == "datasource":
            source = namespace.get(self.name)
            if not hasattr(source, "to_datasource"):
                raise _gone(self.name, namespace, "a Datasource")
            return source.to_datasource()
        return self.build(self.table(namespace))

    def build(self, table: pd.DataFrame) -> Datasource:
        """Return the Datasource that *table* makes in the chosen roles."""
        return Datasource.from_pandas(
            table, kind=self.kind, roles=dict(self.roles) or None, group_column=self.group, name=self.title
        )

    def code(self) -> str:
        """Return the line or lines that make ``data``."""
        if self.origin == "datasource":
            return "" if self.name == "data" else f"data = {self.name}"
        if self.origin == "ready":
            return f"data = et.datasets.api_docs({literal(self.name)})"
        arguments = self._source_arguments()
        if self.kind is not None:
            arguments.append(f"kind={literal(self.kind)}")
        if self.roles:
            arguments.append(f"roles={literal(dict(self.roles))}")
        if self.group is not None:
            arguments.append(f"group_column={literal(self.group)}")
        reader = "from_pandas" if self.origin == "frame" else _reader_of(self.name)
        line = f"data = et.Datasource.{reader}({', '.join(arguments)})"
        if len(line) <= 88:
            return line
        body = "".join(f"    {argument},\n" for argument in arguments)
        return f"data = et.Datasource.{reader}(\n{body})"

    def _source_arguments(self) -> list[str]:
        if self.origin == "frame":
            return [self.name, f"name={literal(self.title)}"]
        separator = _separator_of(self.name) if _reader_of(self.name) == "from_csv" else ","
        return [literal(self.name), *([] if separator == "," else [f"separator={literal(separator)}"])]


@dataclass(frozen=True)
class RoleReading:
    """What is known of a table's roles so far.

    Attributes
    ----------
    kind
        None where it could not be told.
    reason
        Why this kind.
    choices
        The column and the reason for each role that is settled.
    problem
        Why others are not; None if all are.
    """

    kind: str | None
    reason: str
    choices: dict[str, RoleChoice]
    problem: EmbedtuneError | None = None

    @property
    def roles(self) -> tuple[str, ...]:
        """All roles of the kind, the optional ones last."""
        return () if self.kind is None else ROLES[self.kind] + OPTIONAL_ROLES[self.kind]


def read_roles(table: pd.DataFrame, choice: DataChoice) -> RoleReading:
    """Infer what *choice* leaves open; what cannot be inferred stays open beside the problem."""
    try:
        kind, reason, choices = choose_roles(
            table, kind=choice.kind, roles=dict(choice.roles) or None, group_column=choice.group
        )
        return RoleReading(kind, reason, choices)
    except EmbedtuneError as problem:
        named = {role: RoleChoice(column, "you named it") for role, column in choice.roles.items()}
        if choice.group is not None:
            named["group"] = RoleChoice(choice.group, "you named it")
        return RoleReading(choice.kind, "", named, problem)


def literal(value: Any) -> str:
    """Return *value* as Python source, with the double quotes that people write."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{literal(key)}: {literal(entry)}" for key, entry in value.items()) + "}"
    source = repr(value)
    if isinstance(value, str) and source[0] == "'" and '"' not in source:
        return f'"{source[1:-1]}"'
    return source


def find_data(namespace: Mapping[str, Any]) -> list[tuple[DataChoice, str]]:
    """Return what a notebook's variables offer as data, each with a word on its size."""
    found: list[tuple[DataChoice, str]] = []
    for name, value in list(namespace.items()):
        if name.startswith("_") or not name.isidentifier():
            continue
        if isinstance(value, pd.DataFrame):
            rows, columns = value.shape
            found.append((DataChoice("frame", name), f"{rows:,} rows, {columns} columns"))
        elif isinstance(value, Datasource):
            found.append((DataChoice("datasource", name), f"Datasource, {value.kind}"))
        elif isinstance(value, Memoryset):
            found.append((DataChoice("datasource", name), f"{type(value).__name__}, {len(value):,} rows"))
    return found


def _gone(name: str, namespace: Mapping[str, Any], what: str) -> DataError:
    names = [choice.name for choice, _ in find_data(namespace)]
    return DataError(
        f"The notebook has no {name!r} that is {what} any more.",
        expected=f"one of {', '.join(names)}" if names else "a DataFrame or Datasource in this notebook",
        fix=did_you_mean(name, names) + "Run the cell that makes it, then refresh.",
    )


def _reader_of(path: str) -> str:
    folded = path.casefold()
    for endings, reader in ((_CSV + _TSV, "from_csv"), (_JSONL, "from_jsonl"), (_PARQUET, "from_parquet")):
        if folded.endswith(endings):
            return reader
    raise DataError(
        f"{Path(path).name!r} has an ending that is not known." if path else "No file is named yet.",
        expected="a path that ends in .csv, .tsv, .jsonl or .parquet (text files also with .gz)",
        fix="enter such a path; a relative one counts from the notebook's folder.",
    )


def _read_file(path: str) -> pd.DataFrame:
    reader = _reader_of(path)
    if reader == "from_parquet":
        return readers.read_parquet(path)
    if reader == "from_jsonl":
        return readers.read_jsonl(path)
    return read_csv(path, separator=_separator_of(path))


def _separator_of(path: str) -> str:
    return "\t" if path.casefold().endswith(_TSV) else likely_separator(path)
