"""Merging a tuned model with its base, seen from a notebook: the curve over weights, and a merged model."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from embedtune_nb.data.datasource import Datasource
from embedtune_nb.data.kinds import RETRIEVAL
from embedtune_nb.data.split import Split
from embedtune_nb.errors import AlreadyExistsError, DataError, JobFailedError, PlanError
from embedtune_nb.evaluation.metrics import directed_name
from embedtune_nb.jobs.job import Job, submit
from embedtune_nb.latebound import late
from embedtune_nb.models.record import find_record
from embedtune_nb.plan.plan import Setting
from embedtune_nb.plan.resolve import check_executor
from embedtune_nb.store.job_folder import create
from embedtune_nb.store.names import check_name

if TYPE_CHECKING:
    from embedtune_nb.models.finetuned import FinetunedEmbeddingModel

#: Shares of the tuned weights that a curve tries: the base, nine models between, the tuned one.
WEIGHTS = tuple(round(0.1 * step, 1) for step in range(11))
_SEED = 0


class MergeCurve:
    """What a tuned model keeps of its gain, and of general neighbours, the nearer it is moved to its base.

    Parameters
    ----------
    frame
        One row a weight: ``weight`` (0 is the base, 1 the tuned model), ``score`` of the deciding metric,
        how far it is ``behind`` the best and the ``standard_error`` of that, ``topics``,
        ``neighbors_kept`` and ``drift`` of the general probe (see
        :class:`embedtune_nb.evaluation.forgetting.Forgetting`), ``topics_behind`` and ``topics_error`` among
        the weights that are close to the best, and ``suggested``.
    model
        Name of the tuned model.
    metric
        The deciding metric.
    scored_on
        What the scores rest on, in words.
    """

    def __init__(self, frame: pd.DataFrame, *, model: str, metric: str, scored_on: str) -> None:
        self._frame, self.model, self.metric, self.scored_on = frame, model, metric, scored_on

    @property
    def suggested(self) -> float:
        """The best weight among those which forgot least, of all at most one standard error behind the best.

        Forgot least: neighbours of the same topic in the general probe, again within one standard error.
        The base, where it is within one standard error of the best itself.
        """
        return float(self._frame.loc[self._frame["suggested"], "weight"].iloc[0])

    @property
    def text(self) -> str:
        """The suggestion as sentences."""
        frame = self._frame.set_index("weight")
        base, taken, tuned = (frame.loc[place] for place in (0.0, self.suggested, 1.0))
        name = directed_name(self.metric)
        if self.suggested in (0.0, 1.0):
            which = (
                "the base itself is as good within one standard error: there is nothing to keep"
                if self.suggested == 0.0
                else "no step towards the base gives back anything that was forgotten without costing more "
                "than one standard error: keep the tuned model"
            )
            return (
                f"Suggested weight {self.suggested:g}: {which} ({name} {base['score']:.3f} base, "
                f"{tuned['score']:.3f} tuned). Scored on {self.scored_on}."
            )
        return (
            f"Suggested weight {self.suggested:g}: {name} {taken['score']:.3f} (base {base['score']:.3f}, "
            f"tuned {tuned['score']:.3f}), neighbours kept {taken['neighbors_kept']:.0%} instead of "
            f"{tuned['neighbors_kept']:.0%}, neighbours of the same topic {taken['topics']:.3f} (base "
            f"{base['topics']:.3f}, tuned {tuned['topics']:.3f}). Scored on {self.scored_on}."
        )

    def to_frame(self) -> pd.DataFrame:
        """Return one row a weight; see the class for the columns."""
        return self._frame.copy()

    def chart(self) -> Any:
        """Draw the deciding metric and what the general probe kept over the weights (Altair)."""
        return late("merge_chart")(self._frame, directed_name(self.metric))

    def publish(self, weight: float | None = None, *, name: str | None = None, **options: Any) -> Any:
        """Publish the merged model of *weight*, by default the suggested one.

        Other parameters as for :meth:`FinetunedEmbeddingModel.merge_with_base`.

        Raises
        ------
        PlanError
            If the suggested weight is that of the base or of the tuned model, which are there already.
        """
        if weight is None and self.suggested in (0.0, 1.0):
            end = "the base" if self.suggested == 0.0 else f"{self.model!r} itself"
            raise PlanError(
                f"The suggested weight is {self.suggested:g}: that is {end}, and nothing is to be merged.",
                expected="a weight between 0 and 1",
                fix="use that model, or name another weight, such as publish(0.5).",
            )
        opened = late("open_model")(self.model)
        return opened.merge_with_base(self.suggested if weight is None else weight, name=name, **options)

    def __repr__(self) -> str:
        return f"MergeCurve of {self.model!r}. {self.text}\n{self._frame.round(3).to_string(index=False)}"

    def _repr_html_(self) -> str:
        picture = late("svg")(self.chart())
        table = self._frame.round(3).to_html(index=False, border=0)
        return f"<div><b>{html.escape(self.model)}</b> {html.escape(self.text)}<br>{picture}{table}</div>"


def merge_job(
    model: FinetunedEmbeddingModel,
    weight: float | None,
    *,
    name: str | None,
    weights: Sequence[float],
    executor: str,
) -> Job:
    """Start the job that draws the curve over *weights*, or publishes the model of *weight*.

    Raises
    ------
    PlanError
        If a weight is no number from 0 to 1, or the model is one that cannot be merged.
    AlreadyExistsError
        If *name* is taken.
    DataError
        If the run's data is no longer there to score on.
    """
    check_executor(executor)
    recipe = model.recipe
    if recipe.settings.get("adapter") and recipe["adapter"]:
        raise PlanError(
            f"{model.name!r} is its untouched base with an adapter on top.",
            expected="a model tuned as a whole or with LoRA",
            fix="use the base beside it: there is nothing to merge.",
        )
    if weight is None and name is not None:
        raise PlanError(
            f"name={name!r} was given without a weight.",
            fix="give the weight of the model to publish, or leave the name out for the curve.",
        )
    split = _parts(model)
    tried = [] if weight is not None else _checked_weights(weights)
    if weight is not None:
        weight = _checked(weight)
        name = check_name(name or f"{model.name}-merged-{weight:g}")
        if find_record(name) is not None:
            raise AlreadyExistsError(
                f"The name {name!r} is taken.", fix="give another name, or drop that model first."
            )
        code = f"et.FinetunedEmbeddingModel.open({model.name!r}).merge_with_base({weight:g}, name={name!r})"
        share = Setting(weight, "user", f"share of the weights of {model.name}; the rest are the base's")
        recipe = replace(recipe, name=name, code=code, settings={**recipe.settings, "merge_weight": share})
    plan = {
        "format": 1,
        "kind": "merge",
        "name": name or model.name,
        "base": dict(recipe.base),
        "recipe": recipe.to_json(),
        "tuned": model.name,
        "model": str(model.path),
        "weights": tried,
        "publish": weight,
        "scored_on": split.report["merge_scored_on"],
        "executor": executor,
    }
    return submit(create(f"merge-{name or model.name}"[:100], plan, split.write), executor)


def result_of_job(job: Job) -> Any:
    """Return the curve, or the merged model, that a finished merge job made."""
    if job.plan["publish"] is not None:
        return late("open_model")(job.name)
    path = job.folder.path / "merge.parquet"
    if not path.is_file():
        raise JobFailedError(f"The curve was not drawn: {job.reason or job.status}.")
    return MergeCurve(
        pd.read_parquet(path),
        model=job.plan["tuned"],
        metric=job.plan["recipe"]["settings"]["metric"]["value"],
        scored_on=job.plan["scored_on"],
    )


def _parts(model: FinetunedEmbeddingModel) -> Split:
    """Return the run's split, with a part that draws the curve and another that judges."""
    snapshot = model.job.folder.data
    if not (snapshot.is_dir() and any(snapshot.iterdir())):
        raise DataError(
            f"The data that {model.name!r} was trained on is no longer kept with its job.",
            expected="the job's folder, with the parts of the data that were held out",
            fix="train the model again; a merge is scored on what neither training nor base has seen.",
        )
    split = Split.read(snapshot)
    if split.selection is not None:
        words = f"the {len(split.selection):,} examples of the part that selects"
        return replace(split, report={**split.report, "merge_scored_on": words})
    choosing, judging = _halves(split.verdict)
    words = (
        f"half of the held-out part ({len(choosing):,} examples), as the run had no part that selects; the "
        "other half judges the merged model"
    )
    report = {**split.report, "merge_scored_on": words}
    return Split(split.train, choosing, judging, report)


