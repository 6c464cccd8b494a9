"""LoRA: beside every matrix of the layers, merged in before anything is judged, gone from the saved model."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from torch import nn

from embedtune_nb.catalogue import resolve_base
from embedtune_nb.encoder.encoder import Encoder
from embedtune_nb.encoder.load import load_folder
from embedtune_nb.errors import JobStoppedError, PlanError
from embedtune_nb.plan.resolve import resolve
from embedtune_nb.store.events import Metrics, Notice, Published
from embedtune_nb.store.home import models_folder
from embedtune_nb.store.job_folder import create
from embedtune_nb.training.finetune import run_finetune
from embedtune_nb.training.lora import LoraLayers, matrices_of_layers

pytest.importorskip("peft", reason="the extra lora is not installed")


@pytest.fixture
def texts(topic_rows):
    return list(dict.fromkeys(row["value"] for row in topic_rows))[:40]


@pytest.fixture(params=["tiny_bert", "tiny_rope"])
def folder(request):
    return request.getfixturevalue(request.param)


def disturb(model):
    """Stand in for training."""
    draw = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora_" in name:
                weight += 0.2 * torch.randn(weight.shape, generator=draw)


def test_every_matrix_of_the_layers_is_found_and_none_outside(folder):
    model = load_folder(folder, device="cpu")[0].model
    every = {name for name, module in model.named_modules() if isinstance(module, nn.Linear)}
    found = set(matrices_of_layers(model))
    assert len(found) >= 2 * 4
    assert all("pooler" in name for name in every - found)


def test_lora_starts_as_no_change_and_trains_alone(folder, texts):
    encoder = Encoder(load_folder(folder, device="cpu"))
    before = encoder.embed(texts)
    LoraLayers(encoder, rank=3, alpha=6.0, seed=1)
    np.testing.assert_allclose(encoder.embed(texts), before, atol=1e-6)
    trained = [name for name, weight in encoder.model.named_parameters() if weight.requires_grad]
    assert trained
    assert all("lora_" in name for name in trained)


def test_the_merged_model_is_the_trained_one_without_a_trace_of_peft(folder, texts, tmp_path):
    encoder = Encoder(load_folder(folder, device="cpu"))
    untrained = encoder.embed(texts)
    layers = LoraLayers(encoder, rank=3, alpha=6.0, seed=1)
    disturb(encoder.model)
    trained = encoder.embed(texts)
    assert np.abs(trained - untrained).max() > 0.01
    assert layers.merge(texts) < 1e-5
    encoder.save(tmp_path / "merged")
    plain = SentenceTransformer(str(tmp_path / "merged"), device="cpu")
    assert plain.state_dict().keys() == SentenceTransformer(str(folder), device="cpu").state_dict().keys()
    assert not list((tmp_path / "merged").rglob("adapter*"))
    np.testing.assert_allclose(plain.encode(texts, normalize_embeddings=True), trained, atol=1e-5)


def test_a_word_table_has_no_matrices(tiny_static):
    with pytest.raises(PlanError, match="no stack of layers"):
        LoraLayers(Encoder(load_folder(tiny_static, device="cpu")), rank=2, alpha=4.0, seed=0)


@pytest.mark.jobs
def test_a_stopped_run_goes_on_to_the_very_same_model(home, tiny_bert, labeled, texts, monkeypatch, tmp_path):
    found = {"texts": 0, "largest_difference": 0.0, "metric": "accuracy", "score": 0.0}
    monkeypatch.setattr("embedtune_nb.training.finish.reload_check", lambda *_, **__: found)

    def new_job():
        plan, parts = resolve(
            resolve_base(str(tiny_bert)),
            labeled,
            name="toy",
            loss="contrastive",
            hyperparams={"lora_rank": 2, "epochs": 2, "batch_size": 16, "bf16": False},
        )
        return create("toy", plan.to_json(), parts.write)

    def work(job, stop_after=None):
        events: list[Any] = []

        def steps():
            return [e.step for e in events if isinstance(e, Metrics) and "train/loss" in e.values]

        run_finetune(job, events.append, lambda: stop_after is not None and len(steps()) >= stop_after)
        return events

    events = work(new_job())
    assert any("LoRA is merged in" in e.text for e in events if isinstance(e, Notice))
    assert any(isinstance(e, Published) for e in events)
    whole = SentenceTransformer(str(models_folder() / "toy"), device="cpu").encode(texts)
    base = SentenceTransformer(str(tiny_bert), device="cpu").encode(texts)
    assert np.abs(whole - base).max() > 1e-3
    models_folder().rename(tmp_path / "whole")
    stopped = new_job()
    with pytest.raises(JobStoppedError, match="a checkpoint is kept"):
        work(stopped, stop_after=3)
    work(stopped)
    resumed = SentenceTransformer(str(models_folder() / "toy"), device="cpu").encode(texts)
    np.testing.assert_allclose(resumed, whole, atol=1e-5)
