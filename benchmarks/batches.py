"""What a big batch costs: peak memory and time per text of 4,096 rows a step against 64.

Every variant runs in a process of its own, so that a peak is that variant's. Rows are pairs of short
texts; the loss is contrastive, so all rows of a batch see each other. On a GPU the peak is what torch
allocated, elsewhere what the process ever held.

    python benchmarks/batches.py                      # ready-made texts
    python benchmarks/batches.py --data texts.csv     # a column "text"
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pandas as pd

from embedtune_nb.store.environment import child_environment


def main() -> None:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, help="CSV with a column 'text'")
    parser.add_argument("--model", default="MINILM_L6")
    parser.add_argument("--small", type=int, default=64, help="rows of the batch to compare with")
    parser.add_argument("--large", type=int, default=4096)
    parser.add_argument("--micro", type=int, default=64, help="rows computed at once in the large batch")
    parser.add_argument(
        "--steps", type=int, default=2, help="of the large batch; the first of several is not timed"
    )
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--max-length", type=int, default=64)
    parser.add_argument("--bf16", action="store_true")
    parser.add_argument("--json", type=Path, help="also write the records here")
    parser.add_argument("--variant", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.variant:
        print(json.dumps(run(options, *map(int, options.variant.split(",")))))
        return
    texts_timed = options.large * max(1, options.steps - 1)
    variants = {
        "small batch": (options.small, options.small, min(texts_timed // options.small, 16) + 1),
        "large batch": (options.large, options.micro, options.steps),
    }
    records = [
        {"variant": name, **_in_a_process(variant)}
        for _ in range(options.rounds)
        for name, variant in variants.items()
    ]
    frame = pd.DataFrame(records)
    print(frame.to_string(index=False))
    small, large = (frame[frame["variant"] == name] for name in variants)
    print(f"peak memory: {large['peak_mb'].median() / small['peak_mb'].median():.2f}x")
    print(f"time per text: {large['ms_per_text'].median() / small['ms_per_text'].median():.2f}x")
    spent = "processor_ms_per_text"  # tells more than wall time on a machine that is busy otherwise
    print(f"processor time per text: {large[spent].median() / small[spent].median():.2f}x")
    if options.json:
        options.json.write_text(json.dumps({"load": os.getloadavg(), "records": records}, indent=1))


def run(options: argparse.Namespace, batch: int, micro: int, steps: int) -> dict[str, Any]:
    """Train *steps* steps and return the peak memory and the time a text took."""
    import torch
    from transformers import TrainerCallback

    from embedtune_nb.catalogue import local_folder, resolve_base
    from embedtune_nb.data.datasource import Datasource
    from embedtune_nb.encoder.encoder import Encoder
    from embedtune_nb.encoder.load import load_folder
    from embedtune_nb.training.build import build_trainer

    class Clock(TrainerCallback):
        """Notes wall and processor time at the start and after each step."""

        def __init__(self) -> None:
            self.marks: list[tuple[float, float]] = []

        def on_step_end(self, *_: Any, **__: Any) -> None:
            """Note the times."""
            self.marks.append((time.perf_counter(), time.process_time()))

        on_train_begin = on_step_end

    texts = read_texts(options.data, 2 * options.large)
    table = pd.DataFrame({"anchor": texts[::2], "positive": texts[1::2]})
    roles = {"anchor": "anchor", "positive": "positive"}
    device = "cuda" if torch.cuda.is_available() else "cpu"
    encoder = Encoder(
        load_folder(local_folder(resolve_base(options.model)), device=device), options.max_length
    )
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        trainer = build_trainer(
            encoder,
            Datasource.from_pandas(table, kind="pairs", roles=roles),
            {
                "loss": "contrastive",
                "epochs": steps,
                "max_steps": steps,
                "learning_rate": 2e-5,
                "batch_size": batch,
                "micro_batch_size": micro,
                "warmup": 0,
                "learning_rate_scheduler": "constant",
                "weight_decay": 0.0,
                "bf16": options.bf16,
                "seed": 0,
            },
            output_dir=Path(folder),
            emit=lambda event: None,
            should_stop=lambda: False,
        )
        trainer.add_callback(clock)
        before = _peak_bytes(device)
        trainer.train()
        peak = _peak_bytes(device)
    # the first step allocates; it counts only where it is the only one
    marks = clock.marks[1:] if steps > 1 else clock.marks
    timed = len(marks) - 1
    wall, processor = (marks[-1][which] - marks[0][which] for which in (0, 1))
    return {
        "batch": batch,
        "micro_batch": trainer.steps.micro_batch.rows,
        "peak_mb": round(peak / 2**20),
        "of_it_training_mb": round((peak - before) / 2**20),
        "ms_per_text": round(1000 * wall / (2 * batch * timed), 3),
        "processor_ms_per_text": round(1000 * processor / (2 * batch * timed), 3),
        "steps_timed": timed,
    }


def read_texts(path: Path | None, count: int) -> list[str]:
    """Return *count* different short texts: from a file, or of the ready-made data."""
    if path is not None:
        texts = pd.read_csv(path)["text"]
    else:
        from embedtune_nb.datasets import api_docs

        texts = pd.Series(api_docs("labeled").texts())
    shortest = sorted(texts.drop_duplicates(), key=len)[: max(count, 2)]
    return pd.Series(shortest).sample(frac=1.0, random_state=0).tolist()[: len(shortest) // 2 * 2]


def _in_a_process(variant: tuple[int, int, int]) -> dict[str, Any]:
    arguments = [sys.executable, *sys.argv, "--variant", ",".join(map(str, variant))]
    # as a worker runs: waiting threads sleep, freed memory is kept
    done = subprocess.run(arguments, check=True, stdout=subprocess.PIPE, text=True, env=child_environment())
    return json.loads(done.stdout)


def _peak_bytes(device: str) -> int:
    if device == "cuda":
        import torch

        return torch.cuda.max_memory_allocated()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


if __name__ == "__main__":
    main()
