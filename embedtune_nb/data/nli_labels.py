"""The three classes of natural language inference, however a data set writes them."""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np
import pandas as pd

from embedtune_nb.data.clean import Cleaned
from embedtune_nb.data.kinds import CONTRADICTION, ENTAILMENT, NEUTRAL, NLI_LABELS
from embedtune_nb.data.visible import written
from embedtune_nb.errors import DataError

# SNLI, MNLI and most that followed number the classes so; -1 and "-" mark rows no majority agreed on.
_CODES = {"0": ENTAILMENT, "1": NEUTRAL, "2": CONTRADICTION}
_LETTERS = {"e": ENTAILMENT, "n": NEUTRAL, "c": CONTRADICTION, "entails": ENTAILMENT}
_WORDS = {**{name: name for name in NLI_LABELS}, **_LETTERS, "contradicts": CONTRADICTION}
_UNDECIDED = {"-1", "-"}


def clean_nli_labels(series: pd.Series, column: Hashable) -> Cleaned:
    """Read a column as entailment, neutral and contradiction, from names or from the codes 0, 1 and 2.

    Raises
    ------
    DataError
        If an entry is neither, or if codes and names are mixed.
    """
    absent = series.isna().to_numpy(dtype=bool)
    entries = np.array([_plain(value) for value in series.astype(object)], dtype=object)
    blank = ~absent & (entries == "")
    undecided = np.isin(entries, list(_UNDECIDED)) & ~absent
    open_rows = ~(absent | blank | undecided)
    values = np.full(len(series), None, dtype=object)
    coded = np.isin(entries, list(_CODES)) & open_rows
    worded = np.isin(entries, list(_WORDS)) & open_rows
    wrong = np.flatnonzero(open_rows & ~coded & ~worded)
    if len(wrong):
        row = int(wrong[0])
        others = f" ({len(wrong):,} rows in all)" if len(wrong) > 1 else ""
        raise DataError(
            f"Row {row} of column {column!r} holds {written(series.iloc[row])}, which is no class of "
            f"inference{others}.",
            expected="0 (entailment), 1 (neutral), 2 (contradiction), or these names; -1 for undecided rows",
            fix=f"map the values first: df[{column!r}] = df[{column!r}].map({{...: 'entailment', ...}}).",
        )
    if coded.any() and worded.any():
        raise DataError(
            f"Column {column!r} mixes codes ({written(series[coded].iloc[0])}) and names "
            f"({written(series[worded].iloc[0])}).",
            expected="all codes or all names",
            fix="bring them to one form.",
        )
    values[coded] = [_CODES[code] for code in entries[coded]]
    values[worded] = [_WORDS[word] for word in entries[worded]]
    notes = []
    if coded.any():
        notes.append(f"The codes of column {column!r} were read as 0 entailment, 1 neutral, 2 contradiction.")
    absent_classes = [name for name in NLI_LABELS if not (values == name).any()]
    if absent_classes and (coded.any() or worded.any()):
        notes.append(f"No row is {' or '.join(absent_classes)}: check the label column if that is news.")
    reasons = {
        f"no {column}": absent,
        f"blank {column}": blank,
        "undecided (label -1 or '-')": undecided,
    }
    return Cleaned(values, reasons, notes)


def looks_like_nli(series: pd.Series) -> bool:
    """Return whether a column holds names of the classes, or all three of their codes and nothing else."""
    seen = {_plain(value) for value in series.dropna().astype(object)} - _UNDECIDED
    return bool(seen) and (seen <= set(_WORDS) or seen == set(_CODES))


def _plain(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip().casefold()
