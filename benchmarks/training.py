"""Texts per second of a training step: this package against a plain ``SentenceTransformerTrainer`` cell.

Every variant steps through the same batches, from the same weights, in the same process. The variants
take turns, round after round, so that a busy machine slows all of them alike; the median of the steps
is reported. ``--clock cpu`` counts the seconds that all threads of this process computed, for machines
that others use too. Each rate is also given as the share of the machine's matrix-product rate that its
useful arithmetic makes up: 6 x weights x real tokens a step, over what a large matrix product reaches.

    python benchmarks/training.py                       # labelled texts of datasets.api_docs
    python benchmarks/training.py --data questions.csv  # column "text", or two columns of a pair
    python benchmarks/training.py --json result.json
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")
# as in a worker: threads that wait in a loop slow every variant down, and count as computing
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import pandas as pd
import torch
from datasets import Dataset
from sentence_transformers import SentenceTransformerTrainer, SentenceTransformerTrainingArguments
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
from transformers import PrinterCallback, TrainerCallback

from embedtune_nb.catalogue import local_folder, resolve_base
from embedtune_nb.data.datasource import Datasource
from embedtune_nb.encoder.encoder import Encoder
from embedtune_nb.encoder.layout import Rows
from embedtune_nb.encoder.load import load_folder
from embedtune_nb.encoder.threads import choose_threads, use_threads
from embedtune_nb.training.build import build_trainer

#: Who trains, and with which layout of rows: ``packed`` is what a run of this package takes by itself.
TRAINERS = ("plain", "chunks", "packed")
CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}
Pairs = list[tuple[str, str]]


class Clock(TrainerCallback):
    """Note the time after each step."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self.marks: list[float] = []

    def on_step_end(self, *_: Any, **__: Any) -> None:
        """Note the time."""
        self.marks.append(self.now())

    @property
    def seconds(self) -> list[float]:
        """Seconds of the second and later steps; the first one allocates."""
        return [later - earlier for earlier, later in zip(self.marks, self.marks[1:], strict=False)]


