"""Whether a model was trained on the rows that it is scored on."""

from __future__ import annotations

from typing import Any

from embedtune_nb.data.copies import normalized
from embedtune_nb.data.datasource import Datasource
from embedtune_nb.data.kinds import NLI, RETRIEVAL, SCORED_PAIRS, TEXT_ROLES
from embedtune_nb.data.split import Split
from embedtune_nb.models.on_record import OnRecord


def seen_in_training(model: Any, scored: Datasource) -> int | None:
    """Return how many of the *scored* rows ask what a training row of *model* asks.

    That is the query, the anchor or the text, of judged pairs both texts; but for case and punctuation.
    0 for base models; None for tuned ones whose job no longer keeps its data.
    """
    if not isinstance(model, OnRecord):
        return 0
    snapshot = model.job.folder.data
    if not (snapshot / "split.json").is_file():
        return None
    split = Split.read(snapshot)
    known = {row for part in (split, *split.further) for row in _asked(part.train)}
    return sum(row in known for row in _asked(scored))


def _asked(data: Datasource) -> list[tuple[str, ...]]:
    if data.kind == RETRIEVAL:
        texts = [data.frames["queries"]["text"]]
    else:
        told = TEXT_ROLES[data.kind] if data.kind in (SCORED_PAIRS, NLI) else TEXT_ROLES[data.kind][:1]
        texts = [data.frames["examples"][column] for column in told]
    return list(zip(*(map(normalized, column) for column in texts), strict=True))
