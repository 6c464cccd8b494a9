"""Several objectives in one run: every batch meets its own loss, nobody waits, all are judged."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.data import ConcatDataset

from embedtune_nb.catalogue import resolve_base
from embedtune_nb.data.datasource import Datasource
from embedtune_nb.encoder.encoder import Encoder
from embedtune_nb.encoder.load import load_folder
from embedtune_nb.models.finetuned import FinetunedEmbeddingModel
from embedtune_nb.plan.resolve import resolve
from embedtune_nb.store.events import Metrics, Notice, VerdictReached
from embedtune_nb.store.job_folder import create
from embedtune_nb.training.batches import AlternatingBatches, ShuffledBatches
from embedtune_nb.training.build import build_trainer
from embedtune_nb.training.finetune import run_finetune
from embedtune_nb.training.trainer import FinetuneTrainer

pytestmark = pytest.mark.slow

SETTINGS = {
    "loss": "contrastive",
    "epochs": 2,
    "max_steps": None,
    "learning_rate": 2e-3,
    "head_learning_rate": 1e-2,
    "batch_size": 16,
    "warmup": 0,
    "learning_rate_scheduler": "linear",
    "weight_decay": 0.0,
    "early_stopping": 0,
    "eval_steps": "off",
    "metric": "ndcg@10",
    "bf16": False,
    "logging_steps": 1,
    "seed": 5,
}


@pytest.fixture
def pairs(topic_rows) -> Datasource:
    """Return 40 pairs of texts of one topic, 10 a topic."""
    texts: dict[str, list[str]] = {}
    for row in topic_rows:
        texts.setdefault(row["label"], []).append(row["value"])
    rows = [
        {"anchor": some[2 * place], "positive": some[2 * place + 1]}
        for some in texts.values()
        for place in range(10)
    ]
    return Datasource.from_list(rows, kind="pairs")


class Run:
    """A trainer of pairs and labels, with what it emitted and which loss met which rows."""

    def __init__(
        self, model: Path, pairs: Datasource, labeled: Datasource, folder: Path, **changes: Any
    ) -> None:
        stop_at, resume_from = changes.pop("stop_at", None), changes.pop("resume_from", None)
        own = {**SETTINGS, **changes}
        self.events: list[Any] = []
        self.met: list[tuple[str, int]] = []
        self.encoder = Encoder(load_folder(model, device="cpu"), 32)
        self.trainer: FinetuneTrainer = build_trainer(
            self.encoder,
            pairs,
            own,
            further=[(labeled, {**own, "loss": "prediction"})],
            output_dir=folder,
            emit=self.events.append,
            should_stop=lambda: self.trainer.state.global_step == stop_at,
            resume_from=resume_from,
        )
        for objective in self.trainer.objectives:
            self._watch(objective.loss, len(objective.roles))

    def _watch(self, loss: Any, columns: int) -> None:
        compute = loss.compute

        def seen(vectors: list[torch.Tensor], batch: Any) -> torch.Tensor:
            assert len(vectors) == columns
            self.met.append((type(loss).__name__, len(vectors[0])))
            return compute(vectors, batch)

        loss.compute = seen

    @property
    def losses(self) -> dict[int, dict[str, float]]:
        told = [event for event in self.events if isinstance(event, Metrics)]
        return {
            event.step: {name: value for name, value in event.values.items() if "train/loss" in name}
            for event in told
        }


def test_every_row_of_every_objective_meets_its_loss_once_an_epoch(tiny_bert, pairs, labeled, tmp_path):
    run = Run(tiny_bert, pairs, labeled, tmp_path)
    result = run.trainer.run()
    assert result.step == 2 * (3 + 6)
    rows: Counter[str] = Counter()
    for name, count in run.met:
        rows[name] += count
    assert rows == {"RankingLoss": 2 * 40, "PredictionLoss": 2 * 96}
    first = [name for name, _ in run.met[:9]]
    assert first.count("RankingLoss") == 3 and first[:6].count("RankingLoss") in (1, 2, 3)
    assert max(len(stretch) for stretch in "".join(name[0] for name in first).split("R")) <= 4, "no long wait"


def test_each_loss_has_its_own_curve_and_both_fall(tiny_bert, pairs, labeled, tmp_path):
    run = Run(tiny_bert, pairs, labeled, tmp_path, epochs=8)
    run.trainer.run()
    for place in (1, 2):
        values = [
            told[f"train/loss_{place}"] for told in run.losses.values() if f"train/loss_{place}" in told
        ]
        assert sum(values[-5:]) < 0.8 * sum(values[:5])
    latest: dict[str, float] = {}
    for told in run.losses.values():
        latest |= {name: value for name, value in told.items() if name != "train/loss"}
        assert told["train/loss"] == pytest.approx(sum(latest.values()) / len(latest))
    assert len(latest) == 2


def test_the_head_of_a_further_objective_learns_at_its_own_rate(tiny_bert, pairs, labeled, tmp_path):
    run = Run(tiny_bert, pairs, labeled, tmp_path, max_steps=1, head_learning_rate=0.07)
    run.trainer.run()
    head = run.trainer.objectives[1].loss.head.weight
    (rate,) = [
        group["initial_lr"]
        for group in run.trainer.optimizer.param_groups
        if any(weight is head for weight in group["params"])
    ]
    assert rate == 0.07


def test_a_stopped_run_of_several_goes_on_as_if_nothing_had_happened(tiny_bert, pairs, labeled, tmp_path):
    straight = Run(tiny_bert, pairs, labeled, tmp_path / "straight")
    straight.trainer.run()
    first = Run(tiny_bert, pairs, labeled, tmp_path / "cut", stop_at=12)
    stopped = first.trainer.run()
    assert (stopped.outcome, stopped.step) == ("stopped", 12)
    second = Run(tiny_bert, pairs, labeled, tmp_path / "cut", resume_from=stopped.checkpoint)
    assert second.trainer.run(resume_from=stopped.checkpoint).outcome == "finished"
    told = first.losses | second.losses
    assert list(told) == list(straight.losses)
    for step, values in straight.losses.items():
        assert told[step] == pytest.approx(values, rel=1e-5), step
    heads = [run.trainer.objectives[1].loss.head.weight.detach().numpy() for run in (second, straight)]
    assert heads[0] == pytest.approx(heads[1], abs=1e-5)


def test_turns_are_in_proportion_seeded_and_different_every_epoch():
    tables = [list(range(100)), list(range(30))]

    def order(seed: int, epoch: int) -> list[list[int]]:
        samplers = [ShuffledBatches(table, 10, False, seed=seed) for table in tables]
        batches = AlternatingBatches(ConcatDataset(tables), samplers, seed=seed)
        batches.set_epoch(epoch)
        assert len(batches) == 13
        return list(batches)

    found = order(1, 0)
    assert sorted(row for batch in found for row in batch) == list(range(130))
    assert all(len({row < 100 for row in batch}) == 1 for batch in found), "a batch holds rows of one table"
    turns = [batch[0] >= 100 for batch in found]
    waits = [len(stretch) for stretch in "".join("x" if turn else "." for turn in turns).split("x")]
    assert max(waits) <= 7
    assert order(1, 0) == found
    assert order(1, 1) != found != order(2, 0)


@pytest.mark.jobs
def test_a_run_of_several_ends_with_a_verdict_on_each(home, tiny_bert, pairs, labeled):
    plan, parts = resolve(
        resolve_base(str(tiny_bert)),
        [(labeled, "prediction"), (pairs, "contrastive")],
        name="toy",
        hyperparams={"epochs": 1, "batch_size": 16, "bf16": False, "learning_rate": 2e-3},
    )
    folder = create("toy", plan.to_json(), parts.write)
    events: list[Any] = []
    run_finetune(folder, events.append, lambda: False)
    (reached,) = [event.verdict for event in events if isinstance(event, VerdictReached)]
    assert reached["metric"] == "accuracy"
    model = FinetunedEmbeddingModel.open("toy")
    first, second = model.verdicts
    assert first.to_dict() == reached == model.verdict.to_dict()
    assert second.metric == "ndcg@10" and second.queries == len(parts.further[0].verdict)
    assert any(
        isinstance(event, Notice) and second.text in event.text and "contrastive on" in event.text
        for event in events
    )
    card = (model.path / "README.md").read_text()
    assert "In the same run tuned on 40 rows of kind pairs" in card and str(second) in card
    kept = {path.name for path in (folder.path / "evaluation").iterdir()}
    assert kept == {"before", "after", "before-2", "after-2", "general_probe.npy"}
