"""Texts laid end to end, taken apart into groups of about equal length for batched matrix products."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby

import torch
from torch import Tensor

#: Lengths within a group differ by less than this: fewer groups have less overhead, but more padding.
_STEP = 8


@dataclass(frozen=True)
class Group:
    """Texts of about equal length, every head of each a block of its own.

    Attributes
    ----------
    rows
        Which rows of the grouped tokens are theirs: blocks x width of them.
    scores
        Which of the scores are theirs: blocks x width x width of them.
    blocks, width
        Texts x heads, text by text, and the places of each.
    hidden
        (texts or 1, 1, width, width): which place must not look where; ``None`` if all may.
    """

    rows: slice
    scores: slice
    blocks: int
    width: int
    hidden: Tensor | None

    def of(self, tokens: Tensor) -> Tensor:
        """Return the group's part of grouped tokens as (blocks, width, dimension)."""
        return tokens[self.rows].view(self.blocks, self.width, -1)

    def scores_of(self, scores: Tensor) -> Tensor:
        """Return the group's part of all scores as (blocks, width, width)."""
        return scores[self.scores].view(self.blocks, self.width, self.width)

    def hide(self, scores: Tensor) -> None:
        """Set what must not be seen to minus infinity in *scores*, (blocks, width, width)."""
        if self.hidden is not None:
            each_text = scores.view(len(self.hidden), -1, self.width, self.width)
            each_text.masked_fill_(self.hidden, -torch.inf)


@dataclass(frozen=True)
class Grouping:
    """How tokens x heads, laid end to end, and grouped tokens correspond.

    Attributes
    ----------
    groups
        The groups.
    gather
        (grouped tokens,): the token x head in each place; padding repeats a text's last token.
    place
        (tokens x heads,): where each one is among the grouped tokens.
    scores
        How many scores there are in all.
    """

    groups: tuple[Group, ...]
    gather: Tensor
    place: Tensor
    scores: int

    def apart(self, tokens: Tensor) -> Tensor:
        """(tokens, heads, dimension) -> (grouped tokens, dimension)."""
        return tokens.reshape(-1, tokens.shape[2]).index_select(0, self.gather)

    def together(self, grouped: Tensor, shape: torch.Size) -> Tensor:
        """(grouped tokens, dimension) -> (tokens, heads, dimension), which is *shape*."""
        return grouped.index_select(0, self.place).view(shape)

    def apart_or_zero(self, tokens: Tensor) -> Tensor:
        """As :meth:`apart`, with zeros where padding is."""
        flat = tokens.reshape(-1, tokens.shape[2])
        return flat.new_zeros(len(self.gather), flat.shape[1]).index_copy_(0, self.place, flat)


# every layer of a pass asks for the same one
@lru_cache(maxsize=2)
def grouping(
    lengths: tuple[int, ...], heads: int, causal: bool, window: int | None, device: torch.device
) -> Grouping:
    """Group texts of *lengths* that lie end to end, neighbours of about equal length together.

    Parameters
    ----------
    lengths
        Tokens of each text, best in ascending order.
    heads
        Attention heads.
    causal
        Whether tokens are hidden from those before them.
    window
        Hide tokens this far away or further; ``None`` for no such limit.
    device
        Where the numbers are wanted.
    """
    size = torch.tensor(lengths)
    start = size.cumsum(0) - size
    head = torch.arange(heads)
    place = torch.empty(int(size.sum()), heads, dtype=torch.long)
    groups, gathered = [], []
    rows = scores = 0
    for width, texts in groupby(range(len(lengths)), key=lambda text: -(-lengths[text] // _STEP) * _STEP):
        chosen = torch.tensor(list(texts))
        width = min(width, int(size[chosen].max()))
        blocks, at = len(chosen) * heads, torch.arange(width)
        real = at < size[chosen, None]
        token = torch.minimum(start[chosen, None] + at, (start + size - 1)[chosen, None])
        gathered.append((token[:, None, :] * heads + head[:, None]).flatten())
        block = torch.arange(blocks).view(-1, heads, 1)
        where = (rows + block * width + at).transpose(1, 2)
        place[token[real]] = where[real]
        hidden = _hidden(real, causal, window)
        spans = slice(rows, rows + blocks * width), slice(scores, scores + blocks * width**2)
        groups.append(Group(*spans, blocks, width, None if hidden is None else hidden.to(device)))
        rows, scores = spans[0].stop, spans[1].stop
    return Grouping(tuple(groups), torch.cat(gathered).to(device), place.flatten().to(device), scores)


def hidden_places(width: int, causal: bool, window: int | None, device: torch.device) -> Tensor | None:
    """Return which place of a text must not look where, (width, width), or ``None`` if all may.

    Parameters
    ----------
    width, device
        Of the result.
    causal, window
        See :func:`grouping`.
    """
    if window is not None and window >= width:
        window = None
    if not causal and window is None:
        return None
    place = torch.arange(width, device=device)
    ahead = place - place[:, None]
    hidden = ahead > 0 if causal else torch.zeros_like(ahead, dtype=torch.bool)
    return hidden if window is None else hidden | (ahead.abs() >= window)


def _hidden(real: Tensor, causal: bool, window: int | None) -> Tensor | None:
    """Return the mask of a group; *real*, (texts, width), tells tokens from padding."""
    hidden = hidden_places(real.shape[1], causal, window, real.device)
    if real.all():
        return None if hidden is None else hidden[None, None]
    unreal = ~real[:, None, :]
    # padding may look anywhere: a place that sees nothing would yield NaN
    return ((unreal if hidden is None else hidden | unreal) & real[:, :, None])[:, None]
