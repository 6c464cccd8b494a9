"""Whether, and how, texts may share rows: tried out on the model itself, against its own padded rows."""

from __future__ import annotations

import math

import torch
from sentence_transformers.base.modules import Transformer
from torch import Tensor, nn

from embedtune_nb.encoder.apartness import candidates
from embedtune_nb.encoder.choice import Choice
from embedtune_nb.encoder.packed import PackedRows
from embedtune_nb.encoder.rows import Features

#: Largest difference of a token vector, as a share of the largest number in any: float32 sums in
#: another order differ by about a millionth, a wrong mask or position by a tenth and more.
_TOLERANCE = 1e-4
#: Tokens of the longest text tried, where neither the model's limit nor a local window asks for others.
_PROBE_TOKENS = 256
#: A text must outgrow a window for a lost window to show; longer ones than this would take too long.
_MOST_PROBE_TOKENS = 1280
#: Random tokens stay clear of the special ones, which tokenizers put first.
_FIRST_WORD = 5


@torch.no_grad()
def prove_packing(module: Transformer) -> Choice:
    """Find a way of packing rows that gives *module* the vectors of its own padded rows.

    Texts of random tokens, as long as the model reads and longer than any local window, are encoded
    padded and packed; every token's vector must agree.

    Parameters
    ----------
    module
        The encoder as it will be used, with its own forward pass still in place.

    Returns
    -------
    Choice
        The :class:`PackedRows` that is exact, or ``None``, with the reason.
    """
    limit = module.max_seq_length or _PROBE_TOKENS
    window = getattr(module.config, "sliding_window", None) or 0
    longest = min(limit, max(_PROBE_TOKENS, window + window // 4))
    if longest > _MOST_PROBE_TOKENS:
        return Choice(None, f"its local window of {window} tokens is too wide to be tried out")
    was_training = module.training
    module.eval()
    try:
        return _try_all(module, _random_texts(module, longest))
    finally:
        module.train(was_training)


def _try_all(module: Transformer, features: Features) -> Choice:
    def encode(rows: Features) -> Tensor:
        return module.forward(dict(rows))["token_embeddings"]

    real = features["attention_mask"].bool()
    expected = encode(features)[real]
    own_attention = module.config._attn_implementation
    found = []
    for way in candidates(module.config):
        layout = PackedRows(way, first_position(module.model))
        if way.attention:
            module.model.set_attn_implementation(way.attention)
        try:
            (tokens,) = layout.run([features], encode)
            difference = float((tokens[real] - expected).abs().max() / expected.abs().max())
            outcome = f"off by {difference:.1g}"
        except Exception as error:  # a model may take such input in any way
            difference, outcome = math.inf, type(error).__name__
        if difference < _TOLERANCE:
            longest = features["attention_mask"].shape[1]
            reason = f"{way.words} gave the same vectors on texts of 1 to {longest} tokens"
            return Choice(layout, f"{reason} (largest difference {difference:.0e})")
        found.append(f"{way.words}: {outcome}")
        if way.attention:
            module.model.set_attn_implementation(own_attention)
    return Choice(None, "no packing gave this model's own vectors (" + "; ".join(found) + ")")


def first_position(model: nn.Module) -> int:
    """Return where *model* starts to count positions: RoBERTa and its kin do behind the padding index."""
    for part in model.modules():
        table = getattr(part, "position_embeddings", None)
        if isinstance(table, nn.Embedding) and table.padding_idx is not None:
            return table.padding_idx + 1
    return 0


def _random_texts(module: Transformer, longest: int) -> Features:
    lengths = [longest, 3, longest // 2, 1, longest // 3]
    counts = torch.tensor(lengths).clamp(1, longest)[:, None]
    place = torch.arange(longest)
    tokenizer = module.tokenizer
    assert tokenizer is not None, "a module that reads text has one"
    left = tokenizer.padding_side == "left"
    mask = (place >= longest - counts if left else place < counts).long()
    generator = torch.Generator().manual_seed(0)
    words = torch.randint(
        _FIRST_WORD, min(1000, module.config.vocab_size), (len(lengths), longest), generator=generator
    )
    padding = tokenizer.pad_token_id or 0
    features = {"input_ids": torch.where(mask.bool(), words, padding), "attention_mask": mask}
    if "token_type_ids" in tokenizer.model_input_names:
        features["token_type_ids"] = torch.zeros_like(mask)
    device = next(module.parameters()).device
    return {"modality": "text"} | {key: value.to(device) for key, value in features.items()}
