"""Resolving a sweep: its space, its first trial, how it is carried out, and what that will take."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

from embedtune_nb.catalogue import BaseSpec, ensure_available, resolve_base
from embedtune_nb.data.split import Split
from embedtune_nb.errors import EmbedtuneError, LossError, PlanError
from embedtune_nb.plan.code import described, finetune_cell
from embedtune_nb.plan.conditions import STRUCTURE
from embedtune_nb.plan.dimension import Dimension
from embedtune_nb.plan.ground import Ground
from embedtune_nb.plan.losses import DEFAULT_LOSS, check_loss
from embedtune_nb.plan.machine import this_machine
from embedtune_nb.plan.objectives import Wanted, wanted_objectives
from embedtune_nb.plan.plan import FurtherObjective, Plan, Setting
from embedtune_nb.plan.settle import Reader, Run, settle_run
from embedtune_nb.plan.space import asked_space, automatic_space, choice_axis, combinations
from embedtune_nb.plan.sweep_advice import advise_on_sweep
from embedtune_nb.plan.sweep_estimate import estimate_sweep, trials_in_memory
from embedtune_nb.plan.sweep_hyperparams import BASE_MODEL
from embedtune_nb.plan.sweep_settings import sweep_settings
from embedtune_nb.plan.wishes import Range, Wishes, check_choices, read_wishes

# Trials drawn to estimate the mean.
_DRAWN = 8
# Ends and choices that are settled before the start; each takes some hundredths of a second.
_MOST_TRIED = 60
# Of the loss on held-out data: what changes the loss itself changes its scale.
_CHANGES_THE_LOSS = (
    "loss",
    "loss_scale",
    "margin",
    "contrastive_sigma",
    "hard_negatives",
    "false_negative_masking",
    "batch_size",
    "normalize_embeddings",
    BASE_MODEL,
    "adapter",
)
_OF_THE_FIRST = "that of the first trial, others have their own"
_WHAT = {"loss": "losses", BASE_MODEL: "base models", "adapter": "adapters", "lora_rank": "ranks"}


def resolve_sweep(
    base: BaseSpec,
    data: Any,
    *,
    name: str,
    eval_datasource: Any,
    loss: str | Sequence[str] | None,
    hyperparams: Mapping[str, Any] | None,
    seed: int,
    executor: str,
    trial_count: int,
) -> tuple[Plan, Split]:
    """Settle a sweep; parameters as for :func:`embedtune_nb.plan.resolve.resolve`.

    Returns
    -------
    (Plan, Split)
        The plan, of the kind ``"sweep"``, with the settings of the first trial and the space; the split
        that all trials share.

    Raises
    ------
    EmbedtuneError
        As for a single run, and for a space with an impossible trial.
    """
    wanted, losses = _wanted(data, loss, eval_datasource)
    wishes = read_wishes(hyperparams, losses=losses or [one.loss.name for one in wanted])
    _check_length(wishes)
    bases = _bases(wishes, base)
    for spec in bases.values() if bases else [base]:
        ensure_available(spec)
    structure = _structure(wanted[0], losses, bases, base, wishes)
    ground = Ground(name, base, bases, tuple(wanted), wishes.fixed, seed, tuple(structure.values()))
    reader = Reader()
    usual = settle_run(ground.call(ground.start), None, reader)
    parts = usual.parts
    passed_over: list[str] = []
    if wishes.searched or structure:
        whole = ground
        space = asked_space(
            wishes.searched,
            structure,
            bases,
            usual,
            lambda chosen: _tried(whole, {**whole.start, **chosen}, parts, reader),
        )
    else:
        space, passed_over = automatic_space(usual, wishes.fixed, trial_count)
    ground = replace(ground, space=space)
    _check_comparable(usual, space)
    first = settle_run(ground.call(ground.start), parts, reader)
    tried = [_tried(ground, values, parts, reader) for values in _corners(space)]
    likely = [first, *(settle_run(ground.call(values), parts, reader) for values in _drawn(space, seed))]
    machine = this_machine()
    trials = [run.estimate(machine, judged=False)[1] for run in likely]
    possible = combinations(space)
    own = sweep_settings(
        trial_count,
        possible,
        space,
        wishes.sweep,
        [run.choices for run in likely],
        executor,
        fitting=trials_in_memory(trials, machine),
    )
    plain = {key: setting.value for key, setting in own.items()}
    expected = estimate_sweep(likely, trials, plain, machine)
    work, _ = first.estimate(machine)
    named = [loss] if len(wanted) == 1 else [one.loss.name for one in wanted]
    has_eval = [one.evaluation is not None for one in wanted]
    main, *others = first.describe()
    plan = Plan(
        name=name,
        base=first.call.base.to_dict(),
        data=main,
        settings={**_settings(first, tried, ground), **own},
        estimate=expected,
        executor=executor,
        advice=(
            *advise_on_sweep(ground, plain["trial_count"], possible),
            *passed_over,
            *first.advice(work, expected, machine, [axis.name for axis in space]),
        ),
        code=finetune_cell(
            base,
            name,
            described=[described(one.data) for one in wanted],
            losses=named,
            has_eval=has_eval,
            given=_as_given(wishes, bases),
            seed=seed,
            executor=executor,
            trial_count=trial_count,
        ),
        kind="sweep",
        further=tuple(
            FurtherObjective(data, objective.choices.settings)
            for data, objective in zip(others, first.objectives[1:], strict=True)
        ),
        space=space,
        asked={
            "losses": named,
            "hyperparams": dict(wishes.fixed),
            "instructions": [one.data.instruction for one in wanted],
            "has_eval": has_eval,
            "bases": {key: spec.to_dict() for key, spec in bases.items()},
        },
    )
    return plan, parts


def _wanted(data: Any, loss: Any, eval_datasource: Any) -> tuple[list[Wanted], list[str]]:
    """Return the objectives, the first with one of the losses, and the losses to choose from, if any."""
    if isinstance(loss, tuple):
        raise LossError(
            f"loss={loss!r} is a tuple, which means a range of numbers.",
            expected="a list of losses",
            fix=f"write loss={list(loss)!r}.",
        )
    if not isinstance(loss, list):
        return wanted_objectives(data, loss, eval_datasource), []
    losses = check_choices("loss", loss)
    if None in losses:
        raise LossError(
            f"loss={loss!r} lists None among the losses to choose from.",
            expected="names of losses",
            fix="name the losses to be tried, or leave loss out for the default alone.",
        )
    wanted = wanted_objectives(data, losses[0], eval_datasource)
    for one in losses:
        check_loss(wanted[0].data.kind, one)
    return wanted, losses


def _bases(wishes: Wishes, base: BaseSpec) -> dict[str, BaseSpec]:
    if wishes.base_models is None:
        return {}
    specs = [resolve_base(getattr(named, "spec", named)) for named in wishes.base_models]
    if len(specs) == 1:
        raise PlanError(
            f"base_model=[{specs[0].id!r}] leaves nothing to choose.",
            expected="a list of at least two base models",
            fix=f"add others, or call finetune on {specs[0].id} and leave base_model out.",
        )
    check_choices(BASE_MODEL, [spec.id for spec in specs])
    return {spec.id: base if spec.id == base.id else spec for spec in specs}


def _structure(
    first: Wanted, losses: list[str], bases: Mapping[str, BaseSpec], base: BaseSpec, wishes: Wishes
) -> dict[str, Dimension]:
    """Return the searched choices that others depend on, in their order of dependence."""
    listed: dict[str, tuple[list[Any], Any]] = {
        key: (choices, None)
        for key in STRUCTURE
        if isinstance(choices := wishes.searched.get(key, Range(0, 0)), list)
    }
    if losses:
        listed["loss"] = (losses, DEFAULT_LOSS[first.data.kind])
    if bases:
        listed[BASE_MODEL] = (list(bases), base.id)
    return {key: choice_axis(key, *listed[key], _WHAT[key]) for key in STRUCTURE if key in listed}


def _check_length(wishes: Wishes) -> None:
    if "epochs" in wishes.searched and "max_steps" in wishes.fixed:
        raise PlanError(
            "epochs is searched, but has no effect beside max_steps, which decides.",
            expected="one of the two",
            fix="leave max_steps or epochs out.",
        )


def _check_comparable(run: Run, space: Sequence[Dimension]) -> None:
    changing = [axis.name for axis in space if axis.name in _CHANGES_THE_LOSS]
    if run.choices["eval_method"] == "loss" and changing:
        raise PlanError(
            f"eval_method='loss' cannot compare trials that differ in {changing[0]}, which changes what the "
            "loss itself measures.",
            expected="an evaluation that is the same for all trials",
            fix=f"leave eval_method out, or fix {' and '.join(changing)}.",
        )
    if run.parts.selection is None or not len(run.parts.selection):
        raise PlanError(
            f"A sweep of {len(run.parts.train)} training rows has nothing held out to choose by.",
            expected="a part that selects, beside the verdict",
            fix="bring more rows, or pass eval_datasource so that fewer are held out.",
        )


def _corners(space: Sequence[Dimension]) -> Iterator[dict[str, Any]]:
    """Yield every combination of the structure, and every end and choice of the other dimensions.

    Where these are very many, ends and choices are yielded beside the first combination that has an effect
    on them only; what is impossible elsewhere fails as a trial.
    """
    starts = {axis.name: axis.start for axis in space}
    structure = [axis for axis in space if axis.name in STRUCTURE and axis.kind == "choice"]
    others = [axis for axis in space if axis not in structure]
    chosen = [
        {**starts, **dict(zip((axis.name for axis in structure), choices, strict=True))}
        for choices in product(*(axis.choices for axis in structure))
    ]
    yield from chosen
    ends = {axis.name: axis.choices if axis.kind == "choice" else (axis.low, axis.high) for axis in others}
    few = len(chosen) * sum(map(len, ends.values())) <= _MOST_TRIED
    for axis in others:
        beside = [values for values in chosen if axis.applies(values)]
        for values in beside if few else beside[:1]:
            for end in ends[axis.name]:
                yield {**values, axis.name: end}


def _tried(ground: Ground, values: Mapping[str, Any], parts: Split, reader: Reader) -> Run:
    try:
        return settle_run(ground.call(values), parts, reader)
    except EmbedtuneError as cause:
        shown = ", ".join(f"{key}={value!r}" for key, value in ground.applied(values).items())
        raise PlanError(
            f"A trial with {shown} is impossible: {cause.found}",
            expected=cause.expected,
            fix=cause.fix or "leave that value out of the search.",
        ) from cause


def _drawn(space: Sequence[Dimension], seed: int) -> Iterator[dict[str, Any]]:
    """Yield trials drawn at random, as the estimate needs them."""
    generator = random.Random(seed)
    for _ in range(_DRAWN):
        yield {axis.name: axis.drawn(generator.random()) for axis in space}


def _settings(first: Run, tried: Sequence[Run], ground: Ground) -> dict[str, Setting]:
    """Return the settings of the first trial; what is searched says where, what follows says from what."""
    found = dict(first.choices.settings)
    for name, setting in found.items():
        if any(name not in run.choices.settings or run.choices[name] != setting.value for run in tried):
            found[name] = replace(setting, reason=f"{setting.reason}; {_OF_THE_FIRST}")
    start = ground.start
    for axis in ground.space:
        value = found[axis.name].value if axis.name in found else start.get(axis.name)
        found[axis.name] = Setting(value, "searched", f"{axis.extent()}; {axis.reason}")
    return found


def _as_given(wishes: Wishes, bases: Mapping[str, BaseSpec]) -> dict[str, Any]:
    """Return the hyperparameters as a user would write them."""
    searched = {
        key: (wish.low, wish.high) if isinstance(wish, Range) else wish
        for key, wish in wishes.searched.items()
    }
    return {**({BASE_MODEL: list(bases)} if bases else {}), **searched, **wishes.fixed, **wishes.sweep}
