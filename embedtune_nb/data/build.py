"""From a table and its roles to the canonical frames of a Datasource."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from embedtune_nb.data.clean import Cleaned, Dropped, clean_groups, clean_labels, clean_texts, keep_and_count
from embedtune_nb.data.kinds import LABELED, NLI, PAIRS, RETRIEVAL, SCORED, SCORED_PAIRS, TRIPLETS
from embedtune_nb.data.negatives import clean_negatives, drop_false_negatives
from embedtune_nb.data.nli_labels import clean_nli_labels
from embedtune_nb.data.roles import RoleChoice
from embedtune_nb.data.scores import clean_relevance, clean_scores, to_unit_range
from embedtune_nb.errors import DataError

ScoreRange = tuple[float, float]
IRRELEVANT = "relevance of 0 or less"


@dataclass
class Built:
    """Canonical frames and everything that happened on the way to them."""

    frames: dict[str, pd.DataFrame]
    dropped: list[Dropped] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    score_range: ScoreRange | None = None


def build_frames(
    frame: pd.DataFrame,
    kind: str,
    choices: Mapping[str, RoleChoice],
    *,
    score_range: ScoreRange | None = None,
) -> Built:
    """Clean the columns in their roles, drop what cannot serve, and lay out the frames of *kind*.

    Parameters
    ----------
    score_range
        For scored pairs: the lowest and the highest score there can be.

    Raises
    ------
    DataError
        If nothing is left, if only one class or score is left, or if a column cannot play its role.
    """
    if frame.empty:
        raise DataError(
            "The data has no rows.", expected="at least a few examples", fix="check what was loaded."
        )
    if score_range is not None and kind != SCORED_PAIRS:
        raise DataError(
            f"score_range was given for data of the kind {kind!r}.",
            expected=f"data of the kind {SCORED_PAIRS!r}, whose scores are brought to 0..1",
            fix="leave score_range out.",
        )
    cleaned = {role: _clean(frame, kind, role, choice) for role, choice in choices.items()}
    keep, dropped = keep_and_count(list(cleaned.values()))
    notes = [note for part in cleaned.values() for note in part.notes]
    used = {column for choice in choices.values() for column in choice.columns}
    unused = [str(column) for column in frame.columns if column not in used]
    if unused:
        shown = ", ".join(repr(name) for name in unused[:10]) + (", ..." if len(unused) > 10 else "")
        notes.append(f"Columns not used: {shown}.")
    columns = {role: part.values[keep] for role, part in cleaned.items()}
    table = pd.DataFrame(columns).infer_objects()
    table.insert(0, "id", np.flatnonzero(keep).astype(np.int64))
    _refuse_nothing_left(table, len(frame), dropped)
    built = Built({}, dropped, notes)
    table = _LAYOUTS[kind](table, built)
    if kind == SCORED_PAIRS:
        scores, built.score_range, note = to_unit_range(
            table["score"].to_numpy(), choices["score"].column, score_range, table["id"].to_numpy()
        )
        table = table.assign(score=scores)
        notes.append(note)
    if not built.frames:
        built.frames = {"examples": table.reset_index(drop=True)}
    _refuse_nothing_left(table, len(frame), built.dropped)
    return built


def _clean(frame: pd.DataFrame, kind: str, role: str, choice: RoleChoice) -> Cleaned:
    if role == "negatives":
        return clean_negatives(frame, choice.columns)
    column: Hashable = choice.column
    if role == "label":
        return (clean_nli_labels if kind == NLI else clean_labels)(frame[column], column)
    cleaners = {"group": clean_groups, "relevance": clean_relevance, "score": clean_scores}
    return cleaners.get(role, clean_texts)(frame[column], column)


def _labeled(table: pd.DataFrame, built: Built) -> pd.DataFrame:
    before = len(table)
    table = _without_copies(table, ["value", "label"], "copy of an earlier row (same text and label)", built)
    if table["label"].nunique() < 2:
        raise DataError(
            f"All {before:,} rows have the label {table['label'].tolist()[0]!r}.",
            expected="at least two classes",
            fix="check the label column, or load the other classes as well.",
        )
    _note_torn(table, ["value"], "label", "Texts that stand with more than one label", built)
    return table


def _scored(table: pd.DataFrame, built: Built) -> pd.DataFrame:
    table = _without_copies(table, ["value", "score"], "copy of an earlier row (same text and score)", built)
    _refuse_one_score(table)
    low, high = table["score"].min(), table["score"].max()
    built.notes.append(f"Scores range from {low:g} to {high:g} and are kept as they are.")
    _note_torn(table, ["value"], "score", "Texts that stand with more than one score", built)
    return table


def _pairs(table: pd.DataFrame, built: Built) -> pd.DataFrame:
    table = _without_equals(table, "anchor", "positive", built)
    return _without_copies(table, ["anchor", "positive"], "copy of an earlier pair", built)


def _triplets(table: pd.DataFrame, built: Built) -> pd.DataFrame:
    table = drop_false_negatives(_without_equals(table, "anchor", "positive", built), built.dropped)
    joined = table["negatives"].map(tuple)
    copies = table.assign(negatives=joined).duplicated(["anchor", "positive", "negatives"])
    return _without(table, copies, "copy of an earlier triplet", built)


def _scored_pairs(table: pd.DataFrame, built: Built) -> pd.DataFrame:
    sentences = ["sentence1", "sentence2"]
    table = _without_copies(table, [*sentences, "score"], "copy of an earlier pair with its score", built)
    _refuse_one_score(table)
    _note_torn(table, sentences, "score", "Pairs that stand with more than one score", built)
    return table


def _nli(table: pd.DataFrame, built: Built) -> pd.DataFrame:
    texts = ["premise", "hypothesis"]
    table = _without_copies(table, [*texts, "label"], "copy of an earlier row", built)
    if table["label"].nunique() < 2:
        raise DataError(
            f"All {len(table):,} rows are {table['label'].tolist()[0]!r}.",
            expected="at least two of entailment, neutral and contradiction",
            fix="check the label column, or load the other rows as well.",
        )
    _note_torn(table, texts, "label", "Pairs that stand with more than one label", built)
    return table


def _retrieval(table: pd.DataFrame, built: Built) -> pd.DataFrame:
    table = _without_equals(table, "query", "document", built)
    if "relevance" not in table:
        table["relevance"] = 1.0
    searched = table["document"]
    irrelevant = table["relevance"] <= 0
    if irrelevant.any():
        built.notes.append("Documents that answer nothing stay among those that are searched.")
    table = _without(table, irrelevant, IRRELEVANT, built)
    table = _without_copies(table, ["query", "document"], "copy of an earlier pair", built)
    query_codes, queries = pd.factorize(table["query"])
    documents = pd.Index(pd.unique(searched))
    document_codes = documents.get_indexer(table["document"])
    query_frame = pd.DataFrame({"id": [f"q{n}" for n in range(len(queries))], "text": list(queries)})
    if "group" in table:
        query_frame["group"] = table.groupby(query_codes)["group"].first().tolist()
        if (table.groupby(query_codes)["group"].nunique() > 1).any():
            built.notes.append("Some queries stand in more than one group; each was put in the first.")
    built.frames = {
        "queries": query_frame,
        "corpus": pd.DataFrame({"id": [f"d{n}" for n in range(len(documents))], "text": list(documents)}),
        "qrels": pd.DataFrame(
            {
                "query_id": [f"q{n}" for n in query_codes],
                "corpus_id": [f"d{n}" for n in document_codes],
                "relevance": table["relevance"].astype(float).tolist(),
            }
        ),
    }
    return table


_LAYOUTS = {
    LABELED: _labeled,
    SCORED: _scored,
    PAIRS: _pairs,
    TRIPLETS: _triplets,
    SCORED_PAIRS: _scored_pairs,
    NLI: _nli,
    RETRIEVAL: _retrieval,
}


def _without_equals(table: pd.DataFrame, first: str, second: str, built: Built) -> pd.DataFrame:
    return _without(table, table[first] == table[second], f"{first} and {second} are the same text", built)


def _without_copies(table: pd.DataFrame, columns: list[str], reason: str, built: Built) -> pd.DataFrame:
    return _without(table, table.duplicated(columns), reason, built)


def _without(table: pd.DataFrame, gone: pd.Series, reason: str, built: Built) -> pd.DataFrame:
    if gone.any():
        built.dropped.append(Dropped(int(gone.sum()), reason))
    return table[~gone].copy()


def _note_torn(table: pd.DataFrame, texts: list[str], told: str, what: str, built: Built) -> None:
    torn = int((table.groupby(texts, sort=False)[told].nunique() > 1).sum())
    if torn:
        built.notes.append(f"{what}: {torn:,}; all their rows were kept.")


def _refuse_one_score(table: pd.DataFrame) -> None:
    if len(table) > 1 and table["score"].nunique() < 2:
        raise DataError(
            f"All {len(table):,} rows have the score {table['score'].tolist()[0]:g}.",
            expected="at least two different scores",
            fix="check the score column.",
        )


def _refuse_nothing_left(table: pd.DataFrame, rows: int, dropped: list[Dropped]) -> None:
    if len(table) > 1 or (len(table) == 1 and rows == 1 and not dropped):
        return
    why = "; ".join(f"{drop.count:,} dropped: {drop.reason}" for drop in dropped)
    raise DataError(
        f"Of {rows:,} rows, {len(table)} can be used ({why}).",
        expected="at least two different examples",
        fix="check that the right columns were chosen and that they are filled.",
    )
