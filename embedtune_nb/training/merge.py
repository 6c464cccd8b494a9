"""Merging: weights between those of a tuned model and of its base, scored again.

Linear interpolation of the weights of a fine-tuned model with those it started from often keeps most of
what was learnt and gives back what was forgotten (Wortsman et al. 2022, "Robust fine-tuning of zero-shot
models"; Xiao et al. 2023, "LM-Cocktail", for embedding models).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from embedtune_nb.data.datasource import Datasource
from embedtune_nb.data.kinds import LABELED, SCORED
from embedtune_nb.data.split import Split
from embedtune_nb.encoder.encoder import Encoder
from embedtune_nb.encoder.load import load_folder, load_sentence_transformer
from embedtune_nb.encoder.threads import choose_threads, use_threads
from embedtune_nb.errors import JobStoppedError, PlanError
from embedtune_nb.evaluation.evaluate import evaluate
from embedtune_nb.evaluation.forgetting import forgetting, general_probe
from embedtune_nb.evaluation.result import Evaluation
from embedtune_nb.evaluation.truncated import score_truncated
from embedtune_nb.evaluation.vectors import VectorCache
from embedtune_nb.evaluation.verdict import paired_verdict
from embedtune_nb.plan.metrics import lower_is_better
from embedtune_nb.plan.plan import Plan
from embedtune_nb.store.events import Event, Notice, Phase, Progress, Published, VerdictReached
from embedtune_nb.store.home import models_folder
from embedtune_nb.store.job_folder import JobFolder
from embedtune_nb.store.publish import publish
from embedtune_nb.training.kept import save_evaluation
from embedtune_nb.training.publish_model import write_model
from embedtune_nb.training.reload_check import reload_check

Emit = Callable[[Event], None]
#: File of a finished curve, in the job's folder.
CURVE = "merge.parquet"
_PROGRESS_SECONDS = 0.25
# An interval is this many standard errors wide; so many resamples suffice to tell one.
_INTERVAL, _RESAMPLES = 2 * 1.96, 2_000


class Merging:
    """A tuned model whose weights can be moved towards those of its base.

    Parameters
    ----------
    tuned
        The tuned model; its weights change in place, how it reads texts does not.
    base
        The weights it was tuned from, by name.

    Raises
    ------
    PlanError
        If the two do not have the same weights, as with an adapter, which adds some.
    """

    def __init__(self, tuned: Encoder, base: Mapping[str, torch.Tensor]) -> None:
        self.encoder = tuned
        self._tuned = {name: value.clone() for name, value in tuned.model.state_dict().items()}
        self._base = {name: value.to(tuned.model.device) for name, value in base.items()}
        shapes = [
            {name: tuple(value.shape) for name, value in side.items()} for side in (self._base, self._tuned)
        ]
        if shapes[0] != shapes[1]:
            more = sorted(set(shapes[1]) - set(shapes[0]))
            raise PlanError(
                "The tuned model and its base do not have the same weights"
                + (f" (only the tuned one has {more[0]!r})." if more else "."),
                expected="a model tuned as a whole or with LoRA",
                fix="an adapter leaves its base untouched: use the base beside it instead of merging.",
            )

    @contextmanager
    def at(self, weight: float) -> Iterator[Encoder]:
        """Give the model the weights ``(1 - weight) * base + weight * tuned`` inside the block."""
        merged = {
            name: torch.lerp(self._base[name], value, weight) if value.is_floating_point() else value
            for name, value in self._tuned.items()
        }
        self.encoder.model.load_state_dict(merged)
        try:
            yield self.encoder
        finally:
            self.encoder.model.load_state_dict(self._tuned)


def run_merge(folder: JobFolder, emit: Emit, should_stop: Callable[[], bool]) -> None:
    """Carry out a merge job: a curve over weights, or one merged model under a new name.

    Parameters
    ----------
    folder
        Its plan has ``recipe`` (the plan of the tuned model), ``model`` (its folder) and ``weights``; or
        ``publish``, the weight of the model to be made. Its data is a split whose selection part draws the
        curve and whose verdict part judges a merged model.
    emit
        Takes the events.
    should_stop
        Asked between batches.
    """
    run = _Merge(folder, emit, should_stop)
    if folder.plan()["publish"] is None:
        run.draw_curve()
    else:
        run.publish()


class _Merge:
    def __init__(self, folder: JobFolder, emit: Emit, should_stop: Callable[[], bool]) -> None:
        self.folder, self.emit, self.should_stop = folder, emit, should_stop
        self.asked = folder.plan()
        self.plan = Plan.from_json(self.asked["recipe"])
        settings = {key: setting.value for key, setting in self.plan.settings.items()}
        # samples of neighbours make evaluations during training quicker; here everything is scored
        self.settings = {**settings, "neighbor_eval_count": None, "neighbor_eval_pool_subsample": None}
        self.split = Split.read(folder.data)
        self._told = 0.0
        emit(Phase("loading"))
        use_threads(choose_threads())
        base = load_sentence_transformer(self.plan.base)
        self.merging = Merging(Encoder(load_folder(Path(self.asked["model"]))), base.state_dict())

    def draw_curve(self) -> None:
        """Score every weight on the part that may choose, and write the curve."""
        assert self.split.selection is not None, "the split of a merge job has a part that chooses"
        evaluations: dict[float, Evaluation] = {}
        rows, probes = [], {}
        for weight in self.asked["weights"]:
            self.emit(Phase(f"weight {weight:g}"))
            with self.merging.at(weight) as encoder:
                evaluations[weight] = self._evaluate(encoder, self.split.selection)
                probes[weight] = encoder.embed(general_probe().texts, progress=self._progress)
            found = forgetting(probes[0.0], probes[weight])
            rows.append(
                {
                    "weight": weight,
                    "score": evaluations[weight].metrics[self.settings["metric"]],
                    "topics": found.topics_after,
                    "neighbors_kept": found.neighbors_kept,
                    "drift": found.drift,
                }
            )
        curve = pd.DataFrame(rows)
        curve = suggest(curve, evaluations, probes, self.settings["metric"], seed=self.settings["seed"])
        curve.to_parquet(self.folder.path / CURVE)

    def publish(self) -> None:
        """Judge one merged model on data that chose nothing, and publish it."""
        weight, verdict_part = float(self.asked["publish"]), self.split.verdict
        caches = {0.0: VectorCache(), weight: VectorCache()}
        found, probes = {}, {}
        for place, name in ((0.0, "before"), (weight, "after")):
            self.emit(Phase("evaluating base" if name == "before" else "evaluating"))
            with self.merging.at(place) as encoder:
                found[name] = self._evaluate(encoder, verdict_part, caches[place])
                probes[name] = encoder.embed(general_probe().texts)
            save_evaluation(found[name], self.folder.path / "evaluation" / name, caches[place])
        before, after = found["before"], found["after"]
        self.emit(Phase("verdict"))
        verdict = paired_verdict(before, after, metric=self.settings["metric"], seed=self.settings["seed"])
        self.emit(VerdictReached(verdict.to_dict()))
        forgotten = forgetting(probes["before"], probes["after"])
        self.emit(Notice(f"{forgotten.text}."))
        if self.plan.further:
            count = len(self.plan.objectives)
            self.emit(Notice(f"Of {count} objectives the first alone judges a merged model."))
        self.emit(Phase("publishing"))
        with self.merging.at(weight) as encoder:

            def build(target: Path) -> None:
                encoder.save(target)
                self.emit(Phase("checking"))
                check = reload_check(
                    target,
                    encoder,
                    verdict_part,
                    reference=self._reference(),
                    settings=self.settings,
                    vectors=caches[weight],
                    dimensions=self.settings.get("matryoshka_dims") or (),
                )
                write_model(
                    target,
                    self.plan,
                    job_id=self.folder.id,
                    before=before,
                    after=after,
                    verdict=verdict,
                    further=(),
                    forgotten=forgotten,
                    check=check,
                    merged={"from": self.asked["tuned"], "weight": weight},
                )

            path = publish(models_folder() / self.plan.name, build)
        self.emit(Published(self.plan.name, str(path)))

    def _evaluate(self, encoder: Encoder, data: Datasource, cache: VectorCache | None = None) -> Evaluation:
        cache = cache or VectorCache()
        options: dict[str, Any] = {
            "reference": self._reference(),
            "settings": self.settings,
            "progress": self._progress,
            "cache": cache,
        }
        evaluation = evaluate(encoder, data, **options)
        dimensions = self.settings.get("matryoshka_dims") or ()
        evaluation.truncated = score_truncated(encoder, data, dimensions, **options)
        return evaluation

    def _reference(self) -> Datasource | None:
        return self.split.train if self.split.verdict.kind in (LABELED, SCORED) else None

    def _progress(self, done: int, total: int) -> None:
        if self.should_stop():
            raise JobStoppedError("The merge was stopped.", fix="call merge_with_base() again.")
        now = time.monotonic()
        if done == total or now - self._told > _PROGRESS_SECONDS:
            self._told = now
            self.emit(Progress(done, total))


def suggest(
    curve: pd.DataFrame,
    evaluations: Mapping[float, Evaluation],
    probes: Mapping[float, np.ndarray],
    metric: str,
    *,
    seed: int,
) -> pd.DataFrame:
    """Say how far every weight is behind the best, in task and in general, and which one to take.

    The one-standard-error rule (Breiman et al. 1984), twice. Of the weights whose metric is at most one
    standard error of the paired difference behind the best, those are kept whose share of neighbours of
    the same topic is at most one standard error behind the best of them; of these, the one with the best
    metric is taken. So nothing of the gain is given up where nothing general was lost. Where the base itself
    is within one standard error of the best, it is the base.

    Parameters
    ----------
    curve
        Columns `weight` (ascending from 0), `score` and `topics`.
    evaluations
        Of the same rows, by weight.
    probes
        (240, d) vectors of the general probe, by weight.
    metric
        What `score` is.
    seed
        Of the resamples.

    Returns
    -------
    DataFrame
        *curve* with `behind` (0 for the best, in the unit of the metric), `standard_error` of that,
        `topics_behind` and `topics_error` (the same of `topics`, against the best of the weights that the
        metric left; NaN for the others), and `suggested`, true in one row.
    """
    sign = -1 if lower_is_better(metric) else 1
    gains = pd.Series(sign * curve["score"].to_numpy(), index=curve["weight"])
    best = gains.idxmax()
    behind, errors = [], []
    for weight in curve["weight"]:
        compared = paired_verdict(
            evaluations[weight], evaluations[best], metric=metric, seed=seed, resamples=_RESAMPLES
        )
        behind.append(abs(compared.difference))
        errors.append((compared.high - compared.low) / _INTERVAL)
    curve = curve.assign(behind=behind, standard_error=errors)
    close = curve[(curve["behind"] <= curve["standard_error"]) | (curve["weight"] == best)]
    least = probes[close["weight"][close["topics"].idxmax()]]
    lost = {place: forgetting(least, probes[weight]) for place, weight in close["weight"].items()}
    curve = curve.assign(
        topics_behind=pd.Series({place: -found.change for place, found in lost.items()}),
        topics_error=pd.Series({place: found.standard_error for place, found in lost.items()}),
    )
    kept = curve[curve["topics_behind"] <= curve["topics_error"]]
    taken = 0.0 if 0.0 in set(close["weight"]) else gains[kept["weight"]].idxmax()
    return curve.assign(suggested=curve["weight"] == taken)
