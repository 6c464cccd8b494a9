"""Which texts to label next: those that a model is unsure of, and those unlike all it was taught."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from embedtune_nb.data.datasource import Datasource
from embedtune_nb.data.kinds import LABELED, PAIRS, RETRIEVAL, SCORED, TEXT_ROLES
from embedtune_nb.errors import DataError
from embedtune_nb.evaluation.search import exact_search

NEIGHBORS = 5
# Nearer to a text that is asked for already, another one would teach little that is new.
_ALIKE = 0.95


def rows_to_label(model: Any, trained_on: Datasource, texts: Any, *, count: int = 20) -> pd.DataFrame:
    """Choose texts that are worth a label, half of them uncertain, half uncovered.

    Uncertain (margin sampling; Scheffer, Decomain and Wrobel, 2001): the two best answers come close to each
    other. Uncovered (greedy k-centres; Sener and Savarese, 2018): far from every text the model was taught,
    and from those already chosen.

    Parameters
    ----------
    model
        Anything with ``embed(texts, role=...)`` that returns unit vectors.
    trained_on
        What it was taught.
    texts
        Unlabelled texts: a list, or a column of a table. Of pairs and retrieval data these are queries.
    count
        How many to choose.

    Returns
    -------
    DataFrame
        `row` (place in *texts*), `text`, `why` (``"uncertain"`` or ``"uncovered"``), `because` (a sentence),
        `uncertainty` (0 to 1, the share of the best answer that the second has; missing where nothing
        answers), `similarity` (to the nearest text it was taught). The two reasons take turns, the
        strongest first.

    Raises
    ------
    DataError
        If *texts* are not texts, or *count* is no whole number from 1.
    """
    candidates = _texts(texts)
    if isinstance(count, bool) or not isinstance(count, (int, np.integer)) or count < 1:
        raise DataError(f"count is {count!r}.", expected="a whole number from 1")
    kind = trained_on.kind
    role = "query" if kind in (PAIRS, RETRIEVAL, "triplets") else None
    rows = trained_on.frames["queries" if kind == RETRIEVAL else "examples"]
    taught_texts = rows["text" if kind == RETRIEVAL else TEXT_ROLES[kind][0]].tolist()
    taught = model.embed(taught_texts, role=role)
    unique = list(dict.fromkeys(candidates))
    vectors = model.embed(unique, role=role)
    similarity, nearest = exact_search(vectors, taught, min(NEIGHBORS, len(taught)))
    uncertainty, because = _uncertainty(model, trained_on, vectors, similarity, nearest)
    known = set(taught_texts)
    free = np.array([text not in known for text in unique])
    chosen: list[tuple[int, str]] = []
    doubts = np.nan_to_num(uncertainty)
    by_doubt = [int(place) for place in np.argsort(-doubts, kind="stable") if doubts[place] > 0]
    closest = similarity[:, 0].astype(float)
    near_chosen = np.zeros(len(unique), bool)
    wanted = min(count, int(free.sum()))
    while len(chosen) < wanted:
        doubtful = (place for place in by_doubt if free[place] and not near_chosen[place])
        place = next(doubtful, None) if len(chosen) % 2 == 0 else None
        why = "uncovered" if place is None else "uncertain"
        if place is None:
            place = int(np.where(free, closest, np.inf).argmin())
        chosen.append((place, why))
        free[place] = False
        likeness = vectors @ vectors[place]
        near_chosen |= likeness >= _ALIKE
        closest = np.maximum(closest, likeness)
    places = [place for place, _ in chosen]
    return pd.DataFrame(
        {
            "row": [candidates.index(unique[place]) for place in places],
            "text": [unique[place] for place in places],
            "why": [why for _, why in chosen],
            "because": [
                because[place]
                if why == "uncertain"
                else f"The nearest text it was taught has a similarity of {similarity[place, 0]:.2f}."
                for place, why in chosen
            ],
            "uncertainty": uncertainty[places],
            "similarity": similarity[places, 0].astype(float),
        }
    )


def _texts(texts: Any) -> list[str]:
    if isinstance(texts, str) or not isinstance(texts, Iterable):
        raise DataError(
            f"The texts are a {type(texts).__name__}.", expected="a list of texts, or a column of a table"
        )
    candidates = list(texts)
    wrong = [text for text in candidates if not isinstance(text, str) or not text.strip()]
    if wrong or not candidates:
        raise DataError(
            f"Among the texts is {wrong[0]!r}." if wrong else "There are no texts.",
            expected="at least one text, none of them blank",
            fix="drop or convert it first.",
        )
    return candidates


def _uncertainty(
    model: Any, data: Datasource, vectors: np.ndarray, similarity: np.ndarray, nearest: np.ndarray
) -> tuple[np.ndarray, list[str]]:
    weights = np.maximum(similarity, 0).astype(float)
    if data.kind == LABELED:
        codes, labels = pd.factorize(data.frames["examples"]["label"].astype(str))
        votes = np.zeros((len(vectors), len(labels)))
        np.add.at(votes, (np.arange(len(vectors))[:, None], codes[nearest]), weights)
        return _between(votes, labels.to_numpy(), "Its neighbours vote for {0!r} and {1!r}.")
    if data.kind == SCORED:
        scores = data.frames["examples"]["score"].to_numpy(float)
        spread = float(scores.std()) or 1.0
        found = scores[nearest]
        doubt = np.clip(found.std(axis=1) / spread, 0, 1)
        told = [
            f"Its neighbours have scores from {low:g} to {high:g}."
            for low, high in zip(found.min(1), found.max(1), strict=True)
        ]
        return doubt, told
    if data.kind in (PAIRS, RETRIEVAL):
        if data.kind == RETRIEVAL:
            documents = data.frames["corpus"]["text"].tolist()
        else:
            documents = data.frames["examples"]["positive"].drop_duplicates().tolist()
        scores, rows = exact_search(vectors, model.embed(documents, role="document"), 2)
        if scores.shape[1] == 2:
            doubt = np.clip(scores[:, 1] / np.maximum(scores[:, 0], 1e-12), 0, 1).astype(float)
            names = [(documents[a][:40], documents[b][:40]) for a, b in rows]
            return doubt, [f"Two documents come first alike: {a!r} and {b!r}." for a, b in names]
    return np.full(len(vectors), np.nan), [""] * len(vectors)


def _between(votes: np.ndarray, names: np.ndarray, sentence: str) -> tuple[np.ndarray, list[str]]:
    """Return the second best's share of the best, and both by name."""
    if votes.shape[1] < 2:
        return np.full(len(votes), np.nan), [""] * len(votes)
    order = np.argsort(-votes, axis=1, kind="stable")[:, :2]
    best, second = np.take_along_axis(votes, order, axis=1).T
    told = [sentence.format(str(names[first]), str(names[other])) for first, other in order]
    return second / np.maximum(best, 1e-12), told
