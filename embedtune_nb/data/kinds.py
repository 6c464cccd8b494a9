"""The kinds of a Datasource: what each is made of."""

from __future__ import annotations

from embedtune_nb.errors import DataError, did_you_mean

LABELED, SCORED, PAIRS, TRIPLETS = "labeled", "scored", "pairs", "triplets"
SCORED_PAIRS, NLI, RETRIEVAL = "scored_pairs", "nli", "retrieval"
KINDS = (LABELED, SCORED, PAIRS, TRIPLETS, SCORED_PAIRS, NLI, RETRIEVAL)
READY_KINDS = KINDS

ENTAILMENT, NEUTRAL, CONTRADICTION = "entailment", "neutral", "contradiction"
NLI_LABELS = (ENTAILMENT, NEUTRAL, CONTRADICTION)

ROLES: dict[str, tuple[str, ...]] = {
    LABELED: ("value", "label"),
    SCORED: ("value", "score"),
    PAIRS: ("anchor", "positive"),
    TRIPLETS: ("anchor", "positive", "negatives"),
    SCORED_PAIRS: ("sentence1", "sentence2", "score"),
    NLI: ("premise", "hypothesis", "label"),
    RETRIEVAL: ("query", "document"),
}
OPTIONAL_ROLES: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(KINDS, ("group",)),
    RETRIEVAL: ("relevance", "group"),
}
# Columns of the canonical frame that hold texts, in the order in which they are told and embedded.
TEXT_ROLES: dict[str, tuple[str, ...]] = {
    LABELED: ("value",),
    SCORED: ("value",),
    PAIRS: ("anchor", "positive"),
    TRIPLETS: ("anchor", "positive", "negatives"),
    SCORED_PAIRS: ("sentence1", "sentence2"),
    NLI: ("premise", "hypothesis"),
    RETRIEVAL: ("query", "document"),
}
FRAMES: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(KINDS, ("examples",)),
    RETRIEVAL: ("queries", "corpus", "qrels"),
}
MEANING = {
    LABELED: "texts with a class",
    SCORED: "texts with a number",
    PAIRS: "an anchor and a text that belongs to it",
    TRIPLETS: "an anchor, a positive and one or more negatives",
    SCORED_PAIRS: "two texts and how similar they are",
    NLI: "a premise, a hypothesis and entailment, neutral or contradiction",
    RETRIEVAL: "queries, documents and which document answers which query",
}


def require_ready(kind: str) -> str:
    """Return *kind* if there is such a kind of data.

    Raises
    ------
    DataError
        If no such kind exists.
    """
    if kind not in KINDS:
        raise DataError(
            f"There is no kind {kind!r}.",
            expected="one of " + ", ".join(KINDS),
            fix=did_you_mean(kind, KINDS) + "Choose a kind, or leave kind out to have it inferred.",
        )
    return kind
