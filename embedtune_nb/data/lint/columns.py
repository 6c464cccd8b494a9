"""Columns in the wrong role: exchanged in some rows, exchanged as a whole, scores that run backwards."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix, hstack
from scipy.stats import spearmanr

from embedtune_nb.data.copies import normalized
from embedtune_nb.data.kinds import LABELED, PAIRS, RETRIEVAL, SCORED_PAIRS, TRIPLETS
from embedtune_nb.data.lint.finding import Finding, NotLookedAt
from embedtune_nb.data.lint.table import Table

_EXAMPLES = 4
_FEWEST = 40
# Below this share of rows in which the classifier tells the columns apart, it knows too little to judge one.
_TOLD_APART = 0.9
# Least log odds with which both texts of a row must lie on the other's side.
_SURE = 1.0
_MOST_SWAPPED = 0.4
_LETTERS = 240
_TRAINING_ROWS = 20_000
_QUESTION = ("who", "what", "when", "where", "why", "which", "how", "is", "are", "can", "do", "does", "did")


def swapped_columns(table: Table) -> list[Finding] | NotLookedAt:
    """Find rows of pairs whose anchor reads like a positive and whose positive reads like an anchor.

    A linear classifier over words and outer signs learns to tell the two columns apart; each row is judged
    by a classifier that has not seen it. Columns that read alike cannot be judged so.
    """
    if table.kind not in (PAIRS, TRIPLETS):
        return NotLookedAt(
            "swapped_columns", f"{table.kind} data has no two columns to be exchanged by row", applies=False
        )
    records = table.records[0]
    if len(records) < _FEWEST:
        return NotLookedAt("swapped_columns", f"it needs {_FEWEST} rows to learn how the columns differ")
    anchor_odds, positive_odds = _odds(table, *records.columns.values())
    apart = float((anchor_odds > positive_odds).mean())
    if apart < _TOLD_APART - _swap_share(anchor_odds, positive_odds):
        return NotLookedAt("swapped_columns", "the two columns read alike, so a swapped row does not show")
    rows = np.flatnonzero(_swapped(anchor_odds, positive_odds))
    if not len(rows) or len(rows) > _MOST_SWAPPED * len(records):
        return []
    return [
        Finding(
            name="swapped_columns",
            severity="warning",
            summary=f"In {len(rows):,} of {len(records):,} rows the anchor reads like a positive and the "
            "positive like an anchor.",
            count=len(rows),
            total=len(records),
            cost="The loss learns the wrong direction on these rows; searches ask with anchors.",
            fix='look at the examples, then data.fix("swapped_columns") exchanges the two in these rows.',
            examples=tuple(table.example(records, int(row)) for row in rows[:_EXAMPLES]),
            rows=rows,
        )
    ]


def misordered_columns(table: Table) -> list[Finding]:
    """Find columns that seem to play each other's role as a whole, and scores that run backwards."""
    if table.kind in (PAIRS, TRIPLETS, RETRIEVAL):
        return _exchanged_pairs(table) + _exchanged_negatives(table)
    if table.kind == SCORED_PAIRS:
        return _backward_scores(table)
    return _labels_like_texts(table) if table.kind == LABELED else []


