"""The trainer: the library's, with sorted chunks, a head of its own pace, honest resuming and no noise."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from datasets import Dataset, DatasetDict
from sentence_transformers import SentenceTransformerTrainer, SentenceTransformerTrainingArguments
from torch import Tensor, nn
from transformers import PrinterCallback
from transformers.trainer import TRAINER_STATE_NAME
from transformers.trainer_callback import TrainerState

from embedtune_nb.data.datasource import Datasource
from embedtune_nb.encoder.choice import Choice
from embedtune_nb.encoder.encoder import Encoder
from embedtune_nb.errors import JobFailedError
from embedtune_nb.store.events import Best, Event, Measured, Notice
from embedtune_nb.training.batches import ShuffledBatches
from embedtune_nb.training.callbacks import EmitMetrics, EvaluateAndSelect, MeasureSteps, StopOnRequest
from embedtune_nb.training.checkpoint import (
    BEST_WEIGHTS,
    LOSS_WEIGHTS,
    drop_progress,
    load_loss_weights,
    loss_weights,
    read_run_state,
    write_checkpoint,
)
from embedtune_nb.training.fitting import FittingSteps
from embedtune_nb.training.memory import is_out_of_memory
from embedtune_nb.training.micro_batch import MicroBatch
from embedtune_nb.training.objective import Objective, objective_name
from embedtune_nb.training.trained_weights import has_frozen, load_trained, save_trained, trained_state

Outcome = Literal["finished", "early stopped", "stopped"]
#: A killed run loses at most these seconds of work; writing a checkpoint takes about one.
_SECONDS_BETWEEN_CHECKPOINTS = 300.0


@dataclass(frozen=True)
class TrainingResult:
    """How a training run ended.

    Attributes
    ----------
    outcome
        ``"finished"``, ``"early stopped"`` (nothing got better) or ``"stopped"`` (asked for).
    step
        Optimizer steps behind us.
    best
        The best evaluation, whose weights the model now has; ``None`` if nothing was evaluated.
    checkpoint
        From where the run can be carried on; one that has ended comes back as it was, without a step.
    """

    outcome: Outcome
    step: int
    best: Best | None
    checkpoint: Path | None


class FinetuneTrainer(SentenceTransformerTrainer):
    """One training run; built by :func:`~embedtune_nb.training.build.build_trainer`, started by :meth:`run`.

    Attributes
    ----------
    encoder
        The encoder being trained.
    objectives
        Data and losses; batches of several take turns.
    objective
        The first of them, which selects.
    bf16
        Whether training computes in bfloat16, and why.
    steps
        What takes the gradients of a batch, with as much at once as memory allows.
    measured
        What the worker found out: setting -> value and reason.
    outcome
        How it ended, or will unless something happens.
    folder
        Where checkpoints and the best weights go.
    checkpoint_steps
        Steps between checkpoints; ``None`` for one every few minutes.
    checkpoint_limit
        How many checkpoints are kept, also after the run (0: all); ``None`` for the newest until then.
    resumable
        Whether checkpoints are written at all.
    texts_seen
        Texts stepped through so far in this process.
    """

    def __init__(
        self,
        encoder: Encoder,
        objectives: Sequence[Objective],
        arguments: SentenceTransformerTrainingArguments,
        *,
        bf16: Choice,
        micro_batch: MicroBatch,
        emit: Callable[[Event], None],
        should_stop: Callable[[], bool],
    ) -> None:
        self.encoder: Encoder = encoder
        self.objectives: list[Objective] = list(objectives)
        self.objective: Objective = objectives[0]
        self.bf16 = bf16
        self.steps = FittingSteps(encoder, self.objective.loss, micro_batch, emit)
        self.folder = Path(str(arguments.output_dir))
        self.emit, self.should_stop = emit, should_stop
        self.outcome: Outcome = "finished"
        self.checkpoint: Path | None = None
        self.checkpoint_steps: int | None = None
        self.checkpoint_limit: int | None = None
        self.resumable = True
        self.texts_seen = 0
        self.measured: dict[str, dict[str, Any]] = {}
        self.selection: EvaluateAndSelect | None = None
        self._unlogged: list[list[float]] = [[] for _ in objectives]
        self._latest: dict[int, float] = {}
        rows, loss = self._tables_and_losses()
        super().__init__(encoder.model, arguments, rows, loss=loss)
        self.remove_callback(PrinterCallback)
        self._metrics, self._steps = EmitMetrics(self), MeasureSteps(self)
        for callback in (self._metrics, self._steps):
            self.add_callback(callback)

    # What the lead of a run calls ------------------------------------------------------------------------

    def run(self, resume_from: Path | None = None) -> TrainingResult:
        """Train to the end, to early stopping or to a stop request; the model then has the best weights.

        Parameters
        ----------
        resume_from
            A checkpoint folder; its model, loss, optimizer, data order and precision are taken up.

        Raises
        ------
        JobFailedError
            If the loss is no longer a finite number.
        """
        for name, choice in (("bf16", self.bf16), ("rows", self.encoder.rows)):
            self.measured[name] = {"value": choice.value, "reason": choice.reason}
        self.measured |= self.steps.micro_batch.measured()
        unsaved = False
        if resume_from is not None:
            self._take_up(resume_from)
            unsaved = self._catch_up(resume_from)
        self.emit(Measured(dict(self.measured)))
        if not self.ended and self.outcome != "stopped":
            self.add_callback(StopOnRequest(self, _SECONDS_BETWEEN_CHECKPOINTS, self.checkpoint_steps))
            self._train(resume_from)
            unsaved = True
        if unsaved:
            # however short the run: what follows, evaluations and publishing, may be stopped or fail
            self._save_checkpoint(self.model, None)
        for objective in self.objectives:
            if objective.loss.left_out:
                self.emit(Notice(objective.loss.left_out))
        best = self.selection.best if self.selection else None
        if self.outcome != "stopped" and best is not None and best.step != self.state.global_step:
            self._restore_best()
            self.emit(
                Notice(f"Put back the weights of step {best.step}: {best.name} was best, {best.value:.4f}.")
            )
        return TrainingResult(self.outcome, self.state.global_step, best, self.checkpoint)

    def _train(self, resume_from: Path | None) -> None:
        try:
            self.train(resume_from_checkpoint=str(resume_from) if resume_from else None)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            # not in a step, where less at once could have helped: the optimizer's state, a checkpoint
            raise self.steps.ran_out(str(error).strip()) from error

    def drop_progress(self) -> None:
        """Delete best weights, and checkpoints unless a number of them was asked for."""
        drop_progress(self.folder, checkpoints=self.checkpoint_limit is None)

    @torch.no_grad()
    def eval_loss(self, data: Datasource) -> float:
        """Return the loss on *data*, of the kind trained on, in batches of the training size.

        NaN where *data* holds nothing that this loss learns from.
        """
        objective = self.objective.on(data)
        if not len(objective.rows):
            return float("nan")
        cache = self.steps.cache(objective.loss)
        batches = objective.batches(objective.rows, self.args.train_batch_size, False, seed=self.args.seed)
        self.model.eval()
        total = count = 0.0
        for batch in batches:
            rows = objective.rows[batch]
            features = [self.encoder.features(rows[name], role) for name, role in objective.roles.items()]
            labels = torch.tensor(rows["label"], device=self.model.device)
            total += float(cache.value(features, labels)) * len(batch)
            count += len(batch)
        return total / count

    # What the callbacks call -----------------------------------------------------------------------------

    @property
    def ended(self) -> bool:
        """Whether no step is left to be trained."""
        return self.outcome == "early stopped" or 0 < self.state.max_steps <= self.state.global_step

    def pause(self, seconds: float) -> None:
        """Leave *seconds* of other work, an evaluation, out of what is told about the pace."""
        self._metrics.pause(seconds)
        self._steps.pause(seconds)

    def keep_best(self) -> None:
        """Keep a copy of the present weights on disk as the best so far."""
        path = self.folder / BEST_WEIGHTS
        draft = path.with_suffix(".tmp")
        torch.save({"model": trained_state(self.model), "losses": self._loss_weights()}, draft)
        draft.replace(path)

    def _restore_best(self) -> None:
        path = self.folder / BEST_WEIGHTS
        weights = torch.load(path, map_location=self.model.device, weights_only=True)
        self.model.load_state_dict(weights["model"], strict=False)  # frozen weights are not kept
        self._load_loss_weights(weights["losses"])

    # Taking up a checkpoint ------------------------------------------------------------------------------

    def _take_up(self, folder: Path) -> None:
        """Take over from a checkpoint where the run stood; the library loads the weights before it trains."""
        self.checkpoint = folder
        self.state = TrainerState.load_from_json(str(folder / TRAINER_STATE_NAME))
        run_state = read_run_state(folder)
        if run_state.get("ended") and self.state.global_step < self.state.max_steps:
            self.outcome = "early stopped"
        self.bf16 = Choice(run_state["bf16"]["value"], "as in the part of the run that is resumed")
        self.measured["bf16"] = dict(self.bf16._asdict())
        self._latest = dict(run_state.get("latest_losses", []))
        if self.selection is None:
            return
        self.selection.evaluated = run_state.get("evaluated", self.state.global_step)
        if run_state["best"] is not None:
            self.selection.best, self.selection.misses = Best(*run_state["best"]), run_state["misses"]
            _link(folder / BEST_WEIGHTS, self.folder / BEST_WEIGHTS)

    def _catch_up(self, folder: Path) -> bool:
        """Make up for the evaluation during which the run was stopped; return whether there was one."""
        due = self.selection is not None and self.selection.due(self.state)
        if due or self.ended:
            self._load_from_checkpoint(str(folder))
        if due and self.selection is not None:
            self.selection.turn(self.state, self.control)
        return due and self.outcome != "stopped"

    # Hooks of the library's trainer ----------------------------------------------------------------------

    def training_step(
        self, model: nn.Module, inputs: dict[str, Any], num_items_in_batch: Tensor | int | None = None
    ) -> Tensor:
        """Add the gradients of one batch in the chosen precision; a loss that is no number ends the run."""
        model.train()
        place = self._names.index(inputs.pop("dataset_name", self._names[0]))
        features, labels = self.collect_features(self._prepare_inputs(inputs))
        assert labels is not None, "every objective's rows have a label"
        with self.encoder.precision(bfloat16=bool(self.bf16.value)):
            loss = self.steps.backward(features, labels, self.objectives[place].loss)
        self.texts_seen += len(features) * len(labels)
        if not torch.isfinite(loss):
            raise JobFailedError(
                f"The loss became {loss.item()} at step {self.state.global_step + 1}.",
                expected="a finite number at every step",
                fix=f"lower learning_rate (now {self.args.learning_rate:g}) or raise warmup.",
            )
        self._unlogged[place].append(loss.item())
        return loss

    def get_batch_sampler(
        self,
        dataset: Dataset,
        batch_size: int,
        drop_last: bool,
        valid_label_columns: list[str] | None = None,
        generator: torch.Generator | None = None,
        seed: int = 0,
    ) -> ShuffledBatches:
        """Return the batches of the objective that *dataset* belongs to."""
        tables = self.train_dataset
        found = tables.values() if isinstance(tables, DatasetDict) else [tables]
        objective = next(one for one, table in zip(self.objectives, found, strict=True) if table is dataset)
        return objective.batches(objective.rows, batch_size, drop_last, seed=seed)

    def add_model_card_callback(self, default_args_dict: dict[str, Any]) -> None:
        """Add none: the library's model card quotes training texts."""

    def _save_checkpoint(self, model: nn.Module, trial: Any) -> None:
        if not self.resumable:
            return
        selection = self.selection
        best = selection.best if selection else None
        run_state = {
            "bf16": self.bf16._asdict(),
            "micro_batch": self.steps.micro_batch.to_json(),
            "misses": selection.misses if selection else 0,
            "best": None if best is None else [best.name, best.value, best.step],
            "evaluated": selection.evaluated if selection else -1,
            "ended": self.ended,
            "latest_losses": list(self._latest.items()),
        }
        step = self.state.global_step
        keep = 1 if self.checkpoint_limit is None else self.checkpoint_limit
        self.checkpoint = write_checkpoint(self.folder, step, self._fill_checkpoint, run_state, keep=keep)

    def _fill_checkpoint(self, folder: Path) -> None:
        if has_frozen(self.model):
            save_trained(self.model, folder)
        else:
            self.encoder.save(folder)
        torch.save(self._loss_weights(), folder / LOSS_WEIGHTS)
        if not self.ended:
            self._save_optimizer_and_scheduler(str(folder))
            self._save_rng_state(str(folder))
        self.state.save_to_json(str(folder / TRAINER_STATE_NAME))
        best = self.folder / BEST_WEIGHTS
        if best.exists():
            _link(best, folder / BEST_WEIGHTS)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: nn.Module | None = None) -> None:
        if has_frozen(self.model):
            load_trained(self.model, Path(resume_from_checkpoint))
        else:
            super()._load_from_checkpoint(resume_from_checkpoint)
        path = Path(resume_from_checkpoint) / LOSS_WEIGHTS
        self._load_loss_weights(torch.load(path, map_location=self.model.device, weights_only=True))

    # Several objectives ----------------------------------------------------------------------------------

    @property
    def _names(self) -> list[str]:
        return [objective_name(place) for place in range(len(self.objectives))]

    def _tables_and_losses(self) -> tuple[Dataset | DatasetDict, nn.Module | dict[str, nn.Module]]:
        if len(self.objectives) == 1:
            return self.objective.rows, self.objective.loss
        # a copy: the library has its tables tell their name with every row
        tables = {
            name: one.rows.with_format(None) for name, one in zip(self._names, self.objectives, strict=True)
        }
        losses: dict[str, nn.Module] = {
            name: one.loss for name, one in zip(self._names, self.objectives, strict=True)
        }
        return DatasetDict(tables), losses

    def losses_since_logged(self) -> dict[str, float]:
        """Return the mean loss of each objective since the last call; nothing where there is but one.

        ``train/loss`` is then the mean of what each objective's loss was last: what the library logs would
        jump with whose turn it is.
        """
        means = {place: sum(values) / len(values) for place, values in enumerate(self._unlogged, 1) if values}
        for values in self._unlogged:
            values.clear()
        self._latest |= means
        if len(self.objectives) == 1:
            return {}
        told = {f"train/loss_{place}": mean for place, mean in means.items()}
        return {"train/loss": sum(self._latest.values()) / len(self._latest), **told}

    def _loss_weights(self) -> list[dict[str, Tensor]]:
        return [loss_weights(objective.loss) for objective in self.objectives]

    def _load_loss_weights(self, weights: list[dict[str, Tensor]]) -> None:
        for objective, own in zip(self.objectives, weights, strict=True):
            load_loss_weights(objective.loss, own)


def _link(source: Path, target: Path) -> None:
    """Give a file a second name, or copy it where the filesystem cannot."""
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
