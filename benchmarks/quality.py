"""How much better: the base, every fitting loss with its defaults, and a plain recipe, on real data.

For each data set, base model and seed, the same training rows go to our losses with default settings
and to a plain ``SentenceTransformerTrainer`` cell with the loss that the library's documentation names
for such data, the same batch and as many epochs. All are judged on the same held-out rows by the same
evaluation, each against the base, and ours against the plain one, with a paired bootstrap interval.

The data sets are folders as described in the README of this folder; none of them comes with the package.

    python benchmarks/quality.py --data FOLDER                              # the static model on all sets
    python benchmarks/quality.py --data FOLDER --base MINILM_L6 --sets banking77 scifact stsb_en
    python benchmarks/quality.py --data FOLDER --json result.json --rows 2000 --seeds 1 2 3
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")
# as in a worker: threads that wait in a loop slow each other down on a machine that others use
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import pandas as pd
import torch
from datasets import Dataset
from sentence_transformers import SentenceTransformerTrainer, SentenceTransformerTrainingArguments
from sentence_transformers.base.sampler import BatchSamplers
from sentence_transformers.sentence_transformer import losses as library
from transformers import PrinterCallback

from embedtune_nb.catalogue import resolve_base
from embedtune_nb.data.datasource import Datasource
from embedtune_nb.encoder.encoder import Encoder
from embedtune_nb.evaluation.evaluate import evaluate
from embedtune_nb.evaluation.result import Evaluation
from embedtune_nb.evaluation.verdict import Verdict, paired_verdict
from embedtune_nb.plan.losses import losses_for
from embedtune_nb.plan.resolve import resolve
from embedtune_nb.training.build import build_trainer

#: Most held-out rows judged: enough for an interval, and the benchmark ends the same day.
_JUDGED = 1000
_LOSSES = 3
#: Rates of the library's own examples: of a transformer, and of a static embedding model.
_PLAIN_RATES = {"transformer": 2e-5, "static": 2e-1}


def read_set(folder: Path, rows: int, seed: int) -> tuple[Datasource, Datasource]:
    """Return a seeded sample of the training part, and the test part."""
    if (folder / "qrels").is_dir():
        return _read_retrieval(folder, rows, seed)
    parts = []
    for part, most in (("train", rows), ("test", _JUDGED)):
        path = next(folder.glob(f"{part}.csv*"))
        table = pd.read_csv(path)
        if len(table) > most:
            table = table.sample(most, random_state=seed if part == "train" else 0)
        parts.append(Datasource.from_pandas(table, kind=_kind(table), name=folder.name))
    return parts[0], parts[1]


def _kind(table: pd.DataFrame) -> str:
    columns = set(table.columns)
    if "premise" in columns:
        return "nli"
    if "sentence1" in columns:
        return "scored_pairs"
    return "labeled" if "label" in columns else "scored"


def _read_retrieval(folder: Path, rows: int, seed: int) -> tuple[Datasource, Datasource]:
    corpus = pd.read_json(next(folder.glob("corpus.jsonl*")), lines=True, dtype={"_id": str})
    queries = pd.read_json(next(folder.glob("queries.jsonl*")), lines=True, dtype={"_id": str})
    corpus["text"] = (corpus.get("title", "").fillna("") + " " + corpus["text"]).str.strip()
    parts = []
    for part in ("train", "test"):
        judged = pd.read_csv(folder / "qrels" / f"{part}.tsv", sep="\t", dtype=str)
        judged.columns = ["query_id", "corpus_id", "relevance"]
        judged["relevance"] = judged["relevance"].astype(float)
        asked = queries[queries["_id"].isin(judged["query_id"])]
        if part == "train" and len(asked) > rows:
            asked = asked.sample(rows, random_state=seed)
        judged = judged[judged["query_id"].isin(asked["_id"])]
        renamed = asked.rename(columns={"_id": "id"})[["id", "text"]]
        documents = corpus.rename(columns={"_id": "id"})[["id", "text"]]
        parts.append(Datasource.from_retrieval(renamed, documents, judged, name=folder.name))
    return parts[0], parts[1]


class Race:
    """One data set, one base, one seed: everything is trained on and judged by the same rows."""

    def __init__(
        self,
        base: str,
        train: Datasource,
        test: Datasource,
        seed: int,
        *,
        before: Evaluation | None = None,
        judge_in_bf16: bool = False,
    ) -> None:
        self.judge_in_bf16 = judge_in_bf16
        self.base, self.train, self.test, self.seed = resolve_base(base), train, test, seed
        self.plan, self.split = self._plan(None)
        self.settings = {name: setting.value for name, setting in self.plan.settings.items()}
        # neighbours come from the training rows, which a seed chooses; elsewhere every seed has the same base
        shared = before if self.split.verdict.kind not in ("labeled", "scored") else None
        self.before = shared or self._judge(self._load())

    def _plan(self, loss: str | None, **hyperparams: Any) -> Any:
        return resolve(
            self.base,
            self.train,
            name="race",
            eval_datasource=self.test,
            loss=loss,
            hyperparams=hyperparams,
            seed=self.seed,
        )

    def _load(self) -> Encoder:
        torch.manual_seed(self.seed)
        return Encoder.load(self.plan.base, {**self.settings, "max_seq_length": None})

    def _judge(self, encoder: Encoder) -> Evaluation:
        encoder.model.eval()
        encoder.bf16 = self.judge_in_bf16
        reference = self.split.train if self.split.verdict.kind in ("labeled", "scored") else None
        settings = {**self.settings, "neighbor_eval_count": None, "neighbor_eval_pool_subsample": None}
        return evaluate(encoder, self.split.verdict, reference=reference, settings=settings)

    def ours(self, loss: str, **hyperparams: Any) -> tuple[Evaluation, float]:
        """Train with the defaults of *loss*, or *hyperparams*; return evaluation and seconds of training."""
        plan, split = self._plan(loss, **hyperparams)
        settings = {name: setting.value for name, setting in plan.settings.items()}
        encoder = self._load()
        limit = encoder.model.max_seq_length
        started = time.perf_counter()
        if settings["max_seq_length"] is not None:
            encoder.model.max_seq_length = settings["max_seq_length"]
        with tempfile.TemporaryDirectory() as folder:
            trainer = build_trainer(
                encoder,
                split.train,
                {**settings, "eval_steps": "off"},
                output_dir=Path(folder),
                emit=lambda event: None,
                should_stop=lambda: False,
            )
            trainer.run()
        seconds = time.perf_counter() - started
        if settings["max_seq_length"] is not None:
            encoder.model.max_seq_length = limit
        return self._judge(encoder), seconds

    def plain(self) -> tuple[Evaluation, float] | None:
        """Train as a cell from the library's documentation does; None where it has no loss for the data."""
        encoder = self._load()
        made = _plain_objective(encoder.model, self.split.train)
        if made is None:
            return None
        rows, loss, sampler = made
        started = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            arguments = SentenceTransformerTrainingArguments(
                folder,
                num_train_epochs=self.settings["epochs"],
                per_device_train_batch_size=self.settings["batch_size"],
                learning_rate=_PLAIN_RATES[self.base.architecture],
                warmup_steps=max(1, int(0.1 * self.settings["steps_total"])),
                batch_sampler=sampler,
                seed=self.seed,
                save_strategy="no",
                logging_strategy="no",
                report_to="none",
                disable_tqdm=True,
                use_cpu=not torch.cuda.is_available(),
                dataloader_pin_memory=False,
            )
            trainer = SentenceTransformerTrainer(encoder.model, arguments, rows, loss=loss)
            trainer.remove_callback(PrinterCallback)
            trainer.train()
        return self._judge(encoder), time.perf_counter() - started


