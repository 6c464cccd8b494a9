"""Attention text by text, for texts that are laid end to end in one row.

Masks keep packed texts apart but still compute, and drop out, every pair of places of a row. Here the
scores of a pair are computed only where both tokens belong to one text. Texts of about equal length are
neighbours in the row, so that each group of them is one batched matrix product.

Encoders of transformers look their attention up by name, in the configuration; the name registered
here computes SDPA as before wherever no lengths of texts are handed along.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from embedtune_nb.encoder.dropout import kept
from embedtune_nb.encoder.groups import grouping, hidden_places

#: The name in a configuration.
TEXT_BY_TEXT = "text_by_text"
#: What an encoder may ask of its attention that is not computed here.
_NOT_COMPUTED = ("softcap", "s_aux", "position_bias", "cache")


def attend_text_by_text(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    dropout: float = 0.0,
    scaling: float | None = None,
    sliding_window: int | None = None,
    is_causal: bool | None = None,
    lengths_of_texts: list[int] | None = None,
    **options: Any,
) -> tuple[Tensor, None]:
    """Attend within each text; the interface is that of transformers' attention functions.

    Parameters
    ----------
    module
        The attention layer.
    query, key, value
        (1, heads, tokens, dimension); key and value may have fewer heads.
    attention_mask
        Serves ordinary rows only.
    lengths_of_texts
        Tokens of the texts in the row, in order; ``None`` for ordinary rows.

    Returns
    -------
    tuple
        (1, tokens, heads, dimension) and ``None`` for the weights.

    Raises
    ------
    NotImplementedError
        If the layer asks for more than dropout, causality and a window.
    """
    if lengths_of_texts is None:
        return sdpa_attention_forward(
            module,
            query,
            key,
            value,
            attention_mask,
            dropout=dropout,
            scaling=scaling,
            sliding_window=sliding_window,
            is_causal=is_causal,
            **options,
        )
    asked = [name for name in _NOT_COMPUTED if options.get(name) is not None]
    if asked:
        raise NotImplementedError(f"attention with {asked}")
    causal = getattr(module, "is_causal", True) if is_causal is None else is_causal
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    heads = query.shape[1] // key.shape[1]
    q, k, v = (part[0].transpose(0, 1) for part in (query, key, value))
    if heads > 1:
        k, v = (part.repeat_interleave(heads, dim=1) for part in (k, v))
    if dropout == 0:
        return _by_kernel(q, k, v, lengths_of_texts, scale, causal, sliding_window)[None], None
    with torch.autocast(query.device.type, enabled=False):  # small products gain nothing by bfloat16
        q, k, v = (_at_least_float32(part) for part in (q, k, v))
        out = _DroppedOut.apply(q, k, v, lengths_of_texts, dropout, scale, causal, sliding_window)
    return out.to(query.dtype)[None], None


AttentionInterface.register(TEXT_BY_TEXT, attend_text_by_text)
AttentionMaskInterface.register(TEXT_BY_TEXT, sdpa_mask)


def _at_least_float32(part: Tensor) -> Tensor:
    return part.float() if part.dtype in (torch.bfloat16, torch.float16) else part


def _groups(lengths: list[int], *parts: Tensor) -> Iterator[list[Tensor]]:
    """Yield each group of equally long texts: every part as (texts, heads, tokens, dimension)."""
    counts = [(length, len(list(texts))) for length, texts in groupby(lengths)]
    sizes = [length * count for length, count in counts]
    for (length, count), *rows in zip(counts, *(part.split(sizes) for part in parts), strict=True):
        yield [part.unflatten(0, (count, length)).transpose(1, 2) for part in rows]


def _by_kernel(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    lengths: list[int],
    scale: float,
    causal: bool,
    window: int | None,
) -> Tensor:
    """Attend without dropout, for which torch has a kernel that keeps no scores, however long a text."""
    out = []
    for q, k, v in _groups(lengths, query, key, value):
        hidden = hidden_places(q.shape[2], causal, window, q.device)
        seen = None if hidden is None else ~hidden
        attended = nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=seen, scale=scale)
        out.append(attended.transpose(1, 2).flatten(0, 1))
    return torch.cat(out)


class _DroppedOut(torch.autograd.Function):
    """softmax(scale q k') v within each text, with dropout of the weights; derivatives by hand.

    Autograd would record a dozen small steps for each group of each layer.
    """

    @staticmethod
    def forward(ctx, query, key, value, lengths, dropout, scale, causal, window):
        laid = grouping(tuple(lengths), query.shape[1], causal, window, query.device)
        q, k, v = (laid.apart(part) for part in (query, key, value))
        weights = q.new_empty(laid.scores)
        for group in laid.groups:
            scores = group.scores_of(weights)
            torch.baddbmm(scores, group.of(q), group.of(k).mT, beta=0, alpha=scale, out=scores)
            group.hide(scores)
            torch.softmax(scores, -1, out=scores)
        stays = kept((laid.scores,), dropout, q.device)
        rest = _without(weights, stays, dropout)
        out = torch.empty_like(v)
        for group in laid.groups:
            torch.bmm(group.scores_of(rest), group.of(v), out=group.of(out))
        ctx.save_for_backward(q, k, v, weights, stays)
        ctx.laid, ctx.dropout, ctx.scale = laid, dropout, scale
        ctx.shapes = query.shape, key.shape, value.shape
        return laid.together(out, value.shape)

    @staticmethod
    def backward(ctx, gradient):
        q, k, v, weights, stays = ctx.saved_tensors
        laid = ctx.laid
        g = laid.apart_or_zero(gradient)
        rest = _without(weights, stays, ctx.dropout)
        slopes = torch.empty_like(weights)
        to_query, to_key, to_value = (torch.empty_like(part) for part in (q, k, v))
        for group in laid.groups:
            torch.bmm(group.of(g), group.of(v).mT, out=group.scores_of(slopes))
            torch.bmm(group.scores_of(rest).mT, group.of(g), out=group.of(to_value))
        slopes.mul_(rest)
        for group in laid.groups:
            part = group.scores_of(slopes)
            part.addcmul_(group.scores_of(weights), part.sum(-1, keepdim=True), value=-1)
            for out, slope, other in ((to_query, part, k), (to_key, part.mT, q)):
                target = group.of(out)
                torch.baddbmm(target, slope, group.of(other), beta=0, alpha=ctx.scale, out=target)
        to_inputs = zip((to_query, to_key, to_value), ctx.shapes, strict=True)
        return *(laid.together(part, shape) for part, shape in to_inputs), None, None, None, None, None


def _without(weights: Tensor, stays: Tensor, dropout: float) -> Tensor:
    """Return the weights that stay, the larger by as much as others are dropped."""
    return (weights * stays).mul_(1 / (1 - dropout) if dropout < 1 else 0.0)
