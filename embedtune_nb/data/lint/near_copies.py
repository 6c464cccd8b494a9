"""Which texts nearly equal an earlier one: typing errors, a word more or less, other punctuation.

MinHash over character trigrams with banded locality-sensitive hashing, every candidate checked by its true
similarity (see :mod:`embedtune_nb.data.copies`). Trigrams, because one wrong letter in a short text spoils
fewer of them than of longer pieces.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from embedtune_nb.data.copies import minhash, normalized

SHINGLE = 3
THRESHOLD = 0.7
# At a similarity of 0.6 a band of 4 agrees with a probability of 0.13, and one of 24 bands with 0.96.
_BANDS, _ROWS_PER_BAND = 24, 4
# In one bucket each text is compared with this many after it.
_REACH = 3
# Short texts with one wrong letter fall below the threshold, but hardly below this.
_SIEVE = 0.45
_PAIRS_AT_ONCE = 200_000
_LONGEST = 2_000
_SHORT_BUT_TELLING = 10


@dataclass(frozen=True)
class NearCopies:
    """Which texts nearly equal an earlier one.

    Attributes
    ----------
    of
        int64, (n,): number of an earlier text that this one nearly equals, itself where there is none.
    spare
        bool, (n,): whether that earlier text is no spare itself. What is left when the spares are taken out
        holds no near-copies, and a chain of small changes does not swallow different texts.
    """

    of: np.ndarray
    spare: np.ndarray

    def originals(self) -> np.ndarray:
        """Return for each text the one that can stand in for it, itself if it is no spare, int64, (n,)."""
        return np.where(self.spare, self.of, np.arange(len(self.of)))

    def roots(self) -> np.ndarray:
        """Return for each text a number that it shares with its near-copies and theirs, int64, (n,)."""
        root = self.of.copy()
        for place in range(len(root)):  # an original always stands before its copies
            root[place] = root[root[place]]
        return root


def alike_numbers(texts: Sequence[str]) -> np.ndarray:
    """Return for each of n texts a number that it shares with its copies and near-copies, int64, (n,).

    Texts share it because they nearly equal one and the same text, never through a chain.
    """
    codes, plain = pd.factorize(np.array([normalized(text) for text in texts], dtype=object))
    return near_copies(plain.tolist()).originals()[codes]


def nearly_equal(first: str, second: str) -> bool:
    """Tell whether two normalised texts nearly equal each other, as in :func:`near_copies`."""
    return _alike(first, second, _shingles(second))


def near_copies(texts: Sequence[str]) -> NearCopies:
    """Find texts that nearly equal an earlier one.

    Two texts do if the Jaccard similarity of their character trigrams (first 2,000 characters) is at least
    0.7, or if they have at least 10 characters and differ in one letter, or two neighbours exchanged.

    Parameters
    ----------
    texts
        n different normalised texts.
    """
    found, spare = np.arange(len(texts)), np.zeros(len(texts), bool)
    if len(texts) < 2:
        return NearCopies(found, spare)
    for right, lefts in _by_later_text(_candidates(texts)):
        own = _shingles(texts[right])
        # those that stay come first: one of them decides, and the others need no look
        for left in sorted(lefts, key=lambda place: (spare[place], place)):
            if _alike(texts[left], texts[right], own):
                found[right], spare[right] = left, not spare[left]
                break
    return NearCopies(found, spare)


def first_near_copy(texts: Sequence[str], others: Sequence[str]) -> np.ndarray:
    """For each of n *texts* return the number of a nearly equal one among *others*, -1 where there is none.

    "Nearly equal" as in :func:`near_copies`; equal texts count too.
    """
    found = np.full(len(texts), -1)
    if not len(texts) or not len(others):
        return found
    here, there = _signatures(texts), _signatures(others)
    pairs = []
    for mine, theirs in zip(_buckets(here), _buckets(there), strict=True):
        order = np.argsort(theirs, kind="stable")
        start = np.searchsorted(theirs[order], mine)
        for step in range(_REACH):
            place = np.minimum(start + step, len(others) - 1)
            same = theirs[order[place]] == mine
            pairs.append(order[place][same] * len(texts) + np.flatnonzero(same))
    for right, lefts in _by_later_text(_sieved(np.concatenate(pairs), there, here)):
        own = _shingles(texts[right])
        found[right] = next((left for left in lefts if _alike(others[left], texts[right], own)), -1)
    return found


def _candidates(texts: Sequence[str]) -> np.ndarray:
    signatures = _signatures(texts)
    pairs = []
    for bucket in _buckets(signatures):
        order = np.argsort(bucket, kind="stable")
        bucket = bucket[order]
        for step in range(1, min(_REACH, len(texts) - 1) + 1):
            same = bucket[step:] == bucket[:-step]
            pairs.append(order[:-step][same] * len(texts) + order[step:][same])
    return _sieved(np.concatenate(pairs), signatures, signatures)


def _signatures(texts: Sequence[str]) -> np.ndarray:
    return minhash(texts, hashes=_BANDS * _ROWS_PER_BAND, shingle=SHINGLE)


def _buckets(signatures: np.ndarray) -> Iterator[np.ndarray]:
    for band in range(_BANDS):
        bucket = np.zeros(len(signatures), np.uint64)
        for place in range(band * _ROWS_PER_BAND, (band + 1) * _ROWS_PER_BAND):
            bucket = (bucket ^ signatures[:, place]) * np.uint64(0x9E3779B97F4A7C15)
            bucket ^= bucket >> np.uint64(32)
        yield bucket


def _sieved(codes: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return the pairs coded as ``left number * len(right) + right number`` whose signatures often agree."""
    pairs = np.column_stack(np.divmod(np.unique(codes), len(right)))
    kept = [
        part[(left[part[:, 0]] == right[part[:, 1]]).mean(axis=1) >= _SIEVE]
        for part in np.array_split(pairs, len(pairs) // _PAIRS_AT_ONCE + 1)
    ]
    return np.concatenate(kept)


def _by_later_text(pairs: np.ndarray) -> Iterator[tuple[int, list[int]]]:
    if not len(pairs):
        return
    pairs = pairs[np.lexsort((pairs[:, 0], pairs[:, 1]))]
    starts = np.flatnonzero(np.r_[True, np.diff(pairs[:, 1]) != 0])
    for lefts, right in zip(np.split(pairs[:, 0], starts[1:]), pairs[starts, 1].tolist(), strict=True):
        yield right, lefts.tolist()


def _shingles(text: str) -> set[str]:
    padded = text[:_LONGEST].ljust(SHINGLE)
    return {padded[place : place + SHINGLE] for place in range(len(padded) - SHINGLE + 1)}


def _alike(first: str, second: str, shingles: set[str]) -> bool:
    if min(len(first), len(second), _LONGEST) < THRESHOLD * 0.7 * min(max(len(first), len(second)), _LONGEST):
        return False
    other = _shingles(first)
    shared = len(other & shingles)
    return shared >= THRESHOLD * (len(other) + len(shingles) - shared) or _one_slip(first, second)


def _one_slip(first: str, second: str) -> bool:
    """Tell whether one letter more, less or other, or two exchanged, turns one text into the other."""
    if abs(len(first) - len(second)) > 1 or min(len(first), len(second)) < _SHORT_BUT_TELLING:
        return False
    start = next((n for n, (a, b) in enumerate(zip(first, second, strict=False)) if a != b), None)
    if start is None:
        return True
    a, b = first[start:], second[start:]
    if a[:1].isdigit() or b[:1].isdigit():
        return False
    return a[1:] == b[1:] or a[1:] == b or a == b[1:] or (a[1::-1] + a[2:] == b)
