"""The kinds of a Datasource: what each is made of and which of them work today."""

from __future__ import annotations

from embedtune_nb.errors import DataError, NotYetError, did_you_mean

LABELED, PAIRS, RETRIEVAL = "labeled", "pairs", "retrieval"
KINDS = (LABELED, "scored", PAIRS, "triplets", "scored_pairs", "nli", RETRIEVAL)
READY_KINDS = (LABELED, PAIRS, RETRIEVAL)

ROLES: dict[str, tuple[str, ...]] = {
    LABELED: ("value", "label"),
    PAIRS: ("anchor", "positive"),
    RETRIEVAL: ("query", "document"),
}
OPTIONAL_ROLES: dict[str, tuple[str, ...]] = {
    LABELED: ("group",),
    PAIRS: ("group",),
    RETRIEVAL: ("relevance", "group"),
}
FRAMES: dict[str, tuple[str, ...]] = {
    LABELED: ("examples",),
    PAIRS: ("examples",),
    RETRIEVAL: ("queries", "corpus", "qrels"),
}
MEANING = {
    LABELED: "texts with a class",
    "scored": "texts with a number",
    PAIRS: "an anchor and a text that belongs to it",
    "triplets": "an anchor, a positive and one or more negatives",
    "scored_pairs": "two texts and how similar they are",
    "nli": "a premise, a hypothesis and entailment, neutral or contradiction",
    RETRIEVAL: "queries, documents and which document answers which query",
}


def require_ready(kind: str) -> str:
    """Return *kind* if data of this kind can be built.

    Raises
    ------
    DataError
        If no such kind exists.
    NotYetError
        If the kind is designed but not built.
    """
    if kind not in KINDS:
        raise DataError(
            f"There is no kind {kind!r}.",
            expected="one of " + ", ".join(KINDS),
            fix=did_you_mean(kind, KINDS) + "Choose a kind, or leave kind out to have it inferred.",
        )
    if kind not in READY_KINDS:
        raise NotYetError(
            f"Data of the kind {kind!r} ({MEANING[kind]}) cannot be used yet.",
            expected="one of " + ", ".join(f"{ready!r} ({MEANING[ready]})" for ready in READY_KINDS),
            fix="bring the data into one of these forms and name it with kind=...",
        )
    return kind