def _halves(data: Datasource) -> tuple[Datasource, Datasource]:
    """Split held-out data in two at random, the same way each time; documents stay in both pools."""
    frame = data.frames["queries" if data.kind == RETRIEVAL else "examples"]
    if len(frame) < 2:
        raise DataError(f"{len(frame)} held-out examples cannot be halved.", expected="at least two")
    group = frame["group"] if "group" in frame else frame["id"]
    order = np.random.default_rng(_SEED).permutation(group.unique())
    first = frame[group.isin(order[: len(order) // 2])]
    return _part(data, first), _part(data, frame.drop(first.index))


def _part(data: Datasource, chosen: pd.DataFrame) -> Datasource:
    chosen = chosen.reset_index(drop=True)
    if data.kind != RETRIEVAL:
        return Datasource(data.kind, {"examples": chosen}, name=data.name)
    qrels = data.frames["qrels"]
    qrels = qrels[qrels["query_id"].isin(chosen["id"])].reset_index(drop=True)
    frames = {"queries": chosen, "corpus": data.frames["corpus"], "qrels": qrels}
    return Datasource(data.kind, frames, name=data.name)


def _checked(weight: Any) -> float:
    if isinstance(weight, bool) or not isinstance(weight, (int, float)) or not 0 < weight < 1:
        raise PlanError(
            f"weight is {weight!r}.",
            expected="a number between 0 (the base) and 1 (the tuned model)",
            fix="leave it out for the curve, which suggests one.",
        )
    return float(weight)


def _checked_weights(weights: Any) -> list[float]:
    given = list(weights) if isinstance(weights, (Sequence, np.ndarray)) else [weights]
    wrong = [
        weight
        for weight in given
        if isinstance(weight, (bool, str)) or not isinstance(weight, (int, float)) or not 0 <= weight <= 1
    ]
    if wrong:
        raise PlanError(f"weights has {wrong[0]!r}.", expected="numbers from 0 (the base) to 1 (the tuned)")
    return sorted({0.0, 1.0, *map(float, given)})
