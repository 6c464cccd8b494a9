"""Merging: weights between those of a tuned model and of its base, scored again.

Linear interpolation of the weights of a fine-tuned model with those it started from often keeps most of
what was learnt and gives back what was forgotten (Wortsman et al. 2022, "Robust fine-tuning of zero-shot
models"; Xiao et al. 2023, "LM-Cocktail", for embedding models).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from embedtune_nb.data.split import Split
from embedtune_nb.encoder.encoder import Encoder
from embedtune_nb.encoder.load import load_folder, load_sentence_transformer
from embedtune_nb.encoder.threads import choose_threads, use_threads
from embedtune_nb.errors import PlanError
from embedtune_nb.evaluation.forgetting import forgetting, general_probe
from embedtune_nb.evaluation.result import Evaluation
from embedtune_nb.evaluation.vectors import VectorCache
from embedtune_nb.evaluation.verdict import paired_verdict
from embedtune_nb.plan.metrics import lower_is_better
from embedtune_nb.plan.plan import Plan
from embedtune_nb.store.events import Event, Notice, Phase, VerdictReached
from embedtune_nb.store.job_folder import JobFolder
from embedtune_nb.training.finish import Judged, publish_judged, tell_forgetting
from embedtune_nb.training.held_out import HeldOut
from embedtune_nb.training.telling import Telling

Emit = Callable[[Event], None]
#: File of a finished curve, in the job's folder.
CURVE = "merge.parquet"
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
        self.folder, self.emit = folder, emit
        self.asked = folder.plan()
        self.plan = Plan.from_json(self.asked["recipe"])
        self.telling = Telling(
            emit, should_stop, at_stop="The merge was stopped.", fix="call merge_with_base() again."
        )
        # samples of neighbours make evaluations during training quicker; here everything is scored
        whole = {"neighbor_eval_count": None, "neighbor_eval_pool_subsample": None}
        settings = {**self.plan.objectives[0], **whole}
        self.held_out = HeldOut(
            Split.read(folder.data), settings, folder.path / "evaluation", "", self.telling
        )
        emit(Phase("loading"))
        use_threads(choose_threads())
        base = load_sentence_transformer(self.plan.base)
        self.merging = Merging(Encoder(load_folder(Path(self.asked["model"]))), base.state_dict())

    def draw_curve(self) -> None:
        """Score every weight on the part that may choose, and write the curve."""
        selection = self.held_out.split.selection
        assert selection is not None, "the split of a merge job has a part that chooses"
        metric = self.held_out.settings["metric"]
        evaluations: dict[float, Evaluation] = {}
        rows, probes = [], {}
        for weight in self.asked["weights"]:
            self.emit(Phase(f"weight {weight:g}"))
            with self.merging.at(weight) as encoder:
                evaluations[weight] = self.held_out.evaluate(encoder, selection)
                probes[weight] = encoder.embed(general_probe().texts, progress=self.telling)
            found = forgetting(probes[0.0], probes[weight])
            rows.append(
                {
                    "weight": weight,
                    "score": evaluations[weight].metrics[metric],
                    "topics": found.topics_after,
                    "neighbors_kept": found.neighbors_kept,
                    "drift": found.drift,
                }
            )
        curve = pd.DataFrame(rows)
        curve = suggest(curve, evaluations, probes, metric, seed=self.held_out.settings["seed"])
        curve.to_parquet(self.folder.path / CURVE)

    def publish(self) -> None:
        """Judge one merged model on data that chose nothing, and publish it."""
        weight = float(self.asked["publish"])
        probes = []
        for place, phase, keep in (
            (0.0, "evaluating base", self.held_out.keep_before),
            (weight, "evaluating", self.held_out.keep_after),
        ):
            self.emit(Phase(phase))
            vectors = VectorCache()
            with self.merging.at(place) as encoder:
                keep(self.held_out.judge(encoder, vectors), vectors)
                probes.append(encoder.embed(general_probe().texts))
        self.emit(Phase("verdict"))
        verdict = self.held_out.verdict()
        self.emit(VerdictReached(verdict.to_dict()))
        forgotten = forgetting(*probes)
        tell_forgetting(forgotten, self.emit)
        if self.plan.further:
            count = len(self.plan.objectives)
            self.emit(Notice(f"Of {count} objectives the first alone judges a merged model."))
        with self.merging.at(weight) as encoder:
            publish_judged(
                self.folder,
                self.plan,
                encoder,
                self.held_out,
                Judged(verdict, (), forgotten, vectors),
                emit=self.emit,
                merged={"from": self.asked["tuned"], "weight": weight},
            )


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
