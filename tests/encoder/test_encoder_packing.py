"""Which texts share a row: nothing lost, nothing overlapping, little room empty."""

from __future__ import annotations

import random

import pytest

from embedtune_nb.encoder.packing import pack_one_row, pack_rows


@pytest.mark.parametrize("pack", [pack_rows, pack_one_row])
@pytest.mark.parametrize("seed", range(3))
def test_every_text_has_places_of_its_own_within_one_row(pack, seed):
    draw = random.Random(seed)
    lengths = [draw.choice([1, 2, 5, 13, 40, 90, 300]) for _ in range(200)]
    packs = pack(lengths, tokens=600)
    assert sorted(text for pack in packs for text in pack.texts) == list(range(200))
    for done in packs:
        taken = set()
        for text, start in zip(done.texts, done.starts, strict=True):
            places = range(start, start + lengths[text])
            assert places[0] // done.width == places[-1] // done.width
            assert taken.isdisjoint(places)
            taken.update(places)
        assert max(taken) < done.rows * done.width <= 600


def test_short_texts_get_narrow_rows_and_fill_the_gaps_beside_long_ones():
    first, second = pack_rows([200, 250, *[50] * 6, *[20] * 30], least_width=64, tokens=1024)
    assert (first.rows, first.width) == (2, 250)
    assert first.texts[:3] == [1, 0, 2]
    assert second.width == 64
    real = 450 + 6 * 50 + 30 * 20
    assert real / (first.rows * first.width + second.rows * second.width) > 0.9


def test_a_text_longer_than_a_pass_gets_one_of_its_own():
    assert [pack.texts for pack in pack_rows([900, 10], tokens=500)] == [[0], [1]]
    assert [pack.texts for pack in pack_one_row([900, 10], tokens=500)] == [[1], [0]]


def test_texts_in_one_row_stand_in_order_of_length():
    (pack,) = pack_one_row([5, 2, 5, 2, 9])
    assert pack.texts == [1, 3, 0, 2, 4]
    assert pack.starts == [0, 2, 4, 9, 14]
    assert (pack.rows, pack.width) == (1, 23)
