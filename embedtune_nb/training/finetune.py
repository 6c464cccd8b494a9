"""One run, from a plan and its data snapshot to a published model with a verdict."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from embedtune_nb.data.datasource import Datasource
from embedtune_nb.data.split import Split
from embedtune_nb.encoder.encoder import Encoder
from embedtune_nb.encoder.threads import choose_threads, use_threads
from embedtune_nb.errors import DataError, JobStoppedError
from embedtune_nb.evaluation.forgetting import Forgetting
from embedtune_nb.evaluation.result import Evaluation
from embedtune_nb.evaluation.truncated import retention_line
from embedtune_nb.evaluation.vectors import VectorCache
from embedtune_nb.evaluation.verdict import Verdict
from embedtune_nb.plan.afterwards import advise_on_run
from embedtune_nb.plan.metrics import selecting_metric
from embedtune_nb.plan.plan import Plan
from embedtune_nb.store.events import (
    Base,
    Event,
    Metrics,
    Notice,
    Phase,
    Progress,
    Published,
    VerdictReached,
)
from embedtune_nb.store.home import models_folder
from embedtune_nb.store.job_folder import JobFolder
from embedtune_nb.store.publish import publish
from embedtune_nb.training.build import build_trainer
from embedtune_nb.training.checkpoint import drop_progress, latest_checkpoint
from embedtune_nb.training.curves import recorded_curves
from embedtune_nb.training.evaluation_cost import EvaluationCost
from embedtune_nb.training.forgetting_guard import ForgettingGuard
from embedtune_nb.training.head_scores import head_scores
from embedtune_nb.training.held_out import HeldOut
from embedtune_nb.training.publish_model import published_by, write_model
from embedtune_nb.training.reload_check import reload_check
from embedtune_nb.training.trained_part import part_to_train

Emit = Callable[[Event], None]
_PROGRESS_SECONDS = 0.25


def run_finetune(folder: JobFolder, emit: Emit, should_stop: Callable[[], bool]) -> None:
    """Carry out a finetune job.

    Parameters
    ----------
    folder
        Holds the plan and the data; receives checkpoints and evaluations.
    emit
        Takes the events.
    should_stop
        Asked between steps and batches.

    Raises
    ------
    JobStoppedError
        If the user asked for a stop; a checkpoint is kept once training has begun.
    """
    _Run(folder, emit, should_stop).carry_out()


class _Run:
    """The stages of one finetune job and what they hand on to each other."""

    def __init__(self, folder: JobFolder, emit: Emit, should_stop: Callable[[], bool]) -> None:
        self.folder, self.emit, self.should_stop = folder, emit, should_stop
        self.plan = Plan.from_json(folder.plan())
        self.settings: dict[str, Any] = {key: setting.value for key, setting in self.plan.settings.items()}
        self._told_progress = 0.0
        self._told_at_stop = ""

    def carry_out(self) -> None:
        """Load, train, evaluate the base beside it, evaluate, judge, publish."""
        record = published_by(self._target, self.folder.id)
        if record is not None:
            self._tell_published(record)
            return
        self.emit(Phase("loading"))
        use_threads(choose_threads())
        self.split = Split.read(self.folder.data)
        self.main, *self.others = self._held_out()
        # judged and published with the model's own limit; the plan's shorter one serves training
        self.part = part_to_train(self.settings, self.emit)
        self.encoder = self.part.on(self._load_base(), self.plan.base)
        self.own_limit = self.encoder.model.max_seq_length
        self.guard = ForgettingGuard(
            self.folder.path / "evaluation" / "general_probe.npy",
            lambda: self.part.base_beside(self.encoder, self._load_base),
            "query" if self.settings.get("adapter_side") == "query" else None,
        )
        step, epoch = self._train()
        before = self.main.before or self._evaluate_base()
        self._told_at_stop = "Stopped during the closing evaluation; the trained weights are kept."
        self.emit(Phase("evaluating"))
        vectors = VectorCache()
        after = self.main.judge(self.encoder, vectors)
        self.main.keep_after(after, vectors)
        for other in self.others:
            theirs = VectorCache()
            other.keep_after(other.judge(self.encoder, theirs), theirs)
        forgotten = self.guard.measure(self.encoder)
        if self.split.selection is None:
            self.emit(Metrics(step, epoch, _eval_values(after) | forgotten.metrics()))
        self.emit(Phase("verdict"))
        verdict = self.main.verdict()
        self.emit(VerdictReached(verdict.to_dict()))
        for told in (verdict.note, retention_line(before, after)):
            if told:
                self.emit(Notice(told))
        further = [other.verdict() for other in self.others]
        for objective, theirs_told in zip(self.plan.further, further, strict=True):
            self.emit(Notice(f"{objective.title}: {theirs_told.text}"))
        self.emit(Notice(f"{forgotten.text}.", "warning" if forgotten.answer == "forgotten" else "info"))
        curves = recorded_curves(self.folder.events)
        for sentence in advise_on_run(curves, self.settings, answer=verdict.answer):
            self.emit(Notice(sentence, "advice"))
        self._publish(before, after, verdict, further, forgotten, vectors)
        self.trainer.drop_progress()

    def _held_out(self) -> list[HeldOut]:
        """Return the held-out data of every objective, the one that selects and decides first."""
        folder = self.folder.path / "evaluation"
        parts = zip((self.split, *self.split.further), self.plan.objectives, strict=True)
        return [
            HeldOut(split, settings, folder, f"-{place}" if place > 1 else "", self._progress)
            for place, (split, settings) in enumerate(parts, 1)
        ]

    def _evaluate_base(self) -> Evaluation:
        """Evaluate the base model, loaded once more: the one in hand has begun to learn."""
        with self.cost.left_out():
            return self._evaluate_loaded_base()

    def _evaluate_loaded_base(self) -> Evaluation:
        self.emit(Phase("evaluating base"))
        self._told_at_stop = "Stopped while the base model was evaluated; the trained weights are kept."
        base = self.part.base_beside(self.encoder, self._load_base)
        vectors = VectorCache()  # both parts search the same documents
        before = self.main.judge(base, vectors)
        self.guard.see_base(base)
        for note in before.notes:
            self.emit(Notice(note))
        # the live curve shows the part that selects, where there is one; the verdict part stays out of it
        start: Evaluation | None = before
        if self.split.selection is not None:
            asks_training = self.settings["eval_method"] in ("head", "loss")  # the base has neither
            start = None if asks_training else self.main.evaluate(base, self.split.selection, vectors)
        if start is not None:
            self.emit(Base(_eval_values(start)))
            self.emit(Metrics(0, 0.0, _eval_values(start) | self.guard.start()))
        for other in self.others:
            theirs = VectorCache()
            other.keep_before(other.judge(base, theirs), theirs)
        # last: a resumed run takes its being there as a sign that all are
        self.main.keep_before(before, vectors)
        return before

    def _load_base(self) -> Encoder:
        with torch.random.fork_rng():
            return Encoder.load(self.plan.base, {**self.settings, "max_seq_length": None})

    def _after_first_step(self) -> None:
        """Evaluate the base once a first loss is on the screen, which nobody likes to wait for."""
        if self.main.before is None:
            self._evaluate_base()
        self.emit(Phase("training", self.settings["steps_total"]))

    def _train(self) -> tuple[int, float]:
        self.cost = EvaluationCost()
        if self.main.before is not None:
            self.emit(Notice("The base model's evaluation was kept from the earlier attempt."))
        checkpoint = latest_checkpoint(self.folder.path)
        if checkpoint is not None:
            self.emit(Notice(f"Carrying on from the checkpoint of {checkpoint.name}."))
        self._told_at_stop = "Stopped before training began; texts that were read need not be read again."
        further = [(other.split.train, other.settings) for other in self.others]
        self.part.begin(
            self.encoder,
            self.split.train,
            further=further,
            resumed=checkpoint is not None,
            progress=self._progress,
        )
        known = self.main.before is not None
        self.emit(Phase("training", self.settings["steps_total"]) if known else Phase("first step"))
        with self._reading_at_most(self.settings["max_seq_length"]):
            self.trainer = build_trainer(
                self.encoder,
                self.split.train,
                {**self.settings, "metric": self._selecting_metric()},
                further=further,
                output_dir=self.folder.path,
                emit=self.emit,
                should_stop=self.should_stop,
                on_evaluate=self._on_evaluate if self.split.selection is not None else None,
                after_first_step=None if known else self._after_first_step,
                resume_from=checkpoint,
            )
            self.cost.begin()
            result = self.trainer.run(resume_from=checkpoint)
        if result.outcome == "stopped":
            raise JobStoppedError(
                f"Stopped at step {result.step} of {self.settings['steps_total']}; a checkpoint is kept.",
                fix="carry on with job.resume().",
            )
        if result.outcome == "early stopped":
            self.emit(
                Notice(
                    f"Stopped early at step {result.step}: no gain in {self.settings['early_stopping']} "
                    "evaluations in a row."
                )
            )
        if word := self.cost.word(self.settings):
            self.emit(Notice(word))
        self.part.finish(self.encoder, self.split.verdict.texts())
        return result.step, float(self.trainer.state.epoch or 0.0)

    def _selecting_metric(self) -> str:
        return selecting_metric(self.settings["eval_method"], self.settings["metric"])

    def _on_evaluate(self, step: int, epoch: float) -> float:
        """Evaluate on the selection part during training; return the metric that selects."""
        name, selection = self._selecting_metric(), self.split.selection
        assert selection is not None, "only a run with a selection part evaluates on it"
        if self.main.before is None:
            self._evaluate_base()  # a curve begins with the base
        with self.cost.of_one(), self._reading_at_most(self.own_limit):
            # beside the training loss on one chart it shows whether rows are learnt by heart
            values = {"loss": self._selection_loss(selection)}
            if self.settings["eval_method"] == "head":
                values |= head_scores(self.trainer.objective, self.encoder, selection)
            elif name != "loss":
                values |= self.main.evaluate(self.encoder, selection).metrics
            forgotten = self.guard.measure(self.encoder).metrics()
        finite = {f"eval/{key}": value for key, value in values.items() if not math.isnan(value)}
        self.emit(Metrics(step, epoch, finite | forgotten))
        self.emit(self.cost.measured())
        return values[name]

    def _selection_loss(self, selection: Datasource) -> float:
        loss = self.trainer.eval_loss(selection)
        if math.isnan(loss) and self._selecting_metric() == "loss":
            raise DataError(
                "The part that selects holds nothing that this loss learns from, so it cannot choose.",
                fix="choose another eval_method, or bring more rows.",
            )
        return loss

    def _publish(
        self,
        before: Evaluation,
        after: Evaluation,
        verdict: Verdict,
        further: Sequence[Verdict],
        forgotten: Forgetting,
        vectors: VectorCache,
    ) -> None:
        self.emit(Phase("publishing"))

        def build(target: Path) -> None:
            self.encoder.save(target)
            write_model(
                target,
                self.plan,
                job_id=self.folder.id,
                before=before,
                after=after,
                verdict=verdict,
                further=further,
                forgotten=forgotten,
                check=self._reload_check(target, vectors),
            )

        path = publish(self._target, build)
        self.emit(Published(self.plan.name, str(path)))

    @property
    def _target(self) -> Path:
        return models_folder() / self.plan.name

    def _tell_published(self, record: dict[str, Any]) -> None:
        """Say what an earlier attempt, killed between publishing and its last word, had no time to say."""
        self.emit(Notice("The model was published by an earlier attempt; nothing was left to be done."))
        self.emit(VerdictReached(record["verdict"]))
        self.emit(Published(self.plan.name, str(self._target)))
        drop_progress(self.folder.path, checkpoints=self.settings.get("checkpoint_save_total_limit") is None)

    def _reload_check(self, saved: Path, vectors: VectorCache) -> dict[str, Any]:
        self.emit(Phase("checking"))
        return reload_check(
            saved,
            self.encoder,
            self.split.verdict,
            reference=self.main.reference,
            settings=self.main.settings_of_verdict,
            vectors=vectors,
            dimensions=self.settings.get("matryoshka_dims") or (),
        )

    def _progress(self, done: int, total: int) -> None:
        if self.should_stop():
            raise JobStoppedError(self._told_at_stop, fix="carry on with job.resume().")
        now = time.monotonic()
        if done == total or now - self._told_progress > _PROGRESS_SECONDS:
            self._told_progress = now
            self.emit(Progress(done, total))

    @contextmanager
    def _reading_at_most(self, tokens: int | None) -> Iterator[None]:
        """Let the model read at most *tokens* of a text inside the block; None changes nothing."""
        model, now = self.encoder.model, self.encoder.model.max_seq_length
        limited = tokens is not None and self.encoder.max_seq_length is not None  # word tables have no limit
        if limited:
            model.max_seq_length = tokens
        try:
            yield
        finally:
            if limited:
                model.max_seq_length = now


def _eval_values(evaluation: Evaluation) -> dict[str, float]:
    return {f"eval/{name}": value for name, value in evaluation.metrics.items()}
