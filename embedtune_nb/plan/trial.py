"""The plan of one trial of a sweep, settled by the same rules as that of a single run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from embedtune_nb.catalogue import BaseSpec
from embedtune_nb.data.datasource import Datasource
from embedtune_nb.data.split import Split
from embedtune_nb.plan.choices import ASKED
from embedtune_nb.plan.code import finetune_cell
from embedtune_nb.plan.ground import Ground
from embedtune_nb.plan.losses import LOSSES
from embedtune_nb.plan.machine import this_machine
from embedtune_nb.plan.objectives import Wanted
from embedtune_nb.plan.plan import FurtherObjective, Plan, Setting
from embedtune_nb.plan.schedule import eval_methods
from embedtune_nb.plan.settle import Reader, Run, settle_run
from embedtune_nb.store.names import LONGEST_NAME

CHOSEN = "the sweep chose it"
_AGAIN = "-repeat"


def plan_of_trial(
    sweep: Plan,
    split: Split,
    values: Mapping[str, Any],
    *,
    seed: int | None = None,
    reader: Reader | None = None,
) -> Plan:
    """Settle the trial of *sweep* that tries *values*. Loads no torch and splits nothing.

    Parameters
    ----------
    sweep
        The plan of the sweep.
    split
        Its split, as the job folder keeps it.
    values
        What the trial tries, by dimension. Those without an effect beside the others are passed over.
    seed
        Of shuffling and new weights; None for the sweep's own.
    reader
        Keeps what was counted for earlier trials.

    Returns
    -------
    Plan
        Of the kind ``"finetune"``, under the name of the sweep. Its code repeats the trial as a single
        run.

    Raises
    ------
    PlanError
        If these values are impossible together.
    """
    ground = ground_of(sweep, split)
    run = settle_run(ground.call(values, seed), split, reader)
    _, expected = run.estimate(this_machine(), judged=False)
    main, *others = run.describe()
    return Plan(
        name=sweep.name,
        base=run.call.base.to_dict(),
        data={**sweep.data, **{key: main[key] for key in _OF_TRIAL}},
        settings=_settings(run, ground, values, sweep["seed"]),
        estimate=expected,
        executor=sweep.executor,
        code=_cell(sweep, run, ground),
        further=tuple(
            FurtherObjective(
                {**theirs.data, "training_rows": own["training_rows"]}, objective.choices.settings
            )
            for theirs, own, objective in zip(sweep.further, others, run.objectives[1:], strict=True)
        ),
    )


# What a trial's own loss, base model and lengths decide; all else about the data is the sweep's.
_OF_TRIAL = ("training_rows", "not_trained_on", "truncated_share", "token_percentiles")


def ground_of(sweep: Plan, split: Split) -> Ground:
    """Return what all trials of *sweep* share, as it was when the sweep was settled."""
    asked = sweep.asked
    described = [sweep.data, *(other.data for other in sweep.further)]
    settings = [sweep.settings, *(other.settings for other in sweep.further)]
    wanted = []
    for data, own, parts, instruction, loss in zip(
        described, settings, (split, *split.further), asked["instructions"], asked["losses"], strict=True
    ):
        train = Datasource(
            parts.train.kind,
            parts.train.frames,
            name=data["name"],
            roles=parts.train.roles,
            instruction=instruction,
        )
        chosen = LOSSES[own["loss"].value]
        source = "default" if loss is None else "user"
        wanted.append(Wanted(train, None, chosen, source, own["loss"].reason))
    return Ground(
        sweep.name,
        BaseSpec.from_dict(dict(sweep.base)),
        {name: BaseSpec.from_dict(facts) for name, facts in asked["bases"].items()},
        tuple(wanted),
        asked["hyperparams"],
        sweep["seed"],
        sweep.space,
    )


def _settings(run: Run, ground: Ground, values: Mapping[str, Any], seed: int) -> dict[str, Setting]:
    found, applied = dict(run.choices.settings), ground.applied(values)
    for axis in ground.space:
        setting = found.get(axis.name)
        if setting is None or axis.name not in applied:
            continue
        extent = f"{CHOSEN} from {axis.extent()}"
        told = setting.reason.replace(ASKED, extent) if ASKED in setting.reason else setting.reason
        found[axis.name] = replace(setting, source="searched", reason=extent if axis.name == "loss" else told)
    own = run.call.seed
    reason = "of shuffling, new weights and verdict; " + (
        "also that of the split" if own == seed else f"the split is that of the sweep, of seed {seed}"
    )
    source = found["seed"].source
    found["seed"] = Setting(own, source if own == seed else "inferred", reason)
    return found


def _cell(sweep: Plan, run: Run, ground: Ground) -> str:
    """Return the cell of a single run that repeats the trial: what a sweep sets by itself is written out."""
    choices, asked = run.choices, sweep.asked
    given = dict(run.call.given)
    kind = run.parts.train.kind
    if choices["eval_method"] != eval_methods(kind, choices.loss)[0]:
        given["eval_method"] = choices["eval_method"]
    given["eval_steps"] = choices["eval_steps"]
    if "max_steps" not in given:
        given["epochs"] = choices["epochs"]
    losses = list(asked["losses"])
    if "loss" in {axis.name for axis in ground.space}:
        losses[0] = choices.loss
    note = ""
    if run.call.seed != sweep["seed"]:
        note = (
            f"A single run splits its data by its seed: with seed={run.call.seed} it trains on other rows "
            f"than this trial, which kept the split of seed {sweep['seed']}."
        )
    data = [sweep.data, *(other.data for other in sweep.further)]
    return finetune_cell(
        run.call.base,
        sweep.name[: LONGEST_NAME - len(_AGAIN)] + _AGAIN,
        described=[f"{one['name'] or one['kind']}: {one['rows']:,} {one['kind']} rows" for one in data],
        losses=losses,
        has_eval=asked["has_eval"],
        given=given,
        seed=run.call.seed,
        executor=sweep.executor,
        note=note,
    )
