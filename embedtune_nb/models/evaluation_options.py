"""From the options of ``evaluate`` to what is scored, against what, and how texts are read."""

from __future__ import annotations

import numbers
from collections.abc import Mapping
from typing import Any

from embedtune_nb.catalogue import BaseSpec
from embedtune_nb.data.datasource import Datasource
from embedtune_nb.data.kinds import LABELED, PAIRS, RETRIEVAL, SCORED
from embedtune_nb.data.split import split
from embedtune_nb.data.split_retrieval import as_retrieval
from embedtune_nb.errors import PlanError
from embedtune_nb.evaluation.neighbor import sample_rows
from embedtune_nb.evaluation.task import (
    NEIGHBOR_COUNT,
    WEIGHTINGS,
    check_neighbor_count,
    check_seed,
    check_weighting,
)
from embedtune_nb.models.evaluation_job import EvaluationTask
from embedtune_nb.plan.metrics import check_metric

_SIDES = ("right", "left")
_SHORTEST = 4


def evaluation_task(
    spec: BaseSpec,
    source: Datasource,
    held_out: Datasource | None,
    *,
    settings: Mapping[str, Any],
    reading: Mapping[str, Any],
    subsample: int | float | None,
) -> EvaluationTask:
    """Return what is to be scored; parameters as for :meth:`EmbeddingModel.evaluate`.

    Raises
    ------
    PlanError
        If the metric is none of this kind of data, the seed, *subsample* or what is asked of neighbours is
        out of range, or *held_out* has no use for this kind of data.
    """
    if settings["metric"] is not None:
        check_metric(source.kind, settings["metric"])
    seed = check_seed(settings["seed"])
    check_neighbor_count(settings["neighbor_count"])
    check_weighting(settings["neighbor_weighting"])
    subsample = _checked_subsample(subsample)
    reference = None
    if source.kind not in (LABELED, SCORED):
        _refuse_neighbors(source.kind, settings)
    if source.kind in (LABELED, SCORED):
        if held_out is None:
            parts = split(source, seed=seed, selection=False)
            data, reference = parts.verdict, parts.train
        elif held_out.kind != source.kind:
            raise PlanError(
                f"The data is {source.kind!r}, eval_datasource is {held_out.kind!r}.",
                expected="the same kind of data",
                fix="pass texts with the same kind of answers.",
            )
        else:
            data, reference = held_out, source
    elif held_out is not None:
        raise PlanError(
            f"eval_datasource has no effect on {source.kind} data: every row of the data is scored.",
            fix="leave eval_datasource out, and pass what is to be scored as data.",
        )
    elif source.kind in (PAIRS, RETRIEVAL):
        data = Datasource(RETRIEVAL, as_retrieval(source), name=source.name)
    else:
        data = source
    data, told = _subsampled(data, subsample, seed)
    return EvaluationTask(spec, data, reference, settings, reading, told)


def _refuse_neighbors(kind: str, settings: Mapping[str, Any]) -> None:
    usual = {"neighbor_count": NEIGHBOR_COUNT, "neighbor_weighting": WEIGHTINGS[0]}
    for option, value in usual.items():
        if settings[option] != value:
            raise PlanError(
                f"{option} has no effect on {kind} data: nearest neighbours have nothing to vote on.",
                fix=f"leave {option} out.",
            )


def check_length(length: int | None, spec: BaseSpec) -> int | None:
    """Return *length* in tokens if the model of *spec* can be made to read so much."""
    if length is None:
        return None
    _refuse_where_whole("max_seq_length", spec)
    limit = spec.max_length
    if isinstance(length, bool) or not isinstance(length, numbers.Integral) or length < _SHORTEST:
        raise PlanError(f"max_seq_length is {length!r}.", expected=f"a whole number from {_SHORTEST}")
    if limit is not None and length > limit:
        raise PlanError(
            f"max_seq_length is {length}, but this model reads {limit} tokens.",
            expected=f"a whole number up to {limit}",
            fix="lower it, or leave it out for the model's own limit.",
        )
    return int(length)


def check_side(side: str | None, spec: BaseSpec) -> str | None:
    """Return *side* if it is an end of a text at which the model of *spec* can cut, or None."""
    if side is not None:
        _refuse_where_whole("truncation_side", spec)
    if side is not None and side not in _SIDES:
        raise PlanError(f"truncation_side is {side!r}.", expected=" or ".join(map(repr, _SIDES)))
    return side


def _refuse_where_whole(option: str, spec: BaseSpec) -> None:
    if spec.architecture == "static":
        raise PlanError(
            f"{option} has no effect on {spec.id}: it averages the vectors of all tokens.",
            fix=f"leave {option} out.",
        )


def _checked_subsample(subsample: Any) -> int | float | None:
    if subsample is None:
        return None
    whole = isinstance(subsample, numbers.Integral) and not isinstance(subsample, bool)
    if whole and subsample >= 1:
        return int(subsample)
    if isinstance(subsample, float) and 0 < subsample <= 1:
        return float(subsample)
    raise PlanError(
        f"subsample is {subsample!r}.",
        expected="a whole number from 1, or a fraction above 0.0, up to 1.0",
        fix="leave it out to score everything.",
    )


def _subsampled(
    data: Datasource, subsample: int | float | None, seed: int
) -> tuple[Datasource, tuple[str, ...]]:
    """Keep a sample of what is scored; documents that are searched stay whole."""
    frames = dict(data.frames)
    key = "queries" if data.kind == RETRIEVAL else "examples"
    scored = frames[key]
    rows = sample_rows(len(scored), subsample, seed)
    if len(rows) == len(scored):
        return data, ()
    frames[key] = scored.iloc[rows].reset_index(drop=True)
    if data.kind == RETRIEVAL:
        qrels = frames["qrels"]
        frames["qrels"] = qrels[qrels["query_id"].isin(frames[key]["id"])].reset_index(drop=True)
    unit = "queries" if data.kind == RETRIEVAL else "rows"
    note = f"{len(rows):,} of {len(scored):,} {unit} were scored (subsample)."
    return Datasource(data.kind, frames, name=data.name), (note,)
