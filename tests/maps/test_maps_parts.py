import os
import subprocess
import sys

import numpy as np
import pytest

from embedtune_nb.maps.align import align, standardise
from embedtune_nb.maps.change import kept_share, trust
from embedtune_nb.maps.neighbors import self_and_neighbors, unit_vectors


@pytest.mark.parametrize("mirror", [1, -1])
def test_turning_mirroring_moving_and_scaling_a_map_is_no_change(mirror):
    points = np.random.default_rng(0).normal(size=(50, 2))
    angle = 2.1
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    other = 7.5 * (points * [mirror, 1]) @ turn + [100, -3]
    assert np.allclose(align(other, points), standardise(points))


def test_a_map_that_changed_much_keeps_its_size():
    rng = np.random.default_rng(1)
    aligned = align(rng.normal(size=(80, 2)), rng.normal(size=(80, 2)))
    assert (aligned**2).sum(axis=1).mean() == pytest.approx(1.0)


def test_kept_share_ignores_the_order_of_neighbours():
    before, after = np.array([[1, 2, 3, 4], [5, 6, 7, 8]]), np.array([[4, 3, 2, 1], [8, 9, 10, 11]])
    assert kept_share(before, after).tolist() == [1.0, 0.25]


def test_every_text_is_its_own_first_neighbour_even_among_copies():
    rng = np.random.default_rng(2)
    vectors = unit_vectors(
        np.concatenate([np.tile(rng.normal(size=5), (60, 1)), rng.normal(size=(9, 5))]), "v"
    )
    rows, distances = self_and_neighbors(vectors, 4)
    assert rows[:, 0].tolist() == list(range(69))
    assert (distances[:, 0] == 0).all() and (np.diff(distances, axis=1) >= 0).all()
    assert rows[30].tolist() == [30, 0, 1, 2, 3]


def test_trust_falls_when_places_are_shuffled():
    rng = np.random.default_rng(3)
    points = rng.normal(size=(2_000, 2))
    vectors = np.hstack([points, np.ones((2_000, 1))])
    good = trust(vectors, points, neighbors=15, seed=0)
    bad = trust(vectors, rng.permutation(points), neighbors=15, seed=0)
    assert good > 0.9 > 0.6 > bad
    assert trust(vectors[:2], points[:2], neighbors=15, seed=0) is None


def test_compiled_code_is_kept_in_the_home_folder(tmp_path):
    program = (
        "from embedtune_nb.maps.numba_cache import prepare_numba_cache as prepare\n"
        "cache = prepare()\n"
        "assert not cache.warm\n"
        "cache.mark_warm()\n"
        "assert prepare().warm\n"
        "import numba\n"
        "print(numba.config.CACHE_DIR)\n"
    )
    environment = {name: value for name, value in os.environ.items() if name != "NUMBA_CACHE_DIR"}
    environment["EMBEDTUNE_HOME"] = str(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == str(tmp_path / "cache" / "numba")
