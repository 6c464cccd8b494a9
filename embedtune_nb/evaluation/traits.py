"""What is known of held-out rows whatever the model: label, length, group, and what they share."""

from __future__ import annotations

import numpy as np
import pandas as pd

from embedtune_nb.data.components import linked
from embedtune_nb.data.copies import normalized
from embedtune_nb.data.datasource import Datasource
from embedtune_nb.data.kinds import LABELED, NLI, RETRIEVAL, TEXT_ROLES, TRIPLETS


def traits_of(data: Datasource) -> pd.DataFrame:
    """Describe every query, text, triplet or pair of *data*.

    Returns
    -------
    pandas.DataFrame
        Indexed by id. `words`: how long the text is (of retrieval the query, of triplets the anchor, of
        pairs both sentences). `shared`: a number that rows have in common if they are linked through a
        text or a relevant document. Where the data has them `label` and `group`.
    """
    if data.kind == RETRIEVAL:
        rows = data.frames["queries"].rename(columns={"text": "query"})
        columns = asked = ["query"]
    else:
        rows = data.frames["examples"]
        columns = [name for name in TEXT_ROLES[data.kind] if name != "negatives"]
        asked = columns[:1] if data.kind == TRIPLETS else columns
    traits = pd.DataFrame(index=pd.Index(rows["id"], name="query_id"))
    traits["words"] = np.sum([rows[name].str.split().str.len().to_numpy() for name in asked], axis=0)
    traits["shared"] = linked(len(rows), _memberships(data, rows, columns))
    if data.kind in (LABELED, NLI):
        traits["label"] = rows["label"].astype(str).to_numpy()
    if "group" in rows:
        traits["group"] = rows["group"].astype(str).to_numpy()
    return traits


def _memberships(
    data: Datasource, rows: pd.DataFrame, columns: list[str]
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return which row holds which text, and of retrieval which relevant document."""
    texts = pd.concat([rows[name] for name in columns], ignore_index=True).map(normalized)
    places = np.tile(np.arange(len(rows)), len(columns))
    held = [(places, pd.factorize(texts)[0])]
    if data.kind == RETRIEVAL:
        judged = data.frames["qrels"]
        askers = pd.Index(rows["id"]).get_indexer(judged["query_id"])
        documents = pd.factorize(judged["corpus_id"])[0]
        held.append((askers[askers >= 0], documents[askers >= 0]))
    return held
