"""One model from its base to its best weights: what a single run and a trial of a sweep have in common."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from embedtune_nb.data.datasource import Datasource
from embedtune_nb.data.split import Split
from embedtune_nb.encoder.encoder import Encoder
from embedtune_nb.errors import DataError, JobStoppedError
from embedtune_nb.evaluation.result import Evaluation
from embedtune_nb.evaluation.vectors import VectorCache
from embedtune_nb.plan.metrics import selecting_metric
from embedtune_nb.plan.plan import Plan
from embedtune_nb.store.events import Base, Event, Metrics, Notice, Phase
from embedtune_nb.training.build import build_trainer
from embedtune_nb.training.checkpoint import latest_checkpoint
from embedtune_nb.training.evaluation_cost import EvaluationCost
from embedtune_nb.training.forgetting_guard import ForgettingGuard
from embedtune_nb.training.head_scores import head_scores
from embedtune_nb.training.held_out import HeldOut
from embedtune_nb.training.kept_tokens import KeptTokens
from embedtune_nb.training.shared import Shared, load_base
from embedtune_nb.training.start import Start, of_a_start
from embedtune_nb.training.telling import Telling
from embedtune_nb.training.trained_part import part_to_train
from embedtune_nb.training.trainer import FinetuneTrainer, TrainingResult

#: What a stop leaves behind, by whether checkpoints are kept.
_AFTER_A_STOP = {
    True: "a checkpoint is kept",
    False: "a trial keeps no checkpoint and starts anew",
}


class Training:
    """Loads the base model, trains what the plan names of it, and puts the best weights back.

    Parameters
    ----------
    plan
        What to do.
    split
        With which data. The verdict part is never read here.
    folder
        For checkpoints, the best weights so far and what the base made of the general probe.
    held_out
        Evaluates on the selection part of the first objective.
    emit
        Takes the events.
    should_stop
        Asked after each step.
    telling
        Told about every other long work, and asked to stop there.
    shared
        What other trainings from the same base found out already, and where to leave what this one does.
    resumable
        Whether checkpoints are written, and an earlier one is taken up.

    Attributes
    ----------
    encoder
        What is trained; of the base model until :meth:`train`.
    guard
        Compares it with its base on the general probe.
    trainer
        The trainer, once training began.
    """

    trainer: FinetuneTrainer

    def __init__(
        self,
        plan: Plan,
        split: Split,
        folder: Path,
        *,
        held_out: HeldOut,
        emit: Callable[[Event], None],
        should_stop: Callable[[], bool],
        telling: Telling,
        shared: Shared | None = None,
        resumable: bool = True,
    ) -> None:
        self.plan, self.split, self.folder, self.held_out = plan, split, folder, held_out
        self.emit, self.should_stop, self.telling = emit, should_stop, telling
        self.resumable = resumable
        self.settings: dict[str, Any] = plan.objectives[0]
        self.metric = selecting_metric(self.settings["eval_method"], self.settings["metric"])
        self.cost = EvaluationCost()
        self._evaluate_base: Callable[[], None] | None = None
        self._on_value: Callable[[int, dict[str, float]], None] | None = None
        # judged and published with the model's own limit; the plan's shorter one serves training
        self.known = (shared or Shared()).about(plan.base, self.settings)
        self.part = part_to_train(self.settings, emit, self.known)
        self.encoder = self.part.on(self._load_base, plan.base)
        self._own_limit = self.encoder.model.max_seq_length
        self.guard = ForgettingGuard(
            folder / "evaluation" / "general_probe.npy" if resumable else None,
            self.base_beside,
            "query" if self.settings.get("adapter_side") == "query" else None,
        )

    def base_beside(self) -> Encoder:
        """Return the untrained base model, although the one in hand has begun to learn."""
        return self.part.base_beside(self.encoder, self._load_base)

    def begin_with_base(self) -> None:
        """Begin the curves with the base model, evaluated here unless another training has done so."""
        start = self.known.once(of_a_start(self.settings), self._find_start)
        self.guard.recall(start.probe)
        if start.metrics is not None:
            self.tell_start(start.metrics)

    def _find_start(self) -> Start:
        self.emit(Phase("evaluating base"))
        base = self.base_beside()
        evaluation = self.start_of_curve(base, VectorCache())
        return Start(None if evaluation is None else evaluation.metrics, self.guard.see_base(base))

    def start_of_curve(self, base: Encoder, vectors: VectorCache) -> Evaluation | None:
        """Evaluate *base* on the selection part; None where what selects is asked of the training itself.

        Parameters
        ----------
        base
            The untrained base model.
        vectors
            Those of *base*.
        """
        assert self.split.selection is not None, "a curve is drawn on the part that selects"
        if self.settings["eval_method"] in ("head", "loss"):  # the base has neither
            return None
        return self.held_out.evaluate(base, self.split.selection, vectors)

    def tell_start(self, start: dict[str, float]) -> None:
        """Begin the curves with what the base model reached, *start* by metric."""
        values = evaluated(start)
        self.emit(Base(values))
        self.emit(Metrics(0, 0.0, values | self.guard.start()))

    def train(
        self,
        *,
        evaluate_base: Callable[[], None] | None = None,
        on_value: Callable[[int, dict[str, float]], None] | None = None,
    ) -> TrainingResult:
        """Train to the end or to early stopping; the encoder then has the best weights and is whole.

        Parameters
        ----------
        evaluate_base
            Called once, after the first step and before any evaluation: nobody likes to wait for a first
            loss. None if the base has been evaluated.
        on_value
            Called with step and metrics of each evaluation. What it raises ends the training.

        Raises
        ------
        JobStoppedError
            If a stop was asked for.
        """
        self._evaluate_base, self._on_value = evaluate_base, on_value
        checkpoint = latest_checkpoint(self.folder) if self.resumable else None
        if checkpoint is not None:
            self.emit(Notice(f"Carrying on from the checkpoint of {checkpoint.name}."))
        self.telling.at_stop = "Stopped before training began; texts that were read need not be read again."
        others = zip(self.split.further, self.plan.objectives[1:], strict=True)
        further = [(split.train, settings) for split, settings in others]
        self.part.begin(
            self.encoder,
            self.split.train,
            further=further,
            resumed=checkpoint is not None,
            progress=self.telling,
        )
        steps = self.settings["steps_total"]
        self.emit(Phase("training", steps) if evaluate_base is None else Phase("first step"))
        with self._reading_at_most(self.settings["max_seq_length"]):
            self.trainer = build_trainer(
                self.encoder,
                self.split.train,
                {**self.settings, "metric": self.metric},
                further=further,
                output_dir=self.folder,
                emit=self.emit,
                should_stop=self.should_stop,
                on_evaluate=self._on_evaluate if self.split.selection is not None else None,
                after_first_step=self._after_first_step if evaluate_base is not None else None,
                resume_from=checkpoint,
                resumable=self.resumable,
                known=self.known,
            )
            self.cost.begin()
            result = self.trainer.run(resume_from=checkpoint)
        self._tell_end(result)
        self.part.finish(self.encoder, self.split.train.texts())
        return result

    def base_first(self) -> None:
        """Evaluate the base model now if that has yet to be done."""
        if self._evaluate_base is not None:
            with self.cost.left_out():
                self._evaluate_base()
            self._evaluate_base = None

    def _load_base(self) -> Encoder:
        encoder = load_base(self.plan.base, self.settings, self.known)
        self.known.once("tokens", KeptTokens, large=True).serve(encoder.model)
        return encoder

    def _after_first_step(self) -> None:
        self.base_first()
        self.emit(Phase("training", self.settings["steps_total"]))

    def _tell_end(self, result: TrainingResult) -> None:
        if result.outcome == "stopped":
            raise JobStoppedError(
                f"Stopped at step {result.step} of {self.settings['steps_total']}; "
                f"{_AFTER_A_STOP[self.resumable]}.",
                fix="carry on with job.resume().",
            )
        if result.outcome == "early stopped":
            evaluations = f"{self.settings['early_stopping']} evaluations in a row"
            self.emit(Notice(f"Stopped early at step {result.step}: no gain in {evaluations}."))
        if word := self.cost.word(self.settings):
            self.emit(Notice(word))

    def _on_evaluate(self, step: int, epoch: float) -> float:
        """Evaluate on the selection part during training; return the metric that selects."""
        selection = self.split.selection
        assert selection is not None, "only a run with a selection part evaluates on it"
        self.base_first()  # a curve begins with the base
        with self.cost.of_one(), self._reading_at_most(self._own_limit):
            # beside the training loss on one chart it shows whether rows are learnt by heart
            values = {"loss": self._selection_loss(selection)}
            if self.settings["eval_method"] == "head":
                values |= head_scores(self.trainer.objective, self.encoder, selection)
            elif self.metric != "loss":
                values |= self.held_out.evaluate(self.encoder, selection).metrics
            forgotten = self.guard.measure(self.encoder).metrics()
        finite = {key: value for key, value in values.items() if not math.isnan(value)}
        self.emit(Metrics(step, epoch, evaluated(finite) | forgotten))
        self.emit(self.cost.measured())
        if self._on_value is not None:
            self._on_value(step, values)
        return values[self.metric]

    def _selection_loss(self, selection: Datasource) -> float:
        loss = self.trainer.eval_loss(selection)
        if math.isnan(loss) and self.metric == "loss":
            raise DataError(
                "The part that selects holds nothing that this loss learns from, so it cannot choose.",
                fix="choose another eval_method, or bring more rows.",
            )
        return loss

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


def evaluated(metrics: dict[str, float]) -> dict[str, float]:
    """Return *metrics* under the names that evaluations have in events."""
    return {f"eval/{name}": value for name, value in metrics.items()}
