"""Some of the examples of a Datasource."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from embedtune_nb.data.clean import Dropped
from embedtune_nb.data.kinds import RETRIEVAL
from embedtune_nb.errors import DataError

if TYPE_CHECKING:
    from embedtune_nb.data.datasource import Datasource


def filtered(data: Datasource, keep: Callable[[dict[str, Any]], bool] | Sequence[bool]) -> Datasource:
    """Return *data* with some of its examples; see :meth:`Datasource.filter`."""
    rows = data.frames["queries" if data.kind == RETRIEVAL else "examples"]
    mask = _mask(rows, keep)
    if not mask.any():
        raise DataError(
            f"The filter leaves none of {len(rows):,} rows.",
            expected="a condition that some rows meet",
            fix="look at a row with data.sample(1).to_dict('records').",
        )
    kept = rows[mask].reset_index(drop=True)
    frames = {"examples": kept}
    if data.kind == RETRIEVAL:
        qrels = data.frames["qrels"]
        judged = qrels[qrels["query_id"].isin(set(kept["id"]))].reset_index(drop=True)
        frames = {"queries": kept, "corpus": data.frames["corpus"], "qrels": judged}
    gone = [Dropped(int((~mask).sum()), "left out by the filter")] if not mask.all() else []
    return type(data)(
        data.kind,
        frames,
        name=data.name,
        kind_reason=data.kind_reason,
        roles=data.roles,
        dropped=[*data.dropped, *gone],
        notes=data.notes,
        score_range=data.score_range,
        instruction=data.instruction,
    )


def _mask(rows: pd.DataFrame, keep: Callable[[dict[str, Any]], bool] | Sequence[bool]) -> np.ndarray:
    if callable(keep):
        return np.array([bool(keep(row)) for row in rows.to_dict("records")], dtype=bool)
    mask = np.asarray(keep)
    if mask.shape != (len(rows),) or mask.dtype != bool:
        raise DataError(
            f"The filter is {mask.dtype} of shape {mask.shape}.",
            expected=f"{len(rows):,} truth values, or a function of a row",
            fix="make it from data.to_pandas() (or frames['queries']), which lacks the rows dropped before.",
        )
    return mask
