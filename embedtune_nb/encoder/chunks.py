"""Length-sorted chunks: texts of like length share a padded batch, so little of it is padding."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from embedtune_nb.encoder.rows import Encode, Features, row_keys

#: Padded tokens up to which a chunk may grow. Smaller matrix products waste a CPU, and every chunk
#: adds to the gradient of every weight once more. On MiniLM and two columns of 64 short questions,
#: 512 took 0.91 (float32) and 0.85 (bfloat16) of the time of fixed chunks of 8; 256 the same, 1,024 more.
_TOKENS = 512
#: Padded tokens above which a chunk holds fewer texts than it should, down to one: a model that reads
#: texts of 8,192 tokens would run out of memory on eight of them. Up to 512 tokens a text, nothing changes.
_MOST_TOKENS = 8 * 512


class SortedChunks:
    """Sort all texts by length and encode them in chunks, each cut to its own longest text.

    Exact for every encoder: a text's vectors do not depend on the padding beside it. All texts keep
    their graph, so a loss over the whole batch has the same gradients.

    Parameters
    ----------
    size
        Texts per chunk at least. The last one may hold fewer, and so do chunks of long texts.
    padding_side
        Where the tokenizer pads, ``"right"`` or ``"left"``.
    tokens
        A chunk takes more texts while they fit this many tokens, padding included.
    most_tokens
        A chunk of more than one text never has more tokens than this, padding included.
    """

    def __init__(
        self,
        size: int,
        padding_side: str = "right",
        *,
        tokens: int = _TOKENS,
        most_tokens: int = _MOST_TOKENS,
    ) -> None:
        self.size, self.padding_side = size, padding_side
        self.tokens, self.most_tokens = tokens, most_tokens

    def run(self, columns: list[Features], encode: Encode) -> list[Tensor]:
        """Encode the texts of all *columns* together; see :class:`~embedtune_nb.encoder.rows.RowLayout`."""
        widths = [column["attention_mask"].shape[1] for column in columns]
        counts = [column["attention_mask"].shape[0] for column in columns]
        widest = max(widths)
        rows = {
            key: torch.cat([self._pad(column[key], widest) for column in columns])
            for key in row_keys(columns[0])
        }
        rest = {key: value for key, value in columns[0].items() if key not in rows}
        lengths = rows["attention_mask"].sum(1)
        order = torch.argsort(lengths, stable=True)
        parts = []
        for chunk in order.split(self._sizes(lengths[order].tolist())):
            width = max(1, int(lengths[chunk[-1]]))
            tokens = encode({**rest, **{key: self._cut(value[chunk], width) for key, value in rows.items()}})
            parts.append(self._pad(tokens, widest))
        tokens = torch.cat(parts).index_select(0, torch.argsort(order))
        return [self._cut(column, width) for column, width in zip(tokens.split(counts), widths, strict=True)]

    def _sizes(self, lengths: list[int]) -> list[int]:
        """Cut ascending *lengths* into chunks; return the number of texts in each."""
        sizes = []
        start = 0
        while start < len(lengths):
            end = min(start + self.size, len(lengths))
            while end < len(lengths) and (end + 1 - start) * lengths[end] <= self.tokens:
                end += 1
            while end - start > 1 and (end - start) * lengths[end - 1] > self.most_tokens:
                end -= 1
            sizes.append(end - start)
            start = end
        return sizes

    def _cut(self, rows: Tensor, width: int) -> Tensor:
        return rows[:, :width] if self.padding_side == "right" else rows[:, rows.shape[1] - width :]

    def _pad(self, rows: Tensor, width: int) -> Tensor:
        """Widen (rows, tokens, ...) to *width* tokens with zeros, on the side where the tokenizer pads."""
        missing = width - rows.shape[1]
        sides = (0, missing) if self.padding_side == "right" else (missing, 0)
        return F.pad(rows, (0, 0) * (rows.ndim - 2) + sides)
