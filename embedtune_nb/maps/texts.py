"""The texts of a Datasource as points of a map: what each is called, and on which side it stands."""

from __future__ import annotations

import numpy as np
import pandas as pd

from embedtune_nb.data.datasource import Datasource
from embedtune_nb.data.kinds import LABELED, RETRIEVAL, SCORED, SCORED_PAIRS, TEXT_ROLES

_BANDS = 5


def texts_of(source: Datasource, *, bands_of: Datasource | None = None) -> pd.DataFrame:
    """Return one row a distinct text and side.

    Parameters
    ----------
    source
        The texts.
    bands_of
        Where the bands of scores are taken from; None: from *source*.

    Returns
    -------
    DataFrame
        `text`; `label`: the class, the band of the score, or the group; `role`: ``"query"``,
        ``"document"`` or None.
    """
    if source.kind == RETRIEVAL:
        return _of_retrieval(source)
    examples = source.frames["examples"]
    if source.kind in (LABELED, SCORED):
        if source.kind == LABELED:
            label = examples["label"].astype(str)
        else:
            label = _bands(examples["score"], (bands_of or source).frames["examples"]["score"])
        return pd.DataFrame({"text": examples["value"], "label": label, "role": None})
    label = examples["group"].astype(str) if "group" in examples else None
    first, *others = TEXT_ROLES[source.kind]
    sides = (None, None) if source.kind == SCORED_PAIRS else ("query", "document")
    parts = [pd.DataFrame({"text": examples[first], "label": label, "role": sides[0]})]
    for column in others:
        # several negatives of a row stand in one list
        parts.append(
            pd.DataFrame({"text": examples[column], "label": label, "role": sides[1]}).explode("text")
        )
    return pd.concat(parts, ignore_index=True).drop_duplicates(["text", "role"], ignore_index=True)


def _bands(scores: pd.Series, all_scores: pd.Series) -> pd.Series:
    """Name the band of each score; each band holds about a fifth of *all_scores*."""
    if all_scores.nunique() <= _BANDS:
        return scores.map("{:g}".format)
    edges = np.unique(np.quantile(all_scores, np.linspace(0, 1, _BANDS + 1)[1:-1]))
    names = [*(f"up to {edge:.4g}" for edge in edges), f"above {edges[-1]:.4g}"]
    return pd.Series([names[place] for place in np.searchsorted(edges, scores)], index=scores.index)


def _of_retrieval(source: Datasource) -> pd.DataFrame:
    queries, corpus, qrels = (source.frames[name] for name in ("queries", "corpus", "qrels"))
    groups = queries.set_index("id")["group"].astype(str) if "group" in queries else pd.Series(dtype=str)
    of_document = qrels.drop_duplicates("corpus_id").set_index("corpus_id")["query_id"].map(groups)
    return pd.concat(
        [
            pd.DataFrame({"text": queries["text"], "label": queries["id"].map(groups), "role": "query"}),
            pd.DataFrame(
                {"text": corpus["text"], "label": corpus["id"].map(of_document), "role": "document"}
            ),
        ],
        ignore_index=True,
    )
