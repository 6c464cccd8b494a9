"""When to evaluate, when to stop, how many epochs, steps and warmup steps."""

from __future__ import annotations

import math
from collections.abc import Sequence

from embedtune_nb.data.kinds import LABELED, NLI, SCORED, SCORED_PAIRS, TRIPLETS
from embedtune_nb.errors import PlanError
from embedtune_nb.plan.choices import ASKED, Choices
from embedtune_nb.plan.hyperparams import HYPERPARAMS
from embedtune_nb.plan.losses import LOSSES
from embedtune_nb.plan.metrics import PRIMARY, check_metric
from embedtune_nb.plan.plan import Setting
from embedtune_nb.plan.values import PATIENCE

EVAL_STEPS = 50
#: Share of the training time from which evaluation during training is called much.
MUCH_EVALUATION = 0.2
# A pool of more documents is not embedded again and again unasked.
_MOST_SEARCHED = 10_000
#: What they answer is at hand while training; neighbours and search embed what is searched as well, and
#: the others tell no more than the end of the run does.
FAST_METHODS = ("head", "loss")
_METHOD_REASON = {
    "head": "the head answers at once, so it can be asked often",
    "neighbor": "nearest neighbours are what this loss trains for",
    "retrieval": "search quality is what this data is about",
    "triplet": "whether the positive is nearer than the negatives is what this data is about",
    "similarity": "the order of similarities is what this data is about",
}
METRIC_REASON = {
    "accuracy": "share of held-out texts whose nearest neighbours vote right",
    "mae": "how far the mean score of the nearest neighbours is off",
    "ndcg@10": "rewards the right documents near the top of the first ten",
    "triplet_accuracy": "share of held-out rows whose positive is nearer than every negative",
    "spearman": "how well the order of the cosines follows the order of the judgements",
}
#: A curve needs points: however short the run, about this many are logged.
LEAST_POINTS = 50
# At most about this many points on the loss curve, which is more than a screen has room for.
_CURVE_POINTS = 200
# With fewer steps than this, a curve says little and the learning rate has no time to rise and fall.
_LEAST_STEPS = 50
# Proxies are new weights that one batch moves little: of 77 classes of 4 to 120 training texts (static model,
# two seeds, held-out training rows), macro F1 rose by 0.00 in 66 steps, by 0.05 in 260, as with `prediction`.
_LEAST_STEPS_OF_PROXIES = 200
# Smaller batches would make noise of the gradient; where the batch is what a row is compared with, sooner.
_LEAST_BATCH, _LEAST_COMPARED = 16, 32
# The share of the rows that is trained on where a part selects and a part judges.
_TRAINED = 0.7


def rarer_evaluation(every: int | str, steps: int) -> str:
    """Return the beginning of a sentence on evaluating half as often; empty where that is not possible."""
    if isinstance(every, int) and 2 * every <= steps:
        return f"eval_steps={2 * every} would halve that, "
    return ""


def eval_methods(kind: str, loss: str) -> tuple[str, ...]:
    """Return the evaluation methods that make sense, the default first."""
    if kind in (LABELED, SCORED):
        return ("head", "neighbor", "loss") if loss == "prediction" else ("neighbor", "loss")
    if kind in (SCORED_PAIRS, NLI):
        return ("similarity", "loss")
    return ("triplet", "loss") if kind == TRIPLETS else ("retrieval", "loss")


