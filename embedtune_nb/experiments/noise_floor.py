"""How much the seed alone moves the figures: below that, a difference between two runs is a tie."""

from __future__ import annotations

import json
import math
import numbers
from collections.abc import Sequence
from dataclasses import dataclass, replace
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from embedtune_nb.data.split import Split
from embedtune_nb.errors import DataError, PlanError
from embedtune_nb.evaluation.comparison import CONFIDENCE
from embedtune_nb.evaluation.metrics import directed_name
from embedtune_nb.experiments.repeats import Repeat, carry_out, evaluations_of
from embedtune_nb.latebound import late
from embedtune_nb.models.finetuned import FinetunedEmbeddingModel
from embedtune_nb.plan.plan import Plan, Setting

if TYPE_CHECKING:
    import altair as alt

_RECORD = "noise_floor.json"
#: Of two runs, Student's t is 12.7: a band that calls everything a tie.
RUNS_TO_RANK = 3


@dataclass(frozen=True, repr=False)
class NoiseFloor:
    """One recipe trained with several seeds on the same data, judged on the same held-out rows.

    Attributes
    ----------
    model
        Name of the model whose recipe it is.
    primary
        The metric that decides.
    runs
        One row a run: `seed`, `name` and a column for each metric.
    """

    model: str
    primary: str
    runs: pd.DataFrame

    @property
    def bands(self) -> dict[str, float]:
        """By metric: how far two runs may differ and still be a tie; see :meth:`to_frame`."""
        frame = self.to_frame()
        return dict(zip(frame["metric"], frame["band"], strict=True))

    @property
    def band(self) -> float:
        """How far two runs may differ in the deciding metric and still be a tie."""
        return self.bands[self.primary]

    def is_tie(self, first: float, second: float, metric: str | None = None) -> bool:
        """Tell whether two values lie so near that the seed alone explains it."""
        metric = metric or self.primary
        if metric not in self.bands:
            raise DataError(
                f"No noise of {metric!r} was measured.", expected="one of " + ", ".join(self.bands)
            )
        return abs(first - second) <= self.bands[metric]

    def to_frame(self) -> pd.DataFrame:
        """Return one row a metric, the deciding one first.

        Returns
        -------
        DataFrame
            `metric`, `mean`, `spread` (standard deviation over seeds, ddof 1), `band`, `lowest`, `highest`,
            `runs`. The band is ``t * spread * sqrt(2)`` with Student's t for 95 % and one degree of freedom
            less than runs: the interval of the difference of two more runs that differ in nothing but their
            seed. With 3 runs t is 4.3, so a few more runs narrow it much.
        """
        names = [name for name in self.runs.columns if name not in ("seed", "name")]
        values = self.runs[names]
        spread = values.std(ddof=1).to_numpy()
        frame = pd.DataFrame(
            {
                "metric": names,
                "mean": values.mean().to_numpy(),
                "spread": spread,
                "band": tie_factor(len(self.runs)) * spread,
                "lowest": values.min().to_numpy(),
                "highest": values.max().to_numpy(),
                "runs": len(self.runs),
            }
        )
        return frame.sort_values(
            "metric", key=lambda names: names != self.primary, kind="stable", ignore_index=True
        )

    def chart(self) -> alt.Chart:
        """Return a chart of every run's deciding metric, with mean and spread."""
        return late("noise_chart")(
            self.runs.assign(value=self.runs[self.primary]), title=directed_name(self.primary), band=self.band
        )

    def __repr__(self) -> str:
        row = self.to_frame().iloc[0]
        few = f" {len(self.runs)} seeds hardly tell: 3 give a first idea, 5 a usable band."
        return (
            f"{self.model}: {directed_name(self.primary)} {row['mean']:.3f} over {len(self.runs)} seeds, "
            f"standard deviation {row['spread']:.4f}; two runs that differ by no more than {row['band']:.3f} "
            f"are a tie.{few if len(self.runs) < RUNS_TO_RANK else ''}"
        )

    def _repr_html_(self) -> str:
        return (
            f"<p>{escape(repr(self))}</p>{self.to_frame().to_html(index=False, float_format='{:.4f}'.format)}"
        )


def tie_factor(runs: int) -> float:
    """Return how many standard deviations, estimated from *runs* runs, two more runs differ at 95 %."""
    from scipy.stats import t

    return float(t.ppf((1 + CONFIDENCE) / 2, runs - 1)) * math.sqrt(2)


