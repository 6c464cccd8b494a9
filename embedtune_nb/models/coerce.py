"""Accept what a notebook has at hand as training data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd

from embedtune_nb.data.datasource import Datasource
from embedtune_nb.errors import ColumnError, DataError, NotYetError

VALUE_COLUMN = "value"


def to_datasource(
    data: Any,
    *,
    value_column: str = VALUE_COLUMN,
    label_column: str | None = None,
    score_column: str | None = None,
) -> Datasource:
    """Return *data* as a Datasource; column arguments are needed only where roles are ambiguous.

    Parameters
    ----------
    data
        A Datasource, anything with ``to_datasource()``, a DataFrame, a list of dicts or a dict of columns.
    value_column
        Text column. The default stands back where no column is called so.
    label_column
        Class column: makes the data ``labeled``.
    score_column
        Not yet supported.

    Raises
    ------
    DataError
        If *data* is none of these.
    ColumnError
        If a given column is missing or contradicts the Datasource.
    """
    if score_column is not None:
        raise NotYetError(
            "Training on scores (score_column) is not part of this version.",
            expected="labels, pairs or retrieval data",
            fix="turn the scores into classes and give label_column, or wait for the next version.",
        )
    if isinstance(data, (list, tuple)) and data and all(isinstance(part, tuple) for part in data):
        raise NotYetError(
            "Several objectives in one run are not part of this version yet.",
            expected="one Datasource",
            fix="train one after the other: a tuned model can be the base of the next run.",
        )
    if hasattr(data, "to_datasource"):
        source = data.to_datasource()
        _agree(source, "label", label_column)
        _agree(source, "value", value_column if value_column != VALUE_COLUMN else None)
        return source
    build: Callable[..., Datasource]
    if isinstance(data, pd.DataFrame):
        columns, build = set(data.columns), Datasource.from_pandas
    elif isinstance(data, dict):
        columns, build = set(data), Datasource.from_dict
    elif isinstance(data, list):
        columns = {key for row in data if isinstance(row, dict) for key in row}
        build = Datasource.from_list
    else:
        raise DataError(
            f"The data is a {type(data).__name__}.",
            expected="a Datasource, a DataFrame, a list of dicts or a dict of columns",
            fix="read it with Datasource.from_pandas, from_csv, from_jsonl, from_parquet or from_retrieval.",
        )
    roles = {} if label_column is None else {"label": label_column}
    if value_column != VALUE_COLUMN or (roles and VALUE_COLUMN in columns):
        roles["value"] = value_column
    return build(data, roles=roles or None)


def _agree(source: Datasource, role: str, column: str | None) -> None:
    if column is None:
        return
    choice = source.roles.get(role)
    if choice is None:
        raise ColumnError(
            f"{role}_column={column!r} was given, but the data is of kind {source.kind!r}.",
            expected="data of kind 'labeled'",
            fix=f"leave {role}_column out, or build the Datasource with kind='labeled'.",
        )
    if choice.column != column:
        raise ColumnError(
            f"{role}_column={column!r} was given, but the Datasource took {choice.column!r} as the {role}.",
            fix=f"build the Datasource with roles={{{role!r}: {column!r}, ...}}.",
        )
