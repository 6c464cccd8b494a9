"""Which kind of data a table is: by the roles a caller named, by the names of its columns, by content."""

from __future__ import annotations

from collections.abc import Hashable, Mapping

import pandas as pd

from embedtune_nb.data.column_names import KNOWN_NAMES, folded, is_known
from embedtune_nb.data.kinds import (
    KINDS,
    LABELED,
    NLI,
    OPTIONAL_ROLES,
    PAIRS,
    RETRIEVAL,
    ROLES,
    SCORED,
    SCORED_PAIRS,
    TRIPLETS,
)
from embedtune_nb.data.nli_labels import looks_like_nli
from embedtune_nb.errors import ColumnError, did_you_mean

_EXAMPLES = 3
BY_NAME = "the column names are those of this kind"


def infer_kind(frame: pd.DataFrame, given: Mapping[str, Hashable]) -> tuple[str, str]:
    """Return the kind of *frame* and why.

    Parameters
    ----------
    frame
        The table.
    given
        Columns the caller named, ``{role: column}``.

    Raises
    ------
    ColumnError
        If no kind or more than one fits.
    """
    told = set(given) - {"group"}
    if told:
        return _by_roles(frame, given, told)
    fits = _by_names(frame)
    if len(fits) == 1:
        return fits[0], BY_NAME
    if fits:
        raise ambiguous(frame, f"The columns fit more than one kind: {' and '.join(fits)}.", fits)
    found = _by_content(frame, given)
    if found is None:
        raise ambiguous(frame, "The kind of this data cannot be told from its columns.", list(ROLES))
    return found


def _by_roles(frame: pd.DataFrame, given: Mapping[str, Hashable], told: set[str]) -> tuple[str, str]:
    fits = [kind for kind in KINDS if told <= set(ROLES[kind] + OPTIONAL_ROLES[kind])]
    if not fits:
        stranger = next((role for role in given if role not in KNOWN_NAMES), None)
        raise ColumnError(
            f"There is no role {stranger!r}."
            if stranger
            else f"No kind has the roles {', '.join(sorted(told))}.",
            expected="; ".join(f"{kind}: {', '.join(ROLES[kind] + OPTIONAL_ROLES[kind])}" for kind in ROLES),
            fix=(did_you_mean(stranger, KNOWN_NAMES) if stranger else "")
            + "Rename the roles in roles={...}.",
        )
    reason = "the roles you named belong to it"
    if len(fits) == 1:
        return fits[0], reason
    # "value" or "anchor" alone belong to several kinds: what else stands in the table settles it
    by_names = [kind for kind in _by_names(frame, given) if kind in fits]
    if by_names:
        return by_names[0], f"{reason}, and so do the names of the other columns"
    if fits == [LABELED, SCORED]:
        free = frame.drop(columns=[name for column in given.values() for name in several(column)])
        numbers = any(pd.api.types.is_float_dtype(free[column].dtype) for column in free)
        if numbers and not any(is_class(free[column]) for column in free):
            return SCORED, f"{reason}, and another column holds numbers"
    return fits[0], reason


def _by_names(frame: pd.DataFrame, given: Mapping[str, Hashable] | None = None) -> list[str]:
    named = {folded(column) for column in frame.columns} | set(given or {})
    has = {
        role: role in named or any(is_known(role, column) for column in frame.columns) for role in KNOWN_NAMES
    }
    fits = []
    if has["value"] and has["label"]:
        fits.append(LABELED)
    if has["value"] and has["score"]:
        fits.append(SCORED)
    if "premise" in named and "hypothesis" in named:
        fits.append(NLI)
    elif has["sentence1"] and has["sentence2"]:
        fits += _two_sentences(frame)
    if has["anchor"] and has["positive"]:
        if has["negatives"]:
            fits.append(TRIPLETS)
        elif named & {"relevance", "rel", "grade"}:
            fits.append(RETRIEVAL)
        elif has["score"]:
            # A score beside query and document may be a grade as well as a similarity.
            fits += [SCORED_PAIRS] if "similarity" in named else [SCORED_PAIRS, RETRIEVAL]
        else:
            fits.append(PAIRS)
    return list(dict.fromkeys(fits))


