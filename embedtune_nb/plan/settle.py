"""Settling one run, or one trial of a sweep: every setting from the wishes, in the order they depend."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from embedtune_nb.catalogue import BaseSpec
from embedtune_nb.data.kinds import LABELED, PAIRS, RETRIEVAL, SCORED
from embedtune_nb.data.split import Split, split
from embedtune_nb.errors import PlanError
from embedtune_nb.plan.advice import advise, advise_on_cost, advise_on_data
from embedtune_nb.plan.choices import Choices
from embedtune_nb.plan.estimate import Workload
from embedtune_nb.plan.instruction import advise_on_instruction, choose_instruction
from embedtune_nb.plan.looks import choose_looks
from embedtune_nb.plan.machine import Machine
from embedtune_nb.plan.objectives import (
    Settled,
    Wanted,
    advise_on_sharing,
    choose_neighbor_count,
    given_for,
    settle,
    settle_further,
)
from embedtune_nb.plan.plan import Setting
from embedtune_nb.plan.schedule import choose_evaluation, choose_steps
from embedtune_nb.plan.texts import TrainingTexts, choose_length, read_training_texts
from embedtune_nb.plan.trained_part import (
    choose_trained_part,
    count_trained,
    estimate_part,
    is_adapter,
    read_once,
)
from embedtune_nb.plan.workload import workload

SEED = 42
_OF_NEIGHBORS = (
    "neighbor_count",
    "neighbor_weighting",
    "neighbor_eval_count",
    "neighbor_eval_pool_subsample",
)
# Tried with wordllama on held-out training rows, 1e-3 to 1e-1: accuracy on questions of six classes rose by
# 0.01, 0.07, 0.16, 0.17, the error of readability scores fell by 0.01 to 0.08. NDCG@10 of a retrieval set, at
# 1e-2, 3e-2, 1e-1, 2e-1, rose by 0.00, 0.02, -0.01, -0.11 where held-out queries share no document with
# training, and by 0.08, 0.13, 0.14, 0.08 where they do (one seed). Judged pairs like 1e-2 best.
_STATIC_LEARNING_RATE = {LABELED: 5e-2, SCORED: 5e-2, PAIRS: 3e-2, RETRIEVAL: 3e-2}
_STATIC_LEARNING_RATE_OF_JUDGED_TEXTS = 1e-2


@dataclass(frozen=True)
class Call:
    """What is asked of one run, checked.

    Attributes
    ----------
    name
        Of the model to be made.
    base
        The model to start from.
    wanted
        The objectives; the first one selects and decides.
    given
        The hyperparameters that differ from the defaults.
    seed
        Of shuffling and new weights, and of the split where there is none yet.
    searching
        Whether this is a trial of a sweep.
    """

    name: str
    base: BaseSpec
    wanted: tuple[Wanted, ...]
    given: Mapping[str, Any]
    seed: int
    searching: bool = False

    def split(self, *, selection: bool) -> Split:
        """Split the data of every objective; *selection* holds a part out that chooses."""
        first, *others = self.wanted
        parts = split(first.data, seed=self.seed, selection=selection, eval_datasource=first.evaluation)
        further = (split(one.data, seed=self.seed, eval_datasource=one.evaluation) for one in others)
        return replace(parts, further=tuple(further))


@dataclass(frozen=True)
class Run:
    """One run with all that was settled for it.

    Attributes
    ----------
    call
        What was asked for.
    choices
        The settings.
    parts
        The split.
    objectives
        What each objective settled for itself, the first one's first.
    texts
        What the loss will read.
    truncated
        The share of the training texts that get cut; None where unknown.
    """

    call: Call
    choices: Choices
    parts: Split
    objectives: tuple[Settled, ...]
    texts: TrainingTexts
    truncated: float | None

    def estimate(self, machine: Machine, *, judged: bool = True) -> tuple[Workload, dict[str, Any]]:
        """Return what is computed, and the time and memory that takes; a trial is not *judged*."""
        base, choices = self.call.base, self.choices
        work = workload(choices, base, self.parts, self.texts, judged=judged)
        expected = estimate_part(choices, base, work, machine, self.parts, judged=judged)
        return work, {**expected, "evaluation_share": round(work.watching_share, 3)}

    def describe(self) -> list[dict[str, Any]]:
        """Return what is known of the data of each objective, as JSON carries it."""
        first, *others = [_describe(objective) for objective in self.objectives]
        return [{**first, **self.lengths()}, *others]

    def lengths(self) -> dict[str, Any]:
        """Return how long the training texts are and how many get cut."""
        return {
            "truncated_share": self.truncated,
            "token_percentiles": self.texts.profile.percentiles,
        }

    def advice(
        self,
        work: Workload,
        expected: Mapping[str, Any],
        machine: Machine,
        searched: Collection[str] = (),
    ) -> list[str]:
        """Return what is worth reading before the start, most important first.

        *searched* are the settings that vary, where this is the first trial of a sweep.
        """
        base, choices, (main, *further) = self.call.base, self.choices, self.objectives
        return [
            *advise(
                choices,
                base,
                self.parts,
                rows=len(main.rows),
                truncated=self.truncated,
                left_out=main.rows.left_out,
                searched=searched,
            ),
            *_advise_on_further(further, choices),
            *advise_on_sharing(self.objectives),
            *advise_on_instruction(choices, base, main.wanted.data),
            *advise_on_cost(choices, base, work, expected, machine.memory_bytes, searched),
        ]


class Reader:
    """Counts the tokens of training texts, those of the same texts once."""

    def __init__(self) -> None:
        self._read: dict[Any, TrainingTexts] = {}

    def texts(self, base: BaseSpec, objectives: Sequence[Settled], prompts: Any) -> TrainingTexts:
        """Return what *objectives* read with the tokenizer of *base*; see :class:`TrainingTexts`."""
        what = tuple((one.wanted.loss.name, len(one.rows.texts), len(one.rows)) for one in objectives)
        key = (base.id, what, str(prompts))
        if key not in self._read:
            self._read[key] = read_training_texts(base, [one.rows for one in objectives], prompts)
        return self._read[key]


def settle_run(call: Call, parts: Split | None = None, reader: Reader | None = None) -> Run:
    """Settle every setting of a run. Loads no torch.

    Parameters
    ----------
    call
        What is asked for.
    parts
        The split, where there is one already.
    reader
        What the texts of earlier calls are kept in.

    Raises
    ------
    EmbedtuneError
        If data, loss and settings do not fit each other.
    """
    base, (first, *others) = call.base, call.wanted
    choices = Choices(given_for(first, others, call.given), first.loss.name)
    choices.settings["loss"] = Setting(first.loss.name, first.source, first.reason)  # type: ignore[arg-type]
    rows_in_all, documents = _sizes(first.data)
    selection = choose_evaluation(
        choices, first.data.kind, rows=rows_in_all, documents=documents, searching=call.searching
    )
    choose_trained_part(choices, base, [one.data.kind for one in call.wanted])
    parts = call.split(selection=selection) if parts is None else parts
    prompts = choose_instruction(choices, base, first.data)
    main = settle(first, choices, parts, base)
    further = [
        settle_further(one, given_for(one, call.wanted, call.given), base, own)
        for one, own in zip(others, parts.further, strict=True)
    ]
    objectives = (main, *further)
    texts = (reader or Reader()).texts(base, objectives, prompts)
    choose_steps(choices, [len(one.rows) for one in objectives])
    lengths = read_once if is_adapter(choices) else choose_length
    truncated = lengths(choices, base, texts.profile)
    _choose_learning_rate(choices, base, first.data.kind)
    choices.take("learning_rate_scheduler", "weight_decay", "bf16", "micro_batch_size")
    choices.take("checkpoint_save_steps", "checkpoint_save_total_limit")
    _choose_neighbors(choices, first.data.kind, len(main.rows))
    if call.searching:
        choose_looks(choices, base, parts, texts)
    seed_source = "default" if call.seed == SEED else "user"
    reason = "of split, shuffling, new weights and verdict"
    choices.settings["seed"] = Setting(call.seed, seed_source, reason)  # type: ignore[arg-type]
    count_trained(choices, base)
    return Run(call, choices, parts, objectives, texts, truncated)


def _sizes(data: Any) -> tuple[int, int]:
    """Return the examples of *data*, judgements where it is retrieval data, and the documents searched."""
    if data.kind == RETRIEVAL:
        return len(data.frames["qrels"]), len(data.frames["corpus"])
    return len(data), len(data) if data.kind == PAIRS else 0


def _choose_learning_rate(choices: Choices, base: BaseSpec, kind: str) -> None:
    if "learning_rate" in choices.settings:
        return  # settled with what is trained
    if base.architecture == "static":
        rate = _STATIC_LEARNING_RATE.get(kind, _STATIC_LEARNING_RATE_OF_JUDGED_TEXTS)
        choices.infer("learning_rate", rate, "a table of word vectors needs bigger steps than an encoder")
    else:
        choices.take("learning_rate")


def _choose_neighbors(choices: Choices, kind: str, rows: int) -> None:
    if kind not in (LABELED, SCORED):
        _refuse_neighbor_settings(choices, kind)
        return
    choose_neighbor_count(choices, rows)
    choices.take("neighbor_weighting", "neighbor_eval_count", "neighbor_eval_pool_subsample")
    if choices["eval_method"] != "neighbor":
        why = f"eval_method={choices['eval_method']!r} asks no neighbours during training"
        choices.without_effect(why, "neighbor_eval_count", "neighbor_eval_pool_subsample")
    elif choices["eval_steps"] in ("end", "off"):
        why = "nothing is evaluated during training, and the verdict is taken from all texts"
        choices.without_effect(why, "neighbor_eval_count", "neighbor_eval_pool_subsample")


def _refuse_neighbor_settings(choices: Choices, kind: str) -> None:
    for key in _OF_NEIGHBORS:
        if key in choices.given:
            raise PlanError(
                f"{key} has no effect on {kind} data: nearest neighbours have nothing to vote on.",
                fix=f"leave {key} out.",
            )
        choices.settings[key] = Setting(
            None, "default", f"not used: neighbours have nothing to vote on in {kind} data"
        )


def _advise_on_further(further: Sequence[Settled], choices: Choices) -> list[str]:
    found = []
    for place, other in enumerate(further, 2):
        data, rows = other.wanted.data, other.rows
        told = advise_on_data(
            other.choices.loss, other.parts, len(rows), choices["batch_size"], rows.left_out
        )
        if data.instruction not in (None, choices["instruction"]):
            told.append(
                f"The collection's instruction {data.instruction!r} is not used: one model reads all texts "
                "the same way, that of the first objective."
            )
        found += [f"Objective {place} ({other.wanted}): {sentence}" for sentence in told]
    return found


def _describe(objective: Settled) -> dict[str, Any]:
    data, evaluation = objective.wanted.data, objective.wanted.evaluation
    report = dict(objective.parts.report)
    report.setdefault("eval_fingerprint", None if evaluation is None else evaluation.fingerprint)
    return {
        "kind": data.kind,
        "name": data.name,
        "rows": len(data),
        "training_rows": len(objective.rows),
        "fingerprint": data.fingerprint,
        "roles": {role: {"column": str(c.column), "reason": c.reason} for role, c in data.roles.items()},
        "dropped": [{"count": int(drop.count), "reason": drop.reason} for drop in data.dropped],
        "not_trained_on": list(objective.rows.left_out),
        "split": report,
    }
