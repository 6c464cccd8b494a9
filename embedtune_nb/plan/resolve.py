"""Resolving: from a base model, data and a few wishes to a complete plan and the split it rests on."""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from embedtune_nb.catalogue import BaseSpec, ensure_available
from embedtune_nb.data.datasource import Datasource
from embedtune_nb.data.kinds import LABELED, PAIRS, RETRIEVAL, SCORED
from embedtune_nb.data.split import Split, split
from embedtune_nb.errors import NotYetError, PlanError, did_you_mean
from embedtune_nb.plan.advice import advise, advise_on_cost, advise_on_data
from embedtune_nb.plan.choices import Choices
from embedtune_nb.plan.code import finetune_cell
from embedtune_nb.plan.estimate import Workload
from embedtune_nb.plan.hyperparams import check_hyperparams
from embedtune_nb.plan.instruction import advise_on_instruction, choose_instruction
from embedtune_nb.plan.machine import this_machine
from embedtune_nb.plan.objectives import (
    Settled,
    advise_on_sharing,
    choose_neighbor_count,
    given_for,
    settle,
    settle_further,
    wanted_objectives,
)
from embedtune_nb.plan.plan import FurtherObjective, Plan, Setting
from embedtune_nb.plan.schedule import choose_evaluation, choose_steps
from embedtune_nb.plan.texts import TrainingTexts, choose_length, read_training_texts
from embedtune_nb.plan.trained_part import (
    choose_trained_part,
    count_trained,
    estimate_part,
    is_adapter,
    read_once,
)
from embedtune_nb.store.names import check_name

SEED = 42
EXECUTORS = ("process", "thread")
_OF_NEIGHBORS = (
    "neighbor_count",
    "neighbor_weighting",
    "neighbor_eval_count",
    "neighbor_eval_pool_subsample",
)
_LATER_EXECUTORS = ("torchrun", "ray")
# Tried with wordllama on held-out training rows, 1e-3 to 1e-1: accuracy on questions of six classes rose by
# 0.01, 0.07, 0.16, 0.17, the error of readability scores fell by 0.01 to 0.08. NDCG@10 of a retrieval set, at
# 1e-2, 3e-2, 1e-1, 2e-1, rose by 0.00, 0.02, -0.01, -0.11 where held-out queries share no document with
# training, and by 0.08, 0.13, 0.14, 0.08 where they do (one seed). Judged pairs like 1e-2 best.
_STATIC_LEARNING_RATE = {LABELED: 5e-2, SCORED: 5e-2, PAIRS: 3e-2, RETRIEVAL: 3e-2}
_STATIC_LEARNING_RATE_OF_JUDGED_TEXTS = 1e-2


def resolve(
    base: BaseSpec,
    data: Any,
    *,
    name: str,
    eval_datasource: Any = None,
    loss: str | None = None,
    hyperparams: Mapping[str, Any] | None = None,
    seed: int = SEED,
    executor: str = "process",
    trial_count: int = 1,
) -> tuple[Plan, Split]:
    """Settle every setting of a fine-tuning run. Loads no torch and starts nothing.

    Parameters
    ----------
    base
        The model to start from.
    data
        A Datasource, or anything with ``to_datasource()``; or a list of pairs of such data and its loss,
        ``[(data, "contrastive"), (more, "cosent")]``, of which the first selects and decides.
    name
        Name of the model to be made.
    eval_datasource
        The data of the verdict, of the same kind as *data*; None holds a part of *data* out. With several
        objectives that of the first, or a list.
    loss
        None: the default of the kind of data, see ``DEFAULT_LOSS``.
    hyperparams
        What should differ from the defaults; see ``HYPERPARAMS``.
    seed
        Of the split, shuffling, initial weights and the verdict.
    executor
        ``"process"`` or ``"thread"``.
    trial_count
        1; sweeps are not part of this version.

    Returns
    -------
    (Plan, Split)
        What the worker will do, and the parts of the data it will do it with.

    Raises
    ------
    EmbedtuneError
        Everything that would make the run fail later: a name, a setting, data that does not fit the
        loss, a base model that cannot be had.
    """
    name = check_name(name)
    check_executor(executor)
    if isinstance(seed, bool) or not isinstance(seed, numbers.Integral) or not 0 <= seed < 2**32:
        raise PlanError(f"seed is {seed!r}.", expected="a whole number from 0", fix="give such a number.")
    wanted = wanted_objectives(data, loss, eval_datasource)
    first, *others = wanted
    names = [one.loss.name for one in wanted]
    given = check_hyperparams(hyperparams, loss=names, trial_count=trial_count)
    ensure_available(base)

    choices = Choices(given_for(first, others, given), first.loss.name)
    choices.settings["loss"] = Setting(first.loss.name, first.source, first.reason)
    rows_in_all, documents = _sizes(first.data)
    selection = choose_evaluation(choices, first.data.kind, rows=rows_in_all, documents=documents)
    choose_trained_part(choices, base, [one.data.kind for one in wanted])
    parts = split(first.data, seed=int(seed), selection=selection, eval_datasource=first.evaluation)
    prompts = choose_instruction(choices, base, first.data)
    main = settle(first, choices, parts, base)
    further = [settle_further(one, given_for(one, wanted, given), base, int(seed)) for one in others]
    parts = replace(parts, further=tuple(other.parts for other in further))
    tables = [main.rows, *(other.rows for other in further)]
    texts = read_training_texts(base, tables, prompts)
    choose_steps(choices, [len(table) for table in tables])
    lengths = read_once if is_adapter(choices) else choose_length
    truncated = lengths(choices, base, texts.profile)
    _choose_learning_rate(choices, base, first.data.kind)
    choices.take("learning_rate_scheduler", "weight_decay", "bf16", "micro_batch_size")
    choices.take("checkpoint_save_steps", "checkpoint_save_total_limit")
    _choose_neighbors(choices, first.data.kind, len(main.rows))
    seed_source = "default" if seed == SEED else "user"
    choices.settings["seed"] = Setting(int(seed), seed_source, "of split, shuffling, new weights and verdict")
    count_trained(choices, base)

    work, machine = _workload(choices, base, parts, texts), this_machine()
    expected = estimate_part(choices, base, work, machine, parts)
    expected["evaluation_share"] = round(work.watching_share, 3)
    plan = Plan(
        name=name,
        base=base.to_dict(),
        data={
            **_describe(main),
            "truncated_share": truncated,
            "token_percentiles": texts.profile.percentiles,
        },
        settings=choices.settings,
        estimate=expected,
        executor=executor,
        advice=(
            *advise(
                choices,
                base,
                parts,
                rows=len(main.rows),
                truncated=truncated,
                left_out=main.rows.left_out,
            ),
            *_advise_on_further(further, choices),
            *advise_on_sharing([main, *further]),
            *advise_on_instruction(choices, base, first.data),
            *advise_on_cost(choices, base, work, expected, machine.memory_bytes),
        ),
        code=finetune_cell(
            base,
            name,
            described=[_described(one.data) for one in wanted],
            losses=[loss] if len(wanted) == 1 else names,
            has_eval=[one.evaluation is not None for one in wanted],
            given=given,
            seed=int(seed),
            executor=executor,
        ),
        further=tuple(FurtherObjective(_describe(other), other.choices.settings) for other in further),
    )
    return plan, parts


