"""Which rows share a batch: seeded, different every epoch, the same again when a run is resumed."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

import numpy as np
from datasets import Dataset
from sentence_transformers.base.sampler import DefaultBatchSampler, MultiDatasetDefaultBatchSampler

#: Rows of one label that are put into a batch together. Two would do for a positive; four give each
#: text three, and still leave most of the batch to other labels.
ROWS_PER_LABEL = 4
#: Groups tried for the last places of a batch before one is cut in two.
_LOOK_AHEAD = 16


class ShuffledBatches(DefaultBatchSampler):
    """All rows once an epoch, in an order that depends on seed and epoch alone.

    The library's sampler draws from a generator that a resumed run would start anew, with epoch 3
    getting the order of epoch 1.
    """

    def __init__(self, dataset: Dataset, *args: Any, **kwargs: Any) -> None:
        super().__init__(dataset, *args, **kwargs)
        self._rows = dataset

    def __iter__(self) -> Iterator[list[int]]:
        """Yield lists of row numbers."""
        order = self._random().permutation(len(self._rows)).tolist()
        for start in range(0, len(order), self.batch_size):
            yield order[start : start + self.batch_size]

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        return -(-len(self._rows) // self.batch_size)

    def _random(self) -> np.random.Generator:
        return np.random.default_rng([self.seed or 0, self.epoch])


class LabelBatches(ShuffledBatches):
    """All rows once an epoch, in batches where rows come in groups of one label.

    A batch of P labels with K rows each (Hermans et al. 2017, In Defense of the Triplet Loss), where
    K is :data:`ROWS_PER_LABEL`. A label's odd rows make a smaller group; a single one joins a full
    group. A row stays without another of its label only if the label has no other, or, rarely, where
    a group is cut to fill a batch up.
    """

    def __iter__(self) -> Iterator[list[int]]:
        """Yield lists of row numbers."""
        random = self._random()
        groups = self._groups(random)
        random.shuffle(groups)
        waiting = deque(groups)
        while waiting:
            batch: list[int] = []
            too_big: list[np.ndarray] = []
            while waiting and len(batch) < self.batch_size and len(too_big) < _LOOK_AHEAD:
                group = waiting.popleft()
                if len(batch) + len(group) <= self.batch_size:
                    batch += group.tolist()
                else:
                    too_big.append(group)
            if too_big:
                room = self.batch_size - len(batch)
                batch += too_big[0][:room].tolist()
                too_big[0] = too_big[0][room:]
            yield batch
            waiting.extendleft(group for group in reversed(too_big) if len(group))

    def _groups(self, random: np.random.Generator) -> list[np.ndarray]:
        labels = np.asarray(list(self._rows["label"]))
        groups: list[np.ndarray] = []
        for label in np.unique(labels):
            rows = random.permutation(np.flatnonzero(labels == label))
            cuts = range(ROWS_PER_LABEL, len(rows) - 1, ROWS_PER_LABEL)
            groups += np.split(rows, list(cuts))
        return groups


class AlternatingBatches(MultiDatasetDefaultBatchSampler):
    """The batches of several tables, all of them once an epoch, spread evenly over it.

    A table with twice the batches gets every other turn twice as often; who comes first is drawn anew
    each epoch, from seed and epoch alone.
    """

    def __iter__(self) -> Iterator[list[int]]:
        """Yield lists of row numbers, counted through all tables; a batch holds rows of one."""
        random = np.random.default_rng([self.seed or 0, self.epoch])
        starts = [0, *self.dataset.cumulative_sizes]
        turns = [
            ((turn + random.random()) / len(sampler), table)
            for table, sampler in enumerate(self.batch_samplers)
            for turn in range(len(sampler))
        ]
        waiting = [iter(sampler) for sampler in self.batch_samplers]
        for _, table in sorted(turns):
            yield [starts[table] + row for row in next(waiting[table])]

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        return sum(map(len, self.batch_samplers))
