"""Accept what a notebook has at hand as training data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd

from embedtune_nb.data.datasource import Datasource
from embedtune_nb.data.kinds import LABELED, SCORED
from embedtune_nb.errors import ColumnError, DataError
from embedtune_nb.plan.objectives import is_list_of_objectives

VALUE_COLUMN = "value"
# The kind that a column argument asks for; a value column goes with either.
_KIND_OF = {"label": LABELED, "score": SCORED}


def to_training_data(data: Any, **columns: Any) -> Any:
    """Return *data* as a Datasource, or a list of pairs of data and loss with Datasources in it.

    Parameters
    ----------
    data
        As for :func:`to_datasource`, or ``[(data, loss), ...]``.
    columns
        As for :func:`to_datasource`; they name columns of a single table.

    Raises
    ------
    ColumnError
        If columns are named for several tables at once.
    DataError
        If losses are missing in the list.
    """
    if isinstance(data, (list, tuple)) and any(hasattr(part, "to_datasource") for part in data):
        raise DataError(
            f"The data is a list of {len(data)} data sets without losses.",
            expected="pairs of data and its loss: [(data, 'contrastive'), (more_data, 'cosent')]",
            fix="name a loss beside each; None takes the default of its kind.",
        )
    if not is_list_of_objectives(data):
        return to_datasource(data, **columns)
    named = [key for key, column in columns.items() if column not in (None, VALUE_COLUMN)]
    if named:
        raise ColumnError(
            f"{named[0]}={columns[named[0]]!r} was given beside a list of objectives.",
            expected="columns that are named where each Datasource is made",
            fix=f"build each with Datasource.from_pandas(..., roles={{...}}), and leave {named[0]} out.",
        )
    return [(to_datasource(part), loss) for part, loss in data]


def to_evaluation_data(data: Any, **columns: Any) -> Any:
    """Return *data* as a Datasource; None, and lists of data with one entry an objective, stay such."""
    if data is None:
        return None
    if isinstance(data, (list, tuple)) and not any(isinstance(part, dict) for part in data):
        return [None if part is None else to_datasource(part) for part in data]
    return to_datasource(data, **columns)


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
        Number column: makes the data ``scored``.

    Raises
    ------
    DataError
        If *data* is none of these.
    ColumnError
        If a given column is missing or contradicts the Datasource, or both of the last two are given.
    """
    if label_column is not None and score_column is not None:
        raise ColumnError(
            f"label_column={label_column!r} and score_column={score_column!r} were both given.",
            expected="one of them: classes to tell apart, or numbers to predict",
            fix="leave one out.",
        )
    if hasattr(data, "to_datasource"):
        source = data.to_datasource()
        _agree(source, "label", label_column)
        _agree(source, "score", score_column)
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
    given = {"label": label_column, "score": score_column}
    roles = {role: column for role, column in given.items() if column is not None}
    kind = _KIND_OF.get(next(iter(roles), ""))
    if value_column != VALUE_COLUMN or (roles and VALUE_COLUMN in columns):
        roles["value"] = value_column
    return build(data, kind=kind, roles=roles or None)


def _agree(source: Datasource, role: str, column: str | None) -> None:
    if column is None:
        return
    choice = source.roles.get(role)
    if choice is None:
        kinds = repr(_KIND_OF[role]) if role in _KIND_OF else " or ".join(map(repr, _KIND_OF.values()))
        raise ColumnError(
            f"{role}_column={column!r} was given, but the data is of kind {source.kind!r}.",
            expected=f"data of kind {kinds}",
            fix=f"leave {role}_column out, or build the Datasource with kind={kinds}.",
        )
    if choice.column != column:
        raise ColumnError(
            f"{role}_column={column!r} was given, but the Datasource took {choice.column!r} as the {role}.",
            fix=f"build the Datasource with roles={{{role!r}: {column!r}, ...}}.",
        )
