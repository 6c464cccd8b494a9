"""Which column plays which role: told by the caller, known by name, or seen in the content."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass

import pandas as pd

from embedtune_nb.data.column_names import KNOWN_NAMES, folded, is_known, listing
from embedtune_nb.data.infer import infer_kind, is_class, is_text, several
from embedtune_nb.data.kinds import OPTIONAL_ROLES, ROLES, require_ready
from embedtune_nb.errors import ColumnError, did_you_mean


@dataclass(frozen=True)
class RoleChoice:
    """A column and why it was chosen; for negatives it may be a tuple of columns."""

    column: Hashable
    reason: str

    @property
    def columns(self) -> tuple[Hashable, ...]:
        """The column, or all of them."""
        return tuple(several(self.column))


def choose_roles(
    frame: pd.DataFrame,
    *,
    kind: str | None = None,
    roles: Mapping[str, Hashable] | None = None,
    group_column: Hashable | None = None,
) -> tuple[str, str, dict[str, RoleChoice]]:
    """Find the kind of a table and the column for each of its roles.

    Parameters
    ----------
    frame
        The table; it is only looked at.
    kind
        The kind, or ``None`` to infer it.
    roles
        Columns the caller names, ``{role: column}``; for negatives a list of columns, too. They are never
        overruled.
    group_column
        Column whose values must not be torn apart by a split.

    Returns
    -------
    kind, reason, choices
        The kind, why it was chosen, and a :class:`RoleChoice` for each role.

    Raises
    ------
    ColumnError
        If a named column is missing, or if more than one reading is possible.
    """
    given = _given(frame, roles, group_column)
    if kind is None:
        kind, reason = infer_kind(frame, given)
    else:
        require_ready(kind)
        reason = "you named it"
    allowed = ROLES[kind] + OPTIONAL_ROLES[kind]
    for role in given:
        if role not in allowed:
            raise ColumnError(
                f"Data of the kind {kind!r} has no role {role!r}.",
                expected="roles out of " + ", ".join(allowed),
                fix=did_you_mean(role, allowed) + "Rename the role in roles={...}.",
            )
    _refuse_double_use(given)
    choices = {role: RoleChoice(column, "you named it") for role, column in given.items()}
    # names first for every role, so that content decides only between columns nobody has claimed
    for role in allowed:
        if role not in choices:
            choice = _by_name(role, _free_columns(frame, choices), kind)
            if choice is not None:
                choices[role] = choice
    for role in ROLES[kind]:
        if role not in choices:
            choices[role] = _by_content(frame, role, _free_columns(frame, choices), kind)
    return kind, reason, {role: choices[role] for role in allowed if role in choices}


def require_column(frame: pd.DataFrame, column: Hashable, role: str) -> None:
    """Raise a :class:`ColumnError` with the nearest name and the list if *column* is not in *frame*."""
    if isinstance(column, Hashable) and column in frame.columns:
        return
    names = [str(name) for name in frame.columns]
    raise ColumnError(
        f"There is no column {column!r} (asked for as {role}).",
        expected="one of the columns " + listing(names),
        fix=did_you_mean(str(column), names) + f"Name an existing column for the role {role!r}.",
    )


def _given(
    frame: pd.DataFrame, roles: Mapping[str, Hashable] | None, group_column: Hashable | None
) -> dict[str, Hashable]:
    if roles is not None and not isinstance(roles, Mapping):
        raise ColumnError(
            f"roles is a {type(roles).__name__}.",
            expected="a dict {role: column}, such as {'value': 'text', 'label': 'intent'}",
            fix="name each column's role in a dict.",
        )
    given = dict(roles or {})
    if group_column is not None:
        given["group"] = group_column
    for role, column in given.items():
        if role == "negatives" and isinstance(column, (list, tuple)) and column:
            given[role] = column[0] if len(column) == 1 else tuple(column)
            for each in column:
                require_column(frame, each, role)
        else:
            require_column(frame, column, role)
    return given


def _by_name(role: str, columns: list[Hashable], kind: str) -> RoleChoice | None:
    matches = [column for column in columns if is_known(role, column, kind)]
    if role == "negatives" and len(matches) > 1:
        return RoleChoice(tuple(matches), "they are named like negatives")
    exact = [column for column in matches if folded(column) == role]
    if len(exact) == 1:
        return RoleChoice(exact[0], "it is named like the role")
    if len(matches) == 1:
        return RoleChoice(matches[0], f"{matches[0]!r} is a usual name for the {role}")
    if matches and role in ROLES[kind]:
        raise ColumnError(
            f"More than one column could be the {role}: {listing([str(column) for column in matches])}.",
            expected=f"one column for the role {role!r}",
            fix=f"say which: kind={kind!r}, roles={{{role!r}: {matches[0]!r}}}.",
        )
    return None


def _by_content(frame: pd.DataFrame, role: str, columns: list[Hashable], kind: str) -> RoleChoice:
    looks_right, seen = {
        "label": (is_class, "it is the only column with few distinct values"),
        "score": (_is_number, "it is the only column of numbers that is left"),
    }.get(role, (is_text, "it is the only column of texts that is left"))
    fitting = [column for column in columns if looks_right(frame[column])]
    if len(fitting) == 1:
        count = f" ({frame[fitting[0]].nunique():,})" if role == "label" else ""
        return RoleChoice(fitting[0], seen + count)
    candidates = fitting or columns
    listed = listing([str(column) for column in candidates])
    example = repr(candidates[0]) if candidates else "'...'"
    if fitting:
        found = f"More than one column could be the {role}: {listed}."
    else:
        found = f"No column looks like the {role}; the columns left are {listed}."
    raise ColumnError(
        found,
        expected=f"one column for the role {role!r}, by a usual name "
        f"({', '.join(KNOWN_NAMES[role])}) or named",
        fix=f"say which: kind={kind!r}, roles={{{role!r}: {example}}}.",
    )


def _refuse_double_use(given: Mapping[str, Hashable]) -> None:
    # The group may be any column, also one with a role: "split by label" is a fair wish.
    taken: dict[Hashable, str] = {}
    for role, column in given.items():
        for each in several(column) if role != "group" else ():
            if each in taken:
                raise ColumnError(
                    f"Column {each!r} is named for two roles, {taken[each]} and {role}."
                    if taken[each] != role
                    else f"Column {each!r} is named twice for the {role}.",
                    expected="a column of its own for each role",
                    fix="name another column for one of them.",
                )
            taken[each] = role


def _free_columns(frame: pd.DataFrame, choices: Mapping[str, RoleChoice]) -> list[Hashable]:
    taken = {column for role, choice in choices.items() if role != "group" for column in choice.columns}
    return [column for column in frame.columns if column not in taken]


def _is_number(series: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(series.dtype) and not pd.api.types.is_bool_dtype(series.dtype)
