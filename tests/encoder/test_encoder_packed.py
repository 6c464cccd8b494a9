"""Packed rows give the vectors and gradients of padded rows, or the model is shown not to suit them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Transformer
from sentence_transformers.sentence_transformer.modules import Pooling

from embedtune_nb.encoder.apartness import BlockMask
from embedtune_nb.encoder.encoder import Encoder
from embedtune_nb.encoder.packed import PackedRows
from embedtune_nb.encoder.proof import prove_packing

CLOSE = 2e-5
SLIDING = {
    "sliding_window": 8,
    "layer_types": ["sliding_attention", "full_attention"],
    "num_key_value_heads": 1,
    "head_dim": 16,
}
#: name -> (configuration, its own options, pooling)
MODELS: dict[str, tuple[str, dict, str]] = {
    "bert": ("Bert", {}, "cls"),
    "roberta": ("Roberta", {"pad_token_id": 1}, "mean"),
    "mpnet": ("MPNet", {"pad_token_id": 1}, "mean"),
    "modernbert": ("ModernBert", {"local_attention": 8, "global_attn_every_n_layers": 2}, "mean"),
    "qwen3": ("Qwen3", {"num_key_value_heads": 1, "head_dim": 16}, "lasttoken"),
    "qwen3 sliding": (
        "Qwen3",
        {**SLIDING, "use_sliding_window": True, "max_window_layers": 1},
        "lasttoken",
    ),
    "gemma3": ("Gemma3Text", {**SLIDING, "use_bidirectional_attention": True}, "mean"),
    "gemma3 causal": ("Gemma3Text", SLIDING, "lasttoken"),
}
#: These know one way of attention only.
ONLY_EAGER = {"mpnet"}
CASES = [
    (name, attention)
    for name in MODELS
    for attention in ("sdpa", "eager")
    if attention == "eager" or name not in ONLY_EAGER
]


@pytest.fixture(scope="session")
def build(tiny_bert: Path, tmp_path_factory) -> Callable[[str, str], SentenceTransformer]:
    """Return a function that makes a random model of an architecture; the same one at each call."""
    folders: dict[str, Path] = {}

    def make(name: str, attention: str) -> SentenceTransformer:
        kind, options, pooling = MODELS[name]
        if name not in folders:
            folders[name] = tmp_path_factory.mktemp(name.replace(" ", "_"))
            tokenizer = transformers.AutoTokenizer.from_pretrained(tiny_bert)
            size = {
                "vocab_size": len(tokenizer),
                "hidden_size": 32,
                "num_hidden_layers": 2,
                "num_attention_heads": 2,
                "intermediate_size": 64,
                "initializer_range": 0.15,
                "max_position_embeddings": 160,
                "pad_token_id": 0,
                "bos_token_id": 2,
                "eos_token_id": 3,
            }
            config = getattr(transformers, f"{kind}Config")(**{**size, **options})
            torch.manual_seed(0)
            transformers.AutoModel.from_config(config).save_pretrained(folders[name])
            if config.pad_token_id == 1:  # the two special tokens change places
                tokenizer.pad_token, tokenizer.unk_token = "[UNK]", "[PAD]"
            if pooling == "lasttoken":
                tokenizer.padding_side = "left"
            tokenizer.save_pretrained(folders[name])
        module = Transformer(str(folders[name]), model_kwargs={"attn_implementation": attention})
        assert module.config._attn_implementation == attention
        return SentenceTransformer(modules=[module, Pooling(32, pooling)], device="cpu")

    return make


@pytest.fixture
def texts(topic_rows) -> list[str]:
    return [row["value"] for row in topic_rows[:40]]


def _columns(encoder: Encoder, texts: list[str]) -> list[dict]:
    half = len(texts) // 2
    return [encoder.features(texts[:half]), encoder.features(texts[half:])]


def _vectors_and_gradients(model: SentenceTransformer, texts: list[str], rows: str):
    encoder = Encoder(model, 64, rows=rows)
    encoder.model.train()
    for part in encoder.model.modules():  # dropout falls differently on rows of another shape
        if isinstance(part, torch.nn.Dropout):
            part.p = 0.0
    columns = _columns(encoder, texts)
    encoder.seam.expect(columns)
    vectors = torch.cat([encoder.model(column)["sentence_embedding"] for column in columns])
    # any loss in which each number counts differently
    weights = torch.randn(vectors.shape, generator=torch.Generator().manual_seed(1))
    (torch.nn.functional.normalize(vectors, dim=-1) * weights).sum().backward()
    gradients = [weight.grad.flatten() for weight in encoder.model.parameters() if weight.grad is not None]
    return encoder, vectors.detach(), torch.cat(gradients)


def _off(seen: torch.Tensor, expected: torch.Tensor) -> float:
    return float((seen - expected).norm() / expected.norm())


@pytest.mark.parametrize(("name", "attention"), CASES)
def test_packed_rows_give_the_vectors_and_gradients_of_whole_batches(name, attention, build, texts):
    _, expected, expected_gradients = _vectors_and_gradients(build(name, attention), texts, "whole")
    encoder, vectors, gradients = _vectors_and_gradients(build(name, attention), texts, "packed")
    assert encoder.rows.value == "packed", encoder.rows.reason
    assert _off(vectors, expected) < CLOSE
    assert _off(gradients, expected_gradients) < CLOSE


@pytest.mark.model
def test_packed_rows_are_exact_for_minilm(minilm, texts):
    from embedtune_nb.encoder.load import load_folder

    _, expected, expected_gradients = _vectors_and_gradients(load_folder(minilm), texts, "whole")
    encoder, vectors, gradients = _vectors_and_gradients(load_folder(minilm), texts, "packed")
    assert encoder.rows.value == "packed"
    assert _off(vectors, expected) < CLOSE
    assert _off(gradients, expected_gradients) < CLOSE


def _without_mask(layout: PackedRows) -> None:
    tell = layout.apartness.tell
    layout.apartness.tell = lambda text, lengths: tell(torch.zeros_like(text), [sum(lengths)])


def _with_one_count_of_positions(layout: PackedRows) -> None:
    layout.apartness.tell = lambda text, lengths, tell=layout.apartness.tell: {
        **tell(text, lengths),
        "position_ids": torch.arange(text.shape[1]).expand(text.shape),
    }


def _counted_from_zero(layout: PackedRows) -> None:
    layout.first_position = 0


@pytest.mark.parametrize(
    ("name", "spoil"),
    [
        ("bert", _without_mask),
        ("bert", _with_one_count_of_positions),
        ("roberta", _counted_from_zero),
        ("mpnet", _counted_from_zero),
    ],
)
def test_the_comparison_notices(name, spoil, build, texts):
    encoder = Encoder(build(name, "eager"), 64)
    exact = encoder.embed(texts)
    spoil(encoder.seam.layout)
    assert np.abs(encoder.embed(texts) - exact).max() > 1e-2


@pytest.mark.parametrize(
    ("name", "causal"), [("modernbert", False), ("gemma3", False), ("qwen3 sliding", True)]
)
def test_a_lost_local_window_fails_the_proof(name, causal, build, monkeypatch):
    module = build(name, "sdpa")[0]
    # one mask for all layers keeps texts apart, but lets every layer see a whole text
    masks = [BlockMask(module.config, causal=causal)]
    monkeypatch.setattr("embedtune_nb.encoder.proof.candidates", lambda config: masks)
    proof = prove_packing(module)
    assert proof.value is None
    assert "off by" in proof.reason


def test_a_model_that_does_not_suit_packing_keeps_chunks_and_says_why(tiny_bert, texts, tmp_path):
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny_bert)
    config = transformers.DebertaV2Config(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        initializer_range=0.15,
        relative_attention=True,
        pos_att_type=["p2c", "c2p"],
        pad_token_id=0,
    )
    transformers.AutoModel.from_config(config).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    model = SentenceTransformer(modules=[Transformer(str(tmp_path)), Pooling(32, "mean")], device="cpu")
    expected = model.eval().encode(texts, normalize_embeddings=True)
    encoder = Encoder(model)
    assert encoder.rows.value == "chunks"
    assert "no packing gave this model's own vectors" in encoder.rows.reason
    assert encoder.embed(texts) == pytest.approx(expected, abs=1e-5)


def test_the_proof_leaves_the_model_as_it_was(build):
    module = build("bert", "sdpa")[0]
    module.train()
    torch.manual_seed(3)
    state = torch.random.get_rng_state()
    assert prove_packing(module).value is not None
    assert module.training
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(weight.grad is None for weight in module.parameters())


def test_a_window_too_wide_to_be_tried_out_is_not_trusted(build, texts):
    module = build("modernbert", "sdpa")[0]
    module.max_seq_length = 8192
    module.model.config.sliding_window = 4096
    proof = prove_packing(module)
    assert proof.value is None
    assert "4096" in proof.reason


def _computed_shapes(encoder: Encoder) -> list[tuple[int, int]]:
    """Return a list that grows by the shape of every batch that the encoder really computes."""
    shapes: list[tuple[int, int]] = []
    encoder.model[0].model.get_input_embeddings().register_forward_hook(
        lambda _, __, tokens: shapes.append(tuple(tokens.shape[:2]))
    )
    return shapes


def test_columns_announced_together_share_a_pass_without_padding(build, texts):
    encoder = Encoder(build("bert", "sdpa"), 64)
    columns = _columns(encoder, texts)
    shapes = _computed_shapes(encoder)
    encoder.seam.expect(columns)
    for column in columns:
        encoder.model(column)
    assert shapes == [(1, sum(int(column["attention_mask"].sum()) for column in columns))]


@pytest.mark.slow
def test_dropout_of_attention_averages_to_none(build, texts):
    encoder = Encoder(build("bert", "sdpa"), 64)
    exact = encoder.embed(texts[:8])
    encoder.model.train()
    for part in encoder.model.modules():
        if isinstance(part, torch.nn.Dropout):
            # the one inside the attention alone is left
            part.p = 0.2 if part is encoder.model[0].model.encoder.layer[1].attention.self.dropout else 0.0
    features = encoder.features(texts[:8])
    with torch.no_grad():
        draws = torch.stack([encoder.model(dict(features))["sentence_embedding"] for _ in range(200)])
    draws = torch.nn.functional.normalize(draws, dim=-1)
    assert draws.std(0).max() > 0.02
    mean = torch.nn.functional.normalize(draws.mean(0), dim=-1).numpy()
    assert np.abs(mean - exact).max() < 0.1 * np.abs(exact).max()


def test_gradient_checkpointing_computes_the_same_rows_again(build, texts):
    _, expected, expected_gradients = _vectors_and_gradients(build("bert", "sdpa"), texts, "whole")
    model = build("bert", "sdpa")
    model[0].model.activation_checkpointing_enable()
    encoder, vectors, gradients = _vectors_and_gradients(model, texts, "packed")
    assert encoder.rows.value == "packed"
    assert _off(vectors, expected) < CLOSE
    assert _off(gradients, expected_gradients) < CLOSE


@pytest.mark.slow
def test_derivatives_of_attention_agree_with_finite_differences():
    from embedtune_nb.encoder.attention import attend_text_by_text

    torch.manual_seed(0)
    lengths = [2, 2, 4, 7]
    parts = [torch.randn(1, heads, 15, 3, dtype=torch.double, requires_grad=True) for heads in (2, 1, 1)]

    def attend(query, key, value):
        torch.manual_seed(1)  # the same weights are dropped each time
        return attend_text_by_text(
            torch.nn.Identity(),
            query,
            key,
            value,
            None,
            dropout=0.3,
            sliding_window=3,
            is_causal=True,
            lengths_of_texts=lengths,
        )[0]

    assert torch.autograd.gradcheck(attend, parts)


def test_a_saved_folder_shows_no_trace_of_packing(build, texts, tmp_path):
    model = build("modernbert", "sdpa")
    model.save_pretrained(str(tmp_path / "plain"), create_model_card=False)
    encoder = Encoder(model)
    assert "text by text" in encoder.rows.reason
    encoder.save(tmp_path / "packed")
    plain, packed = (
        {path.relative_to(root): path.read_bytes() for path in root.rglob("*") if path.is_file()}
        for root in (tmp_path / "plain", tmp_path / "packed")
    )
    assert plain == packed


@pytest.mark.parametrize("rows", ["packed", "chunks"])
def test_a_text_without_tokens_disturbs_no_other(rows, build, texts):
    encoder = Encoder(build("bert", "sdpa").eval(), 64, rows=rows)
    features = encoder.features(texts[:4])
    expected = encoder.model(dict(features))["sentence_embedding"]
    features["attention_mask"][2] = 0
    vectors = encoder.model(features)["sentence_embedding"]
    assert torch.allclose(vectors[[0, 1, 3]], expected[[0, 1, 3]], atol=1e-5)
    assert torch.isfinite(vectors).all()
