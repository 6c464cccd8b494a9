"""Which loss works on which kind of data, and what each is best for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from embedtune_nb.data.kinds import (
    KINDS,
    LABELED,
    NLI,
    PAIRS,
    RETRIEVAL,
    SCORED,
    SCORED_PAIRS,
    TRIPLETS,
    require_ready,
)
from embedtune_nb.errors import LossError, did_you_mean
from embedtune_nb.plan.other_names import loss_called


@dataclass(frozen=True)
class Loss:
    """One training objective.

    Attributes
    ----------
    name
        What a user writes.
    summary
        What it does, in one sentence.
    best_for
        When to choose it; shown by every picker.
    kinds
        Kind of data -> what the loss does there.
    in_batch
        Whether rows of a batch are compared with each other, so that bigger batches teach more.
    """

    name: str
    summary: str
    best_for: str
    kinds: Mapping[str, str]
    in_batch: bool = False


LOSSES: dict[str, Loss] = {
    loss.name: loss
    for loss in (
        Loss(
            "prediction",
            "A linear head on top of the embeddings learns the labels or scores.",
            "The first run on labels or scores: simple and fast, a baseline for the others.",
            {LABELED: "cross-entropy of a class head", SCORED: "squared error on standardised scores"},
        ),
        Loss(
            "contrastive",
            "Draws texts that belong together close and pushes the rest of the batch away.",
            "Search and nearest neighbours: FAQ, questions and answers, labels that will be looked up. "
            "Likes big batches: a batch of 32 gives every row 31 negatives.",
            {
                LABELED: "same label attracts",
                SCORED: "near scores attract, by a Gaussian kernel",
                PAIRS: "multiple negatives ranking",
                TRIPLETS: "multiple negatives ranking with hard negatives",
                NLI: "entailments as pairs, contradictions as hard negatives",
                RETRIEVAL: "multiple negatives ranking",
            },
            in_batch=True,
        ),
        Loss(
            "triplet",
            "Brings each text nearer to its like than to the hardest other, by a margin.",
            "Well separated classes and moderate data, or negatives that somebody chose.",
            {LABELED: "batch-hard: the hardest of the batch", TRIPLETS: "margin on the given triplets"},
            in_batch=True,
        ),
        Loss(
            "proxy",
            "Learns one anchor point for each class (proxy anchor).",
            "Classes of very different size: rare ones keep their anchor.",
            {LABELED: "proxy anchor"},
            in_batch=True,
        ),
        Loss(
            "cosent",
            "Orders pairs by how similar they were judged to be.",
            "Graded similarity and paraphrases: only the order of the scores counts.",
            {SCORED_PAIRS: "the order of the cosines"},
            in_batch=True,
        ),
        Loss(
            "cosine",
            "Fits the cosine of two texts to their score.",
            "Scores that shall be read off as cosines; otherwise cosent learns more.",
            {SCORED_PAIRS: "squared error of the cosine"},
        ),
        Loss(
            "angle",
            "As cosent, on angles in complex space, where the gradient does not fade for near copies.",
            "Graded similarity where many pairs are nearly the same text.",
            {SCORED_PAIRS: "the order of the angles"},
            in_batch=True,
        ),
    )
}

DEFAULT_LOSS = {
    LABELED: "prediction",
    SCORED: "prediction",
    PAIRS: "contrastive",
    TRIPLETS: "contrastive",
    SCORED_PAIRS: "cosent",
    NLI: "contrastive",
    RETRIEVAL: "contrastive",
}


def losses_for(kind: str) -> list[Loss]:
    """Return the losses that work on *kind*, the default first."""
    default = DEFAULT_LOSS.get(kind)
    fitting = [loss for loss in LOSSES.values() if kind in loss.kinds]
    return sorted(fitting, key=lambda loss: loss.name != default)


def ranks(kind: str, loss: str) -> bool:
    """Return whether other rows' documents serve as assumed negatives, which may be wrong."""
    return loss == "contrastive" and kind not in (LABELED, SCORED)


def check_loss(kind: str, loss: str | None) -> tuple[Loss, str, str]:
    """Return the loss to use on *kind*, who chose it and why.

    Parameters
    ----------
    kind
        Kind of the training data.
    loss
        The loss the user named, or ``None`` for the default of this kind.

    Returns
    -------
    (Loss, source, reason)
        *source* is ``"user"`` or ``"default"``.

    Raises
    ------
    LossError
        If the loss does not exist or does not fit the data; the message holds the table of what works.
    """
    require_ready(kind)
    if loss is None:
        chosen = LOSSES[DEFAULT_LOSS[kind]]
        return (
            chosen,
            "default",
            f"the loss for {kind} data; {chosen.best_for[0].lower()}{chosen.best_for[1:]}",
        )
    if not isinstance(loss, str) or loss not in LOSSES:
        ours = loss_called(str(loss))
        hint = f"Did you mean {ours!r}? " if ours else did_you_mean(str(loss), LOSSES)
        raise LossError(
            f"There is no loss {loss!r}.",
            expected=f"one of {', '.join(LOSSES)}",
            fix=f"{hint}What works on which data:\n{loss_table()}",
        )
    chosen = LOSSES[loss]
    if kind not in chosen.kinds:
        usable = ", ".join(f"loss={fitting.name!r}" for fitting in losses_for(kind))
        raise LossError(
            f"The loss {loss!r} does not fit {kind} data.",
            expected=f"for {kind} data: {usable}",
            fix=f"take one of these, or bring the data into another form. What works:\n{loss_table()}",
        )
    return chosen, "user", chosen.best_for


def loss_table() -> str:
    """Return the table of kinds and losses as text: ``default``, ``yes`` or ``-``."""
    head = ["kind", *LOSSES]
    rows = [[kind, *(_cell(loss, kind) for loss in LOSSES.values())] for kind in KINDS]
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in [head, *rows]
    )
    return "\n".join(line.rstrip() for line in lines)


def _cell(loss: Loss, kind: str) -> str:
    if kind not in loss.kinds:
        return "-"
    return "default" if DEFAULT_LOSS.get(kind) == loss.name else "yes"
