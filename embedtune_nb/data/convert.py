"""From one kind of data to another, where that makes sense; what is lost on the way is counted."""

from __future__ import annotations

import numpy as np
import pandas as pd

from embedtune_nb.data.clean import Dropped
from embedtune_nb.data.datasource import Datasource
from embedtune_nb.data.kinds import (
    CONTRADICTION,
    ENTAILMENT,
    LABELED,
    NEUTRAL,
    NLI,
    NLI_LABELS,
    PAIRS,
    RETRIEVAL,
    SCORED,
    SCORED_PAIRS,
    TRIPLETS,
)
from embedtune_nb.data.negatives import drop_false_negatives
from embedtune_nb.data.split_retrieval import as_retrieval
from embedtune_nb.errors import DataError

SIMILAR = 0.8
NLI_SCORES = {ENTAILMENT: 1.0, NEUTRAL: 0.5, CONTRADICTION: 0.0}
POSSIBLE = {
    LABELED: (PAIRS, TRIPLETS),
    SCORED: (SCORED_PAIRS,),
    PAIRS: (RETRIEVAL,),
    TRIPLETS: (PAIRS, RETRIEVAL),
    SCORED_PAIRS: (PAIRS,),
    NLI: (PAIRS, TRIPLETS, SCORED_PAIRS),
    RETRIEVAL: (PAIRS,),
}
_FEW_LABELS = 20


def to_pairs(data: Datasource, *, min_score: float | None = None, seed: int = 0) -> Datasource:
    """Return *data* as pairs; see :meth:`embedtune_nb.data.datasource.Datasource.to_pairs`."""
    if data.kind == SCORED_PAIRS:
        return _similar(data, min_score)
    if data.kind == RETRIEVAL:
        return _judged(data, min_score)
    if min_score is not None:
        raise DataError(
            f"min_score was given, but {data.kind} data has no scores.",
            expected=f"data of the kind {SCORED_PAIRS!r} or {RETRIEVAL!r}",
            fix="leave min_score out.",
        )
    if data.kind == PAIRS:
        return data
    if data.kind == LABELED:
        return _same_label(data, seed)
    if data.kind == TRIPLETS:
        return _without_negatives(data)
    if data.kind == NLI:
        return _entailed(data)
    raise _refusal(data, PAIRS)


def to_triplets(data: Datasource, *, seed: int = 0) -> Datasource:
    """Return *data* as triplets; see :meth:`embedtune_nb.data.datasource.Datasource.to_triplets`."""
    if data.kind == TRIPLETS:
        return data
    if data.kind == LABELED:
        return _other_label(data, seed)
    if data.kind == NLI:
        return _contradicted(data)
    raise _refusal(data, TRIPLETS)


def to_scored_pairs(data: Datasource, *, seed: int = 0) -> Datasource:
    """Return *data* as scored pairs; see :meth:`embedtune_nb.data.datasource.Datasource.to_scored_pairs`."""
    if data.kind == SCORED_PAIRS:
        return data
    if data.kind == SCORED:
        return _by_distance(data, seed)
    if data.kind == NLI:
        examples = data.frames["examples"].rename(columns={"premise": "sentence1", "hypothesis": "sentence2"})
        table = examples.assign(score=examples["label"].map(NLI_SCORES)).drop(columns="label")
        note = ", ".join(f"{label} {NLI_SCORES[label]:g}" for label in NLI_LABELS)
        return _made(data, SCORED_PAIRS, table, [], [f"Labels became scores: {note}."], (0.0, 1.0))
    raise _refusal(data, SCORED_PAIRS)


def to_retrieval(data: Datasource) -> Datasource:
    """Return *data* as retrieval; see :meth:`embedtune_nb.data.datasource.Datasource.to_retrieval`."""
    if data.kind == RETRIEVAL:
        return data
    if data.kind not in (PAIRS, TRIPLETS):
        raise _refusal(data, RETRIEVAL)
    frames = as_retrieval(data)
    notes = ["Every anchor is a query, every positive a document that answers it."]
    if data.kind == TRIPLETS:
        known = set(frames["corpus"]["text"])
        others = [text for text in data.texts_by_role()["negatives"] if text not in known]
        ids = [f"d{place}" for place in range(len(known), len(known) + len(others))]
        more = pd.DataFrame({"id": ids, "text": others})
        frames["corpus"] = pd.concat([frames["corpus"], more], ignore_index=True)
        notes.append("Negatives are documents like any other; which anchor they belonged to is not kept.")
    return Datasource(
        RETRIEVAL,
        frames,
        name=data.name,
        kind_reason=f"made from {data.kind} data",
        roles={role: choice for role, choice in data.roles.items() if role == "group"},
        notes=notes,
        instruction=data.instruction,
    )


def _same_label(data: Datasource, seed: int) -> Datasource:
    first, second, dropped = _partners(data, ["label"], seed)
    table = _side_by_side(first, second, "anchor", "positive").drop(columns="label")
    notes = ["Texts of one label were paired at random, each text once."]
    if len(data.labels) < _FEW_LABELS:
        notes.append(
            f"With {len(data.labels)} labels, many other pairs in a batch are of the same label and yet "
            "count as negatives; training on the labeled data itself avoids that."
        )
    return _made(data, PAIRS, table, dropped, notes)


