"""A sweep against the loop people write: Optuna over a plain ``SentenceTransformerTrainer`` cell.

Both search the same space on the same training rows with the same seed and score every trial on the same
held-out rows by the same nearest-neighbour accuracy. The loop learns from pairs of texts with one label by
``MultipleNegativesRankingLoss``; the sweep has the loss of this package that is made for labels. Told are
the seconds until each first reached the loop's final best score, what both ended with, and which share of
all cores went, while the sweep ran, to this process, in which a trial browser shows it live.

    python benchmarks/sweep.py --data questions.csv             # columns "text" and "label"
    python benchmarks/sweep.py --data questions.csv --trials 9 20 --seeds 1 2 3 --json result.json
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
import time
import warnings
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")
# as in a worker: threads that wait in a loop slow each other down on a machine that others use
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import optuna
import pandas as pd
import torch
from datasets import Dataset
from sentence_transformers import SentenceTransformerTrainer, SentenceTransformerTrainingArguments
from sentence_transformers.base.sampler import BatchSamplers
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
from transformers import PrinterCallback

import embedtune_nb as et
from embedtune_nb.catalogue import local_folder, resolve_base
from embedtune_nb.data.datasource import Datasource
from embedtune_nb.data.split import Split
from embedtune_nb.encoder.encoder import Encoder
from embedtune_nb.encoder.load import load_folder
from embedtune_nb.evaluation.evaluate import evaluate
from embedtune_nb.plan.resolve import resolve

#: What both search; tuples are ranges, the list a choice.
SPACE: dict[str, Any] = {
    "learning_rate": (5e-6, 2e-4),
    "batch_size": [16, 32, 64],
    "epochs": (1, 2),
    "warmup": (0.0, 0.3),
}
#: How every trial of the loop is scored, as the sweep scores its own.
_JUDGED = {"neighbor_count": 5, "neighbor_weighting": "similarity"}


@dataclass(frozen=True)
class Course:
    """Scores of finished trials with the seconds at which each was known."""

    seconds: list[float]
    scores: list[float]

    @property
    def best(self) -> float:
        """The best score of all."""
        return max(self.scores)

    def reached(self, score: float) -> float | None:
        """Seconds until a trial had at least *score*; None if none had."""
        return next((now for now, own in zip(self.seconds, self.scores, strict=True) if own >= score), None)


def read_labeled(path: Path, rows: int, seed: int) -> Datasource:
    """Return a seeded sample of the rows of a CSV file."""
    table = pd.read_csv(path)
    table = table.sample(min(rows, len(table)), random_state=seed)
    return Datasource.from_pandas(table, kind="labeled", name=path.parent.name or path.stem)


def plain_loop(folder: Path, split: Split, settings: dict[str, Any], trials: int, seed: int) -> Course:
    """Search as a cell of the library's and Optuna's documentation would."""
    start, course = time.perf_counter(), Course([], [])
    pairs = _pairs_of_one_label(split.train.frames["examples"], seed)

    def objective(trial: optuna.Trial) -> float:
        model = load_folder(folder, device="cpu")
        with tempfile.TemporaryDirectory() as output:
            arguments = SentenceTransformerTrainingArguments(
                output,
                num_train_epochs=trial.suggest_int("epochs", *SPACE["epochs"]),
                per_device_train_batch_size=trial.suggest_categorical("batch_size", SPACE["batch_size"]),
                learning_rate=trial.suggest_float("learning_rate", *SPACE["learning_rate"], log=True),
                warmup_steps=trial.suggest_float("warmup", *SPACE["warmup"]),
                batch_sampler=BatchSamplers.NO_DUPLICATES,
                seed=seed,
                use_cpu=True,
                save_strategy="no",
                logging_strategy="no",
                report_to="none",
                disable_tqdm=True,
                dataloader_pin_memory=False,
            )
            trainer = SentenceTransformerTrainer(
                model, arguments, pairs, loss=MultipleNegativesRankingLoss(model)
            )
            trainer.remove_callback(PrinterCallback)
            trainer.train()
        model.eval()
        encoder = Encoder(model, None, rows="whole")
        score = evaluate(encoder, split.selection, reference=split.train, settings=settings)
        course.seconds.append(time.perf_counter() - start)
        course.scores.append(score.metrics["accuracy"])
        return course.scores[-1]

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed))
    study.optimize(objective, n_trials=trials)
    return course


def _pairs_of_one_label(examples: pd.DataFrame, seed: int) -> Dataset:
    """Return each text as an anchor with another text of its label."""
    shuffled = examples.sample(frac=1.0, random_state=seed)
    anchors, positives = [], []
    for _, texts in shuffled.groupby("label", sort=False)["value"]:
        of_label = texts.tolist()
        if len(of_label) > 1:
            anchors += of_label
            positives += [*of_label[1:], of_label[0]]
    return Dataset.from_dict({"anchor": anchors, "positive": positives}).shuffle(seed=seed)


def our_sweep(base: str, data: Datasource, trials: int, seed: int) -> tuple[Course, dict[str, Any]]:
    """Sweep with this package; the confirming runs come after the budget and are told apart."""
    began = datetime.now(timezone.utc)
    clock = time.perf_counter()
    model = getattr(et.PretrainedEmbeddingModel, base)
    job = model.finetune(
        f"sweep-{trials}-{seed}",
        data,
        loss="contrastive",
        hyperparams=SPACE,
        trial_count=trials,
        seed=seed,
        background=True,
    )
    browser, waiting, spent = et.TrialBrowser(job), time.perf_counter(), time.process_time()
    tuned = job.result()
    watching = (time.process_time() - spent) / (time.perf_counter() - waiting) / (os.cpu_count() or 1)
    browser.close()
    course = Course([], [])
    for trial in job.trials:
        if trial.state == "done" and trial.score is not None:
            known = (datetime.fromisoformat(trial.record.started) - began).total_seconds() + trial.seconds
            course.seconds.append(known)
            course.scores.append(trial.score)
    told = {
        "seconds_in_all": round(time.perf_counter() - clock, 1),
        "share_of_cores_for_watching": round(watching, 4),
        "verdict": str(tuned.verdict),
        "states": pd.Series([trial.state for trial in job.trials]).value_counts().to_dict(),
    }
    return course, told


def race(options: argparse.Namespace, trials: int, seed: int) -> dict[str, Any]:
    """Run both with the same split and return what came of it."""
    data = read_labeled(options.data, options.rows, seed)
    base = resolve_base(options.base)
    _, split = resolve(
        base, data, name="race", loss="contrastive", hyperparams=SPACE, trial_count=trials, seed=seed
    )
    torch.manual_seed(seed)
    ours, told = our_sweep(options.base, data, trials, seed)
    plain = plain_loop(local_folder(base), split, _JUDGED, trials, seed)
    reached, theirs = ours.reached(plain.best), plain.reached(plain.best)
    judged = len(split.selection)
    spread = (plain.best * (1 - plain.best) / judged) ** 0.5
    return {
        "trials": trials,
        "seed": seed,
        "rows": len(data),
        "judged_on": judged,
        "plain_best": round(plain.best, 4),
        "plain_seconds_to_best": round(theirs, 1),
        "plain_seconds_in_all": round(plain.seconds[-1], 1),
        "our_best": round(ours.best, 4),
        "our_seconds_to_plain_best": None if reached is None else round(reached, 1),
        "our_seconds_of_trials": round(max(ours.seconds), 1),
        "ratio_to_best": None if reached is None else round(reached / theirs, 3),
        "ratio_in_all": round(max(ours.seconds) / plain.seconds[-1], 3),
        "standard_error_of_a_score": round(spread, 4),
        **told,
    }


def main() -> None:
    """Run all races and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="CSV with columns text and label")
    parser.add_argument("--base", default="MINILM_L6")
    parser.add_argument("--rows", type=int, default=800)
    parser.add_argument("--trials", nargs="*", type=int, default=[9, 20])
    parser.add_argument("--seeds", nargs="*", type=int, default=[1])
    parser.add_argument("--json", type=Path, help="where to write the rows")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    home = tempfile.mkdtemp()
    os.environ["EMBEDTUNE_HOME"] = home
    rows = []
    try:
        for trials in options.trials:
            for seed in options.seeds:
                rows.append(race(options, trials, seed))
                print(json.dumps(rows[-1]), flush=True)
                if options.json:
                    options.json.write_text(json.dumps({"load": os.getloadavg(), "rows": rows}, indent=1))
    finally:
        shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main()
