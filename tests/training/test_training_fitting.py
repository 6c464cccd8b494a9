"""Runs that run out of memory: less at once, the same result, and an end with the three levers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from embedtune_nb.data.datasource import Datasource
from embedtune_nb.encoder.encoder import Encoder
from embedtune_nb.encoder.load import load_folder
from embedtune_nb.errors import MemoryRanOutError
from embedtune_nb.store.events import Event, EventReader, Measured, Notice
from embedtune_nb.store.job_folder import create
from embedtune_nb.training.build import build_trainer
from embedtune_nb.worker import run as run_job

pytestmark = pytest.mark.slow

SETTINGS = {
    "epochs": 1,
    "max_steps": 2,
    "learning_rate": 2e-3,
    "batch_size": 32,
    "warmup": 0,
    "learning_rate_scheduler": "constant",
    "weight_decay": 0.0,
    "bf16": False,
    "logging_steps": 1,
    "seed": 5,
}


class Run:
    """A trainer on a model without dropout, whose memory is told by how many texts it embeds at once."""

    def __init__(self, model: Path, data: Datasource, folder: Path, *, fits: int = 10**6, **changes: Any):
        self.events: list[Event] = []
        self.encoder = Encoder(load_folder(model, device="cpu"))
        for module in self.encoder.model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
        resume = changes.pop("resume_from", None)
        stop_at = changes.pop("stop_at", None)
        self.trainer = build_trainer(
            self.encoder,
            data,
            {**SETTINGS, **changes},
            output_dir=folder,
            emit=self.events.append,
            should_stop=lambda: self.trainer.state.global_step == stop_at,
            resume_from=resume,
        )
        loss = self.trainer.objective.loss
        embed, self.most = loss.embed, 0

        def embed_if_it_fits(features: dict[str, Any]) -> torch.Tensor:
            count = len(features["attention_mask"])
            # what fits grows with checkpointing, which is why it is there
            if count > fits * (4 if self.trainer.steps.micro_batch.checkpointed else 1):
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
            self.most = max(self.most, count)
            return embed(features)

        loss.embed = embed_if_it_fits

    def vectors(self, data: Datasource) -> np.ndarray:
        return self.encoder.embed(data.texts()[:12])

    def notices(self) -> list[str]:
        return [event.text for event in self.events if isinstance(event, Notice) and event.level == "warning"]

    def micro_batch_sizes(self) -> list[int]:
        sizes = [
            event.settings["micro_batch_size"]["value"]
            for event in self.events
            if isinstance(event, Measured) and "micro_batch_size" in event.settings
        ]
        return list(dict.fromkeys(sizes))


@pytest.mark.parametrize("loss", ["prediction", "contrastive"])
def test_half_at_once_is_told_and_changes_nothing_else(loss, tiny_bert, labeled, tmp_path):
    whole = Run(tiny_bert, labeled, tmp_path / "whole", loss=loss)
    whole.trainer.run()
    assert whole.micro_batch_sizes() == [32] and not whole.notices()
    tight = Run(tiny_bert, labeled, tmp_path / "tight", loss=loss, fits=20)
    trained = whole.vectors(labeled)
    tight.trainer.run()
    assert tight.micro_batch_sizes()[0] == 32 and tight.micro_batch_sizes()[-1] in (8, 16)
    assert "Memory ran out with 32 rows at once" in tight.notices()[0] and "16 at once" in tight.notices()[0]
    assert 1 < tight.most <= 20
    assert tight.vectors(labeled) == pytest.approx(trained, abs=2e-5)
    # control: the run did train
    untouched = Encoder(load_folder(tiny_bert, device="cpu")).embed(labeled.texts()[:12])
    assert np.abs(untouched - trained).max() > 0.01


@pytest.mark.parametrize("loss", ["prediction", "contrastive"])
def test_an_asked_micro_batch_changes_nothing_but_memory(loss, tiny_bert, labeled, tmp_path):
    whole = Run(tiny_bert, labeled, tmp_path / "whole", loss=loss)
    whole.trainer.run()
    parts = Run(tiny_bert, labeled, tmp_path / "parts", loss=loss, micro_batch_size=4)
    parts.trainer.run()
    assert parts.micro_batch_sizes() == [4] and parts.most < 24
    assert parts.vectors(labeled) == pytest.approx(whole.vectors(labeled), abs=2e-5)
    assert parts.trainer.eval_loss(labeled) == pytest.approx(whole.trainer.eval_loss(labeled), rel=1e-4)


def test_layers_are_computed_anew_only_when_one_row_does_not_fit(tiny_bert, labeled, tmp_path):
    run = Run(tiny_bert, labeled, tmp_path, loss="contrastive", micro_batch_size=2, fits=1)
    run.trainer.steps.micro_batch = run.trainer.steps.micro_batch.halved()
    # at one row at once the shortest texts still come several at a time, which here does not fit
    run.trainer.run()
    assert "computed anew" in run.notices()[-1]
    told = [event.settings for event in run.events if isinstance(event, Measured)]
    assert any("gradient_checkpointing" in settings for settings in told)
    assert "gradient_checkpointing" not in told[0]


def test_a_run_that_never_fits_ends_with_the_three_levers(tiny_bert, labeled, tmp_path):
    run = Run(tiny_bert, labeled, tmp_path, loss="contrastive", fits=0)
    with pytest.raises(MemoryRanOutError) as caught:
        run.trainer.run()
    assert "Tried to allocate 2.00 GiB" in str(caught.value)
    length, batch, model = caught.value.levers
    assert "max_seq_length, now 64" in length and "batch_size, now 32" in batch and "smaller base" in model
    assert run.micro_batch_sizes() == [32, 16, 8, 4, 2, 1]
    assert "computed anew" in run.notices()[-1]  # tried before giving up


def test_any_other_error_ends_the_run_as_it_is(tiny_bert, labeled, tmp_path):
    run = Run(tiny_bert, labeled, tmp_path, loss="contrastive")

    def fail(*_: Any) -> torch.Tensor:
        raise RuntimeError("shapes cannot be multiplied")

    run.trainer.objective.loss.from_embeddings = fail
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        run.trainer.run()
    assert not run.notices()


def test_memory_that_runs_out_beside_the_steps_ends_with_the_levers_too(tiny_bert, labeled, tmp_path):
    run = Run(tiny_bert, labeled, tmp_path, loss="prediction")

    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")

    run.trainer.create_optimizer = fail
    with pytest.raises(MemoryRanOutError, match="max_seq_length"):
        run.trainer.run()


def test_a_resumed_run_goes_on_with_what_was_found(tiny_bert, labeled, tmp_path):
    first = Run(tiny_bert, labeled, tmp_path, loss="contrastive", fits=20, stop_at=1)
    stopped = first.trainer.run()
    second = Run(tiny_bert, labeled, tmp_path, loss="contrastive", fits=20, resume_from=stopped.checkpoint)
    second.trainer.run(resume_from=stopped.checkpoint)
    assert second.trainer.steps.micro_batch.tokens == first.trainer.steps.micro_batch.tokens
    assert len(second.micro_batch_sizes()) == 1 and not second.notices()
    straight = Run(tiny_bert, labeled, tmp_path / "straight", loss="contrastive")
    straight.trainer.run()
    assert second.vectors(labeled) == pytest.approx(straight.vectors(labeled), abs=2e-5)


def test_the_job_ends_with_the_levers(home, monkeypatch):
    folder = create("m", {"kind": "finetune", "name": "m"}, lambda data: None)

    def task(*_: Any) -> None:
        raise MemoryRanOutError(
            "The run does not fit into memory: no", levers=["shorter", "fewer", "smaller"]
        )

    monkeypatch.setattr("embedtune_nb.training.finetune.run_finetune", task)
    run_job(folder)
    last = list(EventReader(folder.events).new())[-1]
    assert last["state"] == "failed" and last["levers"] == ["shorter", "fewer", "smaller"]
