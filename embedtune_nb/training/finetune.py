"""One run, from a plan and its data snapshot to a published model with a verdict."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from embedtune_nb.data.split import Split
from embedtune_nb.encoder.encoder import Encoder
from embedtune_nb.encoder.precision import choose_bf16
from embedtune_nb.encoder.threads import choose_threads, use_threads
from embedtune_nb.errors import JobStoppedError
from embedtune_nb.evaluation.evaluate import Evaluation, evaluate
from embedtune_nb.evaluation.verdict import Verdict, paired_verdict
from embedtune_nb.plan.plan import Plan
from embedtune_nb.store.events import (
    Base,
    Event,
    Measured,
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
from embedtune_nb.training.kept import load_evaluation, save_evaluation
from embedtune_nb.training.publish_model import write_model
from embedtune_nb.training.trainer import build_trainer, latest_checkpoint

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
    Run(folder, emit, should_stop).carry_out()


class Run:
    """The stages of one finetune job; see :func:`run_finetune`."""

    def __init__(self, folder: JobFolder, emit: Emit, should_stop: Callable[[], bool]) -> None:
        self.folder, self.emit, self.should_stop = folder, emit, should_stop
        self.plan = Plan.from_json(folder.plan())
        self.settings: dict[str, Any] = {key: setting.value for key, setting in self.plan.settings.items()}

    def carry_out(self) -> None:
        """Load, evaluate the base, train, evaluate, judge, publish."""
        self.emit(Phase("loading"))
        self.split = Split.read(self.folder.data)
        threads = choose_threads()
        use_threads(threads)
        # evaluated and published with the model's own limit; the plan's shorter one is for training
        self.encoder = Encoder.load(self.plan.base, {**self.settings, "max_seq_length": None})
        texts = self.split.train.texts()
        bf16 = choose_bf16(self.encoder.model, self.encoder.seam, texts, self.settings["bf16"])
        self.settings["bf16"] = bf16.value
        measured = {"bf16": bf16, "threads": threads, "texts per chunk": self.encoder.chunking}
        self.emit(
            Measured(
                {key: {"value": choice.value, "reason": choice.reason} for key, choice in measured.items()}
            )
        )
        before = self._evaluate_base()
        steps, epochs = self._train()
        self.emit(Phase("evaluating"))
        after = self._evaluate(self.split.verdict)
        save_evaluation(after, self.folder.path / "evaluation" / "after")
        if self.split.selection is None:
            self.emit(Metrics(steps, epochs, _eval_values(after)))
        verdict = self._judge(before, after)
        self._publish(before, after, verdict)

    def _evaluate_base(self) -> Evaluation:
        self.emit(Phase("evaluating base"))
        kept = self.folder.path / "evaluation" / "before"
        before = load_evaluation(kept)
        if before is not None:
            self.emit(Notice("The base model's evaluation was kept from the earlier attempt."))
            return before
        before = self._evaluate(self.split.verdict)
        for note in before.notes:
            self.emit(Notice(note))
        # the live curve shows the part that selects, where there is one; the verdict part stays out of it
        start = before if self.split.selection is None else self._evaluate_selection()
        if start is not None:
            self.emit(Base(_eval_values(start)))
            self.emit(Metrics(0, 0.0, _eval_values(start)))
        save_evaluation(before, kept)
        return before

    def _train(self) -> tuple[int, float]:
        self.emit(Phase("training", self.settings["steps_total"]))
        with self._reading_at_most(self.settings["max_seq_length"]):
            trainer = build_trainer(
                self.encoder,
                self.split.train,
                self.settings,
                output_dir=self.folder.path,
                emit=self.emit,
                should_stop=self.should_stop,
                on_evaluate=self._on_evaluate if self.split.selection is not None else None,
            )
            self.trainer = trainer
            checkpoint = latest_checkpoint(self.folder.path)
            if checkpoint is not None:
                self.emit(Notice(f"Carrying on from {checkpoint.name}."))
            trainer.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))
        if trainer.outcome == "stopped":
            raise JobStoppedError(
                f"Stopped at step {trainer.state.global_step} of {self.settings['steps_total']}; "
                "a checkpoint is kept.",
                fix="carry on with job.resume().",
            )
        if trainer.outcome == "early stopped":
            self.emit(
                Notice(
                    f"Stopped early at step {trainer.state.global_step}: no gain in "
                    f"{self.settings['early_stopping']} evaluations; the best weights are taken."
                )
            )
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        self.emit(
            Measured({"peak_memory_bytes": {"value": peak, "reason": "most memory this process ever held"}})
        )
        return trainer.state.global_step, trainer.state.epoch or 0.0

    def _on_evaluate(self, step: int, epoch: float) -> float | None:
        """Evaluate on the selection part during training; higher is better."""
        method = self.settings["eval_method"]
        if method == "head":
            values = {"head_accuracy": self.trainer.head_accuracy(self.split.selection)}
            score = values["head_accuracy"]
        elif method == "loss":
            values = {"loss": self.trainer.eval_loss(self.split.selection)}
            score = -values["loss"]
        else:
            evaluation = self._evaluate_selection()
            values, score = evaluation.metrics, evaluation.metrics[self.settings["metric"]]
        self.emit(Metrics(step, epoch, {f"eval/{name}": value for name, value in values.items()}))
        return score

    def _evaluate_selection(self) -> Evaluation | None:
        if self.settings["eval_method"] in ("head", "loss"):
            return None
        with self._reading_at_most(None):
            return self._evaluate(self.split.selection)

    def _evaluate(self, data: Any) -> Evaluation:
        return evaluate(
            self.encoder,
            data,
            reference=self.split.train if data.kind == "labeled" else None,
            settings=self.settings,
            progress=self._progress,
        )

    def _judge(self, before: Evaluation, after: Evaluation) -> Verdict:
        self.emit(Phase("verdict"))
        verdict = paired_verdict(before, after, metric=self.settings["metric"], seed=self.settings["seed"])
        self.emit(VerdictReached(verdict.to_dict()))
        return verdict

    def _publish(self, before: Evaluation, after: Evaluation, verdict: Verdict) -> None:
        self.emit(Phase("publishing"))

        def build(target: Path) -> None:
            write_model(
                target,
                self.encoder,
                self.plan,
                job_id=self.folder.id,
                before=before,
                after=after,
                verdict=verdict,
                verdict_data=self.split.verdict,
                reference=self.split.train if self.split.verdict.kind == "labeled" else None,
                settings=self.settings,
                emit=self.emit,
            )

        path = publish(models_folder() / self.plan.name, build)
        self.emit(Published(self.plan.name, str(path)))

    _last_progress = 0.0

    def _progress(self, done: int, total: int) -> None:
        if self.should_stop():
            raise JobStoppedError("Stopped during an evaluation.", fix="carry on with job.resume().")
        now = time.monotonic()
        if done == total or now - self._last_progress > _PROGRESS_SECONDS:
            self._last_progress = now
            self.emit(Progress(done, total))

    @contextmanager
    def _reading_at_most(self, tokens: int | None) -> Iterator[None]:
        """Let the model read *tokens* of a text inside the block; None means its own limit."""
        model = self.encoder.model
        own, now = self.plan.base["max_length"], model.max_seq_length
        limit = own if tokens is None else tokens
        if limit is not None:
            model.max_seq_length = limit
        try:
            yield
        finally:
            model.max_seq_length = now


def _eval_values(evaluation: Evaluation) -> dict[str, float]:
    return {f"eval/{name}": value for name, value in evaluation.metrics.items()}
