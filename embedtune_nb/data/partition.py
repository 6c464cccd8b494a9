"""Dealing out examples to three parts so that what belongs together stays together."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

TRAIN, SELECTION, VERDICT = 0, 1, 2

SELECTION_SHARE, SELECTION_MOST = 0.1, 1_000
VERDICT_SHARE, VERDICT_MOST = 0.2, 2_000

_TRIES = 25
_CLOSE = 0.05
_OVERFULL = 1.25


def targets(count: int, *, selection: bool, verdict: bool) -> dict[int, int]:
    """Return how many of *count* examples each held-out part should get."""
    return {
        SELECTION: min(max(round(SELECTION_SHARE * count), 1), SELECTION_MOST) if selection else 0,
        VERDICT: min(max(round(VERDICT_SHARE * count), 1), VERDICT_MOST) if verdict else 0,
    }


def stratified(
    labels: np.ndarray, units: np.ndarray, want: dict[int, int], generator: np.random.Generator
) -> np.ndarray:
    """Deal out rows so that each part has each label in proportion and no unit is torn.

    Parameters
    ----------
    labels, units
        Shape (n,), int: label and unit of each row, numbered from 0 up.
    want
        Rows wanted for ``SELECTION`` and ``VERDICT``; the rest is ``TRAIN``.

    Returns
    -------
    numpy.ndarray
        Shape (n,): the part of each row. A label with two rows or more always keeps one in train.
    """
    counts = np.bincount(labels)
    room = {VERDICT: _quota(counts, counts - 1, want[VERDICT])}
    room[SELECTION] = _quota(counts, counts - 1 - room[VERDICT], want[SELECTION])
    parts = np.full(len(labels), TRAIN, dtype=np.int8)
    sizes = np.bincount(units)
    order = np.argsort(units, kind="stable")
    starts = np.concatenate(([0], np.cumsum(sizes)))
    together = np.flatnonzero(sizes > 1)
    chance = np.array([len(labels) - sum(want.values()), want[SELECTION], want[VERDICT]]) / len(labels)
    drawn = generator.choice(3, len(together), p=chance)
    for unit, part in zip(together, drawn, strict=True):
        rows = order[starts[unit] : starts[unit + 1]]
        needs = np.bincount(labels[rows], minlength=len(counts))
        if part != TRAIN and (needs <= room[part]).all():
            room[part] -= needs
            parts[rows] = part
    alone = generator.permutation(np.flatnonzero(sizes[units] == 1))
    rank = _rank_within(labels[alone])
    verdict_room, selection_room = room[VERDICT][labels[alone]], room[SELECTION][labels[alone]]
    parts[alone[rank < verdict_room]] = VERDICT
    parts[alone[(rank >= verdict_room) & (rank < verdict_room + selection_room)]] = SELECTION
    return parts


def stratified_units(
    strata: np.ndarray, units: np.ndarray, want: dict[int, int], generator: np.random.Generator
) -> np.ndarray:
    """Deal out whole units, most of which may have several rows, with the strata as near as units allow.

    Units are taken in random order and put where all their rows still have room; what is then missing is
    made up by size alone.

    Parameters
    ----------
    strata, units
        Shape (n,), int: stratum and unit of each row, numbered from 0 up.
    want
        Rows wanted for ``SELECTION`` and ``VERDICT``; the rest is ``TRAIN``.

    Returns
    -------
    numpy.ndarray
        Shape (n,): the part of each row.
    """
    counts = np.bincount(strata)
    room = {VERDICT: _quota(counts, counts - 1, want[VERDICT])}
    room[SELECTION] = _quota(counts, counts - 1 - room[VERDICT], want[SELECTION])
    sizes = np.bincount(units)
    order = np.argsort(units, kind="stable")
    starts = np.concatenate(([0], np.cumsum(sizes)))
    needs = [
        np.bincount(strata[order[start:stop]], minlength=len(counts)) for start, stop in pairwise(starts)
    ]
    shuffled = generator.permutation(len(sizes))
    dealt = np.full(len(sizes), TRAIN, dtype=np.int8)
    got = {VERDICT: 0, SELECTION: 0}
    for unit in shuffled:
        for part in (VERDICT, SELECTION):
            if sizes[unit] <= want[part] - got[part] and (needs[unit] <= room[part]).all():
                room[part] -= needs[unit]
                got[part] += int(sizes[unit])
                dealt[unit] = part
                break
    for part in (VERDICT, SELECTION):
        for unit in shuffled[dealt[shuffled] == TRAIN]:
            if sizes[unit] <= want[part] - got[part]:
                got[part] += int(sizes[unit])
                dealt[unit] = part
    return dealt[units]


def bands(scores: np.ndarray, generator: np.random.Generator, most: int = 10) -> np.ndarray:
    """Cut scores into at most *most* bands of equal size, numbered from 0 up, for :func:`stratified`.

    Equal scores may fall into neighbouring bands; which of them does is drawn.
    """
    count = int(np.clip(len(scores) // 10, 1, most))
    rank = np.empty(len(scores), dtype=int)
    rank[np.lexsort((generator.random(len(scores)), scores))] = np.arange(len(scores))
    return rank * count // max(len(scores), 1)


def by_size(sizes: np.ndarray, want: dict[int, int], generator: np.random.Generator) -> np.ndarray:
    """Deal out whole units so that the sizes of the parts come close to what is wanted.

    Units are taken in random order and put where they still fit; of several orders the first that comes
    within 5 % of the wanted sizes is used, else the nearest.

    Parameters
    ----------
    sizes
        Shape (c,), int: examples in each unit.
    want
        Examples wanted for ``SELECTION`` and ``VERDICT``; the rest is ``TRAIN``.

    Returns
    -------
    numpy.ndarray
        Shape (c,): the part of each unit. Units larger than a part by a quarter never go into it.
    """
    best, best_miss = np.full(len(sizes), TRAIN, dtype=np.int8), np.inf
    for _ in range(_TRIES):
        order = generator.permutation(len(sizes))
        parts = np.full(len(sizes), TRAIN, dtype=np.int8)
        miss = 0.0
        for part in (VERDICT, SELECTION):
            if want[part]:
                free = order[parts[order] == TRAIN]
                chosen = _fill(sizes[free], want[part])
                parts[free[chosen]] = part
                miss = max(miss, abs(sizes[free[chosen]].sum() - want[part]) / want[part])
        if miss < best_miss:
            best, best_miss = parts, miss
        if miss <= _CLOSE:
            break
    return best


def _fill(sizes: np.ndarray, wanted: int) -> np.ndarray:
    chosen, total = [], 0
    for place, size in enumerate(sizes.tolist()):
        if total + size <= wanted:
            chosen.append(place)
            total += size
    # Where the units are coarse, one more may come nearer than stopping short; train must keep something.
    left = np.setdiff1d(np.arange(len(sizes)), chosen)
    if len(left) > 1:
        last = left[np.argmin(sizes[left])]
        over = total + int(sizes[last])
        if over - wanted < wanted - total and over <= _OVERFULL * wanted:
            chosen.append(int(last))
    return np.array(chosen, dtype=int)


def _quota(counts: np.ndarray, most: np.ndarray, wanted: int) -> np.ndarray:
    if wanted == 0:
        return np.zeros_like(counts)
    most = np.maximum(most, 0)
    share = counts * (wanted / counts.sum())
    quota = np.minimum(np.floor(share).astype(int), most)
    if wanted >= len(counts):
        quota = np.maximum(quota, np.minimum((counts >= 3).astype(int), most))
    for label in np.argsort(np.floor(share) - share, kind="stable"):
        if quota.sum() >= wanted:
            break
        if quota[label] < most[label]:
            quota[label] += 1
    return quota


def _rank_within(labels: np.ndarray) -> np.ndarray:
    order = np.argsort(labels, kind="stable")
    counts = np.bincount(labels) if len(labels) else np.zeros(0, int)
    starts = np.concatenate(([0], np.cumsum(counts)[:-1])) if len(counts) else np.zeros(0, int)
    rank = np.empty(len(labels), dtype=int)
    rank[order] = np.arange(len(labels)) - starts[labels[order]]
    return rank