def _sizes(data: Any) -> tuple[int, int]:
    """Return the examples of *data*, judgements where it is retrieval data, and the documents searched."""
    if data.kind == RETRIEVAL:
        return len(data.frames["qrels"]), len(data.frames["corpus"])
    return len(data), len(data) if data.kind == PAIRS else 0


def check_executor(executor: str) -> None:
    """Refuse an executor that this version does not have."""
    if executor in _LATER_EXECUTORS:
        raise NotYetError(
            f"The executor {executor!r} is not part of this version yet.",
            expected=" or ".join(repr(known) for known in EXECUTORS),
            fix="leave executor out: 'process' survives a kernel restart.",
        )
    if executor not in EXECUTORS:
        raise PlanError(
            f"There is no executor {executor!r}.",
            expected=" or ".join(repr(known) for known in EXECUTORS),
            fix=f"{did_you_mean(str(executor), EXECUTORS)}Leave executor out for 'process'.",
        )


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


def _described(data: Datasource) -> str:
    return f"{data.name or data.kind}: {len(data):,} {data.kind} rows"


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


def _workload(choices: Choices, base: BaseSpec, parts: Split, texts: TrainingTexts) -> Workload:
    mean_characters = max(texts.characters / (texts.rows * texts.texts_per_row), 1.0)
    # Verdicts are taken before and after; labels are searched among the training texts.
    passes = 0
    for judged in (parts, *parts.further):
        passes += 2 * _characters(judged.verdict)
        if judged.train.kind in (LABELED, SCORED):
            passes += 2 * _characters(judged.train)
    if choices.settings.get("false_negative_masking") and choices["false_negative_masking"]:
        passes += texts.characters
    watching = 0.0
    if parts.selection is not None and not is_adapter(choices):  # whose vectors are kept
        # the loss is computed beside what the method needs; of a search it is the smaller part
        passes_of_loss = choices["eval_method"] not in ("loss", "retrieval")
        watching = _evaluations(choices) * _characters(parts.selection) * (1 + passes_of_loss)
        if choices["eval_method"] == "neighbor":
            watching += _evaluations(choices) * _characters(parts.train)
    return Workload(
        steps=choices["steps_total"],
        texts_per_step=round(choices["batch_size"] * texts.texts_per_row),
        mean_tokens=texts.mean_tokens(choices["max_seq_length"]),
        eval_texts=(passes + watching) / mean_characters,
        # evaluations keep the model's own limit
        eval_mean_tokens=texts.mean_tokens(base.max_length),
        watching_texts=watching / mean_characters,
    )


def _evaluations(choices: Choices) -> int:
    every = choices["eval_steps"]
    return choices["epochs"] if every == "epoch" else math.ceil(choices["steps_total"] / every)


def _characters(part: Any) -> int:
    return sum(len(text) for text in part.texts())
