"""Why a row probably got worse: what can be seen in the data, told as a likely cause and never as proof."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from embedtune_nb.data.copies import normalized
from embedtune_nb.data.datasource import Datasource
from embedtune_nb.data.kinds import LABELED, RETRIEVAL, SCORED, SCORED_PAIRS, TRIPLETS
from embedtune_nb.data.lint.near_copies import alike_numbers, nearly_equal

LABEL_CONFLICT = "label conflict"
NEAR_DUPLICATE = "near-duplicate document"
TRUNCATED = "truncated"
RARE_CLASS = "rare class"
CLOSE = "close call"
UNKNOWN = "not clear"

#: What can be done about each cause, in the order in which they are told: the hardest evidence first.
ADVICE = {
    LABEL_CONFLICT: 'data.fix("conflicting_labels") mends equal texts; relabel the others, or merge labels.',
    NEAR_DUPLICATE: 'data.fix("near_duplicates"), or judge both documents as right.',
    TRUNCATED: 'hyperparams={"max_seq_length": "max"}, a base that reads more, or shorter texts.',
    RARE_CLASS: 'more rows of the class, or for labels loss="proxy".',
    CLOSE: "chance turns such rows: model.noise_floor() tells how much; more training rows like them help.",
    UNKNOWN: "mine_hard_negatives() trains against what displaced the right answer; map() shows where it is.",
}
#: Instead, where rows say nowhere which texts belong together, so that no negatives can be mined.
_UNKNOWN_WITHOUT_PAIRS = "map() shows where it is; more training rows like it may help."
# A class with fewer training rows than this share of the mean class is rare, as is one that cannot win
# a vote.
_RARE_SHARE = 0.2
# Scores of near-copies contradict each other where they differ by more than this share of all scores' spread.
_SCORE_CONFLICT = 0.25
# Near-copies are looked for among at most as many texts.
_TEXTS_MAX = 50_000


def has_negatives(kind: str) -> bool:
    """Return whether hard negatives can be mined for data of *kind*."""
    return kind not in (SCORED, SCORED_PAIRS)


def advice_on(cause: str, kind: str) -> str:
    """Return what can be done about *cause* in data of *kind*."""
    return _UNKNOWN_WITHOUT_PAIRS if cause == UNKNOWN and not has_negatives(kind) else ADVICE[cause]


@dataclass(frozen=True)
class Evidence:
    """What causes are looked for in.

    Attributes
    ----------
    data, reference
        The held-out and the training part.
    tokens
        From texts to their lengths in tokens; None where they cannot be counted.
    reads
        Most tokens of a text that the model reads; None without a limit.
    reads_in_training
        Most tokens that it read while it was trained; None without a limit.
    neighbor_count
        How many neighbours vote on a label.
    """

    data: Datasource
    reference: Datasource
    tokens: Callable[[Sequence[str]], np.ndarray] | None
    reads: int | None
    reads_in_training: int | None
    neighbor_count: int = 5


def likely_causes(rows: pd.DataFrame, evidence: Evidence) -> tuple[pd.DataFrame, list[str]]:
    """Find the likely cause of each row that got worse.

    Parameters
    ----------
    rows
        Of :func:`embedtune_nb.evaluation.moves.moves`, those that got worse.
    evidence
        Where to look.

    Returns
    -------
    causes, notes
        Columns `cause`, a key of :data:`ADVICE`, and `why`, one sentence for each cause that applies, with
        the index of *rows*; and what could not be looked for.
    """
    notes: list[str] = []
    found = [
        (LABEL_CONFLICT, _label_conflicts(rows, evidence, notes)),
        (NEAR_DUPLICATE, _near_duplicates(rows, evidence)),
        (TRUNCATED, _truncated(rows, evidence, notes)),
        (RARE_CLASS, _rare(rows, evidence)),
        (LABEL_CONFLICT, _outvoted(rows)),
        (CLOSE, _close_calls(rows)),
    ]
    causes = []
    for row in rows.index:
        here = [(cause, sentences[row]) for cause, sentences in found if row in sentences]
        causes.append((here[0][0] if here else UNKNOWN, " ".join(sentence for _, sentence in here)))
    return pd.DataFrame(causes, columns=["cause", "why"], index=rows.index), notes


def _near_duplicates(rows: pd.DataFrame, evidence: Evidence) -> dict[object, str]:
    if evidence.data.kind not in (RETRIEVAL, TRIPLETS):
        return {}
    return {
        row: "What displaced the right answer says nearly the same, letter by letter."
        for row, answer, other in zip(rows.index, rows["answer"], rows["displaced_by"], strict=True)
        if isinstance(other, str) and nearly_equal(normalized(answer), normalized(other))
    }


def _truncated(rows: pd.DataFrame, evidence: Evidence, notes: list[str]) -> dict[object, str]:
    limits = [limit for limit in (evidence.reads, evidence.reads_in_training) if limit is not None]
    if not limits or rows.empty:
        return {}
    if evidence.tokens is None:
        notes.append("Truncated texts were not looked for: the model has no tokenizer.json to count with.")
        return {}
    read_as = {"text": "the text", "answer": "the right answer"}
    if evidence.data.kind not in (RETRIEVAL, TRIPLETS):
        read_as["answer"] = "the other text"
    if evidence.data.kind in (LABELED, SCORED):
        del read_as["answer"]
    told: dict[object, str] = {}
    for column, what in read_as.items():
        lengths = evidence.tokens(rows[column].tolist())
        for row, length in zip(rows.index, lengths.tolist(), strict=True):
            if length <= min(limits) or row in told:
                continue
            if evidence.reads is not None and length > evidence.reads:
                told[row] = f"The model reads {evidence.reads:,} of the {length:,} tokens of {what}."
            else:
                told[row] = (
                    f"Training read at most {evidence.reads_in_training:,} tokens of a text; "
                    f"{what} has {length:,}."
                )
    return told


def _rare(rows: pd.DataFrame, evidence: Evidence) -> dict[object, str]:
    if evidence.data.kind == LABELED:
        trained = evidence.reference.frames["examples"]["label"].astype(str)
        classes, least = rows["answer"].astype(str), evidence.neighbor_count // 2 + 1
        what = "the label"
    elif (
        "group" in evidence.data.frames.get("queries", ()) and "group" in evidence.reference.frames["queries"]
    ):
        trained = evidence.reference.frames["queries"]["group"].astype(str)
        groups = evidence.data.frames["queries"].drop_duplicates("id").set_index("id")["group"].astype(str)
        # whole groups are held out together, so one without a training row is not rare but unseen on purpose
        classes, least, what = groups.loc[rows.index], 1, "the group"
        classes = classes[classes.isin(set(trained))]
    else:
        return {}
    counts = trained.value_counts()
    rare = max(least, _RARE_SHARE * counts.mean())
    return {
        row: f"{counts.get(name, 0):,} of {len(trained):,} training rows have {what} {name!r}."
        for row, name in classes.items()
        if counts.get(name, 0) < rare
    }


def _outvoted(rows: pd.DataFrame) -> dict[object, str]:
    """Find texts that all their neighbours contradict: softer evidence than an equal text."""
    if "neighbors_say" not in rows:
        return {}
    return {
        row: f"All its neighbours in training are {said!r}: this label may be wrong, or the two overlap."
        for row, said in rows["neighbors_say"].items()
        if isinstance(said, str)
    }


def _close_calls(rows: pd.DataFrame) -> dict[object, str]:
    if "close" not in rows:
        return {}
    return {row: told for row, told in rows["close"].items() if isinstance(told, str)}


def _label_conflicts(rows: pd.DataFrame, evidence: Evidence, notes: list[str]) -> dict[object, str]:
    if evidence.data.kind in (LABELED, SCORED):
        return _contradicting_copies(rows, evidence, notes)
    if evidence.data.kind == RETRIEVAL:
        return _answers_of_copies(rows, evidence, notes)
    return {}


def _contradicting_copies(rows: pd.DataFrame, evidence: Evidence, notes: list[str]) -> dict[object, str]:
    """Find texts of which a near-copy bears another label, or a score far from theirs."""
    column = "label" if evidence.data.kind == LABELED else "score"
    parts = [part.frames["examples"][["value", column]] for part in (evidence.data, evidence.reference)]
    every = pd.concat(parts, ignore_index=True)
    numbers = _alike([*rows["text"], *every["value"]], notes)
    if numbers is None:
        return {}
    same_as = pd.Series(numbers[len(rows) :])
    groups = every.groupby(same_as.to_numpy())[column].unique()
    spread = _SCORE_CONFLICT * float(every[column].std()) if column == "score" else 0.0
    told = {}
    for row, number, answer in zip(rows.index, numbers, rows["answer"], strict=False):
        if column == "label":
            others = sorted({str(label) for label in groups[number]} - {str(answer)})
        else:
            others = [f"{score:g}" for score in groups[number] if abs(score - float(answer)) > spread]
        if others:
            told[row] = f"A text that nearly equals it has the {column} {others[0]!r}."
    return told


def _answers_of_copies(rows: pd.DataFrame, evidence: Evidence, notes: list[str]) -> dict[object, str]:
    """Find queries of which a near-copy is answered by the very document that displaced the right one."""
    judged = []
    for part in (evidence.data, evidence.reference):
        if part.kind == RETRIEVAL:
            pairs = part.frames["qrels"].merge(part.frames["queries"], left_on="query_id", right_on="id")
            documents = part.frames["corpus"].drop_duplicates("id").set_index("id")["text"]
            judged.append(
                pd.DataFrame({"query": pairs["text"], "document": pairs["corpus_id"].map(documents)}).dropna()
            )
        else:
            pairs = part.frames["examples"]
            judged.append(pd.DataFrame({"query": pairs["anchor"], "document": pairs["positive"]}))
    every = pd.concat(judged, ignore_index=True)
    every = every[every["document"].isin(set(rows["displaced_by"].dropna()))]
    numbers = _alike([*rows["text"], *every["query"]], notes)
    if numbers is None:
        return {}
    known = set(zip(numbers[len(rows) :].tolist(), every["document"], strict=True))
    return {
        row: "A query that nearly equals it is answered by the document that displaced the right one."
        for row, number, other in zip(rows.index, numbers.tolist(), rows["displaced_by"], strict=False)
        if (number, other) in known
    }


def _alike(texts: list[str], notes: list[str]) -> np.ndarray | None:
    if len(texts) > _TEXTS_MAX:
        notes.append(f"Label conflicts were not looked for: more than {_TEXTS_MAX:,} texts to compare.")
        return None
    return alike_numbers(texts)
