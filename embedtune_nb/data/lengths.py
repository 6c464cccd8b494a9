"""How long the texts are in tokens: counted with a tokenizer, or estimated and called an estimate."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from embedtune_nb.errors import DataError

PERCENTILES = (50, 90, 95, 99)
SAMPLE = 20_000
ESTIMATE = "estimate from words and signs"

# Measured against a WordPiece tokenizer on English questions, short messages and documentation, the
# sums are within 8 %. Scripts written without spaces cost about one token a character.
_PIECES = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|\w+|[^\w\s]")
_LETTERS_PER_PIECE = 7
_SPECIAL_TOKENS = 2


@dataclass(frozen=True)
class LengthProfile:
    """Token counts of texts.

    Parameters
    ----------
    lengths
        Shape (n,), int: tokens of each counted text, special tokens included.
    method
        The tokenizer file that counted, or ``ESTIMATE``.
    texts
        How many texts there are; more than ``len(lengths)`` if only a sample was counted.
    by_role
        The percentiles of each role's texts by themselves.
    """

    lengths: np.ndarray
    method: str
    texts: int
    by_role: dict[str, dict[str, int]]

    @property
    def estimated(self) -> bool:
        """Whether no tokenizer was used."""
        return self.method == ESTIMATE

    @property
    def sampled(self) -> bool:
        """Whether only a random sample was counted."""
        return len(self.lengths) < self.texts

    @property
    def percentiles(self) -> dict[str, int]:
        """``{"p50", "p90", "p95", "p99", "max"}`` in tokens; each is a length that occurs."""
        return percentiles(self.lengths)

    def truncated_share(self, max_length: int) -> float:
        """Return the share (0 to 1) of texts longer than *max_length* tokens."""
        return float((self.lengths > max_length).mean())

    def histogram(self, bins: int = 32) -> tuple[np.ndarray, np.ndarray]:
        """Return counts, shape (bins,), and edges, shape (bins + 1,); the last bin holds all longer texts."""
        high = max(float(np.percentile(self.lengths, 99.5)), bins * 1.0)
        return np.histogram(np.minimum(self.lengths, high), bins=bins, range=(0, high))


def percentiles(lengths: np.ndarray) -> dict[str, int]:
    """Return the upper percentiles of *lengths* that the plan and the pictures use."""
    marks = np.percentile(lengths, PERCENTILES, method="inverted_cdf")
    found = {f"p{mark}": int(value) for mark, value in zip(PERCENTILES, marks, strict=True)}
    return {**found, "max": int(lengths.max())}


def profile_lengths(
    texts_by_role: Mapping[str, Sequence[str]],
    tokenizer_file: str | Path | None = None,
    *,
    sample: int = SAMPLE,
) -> LengthProfile:
    """Count the tokens of texts.

    Parameters
    ----------
    texts_by_role
        ``{role: texts}``, at least one text.
    tokenizer_file
        A ``tokenizer.json``. Without one the counts are estimated from words and signs.
    sample
        Count at most this many texts a role: a seeded random sample, and the longest texts in any case.

    Raises
    ------
    DataError
        If *tokenizer_file* cannot be read.
    """
    by_role = {}
    counted = []
    for role, texts in texts_by_role.items():
        chosen = _sampled(texts, sample)
        lengths = _estimated(chosen) if tokenizer_file is None else _counted(chosen, tokenizer_file)
        by_role[role] = percentiles(lengths)
        counted.append(lengths)
    method = ESTIMATE if tokenizer_file is None else str(tokenizer_file)
    total = sum(len(texts) for texts in texts_by_role.values())
    return LengthProfile(np.concatenate(counted), method, total, by_role)


def _sampled(texts: Sequence[str], sample: int) -> list[str]:
    if len(texts) <= sample:
        return list(texts)
    picked = np.random.default_rng(0).choice(len(texts), sample, replace=False)
    longest = np.argsort([len(text) for text in texts])[-20:]
    return [texts[place] for place in np.union1d(picked, longest)]


def _counted(texts: list[str], tokenizer_file: str | Path) -> np.ndarray:
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(tokenizer_file))
    except Exception as cause:  # the library raises plain Exception for every failure
        raise DataError(
            f"The tokenizer file {tokenizer_file} cannot be read: {cause}.",
            expected="a tokenizer.json of the tokenizers library",
        ) from cause
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return np.array([len(encoded.ids) for encoded in tokenizer.encode_batch_fast(texts)])


def _estimated(texts: list[str]) -> np.ndarray:
    return np.array(
        [
            _SPECIAL_TOKENS
            + sum(math.ceil(len(piece) / _LETTERS_PER_PIECE) for piece in _PIECES.findall(text))
            for text in texts
        ]
    )
