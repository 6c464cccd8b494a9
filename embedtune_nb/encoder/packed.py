"""Packed rows: several texts share a row without seeing each other, so next to nothing is padding."""

from __future__ import annotations

import torch
from torch import Tensor

from embedtune_nb.encoder.apartness import Apartness
from embedtune_nb.encoder.packing import Pack
from embedtune_nb.encoder.rows import Encode, Features, row_keys


class PackedRows:
    """Lay the tokens of many texts end to end, encode them, and hand each text its vectors back.

    The positions restart at each text, and *apartness* keeps attention within a text. Exact for the
    models that :func:`~embedtune_nb.encoder.proof.prove_packing` has shown it to be exact for. All
    texts keep their graph, so a loss over the whole batch has the same gradients.

    Parameters
    ----------
    apartness
        How the encoder is told which tokens belong together.
    first_position
        The position of a text's first token: 0, or behind the padding index for models that count so.
    """

    def __init__(self, apartness: Apartness, first_position: int = 0) -> None:
        self.apartness, self.first_position = apartness, first_position

    def run(self, columns: list[Features], encode: Encode) -> list[Tensor]:
        """Encode the texts of all *columns* together; see :class:`~embedtune_nb.encoder.rows.RowLayout`."""
        masks = [column["attention_mask"] for column in columns]
        keys = [key for key in row_keys(columns[0]) if key not in ("attention_mask", "position_ids")]
        rest = {key: value for key, value in columns[0].items() if key not in row_keys(columns[0])}
        real = torch.cat([mask.flatten() for mask in masks]).nonzero().squeeze(1)
        stream = {key: torch.cat([column[key].flatten() for column in columns])[real] for key in keys}
        lengths = torch.cat([mask.sum(1) for mask in masks])
        begins = lengths.cumsum(0) - lengths
        taken, computed = [], []
        # a text without a token has no vector to be computed
        texts = lengths.nonzero().squeeze(1)
        for pack in self.apartness.pack(lengths[texts].tolist()):
            chosen = texts[pack.texts]
            text, position = _count_up(lengths[chosen])
            place = torch.tensor(pack.starts, device=text.device)[text] + position
            source = begins[chosen][text] + position
            rows = {key: _place(values[source], place, pack) for key, values in stream.items()}
            rows["position_ids"] = _place(position + self.first_position, place, pack)
            rows |= self.apartness.tell(_place(text, place, pack, -1), lengths[chosen].tolist())
            computed.append(encode({**rest, **rows}).flatten(0, 1)[place])
            taken.append(source)
        return _unpack(torch.cat(computed), real[torch.cat(taken)], masks)


def _count_up(lengths: Tensor) -> tuple[Tensor, Tensor]:
    """Return, for each token of texts laid end to end, the number of its text and its position in it."""
    text = torch.repeat_interleave(torch.arange(len(lengths), device=lengths.device), lengths)
    begins = lengths.cumsum(0) - lengths
    return text, torch.arange(len(text), device=lengths.device) - begins[text]


def _place(values: Tensor, place: Tensor, pack: Pack, empty: int = 0) -> Tensor:
    """Put one value a token into (rows, width), with *empty* where no text is."""
    rows = torch.full((pack.rows * pack.width,), empty, dtype=values.dtype, device=values.device)
    return rows.index_copy(0, place, values).view(pack.rows, pack.width)


def _unpack(tokens: Tensor, places: Tensor, masks: list[Tensor]) -> list[Tensor]:
    """Scatter token vectors to their *places*, counted through all columns; zeros where padding is."""
    counts = [mask.numel() for mask in masks]
    padded = tokens.new_zeros(sum(counts), tokens.shape[1]).index_copy(0, places, tokens)
    return [part.view(*mask.shape, -1) for part, mask in zip(padded.split(counts), masks, strict=True)]
