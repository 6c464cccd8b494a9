"""Tokens of a word table, kept: looking a text up takes less time than splitting it into words again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import StaticEmbedding
from tokenizers import Tokenizer

#: Tokens of which no more are kept: 200 MB.
_MOST_TOKENS = 50_000_000


class KeptTokens:
    """Remembers the tokens of texts, by text with its prompt.

    Encoders that differ in nothing but their weights may share one.
    """

    def __init__(self) -> None:
        self._tokens: dict[str, np.ndarray] = {}
        self._count = 0

    def serve(self, model: SentenceTransformer) -> None:
        """Have *model* ask here before it tokenizes; one that is no word table stays as it is.

        The first module gets an instance attribute ``preprocess``, of which a saved model shows no trace.
        """
        if isinstance(model[0], StaticEmbedding):
            model[0].preprocess = _Reader(model[0].tokenizer, self).preprocess  # type: ignore[method-assign]

    def of(self, tokenizer: Tokenizer, texts: Sequence[str]) -> list[np.ndarray]:
        """Return the tokens of each of *texts*, int32, split by *tokenizer* where they are new."""
        new = list(dict.fromkeys(text for text in texts if text not in self._tokens))
        found = {}
        if new:
            encodings = tokenizer.encode_batch(new, add_special_tokens=False)
            found = {
                text: np.asarray(encoding.ids, dtype=np.int32)
                for text, encoding in zip(new, encodings, strict=True)
            }
            if self._count < _MOST_TOKENS:
                self._tokens.update(found)
                self._count += sum(map(len, found.values()))
        return [found[text] if text in found else self._tokens[text] for text in texts]


class _Reader:
    """Stands in for ``preprocess`` of one module; a class, so that it follows copies of the module."""

    def __init__(self, tokenizer: Tokenizer, kept: KeptTokens) -> None:
        self.tokenizer, self.kept = tokenizer, kept

    def preprocess(
        self, inputs: list[str], prompt: str | None = None, **options: Any
    ) -> dict[str, torch.Tensor]:
        """Return what the module's own method does: the tokens of all texts, and where each text begins."""
        texts = [prompt + text for text in inputs] if prompt else inputs
        tokens = self.kept.of(self.tokenizer, texts)
        lengths = np.array([len(own) for own in tokens])
        return {
            "input_ids": torch.from_numpy(np.concatenate(tokens).astype(np.int64)),
            "offsets": torch.from_numpy(np.cumsum(lengths) - lengths),
        }
