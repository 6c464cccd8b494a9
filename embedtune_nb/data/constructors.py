"""The ways to make a Datasource."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pandas as pd

from embedtune_nb.data import readers
from embedtune_nb.data.beir import build_retrieval
from embedtune_nb.data.build import Built, build_frames
from embedtune_nb.data.csv_files import INFER, read_csv
from embedtune_nb.data.huggingface import read_huggingface
from embedtune_nb.data.kinds import RETRIEVAL
from embedtune_nb.data.retrieval_files import read_beir, read_llama_index
from embedtune_nb.data.roles import RoleChoice, choose_roles
from embedtune_nb.data.torch_items import read_torch
from embedtune_nb.errors import DataError

if TYPE_CHECKING:
    from embedtune_nb.data.datasource import Datasource


_WAYS = {
    "list": "from_list",
    "dict": "from_dict",
    "str": "from_csv, from_jsonl or from_parquet",
    "Table": "from_arrow",
    "Dataset": "from_hf",
    "DatasetDict": "from_hf",
}


class Constructors:
    """The ``from_...`` methods of :class:`~embedtune_nb.data.datasource.Datasource`."""

    @classmethod
    def from_pandas(
        cls,
        df: pd.DataFrame,
        *,
        kind: str | None = None,
        roles: Mapping[str, Hashable] | None = None,
        group_column: Hashable | None = None,
        score_range: tuple[float, float] | None = None,
        name: str | None = None,
    ) -> Datasource:
        """Make a Datasource from a DataFrame.

        Parameters
        ----------
        df
            One example a row.
        kind
            ``"labeled"`` (roles value, label), ``"scored"`` (value, score), ``"pairs"`` (anchor, positive),
            ``"triplets"`` (anchor, positive, negatives), ``"scored_pairs"`` (sentence1, sentence2, score),
            ``"nli"`` (premise, hypothesis, label) or ``"retrieval"`` (query, document, optional
            relevance). Inferred from names and content by default.
        roles
            ``{role: column}`` where the names of the columns do not say it. Negatives may be one column of
            texts, one of lists, or a list of columns.
        group_column
            Rows with the same value here stay together in a split (pages of one book, posts of one author).
        score_range
            Lowest and highest score there can be, for scored pairs. Taken from the scores by default.
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
            way = _WAYS.get(type(df).__name__)
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
        built = build_frames(frame, kind, choices, score_range=score_range)
        return cls._made(kind, built, name=name, kind_reason=kind_reason, roles=choices)

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
        if not isinstance(columns, Mapping):
            raise DataError(
                f"from_dict was given a {type(columns).__name__}.",
                expected='columns by name, such as {"text": [...], "label": [...]}',
                fix="use Datasource.from_list for dicts, one a row." if isinstance(columns, list) else "",
            )
        for name, values in columns.items():
            if not isinstance(values, Iterable):
                raise DataError(
                    f"Column {name!r} is a {type(values).__name__}.",
                    expected='a list of values for each column, such as {"text": [...], "label": [...]}',
                    fix="use Datasource.from_list([...]) for a dict that is one row.",
                )
        listed = {
            name: [values] if isinstance(values, str) else list(values) for name, values in columns.items()
        }
        if len({len(values) for values in listed.values()}) > 1:
            sizes = ", ".join(f"{name!r}: {len(values):,}" for name, values in listed.items())
            raise DataError(f"The columns differ in length ({sizes}).", expected="columns of equal length")
        return cls.from_pandas(readers.frame_of(listed), **options)

    @classmethod
    def from_arrow(cls, table: Any, **options: Any) -> Datasource:
        """Make a Datasource from a pyarrow ``Table``. Options as in :meth:`from_pandas`."""
        if not type(table).__module__.startswith("pyarrow") or not hasattr(table, "to_pandas"):
            raise DataError(
                f"from_arrow was given a {type(table).__name__}.",
                expected="a pyarrow Table or RecordBatch",
                fix="make one of it first (many libraries have to_arrow()).",
            )
        return cls.from_pandas(table.to_pandas(), **options)

    @classmethod
    def from_csv(
        cls,
        path: str | Path,
        *,
        separator: str = ",",
        encoding: str = "utf-8",
        header: int | str | None = INFER,
        names: Sequence[Hashable] | None = None,
        **options: Any,
    ) -> Datasource:
        """Make a Datasource from a CSV file (plain or gzip).

        Parameters
        ----------
        path, separator, encoding
            The file and how it is written.
        header
            0: the first line names the columns. None: there is no such line. By default it names them, and
            is refused if it looks like an example.
        names
            Names for the columns of a file without a header line.
        **options
            As in :meth:`from_pandas`.

        Raises
        ------
        DataError
            As in :meth:`from_pandas`; a line that cannot be read is named.
        """
        options.setdefault("name", readers.path_of(path).name.split(".")[0])
        frame = read_csv(path, separator=separator, encoding=encoding, header=header, names=names)
        return cls.from_pandas(frame, **options)

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
    def from_hf(
        cls, source: Any, *, split: str | None = None, config: str | None = None, **options: Any
    ) -> Datasource:
        """Make a Datasource from a Hugging Face data set.

        Parameters
        ----------
        source
            A ``Dataset`` or ``DatasetDict``, a folder written by ``save_to_disk``, or a name on the hub.
        split
            Which split, where there are several.
        config
            Which configuration of a data set on the hub.
        **options
            As in :meth:`from_pandas`. Coded classes are read as their names.

        Raises
        ------
        DataError
            As in :meth:`from_pandas`; without a network a name on the hub fails within 10 seconds.
        """
        frame, title, notes = read_huggingface(source, split=split, config=config)
        options.setdefault("name", title or None)
        data = cls.from_pandas(frame, **options)
        data.notes[:0] = notes
        return data

    @classmethod
    def from_torch(
        cls,
        dataset: Any,
        *,
        names: Sequence[str] | None = None,
        limit: int | None = None,
        **options: Any,
    ) -> Datasource:
        """Make a Datasource from a torch ``Dataset``, whose items are read once.

        Parameters
        ----------
        dataset
            Its items are dicts, dataclasses or tuples.
        names
            Names for the places of tuples, such as ``("text", "label")``.
        limit
            Read at most so many items; needed where the data set does not know its length.
        **options
            As in :meth:`from_pandas`.
        """
        return cls.from_pandas(read_torch(dataset, names=names, limit=limit), **options)

    @classmethod
    def from_beir(
        cls, folder: str | Path, *, split: str | None = None, name: str | None = None
    ) -> Datasource:
        """Make retrieval data from a BEIR folder: corpus.jsonl, queries.jsonl, qrels/<split>.tsv.

        Parameters
        ----------
        folder
            The folder; its text files may be packed (.gz).
        split
            Which judgements; may be left out if there is one file of them.
        name
            What to call it on screen; the folder and the split by default.
        """
        queries, corpus, qrels = read_beir(folder, split)
        title = name or " ".join(filter(None, [readers.path_of(folder).name, split]))
        return cls.from_retrieval(queries, corpus, qrels, name=title)

    @classmethod
    def from_llama_index(cls, source: Any, *, name: str | None = None) -> Datasource:
        """Make retrieval data from LlamaIndex's question-answer set.

        Parameters
        ----------
        source
            The path of its JSON file (queries, corpus, relevant_docs), the dict in it, or the object.
        name
            What to call it on screen.
        """
        if name is None and isinstance(source, (str, Path)):
            name = readers.path_of(source).name.split(".")[0]
        return cls.from_retrieval(*read_llama_index(source), name=name)

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
            A DataFrame with an id and a text column (documents may have a title), ``{id: text}``, or the
            path of a .jsonl, .tsv, .csv or .parquet file.
        qrels
            A DataFrame with query_id, corpus_id and relevance, ``{query id: {document id: relevance}}``,
            ``{query id: [document ids]}``, or the path of TREC or BEIR judgements. Above 0 means relevant.
        group_column
            Column of *queries*; queries with the same value stay together in a split.
        name
            What to call it on screen.
        """
        built = build_retrieval(queries, corpus, qrels, group_column=group_column)
        return cls._made(
            RETRIEVAL,
            built,
            name=name,
            kind_reason="it was given as queries, documents and judgements",
            roles={} if group_column is None else {"group": RoleChoice(group_column, "you named it")},
        )

    @classmethod
    def _made(cls, kind: str, built: Built, *, name: str | None, **facts: Any) -> Datasource:
        datasource = cast("type[Datasource]", cls)  # which alone is made of these methods
        return datasource(
            kind,
            built.frames,
            name=str(name or "data"),
            dropped=built.dropped,
            notes=built.notes,
            score_range=built.score_range,
            **facts,
        )
