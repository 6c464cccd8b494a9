"""Retrieval quality: every held-out query searches the full document pool."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from embedtune_nb.errors import DataError
from embedtune_nb.evaluation.metrics import GRADED_METRIC, RETRIEVAL_METRICS, parse_metric, score_queries
from embedtune_nb.evaluation.result import Evaluation
from embedtune_nb.evaluation.search import exact_search
from embedtune_nb.evaluation.task import Task


def evaluate_retrieval(task: Task) -> Evaluation:
    """Let every query search all documents: the ranking metrics, and the one that decides."""
    queries, corpus, qrels = (task.data.frames[name] for name in ("queries", "corpus", "qrels"))
    primary = task.settings.get("metric") or RETRIEVAL_METRICS[0]
    graded = (GRADED_METRIC,) if qrels["relevance"].nunique() > 1 else ()
    metrics = tuple(dict.fromkeys([primary, *RETRIEVAL_METRICS, *graded]))
    if queries.empty or corpus.empty or qrels.empty:
        raise DataError(
            f"Nothing to score: {len(queries)} queries, {len(corpus)} documents, {len(qrels)} judgements.",
            expected="at least one of each",
        )
    vectors = task.embed({"query": queries["text"].tolist(), "document": corpus["text"].tolist()})
    per_query, notes = score_retrieval(vectors["query"], vectors["document"], queries, corpus, qrels, metrics)
    if graded:
        notes.append(
            f"Grades run from {qrels['relevance'].min():g} to {qrels['relevance'].max():g}. NDCG counts the "
            "grade itself (linear gain), where the name says so 2^grade - 1 (exponential gain); every other "
            "metric counts each document above 0 the same."
        )
    means = {name: float(per_query[name].mean()) for name in metrics}
    return Evaluation(means, per_query, primary, notes=notes)


def score_retrieval(
    query_vectors: np.ndarray,
    document_vectors: np.ndarray,
    queries: pd.DataFrame,
    corpus: pd.DataFrame,
    qrels: pd.DataFrame,
    metrics: Sequence[str],
) -> tuple[pd.DataFrame, list[str]]:
    """Score every query that has a relevant document.

    A document whose text is the query itself, and which is not judged relevant, is skipped: it is
    no answer, and it would stand first for every encoder.

    Parameters
    ----------
    query_vectors, document_vectors
        (q, d) and (n, d) unit vectors, in the order of *queries* and *corpus*.
    queries, corpus
        Columns `id` and `text`.
    qrels
        Columns `query_id`, `corpus_id`, `relevance` (above 0).
    metrics
        Such as ``("ndcg@10", "mrr@10")``.

    Returns
    -------
    per_query, notes
        One row a query (index: its id), one column a metric; and what was left out, as sentences.
    """
    notes = []
    grades_of = _grades_by_query(queries, corpus, qrels)
    judged_queries = np.flatnonzero([bool(grades) for grades in grades_of])
    if left_out := len(queries) - len(judged_queries):
        notes.append(f"{left_out:,} queries without a relevant document were left out.")

    own_text, _ = pd.factorize(pd.concat([corpus["text"], queries["text"]], ignore_index=True))
    document_text, query_text = own_text[: len(corpus)], own_text[len(corpus) :][judged_queries]
    own_documents: dict[int, set[int]] = {}
    for row in np.flatnonzero(np.isin(document_text, query_text)):
        own_documents.setdefault(document_text[row], set()).add(int(row))
    skipped = [
        own_documents.get(text, set()) - set(grades_of[query])
        for query, text in zip(judged_queries, query_text, strict=True)
    ]
    if count := sum(map(bool, skipped)):
        notes.append(
            f"{count:,} queries stand in the pool word for word; those documents were skipped for them."
        )

    def skip_own(scores: np.ndarray, query_rows: np.ndarray, document_rows: np.ndarray) -> np.ndarray:
        for place, query in enumerate(query_rows):
            if skipped[query]:
                scores[place, np.isin(document_rows[place], list(skipped[query]))] = -np.inf
        return scores

    deepest = max(parse_metric(metric)[1] for metric in metrics)
    _, rows = exact_search(query_vectors[judged_queries], document_vectors, deepest, adjust=skip_own)
    judged_grades = [grades_of[query] for query in judged_queries]
    grades, ideal = np.zeros(rows.shape), np.zeros((len(rows), max(map(len, judged_grades))))
    for place, found in enumerate(judged_grades):
        grades[place] = [found.get(row, 0.0) for row in rows[place].tolist()]
        ideal[place, : len(found)] = sorted(found.values(), reverse=True)
    relevant = np.array([len(found) for found in judged_grades])
    index = pd.Index(queries["id"].to_numpy()[judged_queries], name="query_id")
    per_query = {metric: score_queries(metric, grades, ideal, relevant) for metric in metrics}
    return pd.DataFrame(per_query, index=index), notes


def _grades_by_query(
    queries: pd.DataFrame, corpus: pd.DataFrame, qrels: pd.DataFrame
) -> list[dict[int, float]]:
    """Return for each query the grade of each relevant document row."""
    query_rows = pd.Index(queries["id"]).get_indexer(qrels["query_id"])
    document_rows = pd.Index(corpus["id"]).get_indexer(qrels["corpus_id"])
    grades: list[dict[int, float]] = [{} for _ in range(len(queries))]
    for query, document, grade in zip(query_rows, document_rows, qrels["relevance"], strict=True):
        if query >= 0 and document >= 0 and grade > 0:
            grades[query][int(document)] = float(grade)
    return grades
