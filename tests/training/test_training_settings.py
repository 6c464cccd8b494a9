"""Settings of the optimizer do in the run what the plan says of them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from embedtune_nb.data.datasource import Datasource
from embedtune_nb.encoder.encoder import Encoder
from embedtune_nb.encoder.load import load_folder
from embedtune_nb.store.events import Metrics
from embedtune_nb.training.build import build_trainer

pytestmark = pytest.mark.slow

PEAK = 1e-2
SETTINGS = {
    "loss": "contrastive",
    "epochs": 1,
    "max_steps": 12,
    "learning_rate": PEAK,
    "batch_size": 16,
    "warmup": 4,
    "learning_rate_scheduler": "linear",
    "weight_decay": 0.0,
    "bf16": False,
    "seed": 5,
}


@pytest.fixture
def run(tiny_static, topic_rows, tmp_path):
    """Return what trains a word table on labels; gives its weights and the learning rate of each step."""
    data = Datasource.from_list(topic_rows, kind="labeled")

    def run(folder: Path = tmp_path, **changes: Any) -> tuple[Any, list[float]]:
        events: list[Any] = []
        encoder = Encoder(load_folder(tiny_static, device="cpu"))
        trainer = build_trainer(
            encoder,
            data,
            {**SETTINGS, **changes},
            output_dir=folder,
            emit=events.append,
            should_stop=lambda: False,
        )
        trainer.run()
        told = [event.values for event in events if isinstance(event, Metrics)]
        weights = next(encoder.model.parameters()).detach().numpy()
        return weights, [values["train/learning_rate"] for values in told]

    return run


@pytest.mark.parametrize(
    ("scheduler", "shape"),
    [
        ("linear", lambda share: 1 - share),
        ("cosine", lambda share: (1 + math.cos(math.pi * share)) / 2),
        ("constant", lambda share: 1.0),
    ],
)
def test_the_rate_rises_to_its_peak_and_goes_on_as_asked(run, scheduler, shape):
    _, rates = run(learning_rate_scheduler=scheduler)
    rising = [PEAK * step / 4 for step in range(4)]
    assert rates == pytest.approx([*rising, *(PEAK * shape(step / 8) for step in range(8))])


def test_no_warmup_begins_at_the_peak(run):
    assert run(warmup=0)[1][0] == pytest.approx(PEAK)


def test_max_steps_goes_through_the_data_again(run):
    assert len(run(max_steps=15)[1]) == 15 > 96 / 16
    assert len(run(max_steps=None, epochs=2)[1]) == 2 * 96 / 16


def test_weight_decay_keeps_weights_small(run):
    free, held = run()[0], run(weight_decay=0.9)[0]
    shrunk = 1.0
    for rate in run()[1]:
        shrunk *= 1 - 0.9 * rate
    unused = abs(free - held * (1 / shrunk)).max(axis=1) < 1e-6  # words that no text has
    assert unused.any() and (abs(held).sum() < abs(free).sum())


def test_the_seed_decides_the_order(run):
    assert (run()[0] == run()[0]).all()
    assert (run()[0] != run(seed=6)[0]).any()