def _plain_objective(model: Any, train: Datasource) -> tuple[Dataset, Any, Any] | None:
    if train.kind == "labeled":
        examples = train.frames["examples"]
        numbers = pd.factorize(examples["label"])[0].tolist()
        rows = {"text": examples["value"].tolist(), "label": numbers}
        sampler = BatchSamplers.GROUP_BY_LABEL
        return Dataset.from_dict(rows), library.BatchAllTripletLoss(model), sampler
    if train.kind == "scored_pairs":
        examples = train.frames["examples"]
        rows = {name: examples[name].tolist() for name in ("sentence1", "sentence2", "score")}
        return Dataset.from_dict(rows), library.CoSENTLoss(model), BatchSamplers.BATCH_SAMPLER
    if train.kind == "nli":
        examples = train.frames["examples"]
        rows = {name: examples[name].tolist() for name in ("premise", "hypothesis")}
        rows["label"] = pd.factorize(examples["label"])[0].tolist()
        loss = library.SoftmaxLoss(model, model.get_embedding_dimension(), 3)
        return Dataset.from_dict(rows), loss, BatchSamplers.BATCH_SAMPLER
    if train.kind in ("pairs", "retrieval"):
        pairs = train.training_pairs()
        rows = {name: pairs[name].tolist() for name in ("anchor", "positive")}
        loss = library.MultipleNegativesRankingLoss(model)
        return Dataset.from_dict(rows), loss, BatchSamplers.NO_DUPLICATES
    return None


