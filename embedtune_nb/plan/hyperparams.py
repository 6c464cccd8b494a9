"""Every hyperparameter: what it means, which values it takes, and its default for each loss."""

from __future__ import annotations

from embedtune_nb.plan.hyperparam import Hyperparam
from embedtune_nb.plan.values import (
    PERCENTILES,
    choice,
    either,
    integer,
    lengths,
    number,
    patience,
    text,
    warmup,
)

_COMPARED_BY = "trials are compared by it, so it must be the same for all"
_SPEED = "it changes how fast a trial is, not what it learns"
_UNTRAINED = "nothing that is learnt depends on it"

HYPERPARAMS: dict[str, Hyperparam] = {
    entry.name: entry
    for entry in (
        Hyperparam(
            "epochs",
            "Passes over the training data.",
            "a whole number from 1",
            integer(1),
        ),
        Hyperparam(
            "max_steps",
            "Most optimizer steps; where it is set, it decides instead of epochs.",
            "a whole number from 1",
            integer(1),
            why="not limited: epochs decide",
            not_searched="it only cuts a run short; search epochs for its length",
        ),
        Hyperparam(
            "learning_rate",
            "Peak learning rate after warmup. Raise it on an early plateau, lower it when the loss swings.",
            "a number above 0, up to 1",
            number(0.0, 1.0, open_low=True),
            default=5e-5,
            why="a usual rate for tuning a whole encoder",
        ),
        Hyperparam(
            "head_learning_rate",
            "Peak learning rate of the linear head, or of the proxies.",
            "a number above 0, up to 1",
            number(0.0, 1.0, open_low=True),
            why="the head starts from nothing, so it may learn faster than the encoder",
        ),
        Hyperparam(
            "batch_size",
            "Rows the loss sees in one optimizer step, whatever the device. More rows are more negatives.",
            "a whole number from 2",
            integer(2),
            why="the default of this loss",
        ),
        Hyperparam(
            "warmup",
            "Steps (whole number) or share of all steps (fraction) in which the learning rate rises. "
            "15-20 % helps when the loss oscillates early.",
            "a whole number of steps from 0, or a fraction from 0.0 to 1.0",
            warmup,
            why="a tenth of all steps",
        ),
        Hyperparam(
            "weight_decay",
            "L2 regularisation, typically 0 to 0.1.",
            "a number from 0 to 1",
            number(0.0, 1.0),
            default=0.0,
            why="none: one to three epochs seldom need it",
        ),
        Hyperparam(
            "learning_rate_scheduler",
            "How the learning rate goes on after warmup.",
            "'linear', 'cosine' or 'constant'",
            choice("linear", "cosine", "constant"),
            default="linear",
            why="falls to zero, so that the last steps settle",
        ),
        Hyperparam(
            "loss_scale",
            "Inverse temperature: similarities are multiplied by it before the softmax.",
            "a number above 0, up to 1000",
            number(0.0, 1000.0, open_low=True),
            why="cosines lie within -1 and 1, too flat for a softmax; 20 is the usual factor",
        ),
        Hyperparam(
            "normalize_embeddings",
            "Whether embeddings have unit length before the head.",
            "True or False",
            choice(True, False),
            why="trains the geometry that nearest-neighbour search uses",
        ),
        Hyperparam(
            "margin",
            "By how much the cosine with the positive shall exceed that with the negative.",
            "a number above 0, up to 2",
            number(0.0, 2.0, open_low=True),
            why="enough to part near classes, little enough to be reached",
        ),
        Hyperparam(
            "contrastive_sigma",
            "Distance of scores, in their unit, at which two texts attract each other only moderately.",
            "a number above 0",
            number(0.0, 1e12, open_low=True),
        ),
        Hyperparam(
            "hard_negatives",
            "Most hard negatives of a row that go into its batch. Each is one more text to embed.",
            "a whole number from 0",
            integer(0),
        ),
        Hyperparam(
            "false_negative_masking",
            "Leave out in-batch negatives that the base model finds nearer to the anchor than its own "
            "positive (GISTEmbed). Costs one pass over the training texts before training.",
            "True or False",
            choice(True, False),
            default=False,
            why="off: known right answers are masked anyway, and the base model may be wrong",
        ),
        Hyperparam(
            "matryoshka_dims",
            "Lengths at which a cut embedding shall be usable too, such as [128, 64]: smaller indexes.",
            "a list of whole numbers from 2",
            lengths,
            why="none: the whole embedding alone",
            takes_list=True,
            not_searched="which lengths shall be usable is a wish, and each of them costs quality elsewhere",
        ),
        Hyperparam(
            "max_seq_length",
            "Most tokens of a text; longer texts are cut. The cost of attention grows with the square of the "
            "length, all else in proportion to it.",
            "a whole number from 4, or one of 'p90', 'p95', 'p99', 'max'",
            either(integer(4), choice(*PERCENTILES)),
            default="p99",
            why="covers 99 % of the training texts",
        ),
        Hyperparam(
            "truncation_side",
            "The end at which a text that is too long loses tokens.",
            "'right' (keeps the beginning) or 'left' (keeps the end)",
            choice("right", "left"),
            default="right",
            why="most texts say what they are about at the beginning",
        ),
        Hyperparam(
            "early_stopping",
            "Stop when so many evaluations in a row bring no gain; the best state is kept. True means 2.",
            "True, False, or a whole number from 0",
            patience,
            not_searched=_COMPARED_BY,
        ),
        Hyperparam(
            "early_stopping_threshold",
            "Least gain of the selecting metric that counts as progress.",
            "a number from 0",
            number(0.0, 1e12),
            default=0.0,
            why="any gain counts",
            not_searched=_COMPARED_BY,
        ),
        Hyperparam(
            "eval_method",
            "How quality is measured during training.",
            "'head', 'neighbor', 'retrieval', 'triplet', 'similarity' or 'loss'",
            choice("head", "neighbor", "retrieval", "triplet", "similarity", "loss"),
            not_searched=_COMPARED_BY,
        ),
        Hyperparam(
            "metric",
            "The metric that decides: of the best weights, early stopping (but for the methods head and "
            "loss, which have their own) and the verdict.",
            "a metric of this kind of data, such as 'ndcg@10', 'recall@5', 'accuracy', 'f1_macro'",
            text,
            not_searched=_COMPARED_BY,
        ),
        Hyperparam(
            "eval_steps",
            "When to evaluate during training.",
            "a whole number of steps from 1, 'epoch', 'end' or 'off'",
            either(integer(1), choice("epoch", "end", "off")),
            not_searched=_COMPARED_BY,
        ),
        Hyperparam(
            "neighbor_count",
            "How many nearest neighbours vote on a label.",
            "a whole number from 1",
            integer(1),
            default=5,
            why="five votes smooth over a mislabelled neighbour",
            not_searched=_COMPARED_BY,
        ),
        Hyperparam(
            "neighbor_weighting",
            "How much each neighbour's vote counts: its cosine similarity, or the same for all.",
            "'similarity' or 'uniform'",
            choice("similarity", "uniform"),
            default="similarity",
            why="a nearer neighbour says more",
            not_searched=_COMPARED_BY,
        ),
        Hyperparam(
            "neighbor_eval_count",
            "Most held-out texts that the nearest-neighbour evaluation during training looks at.",
            "a whole number from 1",
            integer(1),
            why="all of the selection part",
            not_searched=_COMPARED_BY,
        ),
        Hyperparam(
            "neighbor_eval_pool_subsample",
            "Training texts searched by the evaluation during training: a number of them, or a share.",
            "a whole number from 1, or a fraction above 0.0, up to 1.0",
            either(integer(1), number(0.0, 1.0, open_low=True)),
            why="all training texts",
            not_searched=_COMPARED_BY,
        ),
        Hyperparam(
            "instruction",
            "The task in words, read before a text, for base models that were trained to read one. Documents "
            "that are searched are read without it.",
            "a text",
            text,
            why="none: the base model's own prompt, if it has one",
            optional=True,
        ),
        Hyperparam(
            "bf16",
            "Half-precision arithmetic (bfloat16).",
            "True, False or 'auto'",
            choice(True, False, "auto"),
            default="auto",
            why="the worker times both and takes the faster one",
            not_searched=_SPEED,
        ),
        Hyperparam(
            "micro_batch_size",
            "Rows that are computed at once. The result does not depend on it: a batch stays whole in the "
            "loss, whatever fits into memory.",
            "a whole number from 1, or 'auto'",
            either(integer(1), choice("auto")),
            default="auto",
            why="the worker finds what fits into memory",
            not_searched=_SPEED,
        ),
        Hyperparam(
            "checkpoint_save_steps",
            "Steps between two checkpoints, from which an interrupted run is carried on.",
            "a whole number from 1",
            integer(1),
            why="one every five minutes, at a stop and at the end",
            not_searched=_UNTRAINED,
        ),
        Hyperparam(
            "checkpoint_save_total_limit",
            "How many checkpoints are kept, also after the run; 0 keeps all.",
            "a whole number from 0",
            integer(0),
            why="the newest, until the model is published",
            not_searched=_UNTRAINED,
        ),
        Hyperparam(
            "logging_steps",
            "Steps between two points of the loss curve.",
            "a whole number from 1",
            integer(1),
            not_searched=_UNTRAINED,
        ),
        Hyperparam(
            "adapter",
            "Train only a small layer on the frozen model's vectors, in seconds: 'linear' (any linear map), "
            "'low_rank' (a linear map of few directions) or 'two_layer' (plus one hidden layer).",
            "'linear', 'low_rank' or 'two_layer'",
            choice("linear", "low_rank", "two_layer"),
            why="none: the whole model is trained",
            optional=True,
        ),
        Hyperparam(
            "adapter_rank",
            "Directions that a low_rank adapter may change, or hidden units of a two_layer one.",
            "a whole number from 1",
            integer(1),
        ),
        Hyperparam(
            "adapter_side",
            "Which vectors are adapted: both sides, or queries alone, so that an index of documents "
            "stays valid.",
            "'both' or 'query'",
            choice("both", "query"),
            default="both",
            why="what is compared is adapted alike",
            not_searched="it decides whether an index of documents stays valid, which no score shows",
        ),
        Hyperparam(
            "adapter_start",
            "Where the adapter starts: as no change at all, or as the linear map that evens out how texts "
            "that belong together differ.",
            "'identity' or 'closed_form'",
            choice("identity", "closed_form"),
            default="identity",
            why="the vectors of the base model, exactly",
        ),
        Hyperparam(
            "lora_rank",
            "Train only matrices of this rank beside those of the encoder (LoRA), merged in at the end. "
            "Saves memory. Needs the extra 'lora'.",
            "a whole number from 1",
            integer(1),
            why="none: the whole model is trained",
            optional=True,
        ),
        Hyperparam(
            "lora_alpha",
            "How much LoRA's change counts: it is scaled by lora_alpha / lora_rank.",
            "a number above 0, up to 10000",
            number(0.0, 10_000.0, open_low=True),
        ),
    )
}
