"""The texts of a Datasource, role by role."""

from __future__ import annotations

from typing import TYPE_CHECKING

from embedtune_nb.data.kinds import LABELED, RETRIEVAL, SCORED, TEXT_ROLES

if TYPE_CHECKING:
    from embedtune_nb.data.datasource import Datasource


def texts_by_role(data: Datasource) -> dict[str, list[str]]:
    """Return ``{role: texts}``; where rows hold several texts, one that repeats in a role is listed once."""
    if data.kind == RETRIEVAL:
        return {
            "query": data.frames["queries"]["text"].tolist(),
            "document": data.frames["corpus"]["text"].tolist(),
        }
    examples = data.frames["examples"]
    if data.kind in (LABELED, SCORED):
        return {"value": examples["value"].tolist()}
    found = {}
    for role in TEXT_ROLES[data.kind]:
        column = examples[role].explode() if role == "negatives" else examples[role]
        found[role] = column.drop_duplicates().tolist()
    return found
