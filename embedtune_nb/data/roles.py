"""Which column plays which role: told by the caller, known by name, or seen in the content."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass

import pandas as pd

from embedtune_nb.data.kinds import KINDS, LABELED, OPTIONAL_ROLES, PAIRS, RETRIEVAL, ROLES, require_ready
from embedtune_nb.errors import ColumnError, did_you_mean

KNOWN_NAMES: dict[str, tuple[str, ...]] = {
    "value": ("value", "text", "sentence", "utterance", "content", "message", "comment", "review", "tweet"),
    "label": ("label", "category", "class", "intent", "topic", "target", "tag", "labels"),
    "anchor": ("anchor", "query", "question", "prompt"),
    "positive": ("positive", "answer", "document", "passage", "response", "context"),
    "query": ("query", "question", "anchor"),
    "document": ("document", "passage", "answer", "positive", "doc", "context"),
    "relevance": ("relevance", "rel", "grade", "score"),
    "group": ("group",),
}
# Shapes that belong to kinds still to come: recognised so that they are named, not misread.
_LATER_SHAPES: tuple[tuple[str, tuple[tuple[str, ...], ...]], ...] = (
    ("nli", (("premise",), ("hypothesis",))),
    ("scored_pairs", (("sentence1", "sentence_1", "text1"), ("sentence2", "sentence_2", "text2"))),
    ("triplets", (KNOWN_NAMES["anchor"], KNOWN_NAMES["positive"], ("negative", "negatives", "negative_1"))),
    ("scored_pairs", (KNOWN_NAMES["anchor"], KNOWN_NAMES["positive"], ("score", "similarity"))),
)


@dataclass(frozen=True)
class RoleChoice:
    """A column and why it was chosen."""

    column: Hashable
    reason: str


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
        Columns the caller names, ``{role: column}``. They are never overruled.
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
    NotYetError
        If the table has the shape of a kind that is not built yet.
    """
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
        require_column(frame, column, role)
    if kind is None:
        kind, reason = _infer_kind(frame, given)
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
    for role in allowed:
        if role in choices:
            continue
        free = _free_columns(frame, choices)
        choice = _by_name(role, free, kind)
        if choice is None and role in ROLES[kind]:
            choice = _by_content(frame, role, free, kind)
        if choice is not None:
            choices[role] = choice
    return kind, reason, {role: choices[role] for role in allowed if role in choices}


def require_column(frame: pd.DataFrame, column: Hashable, role: str) -> None:
    """Raise a :class:`ColumnError` with the nearest name and the list if *column* is not in *frame*."""
    if isinstance(column, Hashable) and column in frame.columns:
        return
    names = [str(name) for name in frame.columns]
    raise ColumnError(
        f"There is no column {column!r} (asked for as {role}).",
        expected="one of the columns " + _listing(names),
        fix=did_you_mean(str(column), names) + f"Name an existing column for the role {role!r}.",
    )


def _infer_kind(frame: pd.DataFrame, given: Mapping[str, Hashable]) -> tuple[str, str]:
    told = set(given) - {"group"}
    if told:
        for kind in ROLES:
            if told <= set(ROLES[kind] + OPTIONAL_ROLES[kind]):
                return kind, "the roles you named belong to it"
        stranger = next((role for role in given if role not in KNOWN_NAMES), None)
        raise ColumnError(
            f"There is no role {stranger!r}."
            if stranger
            else f"No kind has the roles {', '.join(sorted(told))}.",
            expected="; ".join(f"{kind}: {', '.join(ROLES[kind] + OPTIONAL_ROLES[kind])}" for kind in ROLES),
            fix=(did_you_mean(stranger, KNOWN_NAMES) if stranger else "")
            + "Rename the roles in roles={...}.",
        )
    names = {_folded(column) for column in frame.columns}
    has = {role: bool(names & set(known)) for role, known in KNOWN_NAMES.items()}
    # A score beside two texts may be a similarity as well; only a named kind settles that.
    has["relevance"] = bool(names & set(KNOWN_NAMES["relevance"]) - {"score"})
    fits = []
    if has["value"] and has["label"]:
        fits.append(LABELED)
    if has["anchor"] and has["positive"]:
        fits.append(RETRIEVAL if has["relevance"] else PAIRS)
    if len(fits) == 1 and not (fits[0] == PAIRS and _later_shape(names)):
        return fits[0], "the column names are those of this kind"
    if len(fits) > 1:
        raise _ambiguous(frame, f"The columns fit more than one kind: {' and '.join(fits)}.", fits)
    later = _later_shape(names)
    if later is not None:
        require_ready(later)
    free = [column for column in frame.columns if column not in set(given.values())]
    texts = [column for column in free if _is_text(frame[column])]
    classes = [column for column in free if _is_class(frame[column])]
    if len(texts) == 1 and len(classes) == 1 and texts != classes:
        return LABELED, "one column holds texts and one holds few distinct values"
    if has["value"] and len(classes) == 1 and classes[0] not in texts:
        return LABELED, "one column is named like a text and one holds few distinct values"
    if has["label"] and len(texts) == 1:
        return LABELED, "one column is named like a label and one holds texts"
    numbers = [column for column in free if pd.api.types.is_float_dtype(frame[column].dtype)]
    if len(texts) == 1 and not classes and len(numbers) == 1:
        require_ready("scored")
    raise _ambiguous(frame, "The kind of this data cannot be told from its columns.", list(ROLES))


