"""A tiny base model folder and small data: real files, no torch."""

import json

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import save_file
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from embedtune_nb.catalogue import resolve_base
from embedtune_nb.data.datasource import Datasource
from embedtune_nb.plan.resolve import resolve


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("EMBEDTUNE_HOME", str(tmp_path / "home"))


@pytest.fixture
def write_base(tmp_path):
    """Write a model folder whose tokenizer makes one token of each word, and two special ones."""

    def write(max_length=32, *, static=False):
        folder = tmp_path / f"base-{max_length}-{static}"
        module = folder / "0" if static else folder
        (folder / "1_Pooling").mkdir(parents=True)
        module.mkdir(exist_ok=True)
        tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0, "[CLS]": 1, "[SEP]": 2}, unk_token="[UNK]"))
        tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
        tokenizer.post_processor = processors.TemplateProcessing(
            "[CLS] $A [SEP]", None, [("[CLS]", 1), ("[SEP]", 2)]
        )
        # As in real folders: what is stored here must not cut the texts that are being measured.
        tokenizer.enable_truncation(8)
        tokenizer.save(str(module / "tokenizer.json"))
        kinds = ["StaticEmbedding"] if static else ["Transformer", "Pooling"]
        paths = ["0"] if static else ["", "1_Pooling"]
        modules = [
            {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
            for i, (kind, path) in enumerate(zip(kinds, paths, strict=True))
        ]
        (folder / "modules.json").write_text(json.dumps(modules))
        if not static:
            (folder / "config.json").write_text(
                json.dumps({"hidden_size": 16, "max_position_embeddings": 64})
            )
            (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": max_length}))
            (folder / "1_Pooling/config.json").write_text(json.dumps({"word_embedding_dimension": 16}))
        name = "embedding.weight" if static else "embeddings.word_embeddings.weight"
        tensors = {name: np.zeros((100, 16), "f4")}
        if not static:
            tensors["encoder.layer.0.weight"] = np.zeros((16, 192), "f4")
        save_file(tensors, module / "model.safetensors")
        return resolve_base(folder)

    return write


@pytest.fixture
def base(write_base):
    return write_base()


def words(count, salt):
    return " ".join(f"w{salt}x{place}" for place in range(count))


@pytest.fixture
def labeled():
    def make(rows=200, classes=4, length=lambda row: 3 + row % 5):
        return Datasource.from_pandas(
            pd.DataFrame(
                {
                    "text": [words(length(row), row) for row in range(rows)],
                    "label": [f"class {row % classes}" for row in range(rows)],
                }
            ),
            name="toy",
        )

    return make


@pytest.fixture
def pairs():
    def make(rows=200):
        return Datasource.from_pandas(
            pd.DataFrame(
                {
                    "question": [words(4, f"q{row}") for row in range(rows)],
                    "answer": [words(9, f"a{row}") for row in range(rows)],
                }
            ),
            kind="pairs",
            roles={"anchor": "question", "positive": "answer"},
        )

    return make


@pytest.fixture
def plan_for(base):
    def plan(data, hyperparams=None, **options):
        made, _ = resolve(options.pop("base", base), data, name="toy", hyperparams=hyperparams, **options)
        return made

    return plan