def line_of(what: str, verdict: Verdict, seconds: float) -> dict[str, Any]:
    """Return one row of the table."""
    told = verdict.to_dict()
    keys = ("metric", "before", "after", "difference", "low", "high", "answer")
    return {"what": what, **{key: told[key] for key in keys}, "seconds": round(seconds, 1)}


def main() -> None:
    """Run all races and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with one folder a data set")
    parser.add_argument("--sets", nargs="*", help="names of data sets; all by default")
    parser.add_argument("--base", default="WORDLLAMA_256")
    parser.add_argument("--rows", type=int, default=2000, help="most training rows")
    parser.add_argument("--seeds", nargs="*", type=int, default=[1, 2, 3])
    parser.add_argument("--losses", nargs="*", help="only these losses")
    parser.add_argument("--without-plain", action="store_true", help="leave the plain recipe out")
    parser.add_argument(
        "--judge-in-bf16", action="store_true", help="embed what is judged in bfloat16: all models alike"
    )
    parser.add_argument("--json", type=Path, help="where to write the rows")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    names = options.sets or sorted(path.name for path in options.data.iterdir() if path.is_dir())
    table: list[dict[str, Any]] = []
    for name in names:
        before = None
        for seed in options.seeds:
            train, test = read_set(options.data / name, options.rows, seed)
            race = Race(options.base, train, test, seed, before=before, judge_in_bf16=options.judge_in_bf16)
            before = race.before
            metric = race.plan["metric"]
            plain = None if options.without_plain else race.plain()
            results = {}
            fitting = [loss.name for loss in losses_for(train.kind)]
            for loss in fitting[:_LOSSES] if options.losses is None else options.losses:
                if loss in fitting:
                    results[loss] = race.ours(loss)
            found = []
            if plain is not None:
                found.append(
                    line_of("plain", paired_verdict(race.before, plain[0], metric=metric, seed=0), plain[1])
                )
            for loss, (after, seconds) in results.items():
                found.append(
                    line_of(loss, paired_verdict(race.before, after, metric=metric, seed=0), seconds)
                )
                if plain is not None:
                    against = paired_verdict(plain[0], after, metric=metric, seed=0)
                    found[-1]["against_plain"] = (
                        f"{against.to_dict()['difference']:+.4f} ({against.to_dict()['answer']})"
                    )
            for row in found:
                row = {"set": name, "base": options.base, "seed": seed, "rows": len(train), **row}
                table.append(row)
                print(
                    f"{name:17} seed {seed} {row['what']:12} {row['metric']:16} {row['before']:.4f} -> "
                    f"{row['after']:.4f} {row['difference']:+.4f} [{row['low']:+.4f}, {row['high']:+.4f}] "
                    f"{row['answer']:20} {row['seconds']:6.1f} s  {row.get('against_plain', '')}",
                    flush=True,
                )
            if options.json:
                options.json.write_text(json.dumps(table, indent=1))


if __name__ == "__main__":
    main()