def _other_label(data: Datasource, seed: int) -> Datasource:
    first, second, dropped = _partners(data, ["label"], seed)
    examples = data.frames["examples"]
    labels, values = examples["label"].to_numpy(), examples["value"].to_numpy()
    generator = np.random.default_rng([seed, 1])
    picked = generator.integers(0, len(examples), len(first))
    while (same := labels[picked] == first["label"].to_numpy()).any():
        picked[same] = generator.integers(0, len(examples), int(same.sum()))
    table = _side_by_side(first, second, "anchor", "positive").drop(columns="label")
    table["negatives"] = pd.Series([[text] for text in values[picked]], index=table.index, dtype=object)
    table = drop_false_negatives(table, dropped)
    notes = [
        "Texts of one label were paired at random, each text once; the negative is a random text of "
        "another label."
    ]
    return _made(data, TRIPLETS, table, dropped, notes)


def _by_distance(data: Datasource, seed: int) -> Datasource:
    first, second, dropped = _partners(data, [], seed)
    scores = data.frames["examples"]["score"]
    low, high = float(scores.min()), float(scores.max())
    distance = np.abs(first["score"].to_numpy() - second["score"].to_numpy()) / (high - low)
    table = _side_by_side(first, second, "sentence1", "sentence2").assign(score=(1 - distance).clip(0, 1))
    notes = [
        "Texts were paired at random, each text once; two are the more similar the nearer their scores: 1 at "
        f"equal scores, 0 at {low:g} and {high:g}."
    ]
    return _made(data, SCORED_PAIRS, table, dropped, notes, (0.0, 1.0))


def _partners(
    data: Datasource, alike: list[str], seed: int
) -> tuple[pd.DataFrame, pd.DataFrame, list[Dropped]]:
    """Deal the rows out in twos that have *alike* and the group in common; each row is used once.

    Chains in which one text stands in two pairs would tie the whole label into one lump, and no split could
    keep texts apart any more.
    """
    examples = data.frames["examples"].drop_duplicates("value")
    dropped = []
    if gone := len(data) - len(examples):
        dropped.append(Dropped(gone, "the text stands in another row"))
    keys = alike + [name for name in ("group",) if name in examples]
    shuffled = examples.sample(frac=1, random_state=np.random.default_rng(seed))
    if keys:
        shuffled = shuffled.sort_values(keys, kind="stable")
        codes = shuffled.groupby(keys, sort=False)
        place, size = codes.cumcount().to_numpy(), codes["value"].transform("size").to_numpy()
    else:
        place, size = np.arange(len(shuffled)), np.full(len(shuffled), len(shuffled))
    alone = (place == size - 1) & (size % 2 == 1)
    if alone.any():
        what = f" of the same {' and '.join(keys)}" if keys else ""
        dropped.append(Dropped(int(alone.sum()), f"left over: no other text{what} to pair with"))
    first = shuffled[(place % 2 == 0) & ~alone]
    second = shuffled[place % 2 == 1]
    order = np.argsort(first["id"].to_numpy(), kind="stable")
    return first.iloc[order].reset_index(drop=True), second.iloc[order].reset_index(drop=True), dropped


def _side_by_side(first: pd.DataFrame, second: pd.DataFrame, left: str, right: str) -> pd.DataFrame:
    return first.rename(columns={"value": left}).assign(**{right: second["value"]})


def _without_negatives(data: Datasource) -> Datasource:
    examples = data.frames["examples"]
    count = int(examples["negatives"].map(len).sum())
    table = examples.drop(columns="negatives")
    copies = table.duplicated(["anchor", "positive"])
    dropped = [Dropped(count, "negatives")]
    if copies.any():
        dropped.append(Dropped(int(copies.sum()), "the pair stands in an earlier triplet"))
    return _made(data, PAIRS, table[~copies], dropped, [])


def _similar(data: Datasource, min_score: float | None) -> Datasource:
    least = SIMILAR if min_score is None else _number(min_score)
    examples = data.frames["examples"]
    near = examples["score"] >= least
    same = near & (examples["sentence1"] == examples["sentence2"])
    table = examples[near & ~same].rename(columns={"sentence1": "anchor", "sentence2": "positive"})
    table = table.drop(columns="score")
    copies = table.duplicated(["anchor", "positive"])
    dropped = _counted(
        (int((~near).sum()), f"score below {least:g}"),
        (int(same.sum()), "both sentences are the same text"),
        (int(copies.sum()), "copy of an earlier pair"),
    )
    low, high = data.score_range or (0.0, 1.0)
    there = f" ({low + least * (high - low):g} in the source)" if (low, high) != (0.0, 1.0) else ""
    note = f"Pairs with a score of at least {least:g}{there} were taken (min_score sets it)."
    return _made(data, PAIRS, table[~copies], dropped, [note])


