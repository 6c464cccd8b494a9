"""What people call their columns, and which role that means."""

from __future__ import annotations

import re
from collections.abc import Hashable

KNOWN_NAMES: dict[str, tuple[str, ...]] = {
    "value": ("value", "text", "sentence", "utterance", "content", "message", "comment", "review", "tweet"),
    "label": (
        "label",
        "category",
        "class",
        "intent",
        "topic",
        "target",
        "tag",
        "labels",
        "gold_label",
    ),
    "score": ("score", "scores", "rating", "stars", "similarity", "similarity_score", "relatedness"),
    "anchor": ("anchor", "query", "question", "prompt"),
    "positive": ("positive", "pos", "answer", "document", "passage", "response", "context"),
    "negatives": ("negatives", "negative", "neg", "hard_negatives", "hard_negative", "negative_1"),
    "sentence1": ("sentence1", "sentence_1", "sentence_a", "text1", "text_1", "text_a", "question1"),
    "sentence2": ("sentence2", "sentence_2", "sentence_b", "text2", "text_2", "text_b", "question2"),
    "premise": ("premise",),
    "hypothesis": ("hypothesis",),
    "query": ("query", "question", "anchor"),
    "document": ("document", "passage", "answer", "positive", "doc", "context"),
    "relevance": ("relevance", "rel", "grade", "score"),
    "group": ("group",),
}
# Names that mean a role only where the kind is settled: in a pair of sentences, for example, a column of
# 0 and 1 is often called a label, and means how similar they are.
_NAMES_IN_KIND: dict[tuple[str, str], tuple[str, ...]] = {
    ("scored_pairs", "score"): ("label", "is_duplicate"),
    ("scored_pairs", "sentence1"): KNOWN_NAMES["anchor"],
    ("scored_pairs", "sentence2"): KNOWN_NAMES["positive"],
    ("nli", "premise"): KNOWN_NAMES["sentence1"],
    ("nli", "hypothesis"): KNOWN_NAMES["sentence2"],
    ("scored", "score"): KNOWN_NAMES["label"],
}
_NUMBERED_NEGATIVE = re.compile(r"(hard_?)?neg(ative)?s?_?\d*")


def folded(column: Hashable) -> str:
    """Return the name of a column without case and outer spaces."""
    return str(column).strip().casefold()


def is_known(role: str, column: Hashable, kind: str = "") -> bool:
    """Return whether *column* has a usual name for *role*, in data of *kind* where that is settled."""
    name = folded(column)
    if role == "negatives":
        return bool(_NUMBERED_NEGATIVE.fullmatch(name))
    return name in KNOWN_NAMES[role] or name in _NAMES_IN_KIND.get((kind, role), ())


def is_usual(column: Hashable) -> bool:
    """Return whether *column* has a usual name for any role."""
    return any(is_known(role, column) for role in KNOWN_NAMES)


def listing(names: list[str]) -> str:
    """Return *names* quoted in one line, cut after twenty."""
    shown = ", ".join(repr(name) for name in names[:20])
    return shown + (f" and {len(names) - 20} more" if len(names) > 20 else "") if names else "(none)"
