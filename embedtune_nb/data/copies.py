"""Texts that say the same in almost the same letters.

Near-copies are found by MinHash over character 5-grams with banded locality-sensitive hashing (Broder 1997;
Leskovec, Rajaraman and Ullman, Mining of Massive Datasets, chapter 3); every candidate pair is then
checked by its true Jaccard similarity.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

SHINGLE = 5
THRESHOLD = 0.8
_BANDS, _ROWS_PER_BAND = 10, 4
# Arrays of this many letters stay in the processor's cache while they are hashed again and again.
_CHUNK_BYTES = 100_000
_LONGEST = 2_000

# Signs that tell one thing from another: C++ is not C#, and £1 is not $1.
_TELLING = "$+%#"
_CURRENCIES = "\u00a2-\u00a5\u0e3f\u20a0-\u20cf"
_NOT_WORD = re.compile(rf"(?:[^\w{_TELLING}{_CURRENCIES}]|_)+")
_ASCII_SIGNS = str.maketrans(
    {chr(code): " " for code in range(128) if not chr(code).isalnum() and chr(code) not in _TELLING}
)


def normalized(text: str) -> str:
    """Return *text* without case, punctuation and spacing.

    Signs of currencies and ``+ % #`` stay, and so does a text of nothing but signs.
    """
    if text.isascii():
        return " ".join(text.lower().translate(_ASCII_SIGNS).split()) or text.strip()
    folded = unicodedata.normalize("NFKC", text).casefold()
    return _NOT_WORD.sub(" ", folded).strip() or text.strip()


def copy_groups(texts: Sequence[str], *, threshold: float = THRESHOLD) -> np.ndarray:
    """Number the texts so that near-copies share a number.

    Parameters
    ----------
    texts
        n texts.
    threshold
        Least Jaccard similarity of the character 5-grams (of the first 2,000 characters, without case and
        punctuation) at which two texts are near-copies. Equal normalised texts always are. Near-copies of
        near-copies share a number too.

    Returns
    -------
    numpy.ndarray
        Shape (n,), int: group numbers from 0 up.
    """
    codes, unique = pd.factorize(np.array([normalized(text) for text in texts], dtype=object))
    if len(unique) == 0:
        return np.zeros(0, dtype=int)
    left, right = _candidates(unique)
    similar = np.fromiter(
        (similarity(unique[a], unique[b]) >= threshold for a, b in zip(left, right, strict=True)),
        bool,
        len(left),
    )
    left, right = left[similar], right[similar]
    graph = coo_matrix((np.ones(len(left), bool), (left, right)), shape=(len(unique), len(unique)))
    return connected_components(graph, directed=False)[1][codes]


def _candidates(texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    signatures = minhash(texts, hashes=_BANDS * _ROWS_PER_BAND)
    pairs = []
    for band in range(_BANDS):
        columns = np.ascontiguousarray(signatures[:, band * _ROWS_PER_BAND : (band + 1) * _ROWS_PER_BAND])
        bucket = columns.view(np.dtype((np.void, columns.itemsize * _ROWS_PER_BAND))).ravel()
        order = np.argsort(bucket, kind="stable")
        same = bucket[order][1:] == bucket[order][:-1]
        # A chain through each bucket is enough: groups are closed under "copy of a copy" anyway.
        pairs.append(np.column_stack((order[:-1][same], order[1:][same])))
    joined = np.unique(np.sort(np.concatenate(pairs), axis=1), axis=0)
    # The share of equal signature entries estimates the similarity; a loose sieve spares most exact checks.
    agree = (signatures[joined[:, 0]] == signatures[joined[:, 1]]).mean(axis=1)
    joined = joined[agree >= THRESHOLD - 0.3]
    return joined[:, 0], joined[:, 1]


def minhash(texts: Sequence[str], *, hashes: int, shingle: int = SHINGLE) -> np.ndarray:
    """Return MinHash signatures: the share of equal entries estimates the Jaccard similarity of two texts.

    Parameters
    ----------
    texts
        n normalised texts, of which the first 2,000 characters are read.
    hashes
        Entries of a signature.
    shingle
        Characters of the overlapping pieces that are compared.

    Returns
    -------
    numpy.ndarray
        uint32, (n, hashes).
    """
    generator = np.random.default_rng(20)
    multiply = generator.integers(1, 2**63, hashes, dtype=np.uint64) | np.uint64(1)
    add = generator.integers(0, 2**63, hashes, dtype=np.uint64)
    padded = [text[:_LONGEST].ljust(shingle) for text in texts]
    sizes = np.array([len(text) for text in padded])
    signatures = np.empty((len(texts), hashes), dtype=np.uint32)
    ends = np.cumsum(sizes)
    start = 0
    while start < len(texts):
        reach = (ends[start - 1] if start else 0) + _CHUNK_BYTES
        stop = max(start + 1, int(np.searchsorted(ends, reach, side="right")))
        pieces, offsets = _shingle_hashes(padded[start:stop], sizes[start:stop], shingle)
        for place in range(hashes):
            mixed = ((pieces * multiply[place] + add[place]) >> np.uint64(32)).astype(np.uint32)
            signatures[start:stop, place] = np.minimum.reduceat(mixed, offsets)
        start = stop
    return signatures


def _shingle_hashes(padded: list[str], sizes: np.ndarray, shingle: int) -> tuple[np.ndarray, np.ndarray]:
    letters = np.frombuffer("".join(padded).encode("utf-32-le"), dtype=np.uint32).astype(np.uint64)
    windows = np.zeros(len(letters) - shingle + 1, dtype=np.uint64)
    for place in range(shingle):
        windows = windows * np.uint64(0x100000001B3) + letters[place : place + len(windows)]
    windows = (windows ^ (windows >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
    ends = np.cumsum(sizes)
    inside = np.ones(len(windows), bool)
    for back in range(1, shingle):
        inside[ends[:-1] - back] = False
    counts = sizes - shingle + 1
    return windows[inside], np.concatenate(([0], np.cumsum(counts)[:-1]))


def similarity(first: str, second: str, shingle: int = SHINGLE) -> float:
    """Return the Jaccard similarity (0 to 1) of the *shingle*-grams of two normalised texts."""
    a, b = _shingles(first, shingle), _shingles(second, shingle)
    return len(a & b) / len(a | b)


def _shingles(text: str, shingle: int) -> set[str]:
    padded = text[:_LONGEST].ljust(shingle)
    return {padded[place : place + shingle] for place in range(len(padded) - shingle + 1)}
