"""Resolving: from a base model, data and a few wishes to a complete plan and the split it rests on."""

from __future__ import annotations

import numbers
from collections.abc import Mapping, Sequence
from typing import Any

from embedtune_nb.catalogue import BaseSpec, ensure_available
from embedtune_nb.data.split import Split
from embedtune_nb.errors import NotYetError, PlanError, did_you_mean
from embedtune_nb.plan.code import described, finetune_cell
from embedtune_nb.plan.machine import this_machine
from embedtune_nb.plan.objectives import wanted_objectives
from embedtune_nb.plan.plan import FurtherObjective, Plan
from embedtune_nb.plan.settle import SEED, Call, settle_run
from embedtune_nb.plan.sweep import resolve_sweep
from embedtune_nb.plan.wishes import check_hyperparams, check_trial_count
from embedtune_nb.store.names import check_name

EXECUTORS = ("process", "thread")
_LATER_EXECUTORS = ("torchrun", "ray")


def resolve(
    base: BaseSpec,
    data: Any,
    *,
    name: str,
    eval_datasource: Any = None,
    loss: str | Sequence[str] | None = None,
    hyperparams: Mapping[str, Any] | None = None,
    seed: int = SEED,
    executor: str = "process",
    trial_count: int = 1,
) -> tuple[Plan, Split]:
    """Settle every setting of a fine-tuning run or of a sweep. Loads no torch and starts nothing.

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
        None: the default of the kind of data, see ``DEFAULT_LOSS``. A sweep searches a list.
    hyperparams
        What should differ from the defaults; see ``HYPERPARAMS``. A sweep searches a tuple as a range and a
        list as choices.
    seed
        Of the split, shuffling, initial weights and the verdict.
    executor
        ``"process"`` or ``"thread"``.
    trial_count
        1 for a single run; more for a sweep of so many trials.

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
    trials = check_trial_count(trial_count)
    if trials > 1:
        return resolve_sweep(
            base,
            data,
            name=name,
            eval_datasource=eval_datasource,
            loss=loss,
            hyperparams=hyperparams,
            seed=int(seed),
            executor=executor,
            trial_count=trials,
        )
    wanted = wanted_objectives(data, _one_loss(loss), eval_datasource)
    given = check_hyperparams(hyperparams, loss=[one.loss.name for one in wanted])
    ensure_available(base)
    run = settle_run(Call(name, base, tuple(wanted), given, int(seed)))
    machine = this_machine()
    work, expected = run.estimate(machine)
    main, *others = run.describe()
    plan = Plan(
        name=name,
        base=base.to_dict(),
        data=main,
        settings=run.choices.settings,
        estimate=expected,
        executor=executor,
        advice=tuple(run.advice(work, expected, machine)),
        code=finetune_cell(
            base,
            name,
            described=[described(one.data) for one in wanted],
            losses=[loss] if len(wanted) == 1 else [one.loss.name for one in wanted],
            has_eval=[one.evaluation is not None for one in wanted],
            given=given,
            seed=int(seed),
            executor=executor,
        ),
        further=tuple(
            FurtherObjective(data, objective.choices.settings)
            for data, objective in zip(others, run.objectives[1:], strict=True)
        ),
    )
    return plan, run.parts


def _one_loss(loss: Any) -> str | None:
    if isinstance(loss, (list, tuple)):
        raise PlanError(
            f"loss={loss!r} is a list to search, and trial_count=1 tries one loss.",
            expected="a trial_count of at least as many as there are losses",
            fix="set trial_count, or name one loss.",
        )
    return loss


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