def _odds(table: Table, anchors: np.ndarray, positives: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    from sklearn.linear_model import SGDClassifier

    features = _features(table.texts)
    odds = np.zeros((2, len(anchors)))
    generator = np.random.default_rng(0)
    # rows with one anchor or one positive stay on one side, or the judge would know its texts
    half = (table.plain[anchors] * 7919 + 13) % 2 == 0
    for fold in (half, ~half):
        train = np.flatnonzero(~fold)
        if not len(train) or not fold.any():
            train = np.arange(len(anchors))
        train = generator.permutation(train)[:_TRAINING_ROWS]
        seen = np.concatenate((anchors[train], positives[train]))
        sides = np.repeat([1, 0], len(train))
        judge = SGDClassifier(loss="log_loss", alpha=3e-4, max_iter=8, tol=None, random_state=0, average=True)
        judge.fit(features[seen], sides)
        for place, codes in enumerate((anchors, positives)):
            odds[place, fold] = judge.decision_function(features[codes[fold]])
    return odds[0], odds[1]


def _features(texts: list[str]) -> csr_matrix:
    from sklearn.feature_extraction.text import HashingVectorizer

    starts = [text[:_LETTERS] for text in texts]
    words = HashingVectorizer(n_features=2**16, alternate_sign=False, norm="l2", binary=True)
    outer = np.array(
        [
            (
                np.log1p(len(text)) - 4.0,
                2.0 * text.rstrip().endswith("?"),
                text.rstrip().endswith((".", "!")),
                text[:1].isupper(),
                2.0 * (text.split(maxsplit=1)[:1] or [""])[0].casefold().startswith(_QUESTION),
                "\n" in text,
            )
            for text in texts
        ],
        dtype=float,
    )
    return hstack([words.transform(starts), csr_matrix(outer)], format="csr")


def _swapped(anchor_odds: np.ndarray, positive_odds: np.ndarray) -> np.ndarray:
    return (anchor_odds < -_SURE) & (positive_odds > _SURE)


def _swap_share(anchor_odds: np.ndarray, positive_odds: np.ndarray) -> float:
    return float(_swapped(anchor_odds, positive_odds).mean())


def _exchanged_pairs(table: Table) -> list[Finding]:
    assert table.pairs is not None
    anchors, positives = ([table.texts[code] for code in np.unique(codes)] for codes in table.pairs)
    asks_less = _questions(anchors) < _questions(positives) - 0.3
    longer = np.median([len(text) for text in anchors]) > 3 * np.median([len(text) for text in positives])
    if not (longer or asks_less) or len(table.pairs[0]) < _FEWEST // 2:
        return []
    names = ("queries", "documents") if table.kind == RETRIEVAL else ("anchors", "positives")
    asked = f"{_questions(anchors):.0%} of the {names[0]}"
    why = f"{_questions(positives):.0%} of the {names[1]} are questions, {asked}"
    if longer:
        why = (
            f"half of the {names[0]} are longer than {np.median([len(text) for text in anchors]):,.0f} "
            f"characters, half of the {names[1]} than {np.median([len(text) for text in positives]):,.0f}"
        )
    mendable = table.kind == PAIRS
    return [
        Finding(
            name="exchanged_columns",
            severity="warning",
            summary=f"{names[0].capitalize()} and {names[1]} seem to be exchanged: {why}.",
            count=len(table.pairs[0]),
            total=len(table.pairs[0]),
            cost="The model is trained and judged on finding questions for answers.",
            fix='if that is not meant, data.fix("exchanged_columns") exchanges them in all rows.'
            if mendable
            else "if that is not meant, build the data again with the roles exchanged.",
            examples=tuple(
                (table.texts[a], table.texts[p])
                for a, p in zip(table.pairs[0][:_EXAMPLES], table.pairs[1], strict=False)
            ),
            rows=np.arange(len(table.pairs[0])),
            frame="examples" if mendable else "pairs",
            mendable=mendable,
        )
    ]


def _questions(texts: list[str]) -> float:
    return float(
        np.mean([text.rstrip().endswith("?") or text.casefold().startswith(_QUESTION[:7]) for text in texts])
    )


def _exchanged_negatives(table: Table) -> list[Finding]:
    if table.negatives is None or len(table.negatives[0]) < _FEWEST:
        return []
    assert table.pairs is not None
    words = [frozenset(normalized(text).split()) for text in table.texts]
    rows, texts = table.negatives
    anchors, positives = table.pairs
    nearer = np.array(
        [
            _overlap(words[anchors[row]], words[text]) - _overlap(words[anchors[row]], words[positives[row]])
            for row, text in zip(rows.tolist(), texts.tolist(), strict=True)
        ]
    )
    share = float((nearer > 0).mean())
    if share < 0.7:
        return []
    return [
        Finding(
            name="exchanged_negatives",
            severity="note",
            summary=f"{share:.0%} of the negatives share more words with the anchor than its positive does.",
            count=int((nearer > 0).sum()),
            total=len(rows),
            cost="If positive and negative columns are exchanged, the model learns the opposite of what is "
            "meant. Negatives found by their words (BM25) look like this too, and are right.",
            fix="if they are exchanged, build the data again with roles={...} the other way round.",
            examples=tuple(
                (
                    table.texts[anchors[rows[place]]],
                    table.texts[positives[rows[place]]],
                    table.texts[texts[place]],
                )
                for place in np.argsort(-nearer)[:_EXAMPLES]
            ),
            rows=np.unique(rows[nearer > 0]),
            mendable=False,
        )
    ]


def _backward_scores(table: Table) -> list[Finding]:
    assert table.target is not None
    first, second = table.records[0].columns.values()
    if len(first) < _FEWEST:
        return []
    words = [frozenset(normalized(text).split()) for text in table.texts]
    shared = [_overlap(words[a], words[b]) for a, b in zip(first.tolist(), second.tolist(), strict=True)]
    if np.ptp(shared) == 0 or table.target.nunique() < 2:
        return []
    relation = float(spearmanr(shared, table.target.to_numpy(dtype=float)).statistic)
    if relation > -0.3:
        return []
    return [
        Finding(
            name="backward_scores",
            severity="warning",
            summary="The more words two texts share, the lower their score "
            f"(rank correlation {relation:.2f}): the score seems to be a distance.",
            count=len(first),
            total=len(first),
            cost="The model learns to put similar texts far apart.",
            fix='if that is so, data.fix("backward_scores") turns the scores round.',
            examples=tuple(table.example(table.records[0], row) for row in range(min(_EXAMPLES, len(first)))),
            rows=np.arange(len(first)),
        )
    ]


def _labels_like_texts(table: Table) -> list[Finding]:
    assert table.target is not None
    labels, rows = table.target, len(table.target)
    classes = labels.nunique()
    if rows < _FEWEST or classes < 0.5 * rows:
        return []
    values = [len(table.texts[code]) for code in table.records[0].columns["value"].tolist()]
    names = [len(str(label)) for label in labels]
    exchanged = np.mean(names) > np.mean(values)
    return [
        Finding(
            name="misordered_columns",
            severity="serious",
            summary=f"{classes:,} different labels on {rows:,} rows"
            + (
                ", and the labels are longer than the texts: the two columns seem to be exchanged."
                if exchanged
                else ": this column looks like an identifier or a text, not like classes."
            ),
            count=rows,
            total=rows,
            cost="Nothing can be learned about a class that has one row.",
            fix="build the data again with roles={'value': ..., 'label': ...} that name the right columns.",
            examples=tuple(table.example(table.records[0], row) for row in range(min(_EXAMPLES, rows))),
            rows=np.arange(rows),
            mendable=False,
        )
    ]


def _overlap(first: frozenset[str], second: frozenset[str]) -> float:
    return len(first & second) / max(len(first | second), 1)