def choose_evaluation(
    choices: Choices, kind: str, *, rows: int, documents: int = 0, searching: bool = False
) -> bool:
    """Settle metric, evaluation, early stopping and epochs; return whether a selection part is needed.

    A single ``prediction`` run evaluates with its head, stops early with patience 2 and has 3 epochs;
    other single runs have 1 epoch, or 3 with early stopping. What is searched (pairs, retrieval) is
    evaluated every 50 steps, unless the run is shorter or the pool too large for that. A trial of a sweep is
    evaluated on its way by what every loss can be asked, and has 2 epochs.

    Parameters
    ----------
    choices
        Where the settings go.
    kind
        Of the data.
    rows
        Examples before anything is held out: pairs, judgements or labelled texts.
    documents
        In the pool that a search evaluation embeds each time.
    searching
        Whether this is a trial of a sweep.
    """
    usual = PRIMARY[kind]
    choices.default("metric", usual, METRIC_REASON[usual])
    check_metric(kind, choices["metric"])
    methods = eval_methods(kind, choices.loss)
    if searching and methods[0] == "head":
        reason = "a head learns its own trial's labels; neighbours compare trials by the embeddings alone"
        choices.default("eval_method", "neighbor", reason)
    else:
        choices.default("eval_method", methods[0], _METHOD_REASON[methods[0]])
    if choices["eval_method"] not in methods:
        raise PlanError(
            f"eval_method={choices['eval_method']!r} does not fit {kind} data with loss={choices.loss!r}.",
            expected=" or ".join(repr(method) for method in methods),
            fix="choose one of these, or leave eval_method out.",
        )
    _choose_stopping(choices, rows, documents, searching)
    patience = choices["early_stopping"]
    if patience:
        choices.default("epochs", 3, "early stopping ends the run when it has learnt enough")
    elif searching:
        choices.default("epochs", 2, "a trial has two passes, and its best weights on the way count")
    else:
        choices.default("epochs", 1, "one pass teaches most; more passes need watching")
    return choices["eval_steps"] not in ("end", "off")


def _choose_stopping(choices: Choices, rows: int, documents: int, searching: bool) -> None:
    method = choices["eval_method"]
    wanted = choices.given.get("eval_steps")
    fast = method in FAST_METHODS
    if searching and wanted in ("end", "off"):
        raise PlanError(
            f"eval_steps={wanted!r} leaves a sweep nothing to compare its trials by before they are over.",
            expected="a whole number of steps, or 'epoch'",
            fix="leave eval_steps out: trials are evaluated at equal parts of their way.",
        )
    if wanted in ("end", "off"):
        if choices.given.get("early_stopping"):
            raise PlanError(
                f"early_stopping needs evaluations during training, but eval_steps is {wanted!r}.",
                expected="eval_steps as a whole number or 'epoch'",
                fix="leave one of the two out.",
            )
        choices.default("early_stopping", 0, f"off: eval_steps={wanted!r} leaves nothing to watch")
    elif fast:
        choices.default("early_stopping", PATIENCE, f"on by itself, because eval_method={method!r} is quick")
    else:
        embeds = "what it searches" if method in ("neighbor", "retrieval") else "all held-out texts"
        choices.default("early_stopping", 0, f"off: eval_method={method!r} embeds {embeds} each time")
    patience = choices["early_stopping"]
    if patience and "early_stopping" in choices.given:
        choices.settings["early_stopping"] = Setting(
            patience, "user", f"stop after {patience} evaluations without a gain"
        )
    choices.take("early_stopping_threshold")
    if fast:
        choices.default("eval_steps", EVAL_STEPS, f"eval_method={method!r} is quick")
    elif patience:
        choices.default("eval_steps", "epoch", "early stopping watches every epoch")
    elif searching:
        choices.default("eval_steps", "epoch", "a sweep chooses by evaluations on the way")
    elif (
        method == "retrieval"
        # with one evaluation before the last there is little to choose from, and rows to choose by are dear
        and _about_steps(choices, rows) >= 2 * EVAL_STEPS
        and documents <= _MOST_SEARCHED
    ):
        choices.default("eval_steps", EVAL_STEPS, "often enough to keep the best weights on the way")
    else:
        choices.default("eval_steps", "end", f"eval_method={method!r} takes time, and nothing waits for it")
    if choices["eval_steps"] in ("end", "off"):
        why = f"with eval_steps={choices['eval_steps']!r} nothing is evaluated during training"
        choices.without_effect(why, "eval_method", "early_stopping_threshold")
    elif not patience:
        choices.without_effect("early_stopping is off", "early_stopping_threshold")


def _about_steps(choices: Choices, rows: int) -> int:
    """Return about how many steps *rows* make, before it is known how many are held out."""
    if limit := choices.given.get("max_steps"):
        return int(limit)
    epochs, trained = int(choices.given.get("epochs") or 1), [int(_TRAINED * rows)]
    usual = HYPERPARAMS["batch_size"].default_for(choices.loss)
    batch = choices.given.get("batch_size") or _batch_for_a_curve(choices.loss, trained, epochs, usual)
    return epochs * _steps(trained, batch)


