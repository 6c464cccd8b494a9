"""Ways to keep texts that share a row from seeing each other; which one is exact depends on the model."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor
from transformers import PreTrainedConfig

from embedtune_nb.encoder.attention import TEXT_BY_TEXT
from embedtune_nb.encoder.packing import Pack, pack_one_row, pack_rows


class Apartness(Protocol):
    """How an encoder learns which tokens of a row belong together.

    Attributes
    ----------
    words
        What it is called where a choice is explained.
    attention
        The attention implementation the encoder needs for it; ``None`` where its own will do.
    """

    words: str
    attention: str | None

    def pack(self, lengths: list[int]) -> list[Pack]:
        """Decide which texts share a pass and a row."""
        ...

    def tell(self, text: Tensor, lengths: list[int]) -> dict[str, Any]:
        """Return the features that say it: *text* (rows, width) numbers the texts, -1 where there is none."""
        ...


class BlockMask:
    """One mask for all layers: a token attends to its own text, in causal models to what precedes it.

    Empty places attend to each other; a row of a mask that allows nothing would yield NaN.
    """

    attention: str | None = None

    def __init__(self, config: PreTrainedConfig, *, causal: bool = False) -> None:
        self.config, self.causal = config, causal
        self.words = "a causal block mask" if causal else "a block mask"

    def pack(self, lengths: list[int]) -> list[Pack]:
        """Fill rows of like width."""
        return pack_rows(lengths)

    def tell(self, text: Tensor, lengths: list[int]) -> dict[str, Any]:
        """Return the mask."""
        return {"attention_mask": self._as_wanted(self._together(text))}

    def _together(self, text: Tensor) -> Tensor:
        together = text[:, None, :, None] == text[:, None, None, :]
        return together.tril() if self.causal else together

    def _as_wanted(self, allowed: Tensor) -> Tensor:
        """SDPA reads true and false; eager attention adds the mask to the scores."""
        if self.config._attn_implementation != "eager":
            return allowed
        least = torch.finfo(torch.float32).min
        return torch.zeros(allowed.shape, device=allowed.device).masked_fill(~allowed, least)


class WindowedBlockMasks(BlockMask):
    """A block mask for the layers that see a whole text, and one of a local window for those that do not."""

    def __init__(self, config: PreTrainedConfig) -> None:
        super().__init__(config)
        self.words = "block masks of whole texts and of the local window"

    def tell(self, text: Tensor, lengths: list[int]) -> dict[str, Any]:
        """Return a mask for each kind of layer."""
        together = self._together(text)
        place = torch.arange(text.shape[1], device=text.device)
        near = (place[:, None] - place).abs() <= self.config.sliding_window
        masks = {"full_attention": together, "sliding_attention": together & near}
        return {"attention_mask": {kind: self._as_wanted(mask) for kind, mask in masks.items()}}


class RestartedPositions:
    """No mask at all: the model finds the texts itself, where the positions begin anew."""

    words = "restarted positions, from which the model makes its own masks"
    attention: str | None = None

    def pack(self, lengths: list[int]) -> list[Pack]:
        """Fill rows of like width."""
        return pack_rows(lengths)

    def tell(self, text: Tensor, lengths: list[int]) -> dict[str, Any]:
        """Return nothing: the positions say it."""
        return {}


class TextByText:
    """Attention that is computed for each text alone, in one row of all texts; see ``attention.py``."""

    words = "attention computed text by text"
    attention: str | None = TEXT_BY_TEXT

    def pack(self, lengths: list[int]) -> list[Pack]:
        """Lay the texts end to end."""
        return pack_one_row(lengths)

    def tell(self, text: Tensor, lengths: list[int]) -> dict[str, Any]:
        """Return the lengths, and a mask of four dimensions, which keeps models from making their own."""
        mask = torch.ones(1, 1, 1, text.shape[1], dtype=torch.bool, device=text.device)
        return {"attention_mask": mask, "lengths_of_texts": lengths}


def candidates(config: PreTrainedConfig) -> list[Apartness]:
    """Return the ways that may fit a model of this *config*, the fastest first."""
    ways: list[Apartness] = [TextByText()] if config._attn_implementation == "sdpa" else []
    ways += [
        BlockMask(config),
        BlockMask(config, causal=True),
        RestartedPositions(),
    ]
    if getattr(config, "sliding_window", None):
        ways.append(WindowedBlockMasks(config))
    return ways
