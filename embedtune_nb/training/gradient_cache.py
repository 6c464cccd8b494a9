"""The loss of a whole batch with the memory of a small one: cached gradients, two passes.

A loss in which rows see each other needs the embeddings of all rows at once, but not what the encoder
keeps for its backward pass. So the batch is embedded in parts without gradients, the loss is computed
on all embeddings and differentiated down to them, and each part is embedded once more, with gradients,
to carry its share on to the weights (Gao et al. 2021, Scaling Deep Contrastive Learning Batch Size
under Memory Limited Setup, arXiv:2101.06983). The result is the gradient of the whole batch, up to
rounding; only the second forward pass is paid for.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from sentence_transformers.base.losses.gradcache import RandContext
from torch import Tensor

from embedtune_nb.encoder.rows import Features, RowSeam, row_keys
from embedtune_nb.training.losses import ObjectiveLoss

#: Column number -> numbers of the rows whose texts are embedded together.
Part = dict[int, Tensor]


class GradientCache:
    """Differentiates a loss on batches of any size, computing so many tokens at once.

    Dropout is the same in both passes: the random state before each part is kept and replayed.

    Parameters
    ----------
    loss
        The loss; of it, ``embed``, ``from_embeddings`` and ``in_batch`` are used.
    seam
        Where the encoder lays out rows anew; ``None`` for a model without one.
    tokens
        Tokens, padding included, that are embedded at once; ``None`` for whole batches. A single
        text or row longer than this is a part of its own.
    """

    def __init__(self, loss: ObjectiveLoss, seam: RowSeam | None, tokens: int | None = None) -> None:
        self.loss, self.seam, self.tokens = loss, seam, tokens

    def backward(self, columns: Sequence[Features], labels: Tensor) -> Tensor:
        """Add the gradients of the loss on one batch to those of all weights.

        Parameters
        ----------
        columns
            One padded batch of texts a column.
        labels
            What the loss takes, one entry a row.

        Returns
        -------
        torch.Tensor
            The loss, without a graph.
        """
        parts = self.parts(columns)
        if len(parts) == 1:
            value = self.loss.from_embeddings(self._embed(columns, parts[0]), labels)
            value.backward()
            return value.detach()
        if not self.loss.in_batch:
            return self._accumulate(columns, labels, parts)
        return self._two_passes(columns, labels, parts)

    @torch.no_grad()
    def value(self, columns: Sequence[Features], labels: Tensor) -> Tensor:
        """Return the loss on one batch, without gradients."""
        parts = self.parts(columns)
        embedded = [self._embed(columns, part) for part in parts]
        return self.loss.from_embeddings(_in_order(embedded, parts, len(columns)), labels)

    def parts(self, columns: Sequence[Features]) -> list[Part]:
        """Cut a batch into parts of texts of like length, the longest first: memory peaks at once.

        Where rows see each other only in the loss, texts of all columns are sorted together, so that
        short queries and long documents need not pad each other. Otherwise rows stay whole.
        """
        whole = [{place: torch.arange(_rows(column)) for place, column in enumerate(columns)}]
        if self.tokens is None or not all(_can_be_cut(column) for column in columns):
            return whole
        lengths = [column["attention_mask"].sum(1).cpu() for column in columns]
        if self.loss.in_batch:
            counts = torch.tensor([0, *map(len, lengths)]).cumsum(0).tolist()
            pooled = torch.cat(lengths)
            order = pooled.argsort(descending=True, stable=True)
            parts = []
            for chosen in order.split(_sizes(pooled[order].tolist(), self.tokens)):
                spans = enumerate(itertools.pairwise(counts))
                rows = {at: chosen[(chosen >= low) & (chosen < high)] - low for at, (low, high) in spans}
                parts.append({at: numbers for at, numbers in rows.items() if len(numbers)})
        else:
            widest = torch.stack(lengths).amax(0)
            order = widest.argsort(descending=True, stable=True)
            sizes = _sizes((widest[order] * len(columns)).tolist(), self.tokens)
            parts = [dict.fromkeys(range(len(columns)), chosen) for chosen in order.split(sizes)]
        return parts if len(parts) > 1 else whole

    def _accumulate(self, columns: Sequence[Features], labels: Tensor, parts: list[Part]) -> Tensor:
        """Add up the gradients of the parts of a mean over rows, each by its share of the rows."""
        total = torch.zeros((), device=labels.device)
        for part in parts:
            rows = part[0].to(labels.device)
            share = len(rows) / len(labels)
            value = self.loss.from_embeddings(self._embed(columns, part), labels[rows]) * share
            value.backward()
            total += value.detach()
        return total

    def _two_passes(self, columns: Sequence[Features], labels: Tensor, parts: list[Part]) -> Tensor:
        random, embedded = [], []
        with torch.no_grad():
            for part in parts:
                random.append(RandContext(*(columns[place]["attention_mask"] for place in part)))
                embedded.append(self._embed(columns, part))
        leaves = [vectors.requires_grad_() for vectors in _in_order(embedded, parts, len(columns))]
        del embedded
        value = self.loss.from_embeddings(leaves, labels)
        value.backward()
        gradients = [leaf.grad for leaf in leaves]
        for part, state in zip(parts, random, strict=True):
            if all(gradients[place] is None for place in part):
                continue
            with state:
                vectors = self._embed(columns, part)
            pulled, by = [], []
            for place, output in zip(part, vectors, strict=True):
                gradient = gradients[place]
                if gradient is not None and output.requires_grad:
                    pulled.append(output)
                    by.append(gradient[part[place].to(gradient.device)])
            if pulled:
                torch.autograd.backward(pulled, by)
        return value.detach()

    def _embed(self, columns: Sequence[Features], part: Part) -> list[Tensor]:
        """Embed the texts of a part; columns come in its order."""
        texts = [_texts(columns[place], rows) for place, rows in part.items()]
        if self.seam is not None:
            self.seam.expect(texts)
        try:
            return [self.loss.embed(column) for column in texts]
        finally:
            if self.seam is not None:
                self.seam.expect([])


def _rows(column: Features) -> int:
    """Return how many texts a column has; a flattened one (a word table's) counts as one block."""
    mask = column.get("attention_mask")
    return len(mask) if isinstance(mask, Tensor) else 0


def _can_be_cut(column: Features) -> bool:
    mask = column.get("attention_mask")
    return isinstance(mask, Tensor) and mask.ndim == 2 and "cu_seq_lens_q" not in column


def _texts(column: Features, rows: Tensor) -> Features:
    """Return the chosen texts of a column, cut to the longest of them; modules may change the result."""
    if not _can_be_cut(column) or (len(rows) == _rows(column) and torch.equal(rows, torch.arange(len(rows)))):
        return dict(column)
    rows = rows.to(column["attention_mask"].device)
    mask = column["attention_mask"][rows]
    width = max(1, int(mask.sum(1).max()))
    padded_left = not bool(mask[:, 0].all())
    span = slice(mask.shape[1] - width, None) if padded_left else slice(0, width)
    by_token, count = set(row_keys(column)), _rows(column)
    chosen: Features = {}
    for key, value in column.items():
        if key in by_token:
            value = value[rows][:, span]
        elif isinstance(value, Tensor) and value.ndim > 0 and len(value) == count:
            value = value[rows]
        chosen[key] = value
    return chosen


def _sizes(descending: list[int], tokens: int) -> list[int]:
    """Cut descending weights into runs where the first, times their number, is at most *tokens*."""
    sizes = []
    start = 0
    while start < len(descending):
        most = max(1, tokens // max(1, descending[start]))
        sizes.append(min(most, len(descending) - start))
        start += sizes[-1]
    return sizes


def _in_order(embedded: list[list[Tensor]], parts: list[Part], columns: int) -> list[Tensor]:
    """Put the embeddings of all parts back into the columns and rows they came from."""
    if len(parts) == 1:
        return embedded[0]
    ordered = []
    for place in range(columns):
        pieces = [
            (part[place], vectors[list(part).index(place)])
            for part, vectors in zip(parts, embedded, strict=True)
            if place in part
        ]
        together = torch.cat([vectors for _, vectors in pieces])
        column = torch.empty_like(together)
        column[torch.cat([rows for rows, _ in pieces]).to(column.device)] = together
        ordered.append(column)
    return ordered