def _two_sentences(frame: pd.DataFrame) -> list[str]:
    """Two texts side by side with a label: classes of inference, or how similar they are."""
    scores = [column for column in frame.columns if is_known("score", column, SCORED_PAIRS)]
    labels = [column for column in frame.columns if is_known("label", column)]
    by_name = [column for column in labels if looks_like_nli(frame[column])]
    if by_name and pd.api.types.is_numeric_dtype(frame[by_name[0]].dtype):
        return [SCORED_PAIRS, NLI]
    if by_name:
        return [NLI]
    return [SCORED_PAIRS] if scores else []


def _by_content(frame: pd.DataFrame, given: Mapping[str, Hashable]) -> tuple[str, str] | None:
    free = [column for column in frame.columns if column not in set(given.values())]
    texts = [column for column in free if is_text(frame[column])]
    classes = [column for column in free if is_class(frame[column])]
    numbers = [column for column in free if pd.api.types.is_float_dtype(frame[column].dtype)]
    named_value = any(is_known("value", column) for column in frame.columns)
    named_label = any(is_known("label", column) for column in frame.columns)
    if len(texts) == 1 and len(classes) == 1 and texts != classes:
        return LABELED, "one column holds texts and one holds few distinct values"
    if named_value and len(classes) == 1 and classes[0] not in texts:
        return LABELED, "one column is named like a text and one holds few distinct values"
    if named_label and len(texts) == 1:
        return LABELED, "one column is named like a label and one holds texts"
    if len(texts) == 1 and not classes and len(numbers) == 1:
        return SCORED, "one column holds texts and one holds numbers"
    return None


def ambiguous(frame: pd.DataFrame, found: str, kinds: list[str]) -> ColumnError:
    """Return the error that lists the columns and shows how to name kind and roles."""
    columns = list(frame.columns)
    shown = "; ".join(f"{column!r} ({_describe(frame[column])})" for column in columns[:12])
    calls = []
    for kind in [kind for kind in kinds if len(ROLES[kind]) <= len(columns)][:_EXAMPLES]:
        pairs = ", ".join(f"{role!r}: {columns[place]!r}" for place, role in enumerate(ROLES[kind]))
        calls.append(f"kind={kind!r}, roles={{{pairs}}}")
    fix = "say what is what, for example " + " or ".join(calls) if calls else "bring a column for each role"
    return ColumnError(
        f"{found} Columns: {shown}.",
        expected="columns by usual names, or the kind and roles named (kinds: " + ", ".join(KINDS) + ")",
        fix=f"{fix}.",
    )


def is_text(series: pd.Series) -> bool:
    """Return whether a column looks like texts: distinct, or of several words."""
    values = series.dropna()
    if values.empty or not values.map(lambda value: isinstance(value, str)).all():
        return False
    return values.nunique() > len(values) / 2 or values.str.count(r"\s").median() >= 3


def is_class(series: pd.Series) -> bool:
    """Return whether a column looks like classes: few distinct values."""
    values = series.dropna()
    if values.empty or pd.api.types.is_float_dtype(values.dtype):
        return False
    if not values.map(lambda value: isinstance(value, (str, int)) or hasattr(value, "__index__")).all():
        return False
    if pd.api.types.is_string_dtype(values.dtype) and values.astype(str).str.count(r"\s").median() >= 6:
        return False
    return 2 <= values.nunique() <= max(len(values) / 2, 2)


def several(column: Hashable) -> list[Hashable]:
    """Return the columns of one role: negatives may have more than one."""
    return list(column) if isinstance(column, (list, tuple)) else [column]


def _describe(series: pd.Series) -> str:
    if is_text(series):
        return "texts"
    try:
        return f"{series.nunique():,} distinct values"
    except TypeError:
        return str(series.dtype)
