"""Vectors of a frozen base model: read once, kept on disk, thrown away when damaged or too many."""

from __future__ import annotations

import os
import shutil

import numpy as np
import pytest

from embedtune_nb.encoder.encoder import Encoder
from embedtune_nb.encoder.load import load_folder
from embedtune_nb.training.base_vectors import VectorStore, text_key, vector_store
from embedtune_nb.training.frozen_base import FrozenBase


@pytest.fixture
def store(tmp_path):
    return VectorStore(tmp_path / "kept" / "base")


def entries(count, start=0):
    keys = [text_key(f"text {number}", None, None) for number in range(start, start + count)]
    return keys, np.random.default_rng(start).normal(size=(count, 8)).astype(np.float32)


def test_what_is_kept_is_found_by_whoever_opens_the_store_next(store):
    for start in (0, 5):
        store.add(*entries(5, start))
    keys, vectors = entries(5, 5)
    found = VectorStore(store.folder).find([*keys, text_key("another", None, None)])
    assert list(found) == keys
    np.testing.assert_array_equal(np.stack([found[key] for key in keys]), vectors)


def test_prompts_ways_and_texts_do_not_mix():
    asked = [
        ("ab", "", None),
        ("b", "a", None),
        ("ab", None, "query"),
        ("ab", None, "document"),
        ("b", "a", "query"),
    ]
    assert len({text_key(*one) for one in asked}) == len(asked)
    assert text_key("a", None, None) == text_key("a", "", None)


def test_a_damaged_file_is_thrown_away_and_counted(store):
    keys, vectors = entries(4)
    store.add(keys, vectors)
    (file,) = store.folder.glob("*.npy")
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    again = VectorStore(store.folder)
    assert again.find(keys) == {}
    assert again.damaged == 1
    assert not file.exists()


def test_the_longest_unused_vectors_go_first(tmp_path):
    first = VectorStore(tmp_path / "kept" / "first", limit=10**9)
    for number in range(3):
        first.add(*entries(50, 100 * number))
    size = first.size_bytes // 3
    for age, file in enumerate(sorted(first.folder.glob("*.npy"))):
        os.utime(file, (age, age))
    second = VectorStore(tmp_path / "kept" / "second", limit=3 * size + 10)
    used = entries(50, 100)[0]
    assert len(first.find(used)) == 50, "looking a vector up counts as use"
    second.add(*entries(50, 900))
    second.add(*entries(50, 1000))
    assert second.size_bytes <= 3 * size + 10
    assert len(VectorStore(first.folder).find(used)) == 50
    assert len(second.find(entries(50, 1000)[0])) == 50


def test_another_weight_or_length_limit_is_another_store(home, tiny_bert, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(tiny_bert, copy)
    same = vector_store(tiny_bert, reads=(64, "right")).folder
    assert vector_store(copy, reads=(64, "right")).folder == same
    assert vector_store(copy, reads=(32, "right")).folder != same
    weights = copy / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    assert vector_store(copy, reads=(64, "right")).folder != same


def test_a_stop_keeps_what_was_read_and_nothing_is_read_twice(tiny_bert, store, topic_rows, monkeypatch):
    monkeypatch.setattr("embedtune_nb.training.frozen_base._TEXTS_AT_ONCE", {"cpu": 16})
    texts = list(dict.fromkeys(row["value"] for row in topic_rows))

    def stop(done, total):
        assert total == len(texts)
        if done >= 32:
            raise KeyboardInterrupt

    base = load_folder(tiny_bert, device="cpu")
    with pytest.raises(KeyboardInterrupt):
        FrozenBase(base, store).fill(texts, progress=stop)
    frozen = FrozenBase(base, VectorStore(store.folder))
    vectors = frozen.preprocess([*texts, texts[0]])["sentence_embedding"].numpy()
    assert frozen.computed == len(texts) - 32
    frozen.preprocess(texts)
    assert frozen.computed == len(texts) - 32
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    expected = Encoder(load_folder(tiny_bert, device="cpu")).embed([*texts, texts[0]])
    np.testing.assert_allclose(unit, expected, atol=1e-5)


def test_training_mode_does_not_reach_the_frozen_base(tiny_bert, store):
    frozen = FrozenBase(load_folder(tiny_bert, device="cpu"), store)
    frozen.train()
    assert not any(module.training for module in frozen.modules())
    assert not any(weight.requires_grad for weight in frozen.parameters())
