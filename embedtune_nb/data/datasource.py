"""The Datasource: examples, the roles of their columns, and what happened to them on the way in."""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from embedtune_nb.data import readers
from embedtune_nb.data.beir import build_retrieval
from embedtune_nb.data.build import build_frames
from embedtune_nb.data.clean import Dropped
from embedtune_nb.data.describe import describe
from embedtune_nb.data.fingerprint import fingerprint
from embedtune_nb.data.html import to_html
from embedtune_nb.data.kinds import FRAMES, LABELED, PAIRS, RETRIEVAL
from embedtune_nb.data.lengths import LengthProfile, profile_lengths
from embedtune_nb.data.roles import RoleChoice, choose_roles
from embedtune_nb.errors import DataError, IntegrityError


class Datasource:
    """A table of examples and the roles of its columns. Made by the ``from_...`` methods; never changed
    after.

    Attributes
    ----------
    kind : str
        ``"labeled"``, ``"pairs"`` or ``"retrieval"``.
    kind_reason : str
        Why this kind.
    name : str
        What to call it on screen.
    frames : dict of DataFrame
        The examples. labeled: ``examples`` (id, value, label, optional group). pairs: ``examples`` (id,
        anchor, positive, optional group). retrieval: ``queries`` (id, text, optional group), ``corpus``
        (id, text), ``qrels`` (query_id, corpus_id, relevance > 0). ``id`` of an example is its row in the
        source, from 0.
    roles : dict of RoleChoice
        For each role the column it came from and why.
    dropped : list of Dropped
        How many rows were left out for which reason.
    notes : list of str
        Conversions and oddities, one sentence each.
    """

    instruction: str | None = None

    def __init__(
        self,
        kind: str,
        frames: dict[str, pd.DataFrame],
        *,
        name: str,
        kind_reason: str = "",
        roles: Mapping[str, RoleChoice] | None = None,
        dropped: Iterable[Dropped] = (),
        notes: Iterable[str] = (),
    ) -> None:
        self.kind, self.frames, self.name, self.kind_reason = kind, frames, name, kind_reason
        self.roles, self.dropped, self.notes = dict(roles or {}), list(dropped), list(notes)

    # Making one ------------------------------------------------------------------------------------------

    @classmethod
    def from_pandas(
        cls,
        df: pd.DataFrame,
        *,
        kind: str | None = None,
        roles: Mapping[str, Hashable] | None = None,
        group_column: Hashable | None = None,
        name: str | None = None,
    ) -> Datasource:
        """Make a Datasource from a DataFrame.

        Parameters
        ----------
        df
            One example a row.
        kind
            ``"labeled"`` (roles value, label), ``"pairs"`` (anchor, positive) or ``"retrieval"`` (query,
            document, optional relevance). Inferred from names and content by default.
        roles
            ``{role: column}`` where the names of the columns do not say it.
        group_column
            Rows with the same value here stay together in a split (pages of one book, posts of one author).
        name
            What to call it on screen.

        Raises
        ------
        ColumnError
            If a column is missing or more than one reading is possible; the message lists the candidates.
        DataError
            If the rows cannot be used: none, one class only, mixed label types, other things than texts.
        """
        if not isinstance(df, pd.DataFrame):
            ways = {"list": "from_list", "dict": "from_dict", "str": "from_csv"}
            way = ways.get(type(df).__name__)
            raise DataError(
                f"from_pandas was given a {type(df).__name__}.",
                expected="a pandas DataFrame",
                fix=f"use Datasource.{way}."
                if way
                else "make a DataFrame of it first: pandas.DataFrame(...).",
            )
        if not df.columns.is_unique or df.columns.nlevels > 1:
            raise DataError(
                "Some columns share a name."
                if df.columns.nlevels == 1
                else "The column names have several levels.",
                expected="one plain name for each column",
                fix="rename them: df.columns = [...].",
            )
        frame = df.reset_index(drop=True)
        if not len(frame.columns):
            raise DataError("The data has no columns.", fix="check what was loaded.")
        kind, kind_reason, choices = choose_roles(frame, kind=kind, roles=roles, group_column=group_column)
        built = build_frames(frame, kind, choices)
        return cls(
            kind,
            built.frames,
            name=str(name or "data"),
            kind_reason=kind_reason,
            roles=choices,
            dropped=built.dropped,
            notes=built.notes,
        )

    @classmethod
    def from_list(cls, rows: Iterable[Mapping[str, Any]], **options: Any) -> Datasource:
        """Make a Datasource from dicts, one a row. Options as in :meth:`from_pandas`."""
        if isinstance(rows, str) or not isinstance(rows, Iterable):
            raise DataError(
                f"from_list was given a {type(rows).__name__}.",
                expected='dicts, one a row, such as [{"text": "...", "label": "..."}]',
            )
        rows = list(rows)
        for place, row in enumerate(rows):
            if not isinstance(row, Mapping):
                raise DataError(
                    f"Entry {place} of the list is a {type(row).__name__}.",
                    expected='one dict a row, such as {"text": "...", "label": "..."}',
                    fix='name the fields: [{"text": a, "label": b} for a, b in rows].',
                )
        return cls.from_pandas(readers.frame_of(rows), **options)

    @classmethod
    def from_dict(cls, columns: Mapping[str, Iterable[Any]], **options: Any) -> Datasource:
        """Make a Datasource from columns, ``{name: values}``. Options as in :meth:`from_pandas`."""
        wrong = columns
        if isinstance(columns, Mapping):
            wrong = next((value for value in columns.values() if not isinstance(value, Iterable)), columns)
        if wrong is not columns or not isinstance(columns, Mapping):
            raise DataError(
                f"from_dict was given a {type(columns).__name__}"
                + (f" with a {type(wrong).__name__} for a column." if wrong is not columns else "."),
                expected='columns by name, such as {"text": [...], "label": [...]}',
                fix="use Datasource.from_list for dicts, one a row." if isinstance(columns, list) else "",
            )
        listed = {
            name: [values] if isinstance(values, str) else list(values) for name, values in columns.items()
        }
        if len({len(values) for values in listed.values()}) > 1:
            sizes = ", ".join(f"{name!r}: {len(values):,}" for name, values in listed.items())
            raise DataError(f"The columns differ in length ({sizes}).", expected="columns of equal length")
        return cls.from_pandas(readers.frame_of(listed), **options)

    @classmethod
    def from_csv(
        cls, path: str | Path, *, separator: str = ",", encoding: str = "utf-8", **options: Any
    ) -> Datasource:
        """Make a Datasource from a CSV file with a header line (plain or gzip).

        Other options as in :meth:`from_pandas`. A line that cannot be read is named in the error.
        """
        options.setdefault("name", readers.path_of(path).name.split(".")[0])
        return cls.from_pandas(readers.read_csv(path, separator=separator, encoding=encoding), **options)

    @classmethod
    def from_jsonl(cls, path: str | Path, *, encoding: str = "utf-8", **options: Any) -> Datasource:
        """Make a Datasource from a file with one JSON object a line (plain or gzip).

        Other options as in :meth:`from_pandas`. A line that cannot be read is named in the error.
        """
        options.setdefault("name", readers.path_of(path).name.split(".")[0])
        return cls.from_pandas(readers.read_jsonl(path, encoding=encoding), **options)

    @classmethod
    def from_parquet(cls, path: str | Path, **options: Any) -> Datasource:
        """Make a Datasource from a Parquet file. Options as in :meth:`from_pandas`."""
        options.setdefault("name", readers.path_of(path).name.split(".")[0])
        return cls.from_pandas(readers.read_parquet(path), **options)

    @classmethod
    def from_retrieval(
        cls,
        queries: Any,
        corpus: Any,
        qrels: Any,
        *,
        group_column: Hashable | None = None,
        name: str | None = None,
    ) -> Datasource:
        """Make retrieval data from queries, documents and judgements.

        Parameters
        ----------
        queries, corpus
            A DataFrame with an id and a text column (documents may have a title), or ``{id: text}``.
        qrels
            A DataFrame with query_id, corpus_id and relevance, or ``{query id: {document id:
            relevance}}``, or ``{query id: [document ids]}``. Above 0 means relevant.
        group_column
            Column of *queries*; queries with the same value stay together in a split.
        name
            What to call it on screen.
        """
        built = build_retrieval(queries, corpus, qrels, group_column=group_column)
        return cls(
            RETRIEVAL,
            built.frames,
            name=str(name or "data"),
            kind_reason="it was given as queries, documents and judgements",
            roles={} if group_column is None else {"group": RoleChoice(group_column, "you named it")},
            dropped=built.dropped,
            notes=built.notes,
        )

    # Looking at it ---------------------------------------------------------------------------------------

    def __len__(self) -> int:
        """Return the number of examples: rows, or queries for retrieval."""
        return len(self.frames["queries"] if self.kind == RETRIEVAL else self.frames["examples"])

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of kind and content; the same in every process and for every row index."""
        return fingerprint(self.kind, self.frames)

    def texts_by_role(self) -> dict[str, list[str]]:
        """Return ``{role: texts}``; a text that occurs twice in a role of pairs is listed once."""
        if self.kind == LABELED:
            return {"value": self.frames["examples"]["value"].tolist()}
        if self.kind == PAIRS:
            examples = self.frames["examples"]
            return {role: examples[role].drop_duplicates().tolist() for role in ("anchor", "positive")}
        return {
            "query": self.frames["queries"]["text"].tolist(),
            "document": self.frames["corpus"]["text"].tolist(),
        }

    def texts(self) -> list[str]:
        """Return all texts, role after role."""
        return [text for texts in self.texts_by_role().values() for text in texts]

    @property
    def labels(self) -> list[str] | list[int]:
        """The distinct labels in order (labeled data only)."""
        return sorted(self.label_counts().index.tolist())

    def label_counts(self) -> pd.Series:
        """Return the number of rows of each label, the most frequent first (labeled data only)."""
        if self.kind != LABELED:
            raise DataError(f"Data of the kind {self.kind!r} has no labels.", expected="labeled data")
        return self.frames["examples"]["label"].value_counts()

    def to_pandas(self) -> pd.DataFrame:
        """Return the examples as one table; for retrieval one row a judgement, with texts and ids."""
        if self.kind != RETRIEVAL:
            return self.frames["examples"].copy()
        queries = self.frames["queries"].rename(columns={"id": "query_id", "text": "query"})
        corpus = self.frames["corpus"].rename(columns={"id": "corpus_id", "text": "document"})
        joined = self.frames["qrels"].merge(queries, on="query_id").merge(corpus, on="corpus_id")
        order = ["query", "document", "relevance", "query_id", "corpus_id"]
        return joined[[*order, *(name for name in joined.columns if name not in order)]]

    def training_pairs(self) -> pd.DataFrame:
        """Return ``anchor, positive`` (pairs), and ``query_id, corpus_id`` beside them (retrieval)."""
        if self.kind == LABELED:
            raise DataError("Labeled data has no pairs.", expected="data of the kind 'pairs' or 'retrieval'")
        if self.kind == PAIRS:
            return self.frames["examples"][["anchor", "positive"]].copy()
        flat = self.to_pandas().rename(columns={"query": "anchor", "document": "positive"})
        return flat[["anchor", "positive", "query_id", "corpus_id"]]

    def sample(self, n: int = 5, seed: int = 0) -> pd.DataFrame:
        """Return *n* random examples (all if there are fewer) without their ids."""
        table = self.to_pandas()
        table = table.sample(min(n, len(table)), random_state=seed)
        shown = ["value", "label", "anchor", "positive", "query", "document", "relevance", "group"]
        return table[[name for name in shown if name in table.columns]].reset_index(drop=True)

    def profile(self, tokenizer_file: str | Path | None = None) -> LengthProfile:
        """Return how long the texts are in tokens; without a ``tokenizer.json`` it is called an estimate."""
        return profile_lengths(self.texts_by_role(), tokenizer_file)

    def to_datasource(self) -> Datasource:
        """Return itself: everything that can be trained on has this method."""
        return self

    def __repr__(self) -> str:
        return describe(self)

    def _repr_html_(self) -> str:
        return to_html(self)

    # Keeping it ------------------------------------------------------------------------------------------

    def write(self, folder: str | Path) -> Path:
        """Write Parquet files and ``datasource.json`` into *folder*, made if need be; return the folder."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        for name, frame in self.frames.items():
            frame.to_parquet(folder / f"{name}.parquet", index=False)
        (folder / "datasource.json").write_text(json.dumps(self.to_record(), indent=1), encoding="utf-8")
        return folder

    @classmethod
    def read(cls, folder: str | Path) -> Datasource:
        """Read what :meth:`write` wrote.

        Raises
        ------
        IntegrityError
            If the files are not those that were written.
        """
        folder = Path(folder)
        try:
            record = json.loads((folder / "datasource.json").read_text(encoding="utf-8"))
            frames = {name: pd.read_parquet(folder / f"{name}.parquet") for name in FRAMES[record["kind"]]}
        except (OSError, ValueError, KeyError) as cause:
            raise IntegrityError(
                f"The data in {folder} cannot be read: {cause}.",
                expected="a folder written by Datasource.write",
            ) from cause
        return cls.from_record(record, frames)

    def to_record(self) -> dict[str, Any]:
        """Return everything but the frames as JSON-able values."""
        return {
            "format": 1,
            "kind": self.kind,
            "kind_reason": self.kind_reason,
            "name": self.name,
            "fingerprint": self.fingerprint,
            "roles": {
                role: {"column": str(choice.column), "reason": choice.reason}
                for role, choice in self.roles.items()
            },
            "dropped": [asdict(drop) for drop in self.dropped],
            "notes": self.notes,
        }

    @classmethod
    def from_record(cls, record: Mapping[str, Any], frames: dict[str, pd.DataFrame]) -> Datasource:
        """Put together what :meth:`to_record` and ``frames`` hold, and check that they belong together."""
        data = cls(
            record["kind"],
            frames,
            name=record["name"],
            kind_reason=record["kind_reason"],
            roles={role: RoleChoice(**choice) for role, choice in record["roles"].items()},
            dropped=[Dropped(**drop) for drop in record["dropped"]],
            notes=record["notes"],
        )
        if data.fingerprint != record["fingerprint"]:
            raise IntegrityError(
                f"The examples of {data.name!r} are not those that were written (their fingerprint differs).",
                fix="load the data from its source again.",
            )
        return data