def choose_steps(choices: Choices, rows: Sequence[int]) -> None:
    """Settle batch size, steps, warmup and logging for so many training rows of each objective."""
    choices.take("max_steps")
    _choose_batch(choices, rows)
    batch = choices["batch_size"]
    per_epoch = _steps(rows, batch)
    counted = " and ".join(f"{count:,}" for count in rows)
    apart = ", each of one objective" if len(rows) > 1 else ""
    reason = f"{counted} training rows in batches of {batch}{apart}"
    choices.overrule("steps_per_epoch", per_epoch, reason)
    epochs, limit = choices["epochs"], choices["max_steps"]
    if limit is None:
        total = epochs * per_epoch
        choices.overrule("steps_total", total, f"{_count(epochs, 'epoch')} of {_count(per_epoch, 'step')}")
    else:
        total = limit
        choices.overrule("steps_total", limit, "max_steps decides, not epochs")
        asked = f" (you asked for {epochs})" if "epochs" in choices.given else ""
        choices.overrule("epochs", math.ceil(limit / per_epoch), f"what max_steps={limit} amounts to{asked}")
    if choices["eval_steps"] == EVAL_STEPS and "eval_steps" not in choices.given and per_epoch < EVAL_STEPS:
        reason = f"an epoch has only {_count(per_epoch, 'step')}, fewer than the usual {EVAL_STEPS}"
        choices.overrule("eval_steps", "epoch", reason)
    _choose_warmup(choices, total)
    points = max(1, total // _CURVE_POINTS)
    choices.infer("logging_steps", points, f"about {math.ceil(total / points)} points on the loss curve")
    most, asked = max(1, total // LEAST_POINTS), choices["logging_steps"]
    if asked > most:
        why = f"a curve over {_count(total, 'step')} shall have about {LEAST_POINTS} points"
        choices.overrule("logging_steps", most, f"you asked for {asked}, but {why}")


def _choose_batch(choices: Choices, rows: Sequence[int]) -> None:
    """Settle the batch size: no bigger than the data, and by itself small enough for a curve."""
    choices.take("batch_size")
    wanted = choices["batch_size"]
    if "batch_size" not in choices.given and choices["max_steps"] is None:
        epochs = choices["epochs"]
        batch = _batch_for_a_curve(choices.loss, rows, epochs, wanted)
        if batch < wanted:
            few = _count(epochs * _steps(rows, wanted), "step")
            steps = epochs * _steps(rows, batch)
            reason = f"the usual {wanted} would make a run of {few}; {batch} makes it {steps}"
            choices.overrule("batch_size", batch, reason)
    batch = choices["batch_size"]
    most = max(rows)
    if most < batch:
        who = "you asked for" if "batch_size" in choices.given else "the default is"
        choices.overrule("batch_size", most, f"{who} {batch}, but there are only {most} training rows")


def _batch_for_a_curve(loss: str, rows: Sequence[int], epochs: int, usual: int) -> int:
    least = _LEAST_COMPARED if LOSSES[loss].in_batch else _LEAST_BATCH
    batch, wanted = usual, _LEAST_STEPS_OF_PROXIES if loss == "proxy" else _LEAST_STEPS
    while batch > least and epochs * _steps(rows, batch) < wanted:
        batch //= 2
    return batch


def _steps(rows: Sequence[int], batch: int) -> int:
    """Return the steps of one pass; a batch holds rows of one objective."""
    return sum(math.ceil(count / batch) for count in rows)


def _choose_warmup(choices: Choices, total: int) -> None:
    choices.take("warmup")
    setting = choices.settings["warmup"]
    if isinstance(setting.value, int):
        choices.settings["warmup"] = Setting(setting.value, setting.source, f"{ASKED}, in steps")
        return
    # The tiny addition keeps 0.1 x 30 from becoming 2 by binary rounding.
    steps = math.floor(setting.value * total + 1e-9)
    reason = f"{setting.value:.3g} of {_count(total, 'step')}, rounded down"
    choices.settings["warmup"] = Setting(steps, setting.source, reason)


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" + ("" if number == 1 else "s")
