"""Attention text by text, for texts that are laid end to end in one row.

Masks keep packed texts apart but still compute, and drop out, every pair of places of a row. Here the
scores of a pair are computed only where both tokens belong to one text. Texts of equal length are
neighbours in the row, so that each group of them is one batched matrix product, without a mask.

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
    rows = [part[0].transpose(0, 1) for part in (query, key, value)]
    rows[1:] = [part.repeat_interleave(heads, dim=1) if heads > 1 else part for part in rows[1:]]
    if dropout == 0:
        out = _by_kernel(*rows, lengths_of_texts, scale, causal, sliding_window)
        return out[None], None
    with torch.autocast(query.device.type, enabled=False):  # small products gain nothing by bfloat16
        rows = [_at_least_float32(part) for part in rows]
        out = _DroppedOut.apply(*rows, lengths_of_texts, dropout, scale, causal, sliding_window)
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
        hidden = _hidden(q.shape[2], causal, window, q.device)
        seen = None if hidden is None else ~hidden
        attended = nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=seen, scale=scale)
        out.append(attended.transpose(1, 2).flatten(0, 1))
    return torch.cat(out)


def _fill(out: Tensor, start: int, part: Tensor) -> int:
    """Put a group, its texts and heads as one, back into (tokens, heads, dimension) from *start*; return the end."""
    heads = out.shape[1]
    texts, length = part.shape[0] // heads, part.shape[1]
    end = start + texts * length
    target = out[start:end].view(texts, length, heads, out.shape[2])
    target.copy_(part.view(texts, heads, length, -1).transpose(1, 2))
    return end


def _hidden(length: int, causal: bool, window: int | None, device: torch.device) -> Tensor | None:
    """Return which keys a query must not see, (length, length), or ``None`` where it sees all."""
    narrow = window is not None and window < length
    if not causal and not narrow:
        return None
    place = torch.arange(length, device=device)
    behind = place[:, None] - place
    hidden = behind < 0 if causal else torch.zeros_like(behind, dtype=torch.bool)
    return hidden | (behind.abs() >= window) if narrow else hidden


class _DroppedOut(torch.autograd.Function):
    """softmax(scale q k') v within each text, with dropout of the weights; derivatives by hand.

    Autograd would record a dozen small steps for each group of each layer.
    """

    @staticmethod
    def forward(ctx, query, key, value, lengths, dropout, scale, causal, window):
        out = torch.empty(*query.shape[:2], value.shape[2], dtype=query.dtype, device=query.device)
        saved = []
        start = 0
        for group in _groups(lengths, query, key, value):
            q, k, v = (part.flatten(0, 1) for part in group)
            scores = torch.bmm(q, k.transpose(1, 2)).mul_(scale)
            hidden = _hidden(q.shape[1], causal, window, q.device)
            if hidden is not None:
                scores.masked_fill_(hidden, -torch.inf)
            weights = torch.softmax(scores, -1)
            kept = torch.empty_like(weights).bernoulli_(1 - dropout).div_(1 - dropout)
            start = _fill(out, start, torch.bmm(weights * kept, v))
            saved += [weights, kept]
        ctx.save_for_backward(query, key, value, *saved)
        ctx.lengths, ctx.scale = lengths, scale
        return out

    @staticmethod
    def backward(ctx, gradient):
        query, key, value, *saved = ctx.saved_tensors
        grads = [torch.empty_like(part) for part in (query, key, value)]
        start = 0
        groups = _groups(ctx.lengths, query, key, value, gradient)
        for group, weights, kept in zip(groups, saved[0::2], saved[1::2], strict=True):
            q, k, v, g = (part.flatten(0, 1) for part in group)
            to_weights = torch.bmm(g, v.transpose(1, 2)).mul_(kept).mul_(weights)
            to_scores = to_weights.sub_(weights * to_weights.sum(-1, keepdim=True)).mul_(ctx.scale)
            _fill(grads[0], start, torch.bmm(to_scores, k))
            _fill(grads[1], start, torch.bmm(to_scores.transpose(1, 2), q))
            start = _fill(grads[2], start, torch.bmm((weights * kept).transpose(1, 2), g))
        return *grads, None, None, None, None, None
