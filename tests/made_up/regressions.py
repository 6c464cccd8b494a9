"""Regressions without a model: what their table shows can be looked at without training."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from embedtune_nb.data.datasource import Datasource
from embedtune_nb.evaluation.regressions import Regressions, worst_first


def regressions(count: int = 3, **columns: Any) -> Regressions:
    """Return *count* texts that got worse, the last the worst; *columns* replace those of the frame."""
    frame = pd.DataFrame({"id": range(count), "value": [f"text {n}" for n in range(count)], "label": "a"})
    data = Datasource("labeled", {"examples": frame}, name="toy")
    told = worst_first(
        pd.Series(np.linspace(0.1, 1, count), index=range(count)),
        {
            "text": [f"text {n}" for n in range(count)],
            "answer": "a",
            "before": 1.0,
            "after": 0.0,
            "rank_before": pd.array([1] * count, dtype="Int64"),
            "rank_after": pd.array([None] + [4] * (count - 1), dtype="Int64"),
            "displaced_by": None,
            "said_before": "a",
            "said_after": [0.25] * count,
            "cause": "rare class",
            "why": "few rows.",
        },
    ).assign(**columns)
    return Regressions(told, "accuracy", "texts", data, data, model=None)
