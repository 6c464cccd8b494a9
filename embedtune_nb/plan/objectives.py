"""Several data sets in one run, each with its loss: what was asked for, and what each settles for itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from embedtune_nb.catalogue import BaseSpec
from embedtune_nb.data.datasource import Datasource
from embedtune_nb.data.kinds import LABELED, NLI, RETRIEVAL, SCORED, TRIPLETS
from embedtune_nb.data.split import Split
from embedtune_nb.errors import DataError, LossError
from embedtune_nb.plan.checks import check_data, check_held_out, check_rows, check_training_part
from embedtune_nb.plan.choices import Choices
from embedtune_nb.plan.hyperparams import HYPERPARAMS
from embedtune_nb.plan.losses import LOSSES, Loss, check_loss, ranks
from embedtune_nb.plan.metrics import PRIMARY
from embedtune_nb.plan.objective_settings import choose_objective
from embedtune_nb.plan.plan import Setting
from embedtune_nb.plan.rows import TrainingRows, training_rows
from embedtune_nb.plan.schedule import FAST_METHODS, METRIC_REASON


@dataclass(frozen=True)
class Wanted:
    """One data set with its loss, as asked for.

    Attributes
    ----------
    data, evaluation
        Training data, and data for its verdict if the user brought some.
    loss, source, reason
        The loss, who chose it and why.
    """

    data: Datasource
    evaluation: Datasource | None
    loss: Loss
    source: str
    reason: str

    def __str__(self) -> str:
        return f"{self.loss.name} on {self.data.name or self.data.kind}"


@dataclass(frozen=True)
class Settled:
    """One data set with its loss, settled: what is chosen for it, its parts and its rows."""

    wanted: Wanted
    choices: Choices
    parts: Split
    rows: TrainingRows


def wanted_objectives(data: Any, loss: str | None, eval_datasource: Any) -> list[Wanted]:
    """Return the objectives that *data* asks for; the first one selects and decides.

    Parameters
    ----------
    data
        A Datasource, or a list of pairs (Datasource, loss).
    loss
        Of a single Datasource.
    eval_datasource
        For the verdict on the first data; in a list, one for each, ``None`` to hold a part out.

    Raises
    ------
    DataError, LossError
        If the list is none of pairs, or data, losses and evaluation data do not fit each other.
    """
    if not is_list_of_objectives(data):
        data, eval_datasource = check_data(data, eval_datasource)
        return [Wanted(data, eval_datasource, *check_loss(data.kind, loss))]
    if loss is not None:
        raise LossError(
            f"loss={loss!r} was given beside a list of objectives.",
            expected="each objective with its own loss: [(data, 'contrastive'), (more_data, 'cosent')]",
            fix="leave loss out, and name the losses in the list.",
        )
    evaluations = eval_datasource if isinstance(eval_datasource, (list, tuple)) else [eval_datasource]
    if len(evaluations) > len(data):
        raise DataError(
            f"eval_datasource holds {len(evaluations)}, data {len(data)} objectives.",
            expected="one for each objective, or None where a part is to be held out",
            fix="leave out the others.",
        )
    evaluations = [*evaluations, *[None] * (len(data) - len(evaluations))]
    found = []
    for (part, name), evaluation in zip(data, evaluations, strict=True):
        part, evaluation = check_data(part, evaluation)
        found.append(Wanted(part, evaluation, *check_loss(part.kind, name)))
    return found


def is_list_of_objectives(data: Any) -> bool:
    """Return whether *data* is a list of pairs of data and its loss."""
    return (
        isinstance(data, (list, tuple))
        and bool(data)
        and all(isinstance(pair, tuple) and len(pair) == 2 for pair in data)
        # two texts are a row of pairs
        and all(not isinstance(part, str) or loss in (None, *LOSSES) for part, loss in data)
    )


def given_for(wanted: Wanted, others: Sequence[Wanted], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the hyperparameters that concern *wanted*, and those that concern none, which it will refuse."""
    return {
        key: value
        for key, value in given.items()
        if _concerns(key, wanted) or not any(_concerns(key, other) for other in others)
    }


def _concerns(key: str, wanted: Wanted) -> bool:
    kind, loss = wanted.data.kind, wanted.loss.name
    if HYPERPARAMS[key].losses and loss not in HYPERPARAMS[key].losses:
        return False
    if key == "contrastive_sigma":
        return kind == SCORED and loss == "contrastive"
    if key == "hard_negatives":
        return kind in (TRIPLETS, NLI) and loss == "contrastive"
    if key == "false_negative_masking":
        return ranks(kind, loss)
    return kind in (LABELED, SCORED) if key in ("neighbor_count", "neighbor_weighting") else True


def settle(wanted: Wanted, choices: Choices, parts: Split, base: BaseSpec) -> Settled:
    """Settle what the loss is made with and which rows it steps through; *parts* is the split of the data.

    Raises
    ------
    PlanError
        If the training part cannot teach the loss anything, or a setting does not fit it.
    DataError
        If the metric has no value on a held-out part.
    """
    check_training_part(wanted.loss, parts)
    # further objectives select nothing, and have no method for it
    method = choices["eval_method"] if "eval_method" in choices.settings else None
    check_held_out(parts, choices["metric"], selects=method not in (None, *FAST_METHODS))
    choose_objective(choices, base, parts.train)
    hard_negatives = choices["hard_negatives"] if "hard_negatives" in choices.settings else None
    rows = training_rows(parts.train, wanted.loss.name, hard_negatives)
    check_rows(wanted.loss, rows)
    return Settled(wanted, choices, parts, rows)


def settle_further(wanted: Wanted, given: Mapping[str, Any], base: BaseSpec, parts: Split) -> Settled:
    """Settle an objective beside the first: what it shares with the first is not among its choices."""
    kind = wanted.data.kind
    choices = Choices(given, wanted.loss.name)
    choices.settings["loss"] = Setting(wanted.loss.name, wanted.source, wanted.reason)  # type: ignore[arg-type]
    metric = PRIMARY[kind]
    choices.settings["metric"] = Setting(metric, "default", METRIC_REASON[metric])
    settled = settle(wanted, choices, parts, base)
    if kind in (LABELED, SCORED):
        choose_neighbor_count(choices, len(settled.rows))
        choices.take("neighbor_weighting")
    return settled


def choose_neighbor_count(choices: Choices, rows: int) -> None:
    """Settle how many neighbours vote, no more than there are training rows."""
    choices.take("neighbor_count")
    if choices["neighbor_count"] > rows:
        choices.overrule("neighbor_count", rows, f"there are only {rows} training rows to ask")


def advise_on_sharing(objectives: Sequence[Settled]) -> list[str]:
    """Return advice on held-out texts of one objective that another one trains on."""
    found = []
    for place, judged in enumerate(objectives, 1):
        held_out = _asked(judged.parts.verdict)
        for other_place, other in enumerate(objectives, 1):
            shared = held_out & set(other.parts.train.texts()) if other is not judged else set()
            if shared:
                found.append(
                    f"{len(shared):,} of the {len(held_out):,} held-out texts of objective {place} "
                    f"({judged.wanted}) also stand in the training data of objective {other_place}: its "
                    "verdict may look better than it is. Leave them out there."
                )
    return found


def _asked(part: Datasource) -> set[str]:
    """Return what is judged: queries, not the documents that all parts search."""
    return set(part.frames["queries"]["text"]) if part.kind == RETRIEVAL else set(part.texts())