def _entailed(data: Datasource) -> Datasource:
    examples = data.frames["examples"]
    kept = examples["label"] == ENTAILMENT
    table = examples[kept].rename(columns={"premise": "anchor", "hypothesis": "positive"})
    same = table["anchor"] == table["positive"]
    dropped = _counted(
        *((int((examples["label"] == label).sum()), f"label {label}") for label in (NEUTRAL, CONTRADICTION)),
        (int(same.sum()), "premise and hypothesis are the same text"),
    )
    return _made(data, PAIRS, table[~same].drop(columns="label"), dropped, [])


def _contradicted(data: Datasource) -> Datasource:
    examples = data.frames["examples"]
    told = examples[examples["label"] != NEUTRAL]
    against = told[told["label"] == CONTRADICTION].groupby("premise", sort=False)["hypothesis"].agg(list)
    entailed = told[told["label"] == ENTAILMENT]
    both = entailed["premise"].isin(against.index)
    unused = ~told["premise"].isin(set(entailed["premise"])) & (told["label"] == CONTRADICTION)
    same = both & (entailed["premise"] == entailed["hypothesis"])
    kept = entailed[both & ~same]
    dropped = _counted(
        (len(examples) - len(told), f"label {NEUTRAL}"),
        (int((~both).sum()), "entailment of a premise that nothing contradicts"),
        (int(unused.sum()), "contradiction of a premise that entails nothing"),
        (int(same.sum()), "premise and hypothesis are the same text"),
    )
    table = kept.rename(columns={"premise": "anchor", "hypothesis": "positive"}).drop(columns="label")
    table["negatives"] = table["anchor"].map(against)
    table = drop_false_negatives(table, dropped)
    notes = ["For each entailed hypothesis, all contradictions of its premise are the negatives."]
    return _made(data, TRIPLETS, table, dropped, notes)


def _judged(data: Datasource, min_score: float | None) -> Datasource:
    qrels = data.frames["qrels"]
    flat = data.to_pandas().rename(columns={"query": "anchor", "document": "positive"})
    kept = flat["relevance"] >= (0.0 if min_score is None else _number(min_score))
    grades = sorted(flat["relevance"][kept].unique())
    table = flat[kept].drop(columns=["relevance", "query_id", "corpus_id"])
    same = table["anchor"] == table["positive"]
    copies = table.duplicated(["anchor", "positive"]) & ~same
    idle = len(data.frames["corpus"]) - qrels["corpus_id"].nunique()
    dropped = _counted(
        (int((~kept).sum()), f"relevance below {min_score}"),
        (int(same.sum()), "query and document are the same text"),
        (int(copies.sum()), "copy of an earlier pair"),
        (idle, "documents that answer no query"),
    )
    table = table[~same & ~copies].reset_index(drop=True)
    table.insert(0, "id", np.arange(len(table)))
    notes = []
    if len(grades) > 1:
        notes.append(f"Grades ({grades[0]:g} to {grades[-1]:g}) were left out: every pair counts the same.")
    return _made(data, PAIRS, table, dropped, notes)


def _made(
    data: Datasource,
    kind: str,
    table: pd.DataFrame,
    dropped: list[Dropped],
    notes: list[str],
    score_range: tuple[float, float] | None = None,
) -> Datasource:
    if table.empty:
        why = "; ".join(f"{drop.count:,}: {drop.reason}" for drop in dropped)
        raise DataError(
            f"No {kind} come out of this {data.kind} data ({why}).",
            expected=f"rows that can become {kind}",
            fix="look at what was dropped, and bring data in which such rows occur.",
        )
    order = ["id", *(name for name in _COLUMNS[kind] if name in table)]
    return Datasource(
        kind,
        {"examples": table[order].reset_index(drop=True)},
        name=data.name,
        kind_reason=f"made from {data.kind} data",
        roles={role: choice for role, choice in data.roles.items() if role == "group"},
        dropped=dropped,
        notes=notes,
        score_range=score_range,
        instruction=data.instruction,
    )


_COLUMNS = {
    PAIRS: ("anchor", "positive", "group"),
    TRIPLETS: ("anchor", "positive", "negatives", "group"),
    SCORED_PAIRS: ("sentence1", "sentence2", "score", "group"),
}


def _counted(*counts: tuple[int, str]) -> list[Dropped]:
    return [Dropped(count, reason) for count, reason in counts if count]


def _number(value: object) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and np.isfinite(value):
        return float(value)
    raise DataError(f"min_score is {value!r}.", expected="a finite number")


def _refusal(data: Datasource, target: str) -> DataError:
    mining = data.kind in (PAIRS, RETRIEVAL) and target == TRIPLETS
    return DataError(
        f"Data of the kind {data.kind!r} cannot be made into {target}"
        + (": nothing says which text would be a negative." if mining else "."),
        expected=f"{data.kind} data can become " + " or ".join(POSSIBLE[data.kind]),
        fix="find negatives with data.mine_hard_negatives()."
        if mining
        else "train on it as it is, or load the data in the other form.",
    )
