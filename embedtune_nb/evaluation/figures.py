"""How a comparison before/after is written, so that every place shows the same digits."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from embedtune_nb.evaluation.metrics import directed_name


def figures(row: Mapping[str, Any]) -> dict[str, str]:
    """Return the numbers of one comparison as text.

    Parameters
    ----------
    row
        ``metric, before, after, difference, low, high``: a verdict, or one of its other metrics.

    Returns
    -------
    dict
        The same keys, and ``interval``; the metric by its display name, with its direction where less
        is better. Three decimals; four where the interval is narrower than 0.001.
    """
    half = (row["high"] - row["low"]) / 2
    digits = min(max(-math.floor(math.log10(half)), 3), 4) if half > 0 else 3
    written = {key: f"{row[key]:.{digits}f}" for key in ("before", "after")}
    written |= {key: f"{row[key]:+.{digits}f}" for key in ("difference", "low", "high")}
    written["interval"] = f"[{written['low']}, {written['high']}]"
    return {"metric": directed_name(row["metric"]), **written}
