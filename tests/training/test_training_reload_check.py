"""A saved model that is not the trained one is noticed, whole or truncated."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from embedtune_nb.data.datasource import Datasource
from embedtune_nb.encoder.encoder import Encoder
from embedtune_nb.encoder.load import load_folder
from embedtune_nb.errors import IntegrityError
from embedtune_nb.evaluation.evaluate import evaluate
from embedtune_nb.evaluation.vectors import VectorCache
from embedtune_nb.training import reload_check as checks
from embedtune_nb.training.publish_model import check_line


@pytest.fixture
def data(topic_rows) -> list[Datasource]:
    roles = {"value": "value", "label": "label"}
    return [
        Datasource.from_list(rows, kind="labeled", roles=roles) for rows in (topic_rows[:60], topic_rows[60:])
    ]


@pytest.fixture
def check(data, monkeypatch):
    def answer_here(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        checks.main(Path(command[-1]))
        return subprocess.CompletedProcess(command, 0)

    def run(folder: Path, encoder: Encoder, *, fresh: bool = False, dimensions=()) -> dict[str, Any]:
        if not fresh:
            monkeypatch.setattr(checks.subprocess, "run", answer_here)
        return checks.reload_check(
            folder,
            encoder,
            data[1],
            reference=data[0],
            settings={"neighbor_count": 3},
            vectors=VectorCache(),
            dimensions=dimensions,
        )

    return run


@pytest.fixture
def saved(tiny_bert, tmp_path) -> tuple[Encoder, Path]:
    encoder = Encoder(load_folder(tiny_bert, device="cpu"))
    encoder.save(tmp_path / "saved")
    return encoder, tmp_path / "saved"


@pytest.mark.jobs
def test_a_faithful_copy_agrees_in_a_fresh_process_at_every_length(saved, check, data):
    encoder, folder = saved
    found = check(folder, encoder, fresh=True, dimensions=[16, 4])
    assert 0 <= found["largest_difference"] < 1e-5
    alone = evaluate(encoder, data[1], reference=data[0], settings={"neighbor_count": 3})
    assert found["score"] == pytest.approx(alone.metrics["accuracy"])
    assert [row["dimension"] for row in found["truncated"]] == [16, 4]
    assert found["truncated"][1]["score"] != found["score"]
    line = check_line(found)
    assert f"Accuracy {found['score']:.4f} as before saving" in line
    assert f"4: {found['truncated'][1]['score']:.4f}" in line


def test_one_changed_weight_is_a_mismatch(saved, check):
    encoder, folder = saved
    weights = load_file(folder / "model.safetensors")
    name = next(name for name in weights if "word_embeddings" in name)
    weights[name][5:, :4] += 0.5  # of all numbers alike the next layer would take it out again
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(IntegrityError, match="The saved model differs from the trained one: vectors by up"):
        check(folder, encoder)


def test_a_model_that_is_only_wrong_when_truncated_is_a_mismatch(saved, check, monkeypatch):
    encoder, folder = saved
    opened = checks.PlainModel.embed

    def last_instead_of_first(self, texts, **options):
        size = self._model.truncate_dim
        self._model.truncate_dim = None
        vectors = opened(self, texts, **options)
        self._model.truncate_dim = size
        kept = vectors if size is None else vectors[:, -size:]
        return kept / np.linalg.norm(kept, axis=1, keepdims=True)

    monkeypatch.setattr(checks.PlainModel, "embed", last_instead_of_first)
    with pytest.raises(IntegrityError, match="truncated to 8 dimensions differs"):
        check(folder, encoder, dimensions=[8])


@pytest.mark.jobs
def test_a_folder_that_does_not_open_is_a_mismatch(saved, check):
    encoder, folder = saved
    (folder / "modules.json").write_text("[")
    with pytest.raises(IntegrityError, match="does not open in a fresh process"):
        check(folder, encoder, fresh=True)
