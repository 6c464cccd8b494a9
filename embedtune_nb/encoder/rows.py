"""The seam between tokenizer and encoder: where padded rows may be laid out anew before they are computed.

A sentence-transformers model hands every batch, padded to its longest text, to its ``Transformer``
module. :class:`RowSeam` stands at that module, gives the texts to a layout that wastes less on
padding, and hands the token vectors back in the shape that the model's pooling expects. Losses,
evaluation and embedding all pass here, and none of them knows.

The seam is an instance attribute ``forward`` on the module. Torch hooks cannot replace a call, and a
subclass would show in the saved ``modules.json``. A bound method follows ``deepcopy`` and ``pickle``
to the copy, and a saved folder shows no trace of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Protocol

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Dense, Transformer
from sentence_transformers.sentence_transformer.modules import Dropout, LayerNorm, Normalize, Pooling
from torch import Tensor

from embedtune_nb.encoder.choice import Choice

Features = dict[str, Any]
#: Runs the encoder itself on padded rows and returns token vectors, (rows, width, dimension).
Encode = Callable[[Features], Tensor]

#: Modules that read token vectors only through the attention mask, or no token vectors at all.
_BLIND_TO_PADDING = (Pooling, Dense, Normalize, Dropout, LayerNorm)


class RowLayout(Protocol):
    """A way to lay texts out in rows for the encoder."""

    def run(self, columns: list[Features], encode: Encode) -> list[Tensor]:
        """Return the token vectors of each column, shaped as if the column had been encoded whole."""
        ...


def layout_fits(model: SentenceTransformer) -> Choice:
    """Say whether *model* may have its rows laid out anew, and why not where it may not."""
    first, *later = model.children()
    if not isinstance(first, Transformer):
        return Choice(False, f"a {type(first).__name__} model computes no padded rows")
    text = first.modality_config.get("text", {})
    if text.get("method") != "forward" or text.get("method_output_name") != "last_hidden_state":
        return Choice(False, "the model does not hand on the last hidden state of its tokens")
    if first.module_output_name != "token_embeddings" or first.config.output_hidden_states:
        return Choice(False, "the model hands on more than the token vectors of its last layer")
    for module in later:
        if not isinstance(module, _BLIND_TO_PADDING):
            return Choice(False, f"its {type(module).__name__} module may read padded positions")
    return Choice(True, "every later module reads real tokens only")


class RowSeam:
    """Replace the forward pass of one ``Transformer`` module until :meth:`remove` is called.

    Parameters
    ----------
    module
        The module, of a model for which :func:`layout_fits` says yes.
    layout
        How the rows are laid out. ``None`` leaves them as they come.
    """

    def __init__(self, module: Transformer, layout: RowLayout | None) -> None:
        self.module, self.layout, self.bfloat16 = module, layout, False
        self._columns: list[Features] = []
        self._done: list[tuple[Features, Tensor]] = []
        module.forward = self.forward  # type: ignore[method-assign]

    def remove(self) -> None:
        """Give the module its own forward pass back."""
        del self.module.forward

    @contextmanager
    def precision(self, *, bfloat16: bool) -> Iterator[None]:
        """Compute the encoder under bfloat16 autocast, or not, for the duration of the block.

        Token vectors always come back as float32: pooling and loss are computed in full precision.
        """
        before, self.bfloat16 = self.bfloat16, bfloat16
        try:
            yield
        finally:
            self.bfloat16 = before

    def expect(self, columns: Iterable[Features]) -> None:
        """Announce that *columns* will be encoded next, one after the other, in one training step.

        The first of them to arrive is encoded together with all the others; these are then answered
        from memory. An empty list forgets what was announced.
        """
        self._columns, self._done = list(columns), []

    def forward(self, features: Features, **kwargs: Any) -> Features:
        """Encode one column of texts; same contract as the module's own ``forward``."""
        for column, tokens in self._done:
            if column is features:
                return {**features, "token_embeddings": tokens}
        if self.layout is None or kwargs or not _is_padded_text(features):
            with self._autocast():
                output = type(self.module).forward(self.module, features, **kwargs)
            if "token_embeddings" in output:
                output["token_embeddings"] = output["token_embeddings"].float()
            return output
        together = [features]
        if any(column is features for column in self._columns):
            together = [column for column in self._columns if _alike(column, features)]
        with self._autocast():
            tokens_of = self.layout.run(together, self._encode)
        self._done = [(column, tokens.float()) for column, tokens in zip(together, tokens_of, strict=True)]
        own = next(tokens for column, tokens in self._done if column is features)
        if len(together) == 1:
            self._done = []
        return {**features, "token_embeddings": own}

    def _encode(self, features: Features) -> Tensor:
        return type(self.module).forward(self.module, features)["token_embeddings"]

    def _autocast(self) -> AbstractContextManager[Any]:
        if not self.bfloat16:
            return nullcontext()
        return torch.autocast(self.module.model.device.type, dtype=torch.bfloat16)


def row_keys(features: Features) -> list[str]:
    """Names of the tensors that hold one value a token: (texts, width), as the attention mask."""
    shape = features["attention_mask"].shape
    return [key for key, value in features.items() if isinstance(value, Tensor) and value.shape == shape]


def _is_padded_text(features: Features) -> bool:
    mask = features.get("attention_mask")
    return (
        features.get("modality", "text") == "text"
        and isinstance(mask, Tensor)
        and mask.ndim == 2
        and "input_ids" in features
        and "cu_seq_lens_q" not in features
    )


def _alike(column: Features, other: Features) -> bool:
    """Columns are encoded together when they bring the same tensors and the same task."""
    return (
        _is_padded_text(column)
        and row_keys(column) == row_keys(other)
        and column.get("task") == other.get("task")
    )
