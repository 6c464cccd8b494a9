"""Adapters and LoRA against training the whole model: how much of the gain, for how much of the time.

Every variant is a run as ``finetune`` does it, with its default settings, on the same sample of labelled
texts and with the same loss. It is judged on the same held-out texts: the share whose label is that of
their nearest neighbours among the training texts. Its seconds are those of training, reading the texts
through the base model included, and those of the two evaluations, before and after. ``again`` is the run
that follows it: the vectors of the base model are kept by then, as they are for whatever is tried next.

    python benchmarks/adapters.py --data FOLDER                  # train.csv, test.csv: text,label
    python benchmarks/adapters.py --data FOLDER --variants full linear two_layer --seeds 1 2 3
    python benchmarks/adapters.py --data FOLDER --clock cpu --json result.json
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
import warnings
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")
# as in a worker: threads that wait in a loop slow every variant down, and count as computing
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import pandas as pd

from embedtune_nb.catalogue import resolve_base
from embedtune_nb.data.datasource import Datasource
from embedtune_nb.plan.resolve import resolve
from embedtune_nb.store.events import Event, Phase, VerdictReached
from embedtune_nb.store.job_folder import create
from embedtune_nb.training.finetune import run_finetune

#: What is trained: name -> the settings that differ from the defaults.
VARIANTS: dict[str, dict[str, Any]] = {
    "full": {},
    "full_3_epochs": {"epochs": 3},
    "linear": {"adapter": "linear"},
    "linear_closed_form": {"adapter": "linear", "adapter_start": "closed_form"},
    "low_rank": {"adapter": "low_rank"},
    "two_layer": {"adapter": "two_layer"},
    "lora": {"lora_rank": 16},
}
CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}
#: Which phases of a run are training, and which judge it.
_TRAINING = ("embedding", "first step", "training")
_JUDGING = ("evaluating base", "evaluating")


class Phases:
    """Adds up the seconds of each phase of a run, and keeps its verdict."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.verdict: dict[str, Any] = {}
        self._phase, self._began = "starting", now()

    def __call__(self, event: Event) -> None:
        """Take an event of the run."""
        if isinstance(event, Phase):
            self.end(event.name)
        elif isinstance(event, VerdictReached):
            self.verdict = event.verdict

    def end(self, following: str = "over") -> None:
        """End the present phase."""
        self.seconds[self._phase] += self.now() - self._began
        self._phase, self._began = following, self.now()


def run(
    train: Datasource, test: Datasource, settings: dict[str, Any], seed: int, options: argparse.Namespace
) -> Phases:
    """Carry one run out in this process."""
    plan, parts = resolve(
        resolve_base(options.base),
        train,
        name="run",
        loss=options.loss,
        hyperparams=settings,
        seed=seed,
        eval_datasource=test,
    )
    folder = create("run", plan.to_json(), parts.write)
    phases = Phases(CLOCKS[options.clock])
    run_finetune(folder, phases, lambda: False)
    phases.end()
    return phases


def record(variant: str, seed: int, phases: Phases) -> dict[str, Any]:
    """Return one row of the table."""
    verdict = phases.verdict
    return {
        "variant": variant,
        "seed": seed,
        "before": verdict["before"],
        "after": verdict["after"],
        "gain": verdict["difference"],
        "low": verdict["low"],
        "high": verdict["high"],
        "train_seconds": sum(phases.seconds[name] for name in _TRAINING),
        "judge_seconds": sum(phases.seconds[name] for name in _JUDGING),
        "all_seconds": sum(phases.seconds.values()),
    }


def measure(
    variant: str, train: Datasource, test: Datasource, seed: int, options: argparse.Namespace
) -> list[dict[str, Any]]:
    """Run *variant* in a home of its own; an adapter once more there."""
    settings, rows = VARIANTS[variant], []
    with tempfile.TemporaryDirectory() as home:
        os.environ["EMBEDTUNE_HOME"] = home
        rows.append(record(variant, seed, run(train, test, settings, seed, options)))
        if "adapter" in settings:
            (Path(home) / "models").rename(Path(home) / "models-of-the-first")
            rows.append(record(f"{variant} again", seed, run(train, test, settings, seed, options)))
    return rows


def read(path: Path, a_class: int | None, seed: int) -> Datasource:
    """Return the labelled texts of a file, or so many of each class."""
    table = pd.read_csv(path).sample(frac=1.0, random_state=seed)
    if a_class is not None:
        table = table.groupby("label").head(a_class)
    return Datasource.from_pandas(table, kind="labeled", name=path.parent.name)


def summary(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Return the means over the seeds, and what part of the full model's gain and seconds they are."""
    table = pd.DataFrame(rows).drop(columns=["seed", "low", "high"])
    means = table.groupby("variant", sort=False).mean()
    if "full" in means.index:
        for name in ("gain", "train_seconds", "all_seconds"):
            means[f"{name}_of_full"] = means[name] / means.loc["full", name]
    return means.round(4)


def main() -> None:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="has train.csv, test.csv: text,label")
    parser.add_argument("--base", default="MINILM_L6")
    parser.add_argument("--loss", default="contrastive")
    parser.add_argument("--rows-a-class", type=int, default=40, help="most training texts of a class")
    parser.add_argument("--judged-a-class", type=int, default=20, help="held-out texts of a class")
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument("--variants", nargs="+", default=["full", "linear"], choices=list(VARIANTS))
    parser.add_argument("--clock", default="wall", choices=list(CLOCKS))
    parser.add_argument("--json", type=Path, help="also write the rows here")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    rows: list[dict[str, Any]] = []
    for seed in options.seeds:
        train = read(options.data / "train.csv", options.rows_a_class, seed)
        test = read(options.data / "test.csv", options.judged_a_class, 0)
        for variant in options.variants:
            for row in measure(variant, train, test, seed, options):
                rows.append(row)
                print(
                    f"seed {seed} {row['variant']:24} {row['before']:.4f} -> {row['after']:.4f} "
                    f"{row['gain']:+.4f} [{row['low']:+.4f}, {row['high']:+.4f}] train "
                    f"{row['train_seconds']:6.1f} s, judge {row['judge_seconds']:6.1f} s, all "
                    f"{row['all_seconds']:6.1f} s",
                    flush=True,
                )
        if options.json:
            options.json.write_text(json.dumps({"load": os.getloadavg(), "rows": rows}, indent=1))
    print(summary(rows).to_string())


if __name__ == "__main__":
    main()
