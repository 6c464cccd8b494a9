"""Loading, embedding and saving: what a user gets back, and what a stranger can load."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer

from embedtune_nb.catalogue import Prompts
from embedtune_nb.encoder.encoder import Encoder
from embedtune_nb.encoder.load import load_folder
from embedtune_nb.encoder.precision import choose_bf16
from embedtune_nb.errors import EmbedtuneError, ModelUnavailableError

LONG = "rain " * 30 + "card"


def test_embeddings_keep_the_order_and_have_length_one(tiny_bert, topic_rows, monkeypatch):
    encoder = Encoder(load_folder(tiny_bert, device="cpu"))
    texts = [row["value"] for row in topic_rows]
    seen = []
    monkeypatch.setattr("embedtune_nb.encoder.encoder._CHARACTERS_AT_ONCE", 1000)
    vectors = encoder.embed(texts, progress=lambda done, total: seen.append((done, total)))
    assert vectors.dtype == np.float32 and vectors.shape == (96, 32)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1.0, abs=1e-5)
    assert seen == sorted(set(seen)) and len(seen) > 2 and seen[-1] == (96, 96)
    for row in (0, 17, 95):
        assert encoder.embed([texts[row]])[0] == pytest.approx(vectors[row], abs=1e-5)
    assert encoder.embed([]).shape == (0, 32)


@pytest.mark.parametrize("name", ["tiny_bert", "tiny_rope", "tiny_static"])
def test_a_saved_folder_is_plain_and_reads_texts_the_same_way(name, request, tmp_path, topic_rows):
    source = request.getfixturevalue(name)
    texts = [row["value"] for row in topic_rows[:12]] + [LONG]
    please = Prompts().with_instruction("please")
    encoder = Encoder(load_folder(source, device="cpu"), 16, "left", prompts=please)
    encoder.save(tmp_path / "saved")
    stranger = SentenceTransformer(str(tmp_path / "saved"), device="cpu")
    assert stranger.encode(texts, normalize_embeddings=True) == pytest.approx(encoder.embed(texts), abs=1e-5)
    documents = stranger.encode_document(texts, normalize_embeddings=True)
    assert documents == pytest.approx(encoder.embed(texts, role="document"), abs=1e-5)
    assert np.abs(documents - encoder.embed(texts, role="query")).max() > 1e-3
    load_folder(source, device="cpu").save_pretrained(str(tmp_path / "plain"), create_model_card=False)
    names = [sorted(str(path.relative_to(root)) for path in root.rglob("*")) for root in tmp_path.iterdir()]
    assert names[0] == names[1]
    for path in (tmp_path / "saved").rglob("*.json"):  # "embedtune" would be a trace of this package
        assert "embedtune" not in path.read_text().lower()


def test_truncation_keeps_the_chosen_end(tiny_bert):
    start = Encoder(load_folder(tiny_bert, device="cpu"), 8, "right")
    end = Encoder(load_folder(tiny_bert, device="cpu"), 8, "left")
    assert start.embed([LONG]) == pytest.approx(start.embed(["rain " * 6]), abs=1e-5)
    assert end.embed([LONG]) == pytest.approx(end.embed(["rain " * 5 + "card"]), abs=1e-5)


def test_a_static_model_has_no_length_limit(tiny_static):
    encoder = Encoder(load_folder(tiny_static, device="cpu"), 8)
    assert encoder.max_seq_length is None
    assert "StaticEmbedding" in encoder.rows.reason
    assert np.abs(encoder.embed([LONG]) - encoder.embed(["rain " * 6])).max() > 1e-3


def test_broken_weights_are_no_embeddings(tiny_bert):
    encoder = Encoder(load_folder(tiny_bert, device="cpu"))
    with torch.no_grad():
        encoder.model[0].model.embeddings.word_embeddings.weight.fill_(float("nan"))
    with pytest.raises(EmbedtuneError, match="not finite"):
        encoder.embed(["rain"])


def test_pickled_weights_are_refused(tiny_bert, tmp_path):
    folder = Path(shutil.copytree(tiny_bert, tmp_path / "model"))
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(ModelUnavailableError, match="no safetensors"):
        load_folder(folder)


def test_code_that_comes_with_a_model_is_never_run(tiny_bert, tmp_path):
    folder = Path(shutil.copytree(tiny_bert, tmp_path / "model"))
    trap = tmp_path / "ran"
    (folder / "custom.py").write_text(f"open({str(trap)!r}, 'w')\nclass Mine: pass\n")
    modules = json.loads((folder / "modules.json").read_text())
    modules[1]["type"] = "custom.Mine"
    (folder / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(ModelUnavailableError, match=r"custom\.Mine"):
        load_folder(folder)
    assert not trap.exists()


def test_a_model_class_of_its_own_is_refused(tiny_bert, tmp_path):
    folder = Path(shutil.copytree(tiny_bert, tmp_path / "model"))
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "mine", "auto_map": {"AutoConfig": "custom.Mine", "AutoModel": "custom.Mine"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "custom.py").write_text("raise SystemExit('ran')")
    with pytest.raises(ModelUnavailableError, match="not run"):
        load_folder(folder)


def test_half_precision_weights_are_loaded_to_train(tiny_bert, tmp_path):
    model = load_folder(tiny_bert, device="cpu").half()
    model.save_pretrained(str(tmp_path / "half"), create_model_card=False)
    assert {weight.dtype for weight in load_folder(tmp_path / "half").parameters()} == {torch.float32}


def test_the_precision_probe_leaves_the_model_as_it_was(tiny_bert, topic_rows):
    encoder = Encoder(load_folder(tiny_bert, device="cpu"))
    encoder.model.eval()
    torch.manual_seed(3)
    state = torch.random.get_rng_state()
    choice = choose_bf16(encoder.model, encoder.seam, [row["value"] for row in topic_rows], "auto")
    assert isinstance(choice.value, bool) and choice.reason
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(weight.grad is None for weight in encoder.model.parameters())
    assert not encoder.model.training and not encoder.seam.bfloat16
    assert choose_bf16(encoder.model, encoder.seam, ["rain"], True).value is True


def test_bfloat16_is_used_only_where_asked_for(tiny_bert):
    exact = Encoder(load_folder(tiny_bert, device="cpu")).embed(["rain on the old road"])
    rounded = Encoder(load_folder(tiny_bert, device="cpu"), bf16=True).embed(["rain on the old road"])
    assert 1e-6 < np.abs(exact - rounded).max() < 0.05


def test_a_prompt_for_passages_is_one_for_documents_here_and_in_the_saved_folder(tiny_bert, tmp_path):
    model = load_folder(tiny_bert, device="cpu")
    model.prompts = {"query": "please ", "document": "", "passage": "old "}
    encoder = Encoder(model)
    assert (encoder.prompt("query"), encoder.prompt("document"), encoder.prompt(None)) == (
        "please ",
        "old ",
        None,
    )
    encoder.save(tmp_path / "saved")
    stranger = SentenceTransformer(str(tmp_path / "saved"), device="cpu")
    expected = stranger.encode([LONG], prompt="old ", normalize_embeddings=True)
    assert stranger.encode_document([LONG], normalize_embeddings=True) == pytest.approx(expected, abs=1e-5)
    assert encoder.embed([LONG], role="document") == pytest.approx(expected, abs=1e-5)


def test_reading_with_other_prompts_leaves_the_model_its_own(tiny_bert):
    encoder = Encoder(load_folder(tiny_bert, device="cpu"))
    other = encoder.reading(Prompts().with_instruction("please"))
    assert other.embed(["rain"]) == pytest.approx(encoder.embed(["please rain"]), abs=1e-5)
    assert other.model is encoder.model
    assert encoder.prompt(None) is None and not any(encoder.model.prompts.values())


def test_one_call_may_compute_in_bfloat16(tiny_bert, topic_rows):
    encoder = Encoder(load_folder(tiny_bert, device="cpu"))
    texts = [row["value"] for row in topic_rows[:16]]
    choice = encoder.choose_bf16(texts)
    assert isinstance(choice.value, bool) and choice.reason
    exact = encoder.embed(texts)
    assert 1e-6 < np.abs(encoder.embed(texts, bf16=True) - exact).max() < 0.05
    assert np.array_equal(encoder.embed(texts), exact)