def _later_shape(names: set[str]) -> str | None:
    for kind, parts in _LATER_SHAPES:
        if all(names & set(part) for part in parts):
            return kind
    return None


def _by_name(role: str, columns: list[Hashable], kind: str) -> RoleChoice | None:
    known = KNOWN_NAMES[role]
    matches = [column for column in columns if _folded(column) in known]
    exact = [column for column in matches if _folded(column) == role]
    if len(exact) == 1:
        return RoleChoice(exact[0], "it is named like the role")
    if len(matches) == 1:
        return RoleChoice(matches[0], f"{matches[0]!r} is a usual name for the {role}")
    if matches and role in ROLES[kind]:
        listing = _listing([str(column) for column in matches])
        raise ColumnError(
            f"More than one column could be the {role}: {listing}.",
            expected=f"one column for the role {role!r}",
            fix=f"say which: kind={kind!r}, roles={{{role!r}: {matches[0]!r}}}.",
        )
    return None


def _by_content(frame: pd.DataFrame, role: str, columns: list[Hashable], kind: str) -> RoleChoice:
    looks_right = _is_class if role == "label" else _is_text
    fitting = [column for column in columns if looks_right(frame[column])]
    if len(fitting) == 1:
        seen = (
            f"it is the only column with few distinct values ({frame[fitting[0]].nunique():,})"
            if role == "label"
            else "it is the only column of texts that is left"
        )
        return RoleChoice(fitting[0], seen)
    candidates = fitting or columns
    listing = _listing([str(column) for column in candidates])
    example = repr(candidates[0]) if candidates else "'...'"
    if fitting:
        found = f"More than one column could be the {role}: {listing}."
    else:
        found = f"No column looks like the {role}; the columns left are {listing}."
    raise ColumnError(
        found,
        expected=f"one column for the role {role!r}, by a usual name "
        f"({', '.join(KNOWN_NAMES[role])}) or named",
        fix=f"say which: kind={kind!r}, roles={{{role!r}: {example}}}.",
    )


def _ambiguous(frame: pd.DataFrame, found: str, kinds: list[str]) -> ColumnError:
    columns = list(frame.columns)
    shown = "; ".join(f"{column!r} ({_describe(frame[column])})" for column in columns[:12])
    calls = []
    for kind in kinds:
        pairs = ", ".join(
            f"{role!r}: {columns[min(place, len(columns) - 1)]!r}" for place, role in enumerate(ROLES[kind])
        )
        calls.append(f"kind={kind!r}, roles={{{pairs}}}")
    return ColumnError(
        f"{found} Columns: {shown}.",
        expected="columns by usual names, or the kind and roles named (kinds: " + ", ".join(KINDS) + ")",
        fix="say what is what, for example " + " or ".join(calls) + ".",
    )


def _refuse_double_use(given: Mapping[str, Hashable]) -> None:
    # The group may be any column, also one with a role: "split by label" is a fair wish.
    texts = {role: column for role, column in given.items() if role != "group"}
    for role, column in texts.items():
        for other, same in texts.items():
            if role < other and column == same:
                raise ColumnError(
                    f"Column {column!r} is named for two roles, {role} and {other}.",
                    expected="a column of its own for each role",
                    fix="name another column for one of them.",
                )


def _free_columns(frame: pd.DataFrame, choices: Mapping[str, RoleChoice]) -> list[Hashable]:
    taken = {choice.column for role, choice in choices.items() if role != "group"}
    return [column for column in frame.columns if column not in taken]


def _folded(column: Hashable) -> str:
    return str(column).strip().casefold()


def _is_text(series: pd.Series) -> bool:
    values = series.dropna()
    if values.empty or not values.map(lambda value: isinstance(value, str)).all():
        return False
    return values.nunique() > len(values) / 2 or values.str.count(r"\s").median() >= 3


def _is_class(series: pd.Series) -> bool:
    values = series.dropna()
    if values.empty or pd.api.types.is_float_dtype(values.dtype):
        return False
    if not values.map(lambda value: isinstance(value, (str, int)) or hasattr(value, "__index__")).all():
        return False
    if pd.api.types.is_string_dtype(values.dtype) and values.astype(str).str.count(r"\s").median() >= 6:
        return False
    return 2 <= values.nunique() <= max(len(values) / 2, 2)


def _describe(series: pd.Series) -> str:
    if _is_text(series):
        return "texts"
    try:
        return f"{series.nunique():,} distinct values"
    except TypeError:
        return str(series.dtype)


def _listing(names: list[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:20])
    return shown + (f" and {len(names) - 20} more" if len(names) > 20 else "") if names else "(none)"