def noise_floor(
    model: FinetunedEmbeddingModel,
    seeds: int | Sequence[int] = 3,
    *,
    if_exists: str = "open",
    executor: str | None = None,
    keep_models: bool = False,
) -> NoiseFloor:
    """Train the recipe of *model* again with other seeds; see :meth:`FinetunedEmbeddingModel.noise_floor`."""
    wanted = _seeds(seeds, model.recipe["seed"])
    if model.merged is not None:
        tuned = model.merged["from"]
        raise PlanError(
            f"{model.name!r} was merged from {tuned!r} and its base, so its recipe trains other models.",
            expected="a model that a training made",
            fix=f"measure that one: et.FinetunedEmbeddingModel.open({tuned!r}).noise_floor().",
        )
    folder = model.job.folder
    if not (folder.data / "split.json").is_file() or not (folder.path / "evaluation" / "after").is_dir():
        raise DataError(
            f"The data that {model.name!r} was trained on is no longer kept with its job.",
            fix="train it again under another name, and ask that one.",
        )
    split = Split.read(folder.data)
    repeats = [
        Repeat(
            _with_seed(model.recipe, seed, executor or model.recipe.executor), split, same_base_as=model.name
        )
        for seed in wanted[1:]
    ]
    keep = [repeat.plan.name for repeat in repeats] if keep_models else []
    jobs = carry_out(repeats, what="noise floor", if_exists=if_exists, keep=keep)
    rows = []
    for seed, job in zip(wanted, [model.job, *jobs], strict=True):
        _, after = evaluations_of(job)
        rows.append({"seed": seed, "name": job.name, **after.metrics})
    floor = NoiseFloor(model.name, model.verdict.metric, pd.DataFrame(rows))
    _record(model, floor)
    return floor


def recorded_floor(model: FinetunedEmbeddingModel) -> NoiseFloor | None:
    """Return the noise floor of *model* as it was last measured, None if it never was."""
    try:
        facts = json.loads((model.job.folder.path / _RECORD).read_text())
    except (OSError, ValueError):
        return None
    return NoiseFloor(facts["model"], facts["primary"], pd.DataFrame(facts["runs"]))


def _record(model: FinetunedEmbeddingModel, floor: NoiseFloor) -> None:
    facts = {"model": floor.model, "primary": floor.primary, "runs": floor.runs.to_dict("records")}
    (model.job.folder.path / _RECORD).write_text(json.dumps(facts))


def _seeds(seeds: Any, own: int) -> list[int]:
    """Return the seeds of all runs, the model's own first."""

    def whole(value: Any) -> bool:
        return isinstance(value, numbers.Integral) and not isinstance(value, bool)

    if whole(seeds):
        wanted = [own + place for place in range(int(seeds))]
    elif isinstance(seeds, Sequence) and not isinstance(seeds, str) and all(map(whole, seeds)):
        wanted = list(dict.fromkeys([own, *map(int, seeds)]))
    else:
        raise PlanError(f"seeds is {seeds!r}.", expected="how many runs in all, or a list of seeds")
    if len(wanted) < 2 or not all(0 <= seed < 2**32 for seed in wanted):
        raise PlanError(
            f"seeds is {seeds!r}.",
            expected="at least 2 runs, the model's own among them; seeds from 0",
            fix="3 give a first idea, 5 a usable band.",
        )
    return wanted


def _with_seed(recipe: Plan, seed: int, executor: str) -> Plan:
    setting = Setting(seed, "user", "one of several, to see how much it matters")
    return replace(
        recipe,
        name=f"{recipe.name}-seed-{seed}",
        settings={**recipe.settings, "seed": setting},
        executor=executor,
        kind="finetune",  # that of a published trial is another job's
    )


def spread_of(values: Sequence[float]) -> tuple[float, float | None]:
    """Return the mean of *values* and the half width of its 95 % t interval, None for one value."""
    from scipy.stats import t

    if len(values) < 2:
        return float(np.mean(values)), None
    error = float(np.std(values, ddof=1)) / math.sqrt(len(values))
    return float(np.mean(values)), float(t.ppf((1 + CONFIDENCE) / 2, len(values) - 1)) * error
