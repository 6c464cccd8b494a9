"""In-batch negatives that are right answers: how many a batch of the chosen size holds."""

from __future__ import annotations

import numpy as np

from embedtune_nb.data.lint.finding import Finding, NotLookedAt
from embedtune_nb.data.lint.table import Table

#: What the contrastive losses take where no batch size is given.
USUAL_BATCH = 128
_EXAMPLES = 4
# More than one false negative in a hundred rows of a batch is worth a word, one in ten a warning.
_NOTABLE, _HARMFUL = 0.01, 0.1


def batch_clashes(table: Table, batch_size: int | None) -> list[Finding] | NotLookedAt:
    """Find how many in-batch negatives of a contrastive loss are known to be right.

    Rows i and j clash where what belongs to j is known to belong to the anchor of i. A batch drawn at random
    holds each such ordered pair with the probability B(B-1) / N(N-1), so the expectation is exact.
    """
    if table.pairs is None:
        return NotLookedAt(
            "batch_clashes", f"{table.kind} data has no in-batch negatives by position", applies=False
        )
    anchors, positives = table.pairs
    size = batch_size or USUAL_BATCH
    rows = len(anchors)
    if rows < 2:
        return NotLookedAt("batch_clashes", "one pair alone has no in-batch negatives")
    together = min(size, rows)
    drawn = together * (together - 1) / (rows * (rows - 1))
    exact, _ = _clashing(anchors, positives)
    all_pairs, partners = _clashing(table.spare_of[anchors], table.spare_of[positives])
    expected, masked = all_pairs * drawn, exact * drawn
    open_share = (expected - masked) / together
    if expected / together < _NOTABLE:
        return []
    order = np.argsort(-partners, kind="stable")
    hit = np.flatnonzero(partners > 0)
    return [
        Finding(
            name="batch_clashes",
            severity="warning" if open_share >= _HARMFUL else "note",
            summary=f"A batch of {together:,} rows holds {expected:.1f} false negatives on average: texts "
            f"that are known to be right, or nearly equal one that is. {masked:.1f} of them are the same "
            f"letters, which the contrastive loss masks; {expected - masked:.1f} are not.",
            count=len(hit),
            total=rows,
            cost="The loss pushes right answers away; the larger the batch, the more of them.",
            fix='data.fix("near_duplicates"), a smaller batch_size, or false_negative_masking; '
            "a triplets Datasource with mined negatives does not help against this.",
            examples=tuple(
                (
                    table.texts[anchors[row]],
                    table.texts[positives[row]],
                    f"clashes with {partners[row]:,} rows",
                )
                for row in order[:_EXAMPLES]
            ),
            frame="pairs",
            rows=hit,
            mendable=False,
        )
    ]


def _clashing(anchors: np.ndarray, positives: np.ndarray) -> tuple[int, np.ndarray]:
    """Return the number of ordered clashing pairs of rows, and for each row with how many it clashes."""
    anchors, positives = (np.unique(codes, return_inverse=True)[1] for codes in (anchors, positives))
    known = np.unique(np.column_stack((anchors, positives)), axis=0)
    of_positive = np.bincount(positives)
    # rows whose positive is known to belong to each anchor, the row itself among them
    right = np.bincount(known[:, 0], weights=of_positive[known[:, 1]], minlength=anchors.max() + 1)
    partners = right[anchors].astype(np.int64) - 1
    return int(partners.sum()), partners
