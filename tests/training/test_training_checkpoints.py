"""How often checkpoints are written and how many of them stay."""

from __future__ import annotations

import pytest

from embedtune_nb.encoder.encoder import Encoder
from embedtune_nb.encoder.load import load_folder
from embedtune_nb.training.build import build_trainer
from embedtune_nb.training.checkpoint import latest_checkpoint

pytestmark = pytest.mark.slow

SETTINGS = {
    "loss": "contrastive",
    "epochs": 2,
    "learning_rate": 1e-3,
    "batch_size": 24,
    "warmup": 0,
    "learning_rate_scheduler": "linear",
    "weight_decay": 0.0,
    "eval_steps": "off",
    "metric": "accuracy",
    "bf16": False,
    "seed": 5,
}


@pytest.fixture
def trained(tiny_bert, labeled, tmp_path):
    def train(**settings) -> tuple:
        trainer = build_trainer(
            Encoder(load_folder(tiny_bert, device="cpu"), 32),
            labeled,
            {**SETTINGS, **settings},
            output_dir=tmp_path,
            emit=lambda event: None,
            should_stop=lambda: False,
        )
        trainer.run()
        return sorted(folder.name for folder in (tmp_path / "checkpoints").iterdir()), trainer

    return train


@pytest.mark.parametrize(
    ("settings", "kept"),
    [
        ({}, ["step-8"]),
        ({"checkpoint_save_steps": 3}, ["step-8"]),
        ({"checkpoint_save_steps": 3, "checkpoint_save_total_limit": 2}, ["step-6", "step-8"]),
        ({"checkpoint_save_steps": 3, "checkpoint_save_total_limit": 0}, ["step-3", "step-6", "step-8"]),
    ],
)
def test_checkpoints_as_asked_for(trained, tmp_path, settings, kept):
    found, trainer = trained(**settings)
    assert found == kept
    assert latest_checkpoint(tmp_path).name == "step-8"
    trainer.drop_progress()
    asked = "checkpoint_save_total_limit" in settings
    assert (latest_checkpoint(tmp_path) is not None) == asked, "what was asked for outlives the run"
