"""Which loss works on which kind of data, and what each is best for."""

from __future__ import annotations

from dataclasses import dataclass

from embedtune_nb.data.kinds import KINDS, LABELED, PAIRS, READY_KINDS, RETRIEVAL, require_ready
from embedtune_nb.errors import LossError, NotYetError, did_you_mean


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
        Kinds of data it works on in this version.
    later
        Kinds of data it is designed for, but does not work on yet.
    in_batch
        Whether the other rows of a batch serve as negatives, so that bigger batches teach more.
    """

    name: str
    summary: str
    best_for: str
    kinds: tuple[str, ...]
    later: tuple[str, ...] = ()
    in_batch: bool = False


LOSSES: dict[str, Loss] = {
    loss.name: loss
    for loss in (
        Loss(
            "prediction",
            "A linear head on top of the embeddings learns the labels.",
            "The first run on labels: simple and fast, a baseline for the others.",
            kinds=(LABELED,),
            later=("scored",),
        ),
        Loss(
            "contrastive",
            "Draws texts that belong together close and pushes the rest of the batch away.",
            "Search and nearest neighbours: FAQ, questions and answers, labels that will be looked up. "
            "Likes big batches: a batch of 32 gives every row 31 negatives.",
            kinds=(LABELED, PAIRS, RETRIEVAL),
            later=("scored", "triplets", "nli"),
            in_batch=True,
        ),
        Loss(
            "triplet",
            "Pulls each text towards the hardest of its class and away from the hardest of the others.",
            "Well separated classes and moderate data; the whole batch must fit into memory.",
            kinds=(),
            later=(LABELED, "triplets"),
            in_batch=True,
        ),
        Loss(
            "proxy",
            "Learns one anchor point for each class (proxy anchor).",
            "Classes of very different size: rare ones keep their anchor.",
            kinds=(),
            later=(LABELED,),
        ),
        Loss(
            "cosent",
            "Orders pairs by how similar they were judged to be.",
            "Graded similarity and paraphrases.",
            kinds=(),
            later=("scored_pairs",),
            in_batch=True,
        ),
    )
}

DEFAULT_LOSS = {LABELED: "prediction", PAIRS: "contrastive", RETRIEVAL: "contrastive"}


def losses_for(kind: str) -> list[Loss]:
    """Return the losses that work on *kind* in this version, the default first."""
    default = DEFAULT_LOSS.get(kind)
    fitting = [loss for loss in LOSSES.values() if kind in loss.kinds]
    return sorted(fitting, key=lambda loss: loss.name != default)


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
    NotYetError
        If the loss is designed for this kind but not built.
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
        raise LossError(
            f"There is no loss {loss!r}.",
            expected=f"one of {', '.join(LOSSES)}",
            fix=f"{did_you_mean(str(loss), LOSSES)}What works on which data:\n{loss_table()}",
        )
    chosen = LOSSES[loss]
    usable = ", ".join(f"loss={fitting.name!r}" for fitting in losses_for(kind))
    if kind in chosen.later:
        raise NotYetError(
            f"The loss {loss!r} on {kind} data is not part of this version yet.",
            expected=f"for {kind} data: {usable}",
            fix=f"take one of these. What works on which data:\n{loss_table()}",
        )
    if kind not in chosen.kinds:
        raise LossError(
            f"The loss {loss!r} does not fit {kind} data.",
            expected=f"for {kind} data: {usable}",
            fix=f"take one of these, or bring the data into another form. What works:\n{loss_table()}",
        )
    return chosen, "user", chosen.best_for


def loss_table() -> str:
    """Return the table of kinds and losses as text: ``yes``, ``later`` or ``-``."""
    head = ["kind", *LOSSES]
    kinds = [*READY_KINDS, *(kind for kind in KINDS if kind not in READY_KINDS)]
    rows = [[kind, *(_cell(loss, kind) for loss in LOSSES.values())] for kind in kinds]
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in [head, *rows]
    )
    return "\n".join(line.rstrip() for line in lines)


def _cell(loss: Loss, kind: str) -> str:
    if kind in loss.kinds:
        return "default" if DEFAULT_LOSS.get(kind) == loss.name else "yes"
    return "later" if kind in loss.later else "-"
