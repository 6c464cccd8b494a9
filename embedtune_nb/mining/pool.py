"""What is mined: queries, documents to draw from, and what is known to belong together."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from embedtune_nb.data.clean import Dropped
from embedtune_nb.data.datasource import Datasource
from embedtune_nb.data.kinds import ENTAILMENT, LABELED, NLI, PAIRS, RETRIEVAL, TRIPLETS
from embedtune_nb.data.lint.near_copies import alike_numbers
from embedtune_nb.errors import DataError

MINABLE = (LABELED, PAIRS, TRIPLETS, NLI, RETRIEVAL)


@dataclass
class Pool:
    """Queries, documents and rows.

    Attributes
    ----------
    queries, documents : list of str
        The texts.
    query, positive : numpy.ndarray
        int64, (rows,): query and positive document of each row to be given negatives.
    ids : numpy.ndarray
        int64, (rows,): what the rows are called in the triplets.
    alike_queries, alike_documents : numpy.ndarray
        For each text a number that it shares with its copies and near-copies.
    known : numpy.ndarray
        int64, sorted: ``query * len(documents) + document`` of what is known to belong together.
    query_class, document_class : numpy.ndarray or None
        Labels as numbers, where the data has labels: a document of the query's own class belongs to it.
    row_group : list of str or None
        Group of each row.
    query_group, document_group : numpy.ndarray or None
        Groups as numbers; -1 for a document that no row names.
    dropped : list of Dropped
        Rows that cannot be mined for.
    """

    queries: list[str]
    documents: list[str]
    query: np.ndarray
    positive: np.ndarray
    ids: np.ndarray
    row_group: list[str] | None = None
    query_class: np.ndarray | None = None
    document_class: np.ndarray | None = None
    query_group: np.ndarray | None = None
    document_group: np.ndarray | None = None
    dropped: list[Dropped] = field(default_factory=list)

    def __post_init__(self) -> None:
        alike = alike_numbers([*self.queries, *self.documents])
        self.alike_queries, self.alike_documents = np.split(alike, [len(self.queries)])
        self.known = np.unique(self.query * len(self.documents) + self.positive)
        self._alike_count = int(alike.max()) + 1 if len(alike) else 1
        together = self.alike_queries[self.query] * self._alike_count + self.alike_documents[self.positive]
        self._alike_known = np.unique(together)
        if self.row_group is not None:
            self._number_groups(self.row_group)

    def is_known(self, query: np.ndarray, document: np.ndarray) -> np.ndarray:
        """Return whether each document is known to belong to the query, by judgement or by label."""
        known = _among(query * len(self.documents) + document, self.known)
        if self.query_class is not None and self.document_class is not None:
            known |= self.query_class[query] == self.document_class[document]
        return known

    def is_near_known(self, query: np.ndarray, document: np.ndarray) -> np.ndarray:
        """Return whether each document is a copy or near-copy of one that belongs to such a query."""
        codes = self.alike_queries[query] * self._alike_count + self.alike_documents[document]
        return _among(codes, self._alike_known)

    def is_own_text(self, query: np.ndarray, document: np.ndarray) -> np.ndarray:
        """Return whether each document is a copy or near-copy of the query itself."""
        return self.alike_queries[query] == self.alike_documents[document]

    def _number_groups(self, groups: list[str]) -> None:
        codes = pd.factorize(np.array(groups, dtype=object))[0]
        self.query_group = np.full(len(self.queries), -1)
        self.document_group = np.full(len(self.documents), -1)
        # backwards, so that the first row that names a text decides
        self.query_group[self.query[::-1]] = codes[::-1]
        # labeled texts are queries and documents at once, and their positives are of any group
        named = self.positive if self.document_class is None else self.query
        self.document_group[named[::-1]] = codes[::-1]


def pool_of(data: Datasource, *, seed: int) -> Pool:
    """Return what *data* has to be mined; labeled rows get a positive of their label, drawn by *seed*.

    Raises
    ------
    DataError
        If the kind has nothing that belongs together.
    """
    if data.kind not in MINABLE:
        raise DataError(
            f"Data of the kind {data.kind!r} says nowhere which texts belong together.",
            expected="data of the kind " + ", ".join(map(repr, MINABLE)),
            fix="turn pairs with a high score into pairs first (data.to_pairs)."
            if data.kind == "scored_pairs"
            else "bring the data into one of these forms.",
        )
    if data.kind == LABELED:
        return _of_labels(data.frames["examples"], seed)
    if data.kind == RETRIEVAL:
        return _of_retrieval(data)
    return _of_rows(data)


def _of_rows(data: Datasource) -> Pool:
    examples = data.frames["examples"]
    dropped: list[Dropped] = []
    anchor, positive = ("premise", "hypothesis") if data.kind == NLI else ("anchor", "positive")
    others = examples[positive].tolist()
    if data.kind == TRIPLETS:
        others += [text for texts in examples["negatives"] for text in texts]
    if data.kind == NLI:
        entailed = examples["label"] == ENTAILMENT
        if not entailed.all():
            dropped.append(Dropped(int((~entailed).sum()), "rows without entailment: they have no positive"))
        examples = examples[entailed]
        if examples.empty:
            raise DataError("No row is an entailment, so nothing is known to belong together.")
    queries, query_texts = pd.factorize(examples[anchor])
    documents = pd.Index(pd.unique(np.array(others, dtype=object)))
    return Pool(
        list(query_texts),
        list(documents),
        queries.astype(np.int64),
        documents.get_indexer(examples[positive]).astype(np.int64),
        examples["id"].to_numpy(np.int64),
        row_group=examples["group"].tolist() if "group" in examples else None,
        dropped=dropped,
    )


def _of_retrieval(data: Datasource) -> Pool:
    frames = data.frames
    query_codes, queries = pd.factorize(frames["queries"]["text"])
    document_codes, documents = pd.factorize(frames["corpus"]["text"])
    qrels = frames["qrels"]
    query_rows = pd.Index(frames["queries"]["id"]).get_indexer(qrels["query_id"])
    query = query_codes[query_rows].astype(np.int64)
    positive = document_codes[pd.Index(frames["corpus"]["id"]).get_indexer(qrels["corpus_id"])]
    groups = None
    if "group" in frames["queries"]:
        groups = frames["queries"]["group"].to_numpy()[query_rows].tolist()
    return Pool(
        list(queries),
        list(documents),
        query,
        positive.astype(np.int64),
        np.arange(len(qrels), dtype=np.int64),
        row_group=groups,
    )


def _of_labels(examples: pd.DataFrame, seed: int) -> Pool:
    labels = pd.factorize(examples["label"])[0].astype(np.int64)
    generator = np.random.default_rng(seed)
    partner = np.full(len(labels), -1, np.int64)
    for label in range(labels.max() + 1):
        rows = generator.permutation(np.flatnonzero(labels == label))
        if len(rows) > 1:
            partner[rows] = np.roll(rows, 1)
    alone = partner < 0
    dropped = [Dropped(int(alone.sum()), "the only row of its label: no positive")] if alone.any() else []
    texts = examples["value"].tolist()
    rows = np.flatnonzero(~alone)
    return Pool(
        texts,
        texts,
        rows.astype(np.int64),
        partner[rows],
        examples["id"].to_numpy(np.int64)[rows],
        row_group=examples["group"].iloc[rows].tolist() if "group" in examples else None,
        query_class=labels,
        document_class=labels,
        dropped=dropped,
    )


def _among(codes: np.ndarray, known: np.ndarray) -> np.ndarray:
    place = np.searchsorted(known, codes).clip(max=len(known) - 1)
    return known[place] == codes
