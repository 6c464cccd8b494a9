"""Sentences worth reading before a run. Advice never stops one."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from embedtune_nb.catalogue import BaseSpec
from embedtune_nb.data.kinds import LABELED, NLI, PAIRS, RETRIEVAL, SCORED, SCORED_PAIRS, TRIPLETS
from embedtune_nb.data.lint.advice import lint_advice
from embedtune_nb.plan.choices import Choices
from embedtune_nb.plan.estimate import Workload
from embedtune_nb.plan.schedule import MUCH_EVALUATION, rarer_evaluation

_SMALL_DATA = 100
# Rows (queries for retrieval) that guides to fine-tuning ask for; below, the interval of the verdict is wide.
_USUAL_ROWS = {PAIRS: 2000, TRIPLETS: 1000, SCORED_PAIRS: 2000, NLI: 10_000, RETRIEVAL: 100}
_SMALL_BATCH = 32
# More passes than this mostly learn the rows by heart; adapters and heads of their own pace apart.
_MANY_EPOCHS = 5
# On an imbalanced cut of questions of 77 classes with word vectors, macro F1 fell by 0.014 in one epoch and
# rose by 0.041 in three.
_EPOCHS_FOR_PROXIES = 3
# On so few rows a second pass already repeats them more than it teaches.
_FEW_FOR_SECOND_PASS = 1000
_MUCH_CUT = 0.05
_IMBALANCE = 10
_HIGH_RATE = 1e-3
# From here on it pays to find out more cheaply first.
_LONG_SECONDS = 3600.0
#: Share of the main memory that a run may take before the rest of the system suffers.
FULL = 0.8


def advise(
    choices: Choices,
    base: BaseSpec,
    split: Any,
    *,
    rows: int,
    truncated: float | None,
    left_out: Sequence[str] = (),
    searched: Collection[str] = (),
) -> list[str]:
    """Return what a careful colleague would say about this plan, most important first.

    Of the first trial of a sweep, in which *searched* settings vary, only what concerns all trials.
    """
    about_data = advise_on_data(choices.loss, split, rows, choices["batch_size"], left_out)
    if split.train.kind == LABELED and choices.loss == "prediction" and "loss" not in searched:
        about_data.append(
            'If nearest neighbours or search are the goal, try loss="contrastive" next; for classes that '
            'shall lie well apart, loss="triplet".'
        )
    about_length = _about_length(choices, base, truncated)
    return [*about_data, *about_length, *([] if searched else _about_settings(choices, base))]


def advise_on_data(
    loss: str, split: Any, rows: int, batch_size: int, left_out: Sequence[str] = ()
) -> list[str]:
    """Return what is worth knowing about the data of one objective, *rows* of which are trained on."""
    found = []
    if rows < _SMALL_DATA:
        found.append(
            f"Only {rows} training rows: the gain will be small or uncertain. A base model off the shelf may "
            "serve as well, unless the texts are full of jargon, not in English, or alike in your own sense."
        )
    elif (usual := _USUAL_ROWS.get(split.train.kind, 0)) > (few := len(split.train)):
        what = "queries" if split.train.kind == RETRIEVAL else f"rows of {split.train.kind}"
        found.append(
            f"{few:,} training {what} are fewer than the {usual:,} that guides ask for: the verdict's "
            "interval will tell whether they were enough."
        )
    if split.train.kind == SCORED and loss == "prediction":
        found.append('If nearest neighbours are the goal, try loss="contrastive" next.')
    found += [f"Not trained on: {sentence}" for sentence in left_out]
    found += split.report.get("advice", [])
    batch = batch_size if loss == "contrastive" else None
    found += lint_advice(split.train, batch, held_out=split.verdict)
    if split.train.kind == LABELED:
        found += _about_labels(loss, split)
    return found


def _about_labels(loss: str, split: Any) -> list[str]:
    found = []
    counts = split.train.frames["examples"]["label"].value_counts()
    single = int((counts == 1).sum())
    if single and loss in ("contrastive", "triplet"):
        found.append(
            f"{single} of {len(counts)} classes have one training row: it has no positive to learn from."
        )
    if counts.max() >= _IMBALANCE * counts.min():
        found.append(
            f"Classes differ much in size ({counts.max():,} rows of {counts.idxmax()!r}, "
            f"{counts.min():,} of {counts.idxmin()!r}): read f1_macro beside accuracy."
            + ("" if loss == "proxy" else ' loss="proxy" gives every class the same weight.')
        )
    unseen = set(split.verdict.frames["examples"]["label"]) - set(counts.index)
    if unseen:
        some = ", ".join(repr(label) for label in sorted(unseen, key=str)[:3])
        found.append(
            f"{len(unseen)} labels of the evaluation data never occur in training ({some}"
            f"{', ...' if len(unseen) > 3 else ''}): they count as wrong."
        )
    return found


def _about_length(choices: Choices, base: BaseSpec, truncated: float | None) -> list[str]:
    if not truncated or truncated <= _MUCH_CUT:
        return []
    length = choices["max_seq_length"]
    more = (
        f"That is all that {base.id} reads; another base model may read more."
        if length == base.max_length
        else "A larger max_seq_length keeps more; cost grows faster than length."
    )
    return [f"{truncated:.0%} of the training texts are cut at {length} tokens. {more}"]


def _about_settings(choices: Choices, base: BaseSpec) -> list[str]:
    found = []
    if choices.loss == "contrastive" and choices["batch_size"] < _SMALL_BATCH:
        found.append(
            f"A batch of {choices['batch_size']} gives each row only {choices['batch_size'] - 1} negatives; "
            "contrastive learns better from more. Double it as long as rows are left: memory sets no "
            "limit, since a batch is computed in parts."
        )
    whole_encoder = base.architecture == "transformer" and "adapter" not in choices.settings
    if choices["learning_rate"] > _HIGH_RATE and whole_encoder:
        found.append(
            f"learning_rate={choices['learning_rate']:g} is high for an encoder; 1e-5 to 1e-4 is usual."
        )
    if choices.loss == "proxy" and choices["epochs"] < _EPOCHS_FOR_PROXIES and choices["max_steps"] is None:
        found.append(
            f"Anchors move little in {choices['epochs']} epoch{'s' * (choices['epochs'] > 1)}, those of rare "
            f'classes least: with loss="proxy" {_EPOCHS_FOR_PROXIES} epochs are safer.'
        )
    if choices["warmup"] >= choices["steps_total"]:
        found.append(
            f"warmup ({choices['warmup']} steps) is as long as the run ({choices['steps_total']} steps): "
            "the learning rate never reaches its peak."
        )
    return found + _about_watching(choices)


def _about_watching(choices: Choices) -> list[str]:
    found = []
    epochs, patience, steps = choices["epochs"], choices["early_stopping"], choices["steps_total"]
    if epochs > _MANY_EPOCHS and not patience and "adapter" not in choices.settings:
        found.append(
            f"epochs={epochs}: 1 to {_MANY_EPOCHS} are usual. More passes tend to learn the rows by heart; "
            "early_stopping=True ends the run when the held-out part stops gaining."
        )
    rows = choices["steps_per_epoch"] * choices["batch_size"]
    if 1 < epochs <= _MANY_EPOCHS and rows < _FEW_FOR_SECOND_PASS and not patience:
        found.append(f"{epochs} epochs over few rows: one pass is safer, or watch with early_stopping=True.")
    every = choices["eval_steps"]
    if isinstance(every, int) and every > steps:
        found.append(
            f"eval_steps={every} is more than the {steps} steps of the run: it is evaluated only at the end."
        )
    elif patience and isinstance(every, int) and steps < (patience + 1) * every:
        found.append(
            f"With eval_steps={every} and {steps} steps, early stopping cannot act: lower eval_steps."
        )
    return found


def advise_on_cost(
    choices: Choices,
    base: BaseSpec,
    work: Workload,
    expected: Mapping[str, Any],
    available: int,
    searched: Collection[str] = (),
) -> list[str]:
    """Return advice on what the estimate *expected* says; *available* is the memory there is, in bytes."""
    found = []
    seconds, memory = expected["seconds_high"], expected["peak_memory_bytes"]
    whole_encoder = base.architecture == "transformer" and "adapter" not in choices.settings
    if seconds is not None and seconds > _LONG_SECONDS and whole_encoder:
        sooner = "A single run" if searched else "A smaller base model"
        found.append(
            f"This may take {seconds / 3600:.1f} hours here. {sooner}, adapter='linear' or max_steps show "
            "sooner whether tuning gains anything; a GPU shortens it. Collecting data usually costs more "
            "than computing."
        )
    if memory is not None and memory > FULL * available:
        found.append(
            f"About {memory / 1e9:.1f} GB will be needed, and this machine has {available / 1e9:.1f} GB. "
            "What helps, in this order: a shorter max_seq_length, a smaller batch_size, a smaller base model."
        )
    if work.watching_share > MUCH_EVALUATION:
        rarer = rarer_evaluation(choices["eval_steps"], choices["steps_total"])
        less = f'{rarer}eval_steps="end" evaluates only before and after training.'
        if searched:
            less = "a sweep chooses by it."
            if choices["eval_method"] == "neighbor":
                less += " neighbor_eval_pool_subsample=0.5 would halve most of it."
        share = f"About {work.watching_share:.0%} of the training time goes into evaluation on the way"
        found.append(f"{share}: {less}")
    return found
