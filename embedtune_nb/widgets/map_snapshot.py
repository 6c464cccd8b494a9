"""From the frame of a map to what a browser needs: checked columns, label codes, one message with buffers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from embedtune_nb.errors import ColumnError, DataError, did_you_mean

TEXT_LENGTH_MAX = 300
UNLABELLED = 0xFFFF
_POSITIONS = ("x_before", "y_before", "x_after", "y_after")
_NEIGHBORS = ("neighbors_before", "neighbors_after")
_REQUIRED = ("text", *_POSITIONS, "kept", "moved", *_NEIGHBORS)
_OPTIONAL = ("label", "role")
_ROLES = {"document": 0, "query": 1}
_META = ("trust_before", "trust_after", "noise_floor", "kept_mean", "left_out")


@dataclass(frozen=True)
class MapSnapshot:
    """All that a view of the map shows.

    Attributes
    ----------
    message
        JSON-able: texts, labels by code, figures, and the names and types of *buffers* in order.
    buffers
        Little-endian columns; `before` and `after` are (n, 2), neighbours are (n, k).
    """

    message: dict[str, Any]
    buffers: list[bytes]

    @classmethod
    def of(cls, frame: pd.DataFrame, meta: Mapping[str, Any], revision: int) -> MapSnapshot:
        """Build the snapshot of a frame that `check_frame` has passed."""
        n = len(frame)
        codes, labels = _label_codes(frame["label"] if "label" in frame else pd.Series([None] * n))
        neighbors = {name: _neighbor_matrix(frame, name) for name in _NEIGHBORS}
        columns: dict[str, np.ndarray] = {
            "before": frame[["x_before", "y_before"]].to_numpy("<f4"),
            "after": frame[["x_after", "y_after"]].to_numpy("<f4"),
            "kept": frame["kept"].to_numpy("<f4"),
            "moved": frame["moved"].to_numpy("<f4"),
            **neighbors,
            "codes": codes,
        }
        if "role" in frame and frame["role"].notna().any():
            columns["roles"] = frame["role"].map(_ROLES).fillna(0).to_numpy("u1")
        message = {
            "type": "snapshot",
            "revision": revision,
            "n": n,
            "k": int(neighbors["neighbors_before"].shape[1]),
            "texts": [shorten(text) for text in frame["text"]],
            "labels": labels,
            "meta": {name: _finite(meta.get(name)) for name in _META},
            "columns": [{"name": name, "dtype": values.dtype.name} for name, values in columns.items()],
        }
        return cls(message, [np.ascontiguousarray(values).tobytes() for values in columns.values()])


def check_frame(frame: pd.DataFrame) -> None:
    """Refuse a frame that cannot be drawn.

    Raises
    ------
    ColumnError
        A column is missing.
    DataError
        No rows, positions that are not finite numbers, or neighbours that are not indices of rows.
    """
    if not isinstance(frame, pd.DataFrame):
        raise DataError(
            f"The map was given a {type(frame).__name__}.",
            expected="the DataFrame of a projection, one row a text",
            fix="Pass `projection.frame` with the columns `text` and `label` added.",
        )
    for name in _REQUIRED:
        if name not in frame:
            hint = did_you_mean(name, [column for column in frame.columns if column not in _REQUIRED])
            raise ColumnError(
                f"The map needs a column {name!r}, which is missing. {hint}".strip(),
                expected=f"the columns {', '.join(_REQUIRED)} (and if you like {', '.join(_OPTIONAL)})",
                fix="Pass the frame that the projection returned and add the texts as column `text`.",
            )
    if not len(frame):
        raise DataError("The map has no texts.", fix="Project at least one text.")
    for name in (*_POSITIONS, "kept", "moved"):
        values = pd.to_numeric(frame[name], errors="coerce").to_numpy(float)
        if not np.isfinite(values).all():
            raise DataError(
                f"Column {name!r} has {int((~np.isfinite(values)).sum())} values that are not finite.",
                expected="a finite number for every text",
                fix="Drop those rows before the projection.",
            )
    widths = {_neighbor_matrix(frame, name).shape[1] for name in _NEIGHBORS}
    if len(widths) > 1:
        raise DataError(
            f"The texts have {min(widths)} neighbours on one side and {max(widths)} on the other.",
            expected="the same number of neighbours before and after",
        )
    if "role" in frame:
        unknown = sorted(set(frame["role"].dropna()) - set(_ROLES), key=str)
        if unknown:
            raise DataError(
                f"Column 'role' has the unknown value {unknown[0]!r}.",
                expected=" or ".join(map(repr, _ROLES)),
            )


def shorten(text: Any) -> str:
    """Return *text* cut visibly to 300 characters, with lone surrogates replaced so that it can travel."""
    whole = str(text).encode("utf-8", "replace").decode("utf-8")
    return whole if len(whole) <= TEXT_LENGTH_MAX else whole[: TEXT_LENGTH_MAX - 1] + "…"


def label_names(labels: pd.Series) -> pd.Series:
    """Return labels as text; 3.0, which pandas makes of 3 beside a missing label, becomes "3" again."""
    return labels.map(
        lambda value: str(int(value)) if isinstance(value, float) and value.is_integer() else shorten(value),
        na_action="ignore",
    )


def _label_codes(labels: pd.Series) -> tuple[np.ndarray, list[dict[str, Any]]]:
    names = label_names(labels)
    counts = names.value_counts()
    ordered = sorted(counts.index, key=lambda name: (-counts[name], name))
    if len(ordered) >= UNLABELLED:
        raise DataError(
            f"Column 'label' has {len(ordered):,} different values.",
            expected=f"fewer than {UNLABELLED:,} labels",
            fix="Group the labels, or leave the column out.",
        )
    codes = pd.Categorical(names, categories=ordered).codes.astype(np.int64)
    table = [{"name": name, "count": int(counts[name])} for name in ordered]
    return np.where(codes < 0, UNLABELLED, codes).astype("<u2"), table


def _neighbor_matrix(frame: pd.DataFrame, name: str) -> np.ndarray:
    rows = [np.asarray(row) for row in frame[name]]
    if len({row.shape for row in rows}) != 1 or rows[0].ndim != 1 or not len(rows[0]):
        raise DataError(
            f"Column {name!r} does not hold one list of neighbours a text, all of one length.",
            expected="k row numbers in every row, nearest first",
        )
    matrix = np.stack(rows)
    if not np.issubdtype(matrix.dtype, np.integer) or matrix.min() < -1 or matrix.max() >= len(frame):
        raise DataError(
            f"Column {name!r} points outside of the {len(frame):,} rows.",
            expected="row numbers from 0 (or -1 for none)",
            fix="Do not filter the frame after the projection: neighbours count its rows.",
        )
    return matrix.astype("<i4")


def _finite(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) and math.isfinite(value) else None
