"""What got worse as a table to sort, search and tick."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import traitlets

from embedtune_nb.evaluation.causes import has_negatives
from embedtune_nb.evaluation.metrics import directed_name
from embedtune_nb.evaluation.regressions_html import cut, regressions_html
from embedtune_nb.widgets.base import Widget

if TYPE_CHECKING:
    from embedtune_nb.evaluation.regressions import Regressions

ROWS_MAX = 1_000
TEXT_MAX = 2_000
#: Where ticked rows go on to.
_WAYS = ["mine_hard_negatives()", "to_datasource()", "map()"]


class RegressionsTable(Widget, stem="regressions"):
    """The rows that got worse. Click a heading to sort; a row, or Enter on it, unfolds its whole story.

    Parameters
    ----------
    found
        Of ``model.regressions()``.
    """

    head = traitlets.Dict().tag(sync=True)
    rows = traitlets.List().tag(sync=True)
    selected = traitlets.List(traitlets.Int()).tag(sync=True)
    """Places of the ticked rows in ``found.to_frame()``."""

    def __init__(self, found: Regressions) -> None:
        self._found = found
        rows, notes = found.to_frame(), list(found.notes)
        if len(rows) > ROWS_MAX:
            notes.append(f"The worst {ROWS_MAX:,} of {len(rows):,} rows; .to_frame() has all.")
        causes = [
            {"cause": row.cause, "count": int(row.count), "advice": row.advice}
            for row in found.causes.itertuples(index=False, name="Cause")
        ]
        super().__init__(
            head={
                "summary": found.summary,
                "metric": directed_name(found.metric),
                "ranked": bool(rows["rank_after"].notna().any()),
                "causes": causes,
                "ways": _WAYS if has_negatives(found.data.kind) else _WAYS[1:],
                "notes": notes,
            },
            rows=[_row(row) for row in rows.head(ROWS_MAX).to_dict("records")],
        )

    def to_frame(self) -> pd.DataFrame:
        """Return the rows as a DataFrame."""
        return self._found.to_frame()

    def __repr__(self) -> str:
        return repr(self._found)

    def fallback_html(self) -> str:
        """Return summary, causes and the worst rows as a plain table."""
        return regressions_html(self._found)


def _row(row: dict[str, Any]) -> dict[str, Any]:
    figures = {key: float(row[key]) for key in ("before", "after", "worse_by")}
    ranks = {key: None if pd.isna(row[key]) else int(row[key]) for key in ("rank_before", "rank_after")}
    texts = {key: cut(row[key], TEXT_MAX) for key in ("text", "answer", "displaced_by", "cause", "why")}
    said = {key: _answer(row[key]) for key in ("said_before", "said_after")}
    return {**figures, **ranks, **texts, **said}


def _answer(said: Any) -> str:
    return f"{said:.4g}" if isinstance(said, float) and not pd.isna(said) else cut(said, TEXT_MAX)
