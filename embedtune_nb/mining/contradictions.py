"""Hard negatives that the data itself names: hypotheses that contradict their premise."""

from __future__ import annotations

import numpy as np

from embedtune_nb.data.copies import normalized
from embedtune_nb.data.datasource import Datasource
from embedtune_nb.data.kinds import CONTRADICTION, NLI
from embedtune_nb.errors import DataError
from embedtune_nb.mining.pool import Pool, pool_of
from embedtune_nb.mining.screen import Screened
from embedtune_nb.mining.settings import Settings

ALSO_ENTAILED = "the same premise also entails it"


def contradictions(data: Datasource, settings: Settings) -> tuple[Pool, Screened, list[str]]:
    """Choose for each entailed pair the contradictions of its premise that share most words with it.

    Near-copies of the positive are kept: one name exchanged makes the best of contradictions. A hypothesis
    that the same premise elsewhere entails is set aside.
    """
    if data.kind != NLI:
        raise DataError(
            f"Data of the kind {data.kind!r} names no contradictions.",
            expected="data of the kind 'nli'",
            fix="choose another strategy.",
        )
    pool = pool_of(data, seed=settings.seed)
    examples = data.frames["examples"]
    against: dict[str, list[str]] = {}
    rows = examples[examples["label"] == CONTRADICTION]
    for premise, hypothesis in zip(rows["premise"], rows["hypothesis"], strict=True):
        held = against.setdefault(normalized(premise), [])
        if hypothesis not in held:
            held.append(hypothesis)
    entailed: dict[str, set[str]] = {}
    for query, document in zip(pool.query.tolist(), pool.positive.tolist(), strict=True):
        entailed.setdefault(normalized(pool.queries[query]), set()).add(normalized(pool.documents[document]))
    number = {text: place for place, text in enumerate(pool.documents)}
    result = Screened()
    generator = np.random.default_rng(settings.seed)
    for row, (query, document) in enumerate(zip(pool.query.tolist(), pool.positive.tolist(), strict=True)):
        premise = normalized(pool.queries[query])
        positive = pool.documents[document]
        free: list[str] = []
        doubtful: list[str] = []
        for hypothesis in against.get(premise, []):
            (doubtful if normalized(hypothesis) in entailed[premise] else free).append(hypothesis)
        own = _shared(pool.queries[query], positive)
        for hypothesis in doubtful:
            score = _shared(positive, hypothesis)
            result.set_aside.append((row, number[hypothesis], score, own, ALSO_ENTAILED))
        result.fates[ALSO_ENTAILED] += len(doubtful)
        if not free:
            result.empty["no contradiction of the premise" if not doubtful else ALSO_ENTAILED] += 1
            continue
        scores = np.array([_shared(positive, hypothesis) for hypothesis in free], np.float32)
        order = np.argsort(-scores, kind="stable")
        if settings.pick == "random":
            order = generator.permutation(len(free))
        order = order[: settings.per_row]
        order = order[np.argsort(-scores[order], kind="stable")]
        result.fates["chosen"] += len(order)
        result.fates["not needed"] += len(free) - len(order)
        result.chosen.append((row, np.array([number[free[place]] for place in order]), scores[order], own))
    notes = ["Scores are shares of words: of a negative with the positive, of the positive with the premise."]
    return pool, result, notes


def _shared(first: str, second: str) -> float:
    a, b = set(normalized(first).split()), set(normalized(second).split())
    return len(a & b) / max(len(a | b), 1)
