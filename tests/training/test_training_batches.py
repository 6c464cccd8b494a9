"""Who shares a batch, and that a resumed epoch has the same batches."""

from __future__ import annotations

from collections import Counter

import pytest
from datasets import Dataset

from embedtune_nb.training.batches import LabelBatches, ShuffledBatches


def _sampler(kind, labels: list[int], size: int, seed: int = 1, epoch: int = 0):
    rows = Dataset.from_dict({"value": [str(label) for label in labels], "label": labels})
    sampler = kind(rows, size, False, seed=seed)
    sampler.set_epoch(epoch)
    return sampler


@pytest.mark.parametrize("kind", [ShuffledBatches, LabelBatches])
@pytest.mark.parametrize("counts", [[24, 24, 24], [1, 2, 3, 5, 9, 40], [7], [1] * 30])
def test_every_row_comes_once_an_epoch(kind, counts):
    labels = [label for label, count in enumerate(counts) for _ in range(count)]
    sampler = _sampler(kind, labels, 16)
    batches = list(sampler)
    assert sorted(row for batch in batches for row in batch) == list(range(len(labels)))
    assert len(batches) == len(sampler) == -(-len(labels) // 16)
    assert all(len(batch) == 16 for batch in batches[:-1])


@pytest.mark.parametrize("kind", [ShuffledBatches, LabelBatches])
def test_batches_depend_on_seed_and_epoch_alone(kind):
    labels = [row % 7 for row in range(100)]
    first = list(_sampler(kind, labels, 16, seed=3, epoch=2))
    assert first == list(_sampler(kind, labels, 16, seed=3, epoch=2))
    assert first != list(_sampler(kind, labels, 16, seed=3, epoch=1))
    assert first != list(_sampler(kind, labels, 16, seed=4, epoch=2))


def test_label_batches_bring_four_rows_of_a_label():
    labels = [row % 20 for row in range(400)]
    for batch in _sampler(LabelBatches, labels, 32):
        assert all(count % 4 == 0 for count in Counter(labels[row] for row in batch).values())


def test_odd_rows_find_company():
    labels = [label for label in range(40) for _ in range(2 + label % 6)]
    lonely = [
        batch
        for batch in _sampler(LabelBatches, labels, 32)
        for row in batch
        if sum(labels[other] == labels[row] for other in batch) == 1
    ]
    # only where a group had to be cut to fill a batch up
    assert len(lonely) <= 0.05 * len(labels)
