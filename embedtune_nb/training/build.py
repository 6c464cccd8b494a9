"""From the settings of a plan to a trainer that carries them out."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from sentence_transformers import SentenceTransformerTrainingArguments
from sentence_transformers.base.modules import Router

from embedtune_nb.data.datasource import Datasource
from embedtune_nb.encoder.choice import Choice
from embedtune_nb.encoder.encoder import Encoder
from embedtune_nb.encoder.precision import choose_bf16
from embedtune_nb.encoder.threads import choose_threads, use_threads
from embedtune_nb.plan.metrics import lower_is_better
from embedtune_nb.plan.schedule import LEAST_POINTS
from embedtune_nb.store.events import Event
from embedtune_nb.training.batches import AlternatingBatches
from embedtune_nb.training.callbacks import AfterFirstStep, EvaluateAndSelect
from embedtune_nb.training.checkpoint import read_run_state
from embedtune_nb.training.losses import HeadLoss, ProxyAnchorLoss
from embedtune_nb.training.micro_batch import MicroBatch, choose_micro_batch
from embedtune_nb.training.objective import Objective, build_objective, objective_name
from embedtune_nb.training.shared import Known
from embedtune_nb.training.trainer import FinetuneTrainer

_SCHEDULES = {"linear": "linear", "cosine": "cosine", "constant": "constant_with_warmup"}
_HEAD_LEARNING_RATE = 1e-2
# What decides, beside base model and texts, what a pass of the model computes before the first step.
_OF_A_PASS = ("max_seq_length", "lora_rank", "adapter", "adapter_rank", "adapter_side", "adapter_start")


def build_trainer(
    encoder: Encoder,
    train: Datasource,
    settings: Mapping[str, Any],
    *,
    further: Sequence[tuple[Datasource, Mapping[str, Any]]] = (),
    output_dir: Path,
    emit: Callable[[Event], None],
    should_stop: Callable[[], bool],
    on_evaluate: Callable[[int, float], float | None] | None = None,
    after_first_step: Callable[[], None] | None = None,
    resume_from: Path | None = None,
    resumable: bool = True,
    known: Known | None = None,
) -> FinetuneTrainer:
    """Build the trainer that *settings* describe.

    Parameters
    ----------
    encoder
        What is trained, in place.
    train
        Training data.
    settings
        Plan settings by name, as plain values.
    further
        Data and settings of further objectives; what they share is read from *settings*.
    output_dir
        For checkpoints and the best weights.
    emit
        Takes events.
    should_stop
        Asked after each step.
    on_evaluate
        Called with (step, epoch) when ``eval_steps`` says so; returns the selecting metric, or ``None``
        where nothing is to be selected. May raise JobStoppedError, which ends the run in an orderly way.
    after_first_step
        Called once, when the first loss has been told. May raise JobStoppedError as well.
    resume_from
        The checkpoint that :meth:`FinetuneTrainer.run` will be given: spares what it brings along.
    resumable
        Whether checkpoints are written.
    known
        What other trainings of the same base model on this data found out, and where to leave what this
        one does: precision, lengths and memory of texts, what the base makes of them.

    Raises
    ------
    LossError
        If the loss does not fit the data.
    """
    threads = choose_threads()
    use_threads(threads)
    torch.manual_seed(settings["seed"])
    known = (known or Known()).within(*(settings.get(name) for name in _OF_A_PASS))
    asked_of = [
        known.within(place, settings["loss"], own["loss"], own.get("hard_negatives"))
        for place, own in enumerate((settings, *(own for _, own in further)))
    ]
    objectives = [
        build_objective(encoder, data, own, warm_head=resume_from is None, known=known_of)
        for (data, own), known_of in zip(((train, settings), *further), asked_of, strict=True)
    ]
    main = objectives[0]
    asked = settings.get("bf16", "auto")
    if resume_from is not None:
        asked = read_run_state(resume_from)["bf16"]["value"]
    texts = main.rows[next(iter(main.roles))][:256]
    bf16 = known.once(("bf16", asked), lambda: choose_bf16(encoder.model, encoder.seam, texts, asked))
    output_dir.mkdir(parents=True, exist_ok=True)
    head_rates = [own.get("head_learning_rate") for own in (settings, *(own for _, own in further))]
    head_rate = next(filter(None, head_rates), _HEAD_LEARNING_RATE)
    arguments = _arguments(encoder, objectives, settings, head_rate, output_dir)
    micro_batch = _micro_batch(encoder, objectives, settings, bf16, resume_from, asked_of)
    trainer = FinetuneTrainer(
        encoder,
        objectives,
        arguments,
        bf16=bf16,
        micro_batch=micro_batch,
        emit=emit,
        should_stop=should_stop,
    )
    trainer.checkpoint_steps = settings.get("checkpoint_save_steps")
    trainer.checkpoint_limit = settings.get("checkpoint_save_total_limit")
    trainer.resumable = resumable
    trainer.measured["threads"] = dict(threads._asdict())
    if after_first_step is not None:
        trainer.add_callback(AfterFirstStep(trainer, after_first_step))
    if on_evaluate is not None and settings.get("eval_steps", "off") != "off":
        trainer.selection = EvaluateAndSelect(
            trainer,
            on_evaluate,
            every=settings["eval_steps"],
            patience=int(settings.get("early_stopping") or 0),
            threshold=float(settings.get("early_stopping_threshold") or 0.0),
            metric=settings["metric"],
            higher_is_better=not lower_is_better(settings["metric"]),
        )
        trainer.add_callback(trainer.selection)
    return trainer


def _micro_batch(
    encoder: Encoder,
    objectives: Sequence[Objective],
    settings: Mapping[str, Any],
    bf16: Choice,
    resume_from: Path | None,
    known: Sequence[Known],
) -> MicroBatch:
    if resume_from is not None and (before := read_run_state(resume_from).get("micro_batch")):
        return MicroBatch.from_json(before)
    asked = settings.get("micro_batch_size") or "auto"
    batch, bfloat16 = int(settings["batch_size"]), bool(bf16.value)
    found = [
        choose_micro_batch(encoder, one, batch, asked, bfloat16=bfloat16, known=known_of)
        for one, known_of in zip(objectives, known, strict=True)
    ]
    # what fits the longest rows fits the others too
    return min(found, key=lambda micro: math.inf if micro.tokens is None else micro.tokens)


def _arguments(
    encoder: Encoder,
    objectives: Sequence[Objective],
    settings: Mapping[str, Any],
    head_rate: float,
    output_dir: Path,
) -> SentenceTransformerTrainingArguments:
    on_cpu = encoder.model.device.type == "cpu"
    batch = int(settings["batch_size"])
    per_epoch = sum(math.ceil(len(objective.rows) / batch) for objective in objectives)
    steps = settings.get("steps_total") or settings.get("max_steps") or per_epoch * settings["epochs"]
    has_head = any(isinstance(objective.loss, (HeadLoss, ProxyAnchorLoss)) for objective in objectives)
    before = [
        {column: prompt for column, role in objective.roles.items() if (prompt := encoder.prompt(role))}
        for objective in objectives
    ]
    ways: list[dict[str, str]] = [{} for _ in objectives]
    if any(isinstance(module, Router) for module in encoder.model.modules()):
        ways = [{column: role for column, role in one.roles.items() if role} for one in objectives]
    arguments = SentenceTransformerTrainingArguments(
        output_dir=str(output_dir),
        num_train_epochs=settings["epochs"],
        max_steps=settings.get("max_steps") or -1,
        per_device_train_batch_size=batch,
        learning_rate=settings["learning_rate"],
        learning_rate_mapping={r"^(objective-\d+\.)?head\.": head_rate} if has_head else {},
        lr_scheduler_type=_SCHEDULES[settings["learning_rate_scheduler"]],
        warmup_steps=int(settings["warmup"]),
        weight_decay=settings["weight_decay"],
        seed=settings["seed"],
        multi_dataset_batch_sampler=AlternatingBatches,
        prompts=_by_objective(before),
        router_mapping=_by_objective(ways),
        logging_steps=max(1, min(int(settings.get("logging_steps") or 1), int(steps) // LEAST_POINTS)),
        logging_first_step=True,
        logging_nan_inf_filter=False,
        save_strategy="no",
        eval_strategy="no",
        report_to="none",
        disable_tqdm=True,
        use_cpu=on_cpu,
        dataloader_pin_memory=not on_cpu,
    )
    # more GPUs would be driven by DataParallel, which splits a batch and with it the in-batch negatives
    arguments._n_gpu = min(1, arguments.n_gpu)
    return arguments


def _by_objective(columns: Sequence[dict[str, str]]) -> dict[str, Any]:
    """Return what belongs to the columns as the library wants it: by table first where there are several."""
    if len(columns) == 1:
        return dict(columns[0])
    return {objective_name(place): dict(own) for place, own in enumerate(columns)}
