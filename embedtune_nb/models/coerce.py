"""Accept what a notebook has at hand as training data."""

from __future__ import annotations

from typing import Any

import pandas as pd

from embedtune_nb.data.datasource import Datasource
from embedtune_nb.errors import ColumnError, DataError, NotYetError


def to_datasource(
    data: Any,
    *,
    value_column: str = "value",
    label_column: str | None = None,
    score_column: str | None = None,
) -> Datasource:
    """Return *data* as a Datasource; column arguments are needed only where roles are ambiguous.

    Parameters
    ----------
    data
        A Datasource, anything with ``to_datasource()``, a DataFrame, a list of dicts or a dict of columns.
    value_column
        Text column, where *label_column* is given too.
    label_column
        Class column: makes the data ``labeled``.
    score_column
        Not yet supported.

    Raises
    ------
    DataError
        If *data* is none of these.
    ColumnError
        If a given column contradicts the Datasource.
    """
    if score_column is not None:
        raise NotYetError(
            "Training on scores (score_column) is not part of this version.",
            expected="labels, pairs or retrieval data",
            fix="turn the scores into classes and give label_column, or wait for the next version.",
        )
    if hasattr(data, "to_datasource"):
        source = data.to_datasource()
        _agree(source, label_column)
        return source
    roles = {"value": value_column, "label": label_column} if label_column is not None else None
    if isinstance(data, pd.DataFrame):
        return Datasource.from_pandas(data, roles=roles)
    if isinstance(data, dict):
        return Datasource.from_dict(data, roles=roles)
    if isinstance(data, list):
        return Datasource.from_list(data, roles=roles)
    raise DataError(
        f"The data is a {type(data).__name__}.",
        expected="a Datasource, a DataFrame, a list of dicts or a dict of columns",
        fix="read it with one of Datasource.from_pandas, from_csv, from_jsonl, from_parquet, from_retrieval.",
    )


def _agree(source: Datasource, label_column: str | None) -> None:
    if label_column is None:
        return
    role = source.roles.get("label")
    if role is None:
        raise ColumnError(
            f"label_column={label_column!r} was given, but the data is of kind {source.kind!r}.",
            expected="data of kind 'labeled'",
            fix="leave label_column out, or build the Datasource with kind='labeled'.",
        )
    if role.column != label_column:
        raise ColumnError(
            f"label_column={label_column!r} was given, but the Datasource took {role.column!r} as the label.",
            fix="build the Datasource with roles={'value': ..., 'label': " + repr(label_column) + "}.",
        )