def plain_steps(folder: Path, pairs: Pairs, bf16: bool, options: argparse.Namespace) -> list[float]:
    """Train as a cell from the library's documentation does."""
    model = load_folder(folder, device="cpu")
    model.max_seq_length = options.max_length
    clock = Clock(CLOCKS[options.clock])
    with tempfile.TemporaryDirectory() as folder_of_run:
        arguments = SentenceTransformerTrainingArguments(
            folder_of_run,
            max_steps=options.steps + 1,
            per_device_train_batch_size=options.batch,
            bf16=bf16,
            use_cpu=True,
            learning_rate=2e-5,
            seed=options.seed,
            save_strategy="no",
            logging_strategy="no",
            report_to="none",
            disable_tqdm=True,
            dataloader_pin_memory=False,
        )
        rows = Dataset.from_dict({"anchor": [a for a, _ in pairs], "positive": [b for _, b in pairs]})
        loss = MultipleNegativesRankingLoss(model)
        trainer = SentenceTransformerTrainer(
            model, arguments, _in_order(rows, arguments), loss=loss, callbacks=[clock]
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    return clock.seconds


def our_steps(folder: Path, pairs: Pairs, bf16: bool, options: argparse.Namespace, rows: Rows) -> list[float]:
    """Train as :func:`embedtune_nb.training.build.build_trainer` does, batches in the given order."""
    encoder = Encoder(load_folder(folder, device="cpu"), options.max_length, rows=rows)
    table = pd.DataFrame(pairs, columns=["anchor", "positive"])
    roles = {"anchor": "anchor", "positive": "positive"}
    settings = {
        "loss": "contrastive",
        "epochs": 1,
        "max_steps": options.steps + 1,
        "learning_rate": 2e-5,
        "batch_size": options.batch,
        "warmup": 0,
        "learning_rate_scheduler": "linear",
        "weight_decay": 0.0,
        "loss_scale": 20.0,
        "bf16": bf16,
        "logging_steps": 1,
        "seed": options.seed,
    }
    clock = Clock(CLOCKS[options.clock])
    with tempfile.TemporaryDirectory() as folder_of_run:
        trainer = build_trainer(
            encoder,
            Datasource.from_pandas(table, kind="pairs", roles=roles),
            settings,
            output_dir=Path(folder_of_run),
            emit=lambda event: None,
            should_stop=lambda: False,
        )
        _in_order(trainer.train_dataset, trainer.args)
        trainer.add_callback(clock)
        trainer.run()
    return clock.seconds


def _in_order(rows: Dataset, arguments: SentenceTransformerTrainingArguments) -> Dataset:
    """Make the trainer take the rows as they come, so that all variants see the same batches."""
    from sentence_transformers.base.sampler import DefaultBatchSampler

    class InOrder(DefaultBatchSampler):
        def __iter__(self):
            for start in range(0, len(rows), self.batch_size):
                yield list(range(start, min(start + self.batch_size, len(rows))))

        def __len__(self) -> int:
            return -(-len(rows) // self.batch_size)

    arguments.batch_sampler = InOrder
    return rows


def gemm_rate(dtype: torch.dtype) -> float:
    """Return the floating point operations per second of a large matrix product."""
    left, right = torch.randn(2048, 1536).to(dtype), torch.randn(1536, 1536).to(dtype)
    seconds = []
    for _ in range(9):
        start = time.perf_counter()
        left @ right
        seconds.append(time.perf_counter() - start)
    return 2 * 2048 * 1536 * 1536 / statistics.median(seconds[1:])


def useful_operations(folder: Path, pairs: Pairs, options: argparse.Namespace) -> float:
    """Return what a mean step must compute: 6 x weights that are multiplied x real tokens."""
    model = load_folder(folder, device="cpu")
    looked_up = sum(part.weight.numel() for part in model.modules() if isinstance(part, torch.nn.Embedding))
    weights = sum(weight.numel() for weight in model.parameters()) - looked_up
    stepped = pairs[options.batch : options.batch * (options.steps + 1)]
    ids = model.tokenizer(
        [text for pair in stepped for text in pair], truncation=True, max_length=options.max_length
    )
    return 6.0 * weights * sum(map(len, ids["input_ids"])) / options.steps


def read_pairs(path: Path | None, count: int) -> dict[str, Pairs]:
    """Return sets of pairs by name: from a file, or short and longer texts of the ready-made data."""
    if path is not None:
        frame = pd.read_csv(path) if path.suffix == ".csv" else pd.read_json(path, lines=True)
        texts = [name for name in frame.columns if frame[name].map(type).eq(str).all()]
        if "text" in texts or len(texts) < 2:
            return {path.stem: _pair_up(frame["text" if "text" in texts else texts[0]].tolist(), count)}
        return {path.stem: list(zip(frame[texts[0]], frame[texts[1]], strict=True))[:count]}
    from embedtune_nb.datasets import api_docs

    labelled = api_docs("labeled").texts()
    longest = sorted(labelled, key=len)[-2 * count :]
    return {"short": _pair_up(labelled, count), "longer": _pair_up(longest, count)}


def _pair_up(texts: list[str], count: int) -> Pairs:
    shuffled = pd.Series(texts).drop_duplicates().sample(frac=1.0, random_state=0).tolist()
    return list(zip(shuffled[0::2], shuffled[1::2], strict=False))[:count]


def measure(name: str, folder: Path, pairs: Pairs, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Run all variants in turns and return one record each."""
    steps: dict[str, Callable[..., list[float]]] = {
        "plain": plain_steps,
        "chunks": partial(our_steps, rows="chunks"),
        "packed": partial(our_steps, rows="packed"),
    }
    variants = list(product(options.trainers, (False, True)))
    seconds = defaultdict(list)
    for _ in range(options.rounds):
        for who, bf16 in variants:
            seconds[who, bf16] += steps[who](folder, pairs, bf16, options)
    operations = useful_operations(folder, pairs, options)
    rates = {False: gemm_rate(torch.float32), True: gemm_rate(torch.bfloat16)}
    median = {variant: statistics.median(times) for variant, times in seconds.items()}
    return [
        {
            "texts": name,
            "trainer": who,
            "precision": "bf16" if bf16 else "fp32",
            "texts_per_second": round(2 * options.batch / median[who, bf16], 1),
            "over_plain_same_precision": round(median["plain", bf16] / median[who, bf16], 2),
            "over_plain_fp32": round(median["plain", False] / median[who, bf16], 2),
            "share_of_gemm": round(operations / median[who, bf16] / rates[bf16], 3),
            "seconds_least": round(min(seconds[who, bf16]), 3),
            "seconds_most": round(max(seconds[who, bf16]), 3),
        }
        for who, bf16 in variants
    ]


def main() -> None:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, help="CSV or JSONL with a column 'text' or two text columns")
    parser.add_argument("--model", default="MINILM_L6")
    parser.add_argument("--batch", type=int, default=64, help="pairs a step")
    parser.add_argument("--steps", type=int, default=6, help="timed steps a round")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--max-length", type=int, default=256)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--trainers", nargs="+", default=list(TRAINERS), choices=TRAINERS)
    parser.add_argument("--clock", default="wall", choices=list(CLOCKS))
    parser.add_argument("--json", type=Path, help="also write the records here")
    options = parser.parse_args()
    if "plain" not in options.trainers:
        parser.error("the plain trainer is what all others are compared with")
    use_threads(choose_threads())
    folder = local_folder(resolve_base(options.model))
    records = []
    for name, pairs in read_pairs(options.data, options.batch * (options.steps + 1)).items():
        records += measure(name, folder, pairs, options)
    print(pd.DataFrame(records).to_string(index=False))
    if options.json:
        options.json.write_text(json.dumps({"load": os.getloadavg(), "records": records}, indent=1))


if __name__ == "__main__":
    main()
