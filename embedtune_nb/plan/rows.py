"""Which texts of a Datasource a loss steps through: one table, whether to count or to train."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import pandas as pd

from embedtune_nb.data.kinds import (
    CONTRADICTION,
    ENTAILMENT,
    LABELED,
    NLI,
    PAIRS,
    RETRIEVAL,
    SCORED,
    SCORED_PAIRS,
    TRIPLETS,
)
from embedtune_nb.errors import LossError

Role = Literal["query", "document"]
ANCHOR, POSITIVE, NEGATIVE = "anchor", "positive", "negative"
#: Hard negatives of a row in a batch: each is one more text to embed a row.
MOST_NEGATIVES = 5


@dataclass(frozen=True)
class TrainingRows:
    """The rows that a loss is computed on.

    Attributes
    ----------
    texts
        Column -> texts, one a row. A hard negative that a row does not have is an empty text.
    roles
        Column -> whether its texts are queries or documents, for models that read the two differently.
    labels
        Class or score of each row; ``None`` where the texts alone say what belongs together.
    left_out
        What is not trained on and why, one sentence each.
    """

    texts: dict[str, list[str]]
    roles: dict[str, Role | None]
    labels: list[Any] | None = None
    left_out: tuple[str, ...] = field(default=())

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(next(iter(self.texts.values())))

    @property
    def negatives(self) -> list[str]:
        """Names of the columns of hard negatives."""
        return [name for name in self.texts if name.startswith(NEGATIVE)]


def training_rows(data: Any, loss: str, hard_negatives: int | None = None) -> TrainingRows:
    """Return the rows that *loss* is computed on.

    Parameters
    ----------
    data
        A Datasource.
    loss
        Name of the loss.
    hard_negatives
        Most hard negatives of a row, for contrast on triplets and nli; ``None`` for the usual
        :data:`MOST_NEGATIVES`.

    Raises
    ------
    LossError
        If nothing in the data can be trained on with this loss.
    """
    kind = data.kind
    if kind in (LABELED, SCORED):
        examples = data.frames["examples"]
        column = "label" if kind == LABELED else "score"
        return TrainingRows({"value": examples["value"].tolist()}, {"value": None}, examples[column].tolist())
    if kind == SCORED_PAIRS:
        examples = data.frames["examples"]
        names = ("sentence1", "sentence2")
        return TrainingRows(
            {name: examples[name].tolist() for name in names},
            dict.fromkeys(names),
            examples["score"].tolist(),
        )
    if kind in (PAIRS, RETRIEVAL):
        pairs = data.training_pairs()
        return _contrast(pairs["anchor"].tolist(), pairs["positive"].tolist())
    most = MOST_NEGATIVES if hard_negatives is None else hard_negatives
    if kind == TRIPLETS:
        return _triplets(data.frames["examples"], loss, most)
    assert kind == NLI, f"no rows for {kind}"
    return _inference(data.frames["examples"], most)


def most_negatives(data: Any) -> int:
    """Return how many hard negatives the best equipped row has; 0 for kinds without."""
    if data.kind == TRIPLETS:
        return int(data.frames["examples"]["negatives"].map(len).max())
    if data.kind == NLI:
        examples = data.frames["examples"]
        contradicted = examples.loc[examples["label"] == CONTRADICTION, "premise"].value_counts()
        entailed = examples.loc[examples["label"] == ENTAILMENT, "premise"].unique()
        return int(contradicted.reindex(entailed).max()) if contradicted.index.isin(entailed).any() else 0
    return 0


def _contrast(
    anchors: list[str],
    positives: list[str],
    negatives: Sequence[Sequence[str]] = (),
    left_out: tuple[str, ...] = (),
) -> TrainingRows:
    most = max((len(some) for some in negatives), default=0)
    texts = {ANCHOR: anchors, POSITIVE: positives}
    for place in range(most):
        name = f"{NEGATIVE}_{place + 1}"
        texts[name] = [some[place] if place < len(some) else "" for some in negatives]
    return TrainingRows(texts, _searching(texts), left_out=left_out)


def _searching(columns: Iterable[str]) -> dict[str, Role | None]:
    """Return the roles of columns of which the anchors search the others."""
    return {name: "query" if name == ANCHOR else "document" for name in columns}


def _triplets(examples: pd.DataFrame, loss: str, most: int) -> TrainingRows:
    anchors, positives = examples["anchor"].tolist(), examples["positive"].tolist()
    negatives = [list(some) for some in examples["negatives"]]
    if loss == "triplet":
        # every negative makes a triplet of its own
        sizes = [len(some) for some in negatives]
        texts = {
            ANCHOR: [text for text, size in zip(anchors, sizes, strict=True) for _ in range(size)],
            POSITIVE: [text for text, size in zip(positives, sizes, strict=True) for _ in range(size)],
            NEGATIVE: [text for some in negatives for text in some],
        }
        return TrainingRows(texts, _searching(texts))
    unused = sum(max(len(some) - most, 0) for some in negatives)
    told = (f"{unused:,} hard negatives: more than {most} in their row (hard_negatives).",) if unused else ()
    return _contrast(anchors, positives, [some[:most] for some in negatives], told)


def _inference(examples: pd.DataFrame, most: int) -> TrainingRows:
    """Entailments are pairs; contradictions of the same premise are their hard negatives."""
    entailed = examples[examples["label"] == ENTAILMENT]
    if entailed.empty:
        raise LossError(
            f"None of the {len(examples):,} rows is an entailment.",
            expected="entailments, which loss='contrastive' takes as pairs",
            fix="check the label column: 0 or 'entailment' marks them.",
        )
    contradicted = examples[examples["label"] == CONTRADICTION]
    by_premise = contradicted.groupby("premise")["hypothesis"].agg(list).to_dict()
    negatives = [by_premise.get(premise, [])[:most] for premise in entailed["premise"]]
    used = {
        (premise, text) for premise, some in zip(entailed["premise"], negatives, strict=True) for text in some
    }
    neutral = len(examples) - len(entailed) - len(contradicted)
    given = zip(contradicted["premise"], contradicted["hypothesis"], strict=True)
    idle = sum(pair not in used for pair in given)
    reasons = {
        "neutral rows: neither a pair nor its opposite": neutral,
        "contradictions: no entailment of their premise, or more than hard_negatives": idle,
    }
    left_out = tuple(f"{count:,} {reason}." for reason, count in reasons.items() if count)
    rows = _contrast(entailed["premise"].tolist(), entailed["hypothesis"].tolist(), negatives, left_out)
    # neither side of an inference searches the other
    return replace(rows, roles=dict.fromkeys(rows.texts))
