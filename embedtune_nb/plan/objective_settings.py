"""The settings of the loss itself: scale, margin, kernel, negatives, lengths of embeddings."""

from __future__ import annotations

from typing import Any

from embedtune_nb.catalogue import BaseSpec
from embedtune_nb.data.kinds import NLI, SCORED, TRIPLETS
from embedtune_nb.errors import PlanError
from embedtune_nb.plan.choices import Choices
from embedtune_nb.plan.losses import ranks
from embedtune_nb.plan.plan import Setting
from embedtune_nb.plan.rows import MOST_NEGATIVES, most_negatives

# Kernel width in standard deviations of the scores: two in three texts of a batch then attract little.
_SIGMA_SHARE = 0.25


def choose_objective(choices: Choices, base: BaseSpec, train: Any) -> None:
    """Settle what the loss of *train*, the training part, is made with.

    Raises
    ------
    PlanError
        If a setting does not fit the kind of data or the model.
    """
    choices.take("loss_scale", "margin", "head_learning_rate", "normalize_embeddings")
    _choose_sigma(choices, train)
    _choose_negatives(choices, train)
    if ranks(train.kind, choices.loss):
        choices.take("false_negative_masking")
    else:
        _refuse(choices, "false_negative_masking", f"{_where(choices, train)}: it assumes no negatives")
    _choose_lengths(choices, base)


def _choose_sigma(choices: Choices, train: Any) -> None:
    if train.kind != SCORED or choices.loss != "contrastive":
        _refuse(choices, "contrastive_sigma", f"{_where(choices, train)}: it has no kernel over scores")
        return
    spread = float(train.frames["examples"]["score"].std(ddof=0))
    sigma = float(f"{_SIGMA_SHARE * spread:.3g}")
    choices.infer("contrastive_sigma", sigma, f"a quarter of the scores' standard deviation, {spread:.3g}")


def _choose_negatives(choices: Choices, train: Any) -> None:
    if train.kind not in (TRIPLETS, NLI) or choices.loss != "contrastive":
        each = "each negative makes a triplet" if train.kind == TRIPLETS else "it has no hard negatives"
        _refuse(choices, "hard_negatives", f"{_where(choices, train)}: {each}")
        return
    most = most_negatives(train)
    if most <= MOST_NEGATIVES:
        reason = f"as many as the rows have: up to {most}" if most else "none of the rows has one"
    else:
        reason = f"rows have up to {most}; each is one more text to embed"
    choices.infer("hard_negatives", min(most, MOST_NEGATIVES), reason)
    if choices["hard_negatives"] > most:
        asked = f"you asked for {choices['hard_negatives']}"
        choices.overrule("hard_negatives", most, f"{asked}, but no row has more than {most}")


def _choose_lengths(choices: Choices, base: BaseSpec) -> None:
    choices.take("matryoshka_dims")
    asked, dimension = choices["matryoshka_dims"], base.dimension
    if dimension is not None and choices.loss == "angle" and dimension % 2:
        raise PlanError(
            f"loss='angle' halves embeddings, and those of {base.id} have {dimension} numbers.",
            expected="an even number",
            fix="take loss='cosent'.",
        )
    if asked is None:
        return
    if dimension is not None and asked[0] > dimension:
        raise PlanError(
            f"matryoshka_dims holds {asked[0]}, but embeddings of {base.id} have {dimension} numbers.",
            expected=f"lengths of at most {dimension}",
            fix="leave out the longer ones.",
        )
    odd = [length for length in asked if length % 2]
    if choices.loss == "angle" and odd:
        raise PlanError(
            f"loss='angle' halves embeddings, and matryoshka_dims holds {odd[0]}.",
            expected="even lengths",
            fix=f"take {odd[0] - 1} or {odd[0] + 1} instead.",
        )
    if dimension is not None and asked[0] < dimension:
        reason = (
            f"you asked for {', '.join(map(str, asked))}; the whole embedding, {dimension}, is trained too"
        )
        choices.settings["matryoshka_dims"] = Setting([dimension, *asked], "user", reason)


def _where(choices: Choices, train: Any) -> str:
    return f"loss={choices.loss!r} on {train.kind} data"


def _refuse(choices: Choices, key: str, where: str) -> None:
    if choices.given.get(key):
        raise PlanError(f"{key} has no effect with {where}.", fix=f"leave {key} out.")
