import numpy as np
import pytest

from embedtune_nb.errors import DataError
from embedtune_nb.maps.numba_cache import prepare_numba_cache
from embedtune_nb.maps.project import NEIGHBORS_SHOWN, project

POSITIONS = ["x_before", "y_before", "x_after", "y_after"]
NUMBERS = [*POSITIONS, "kept", "moved"]


def clusters(count=6, size=50, dimension=24, spread=0.12, seed=0):
    rng = np.random.default_rng(seed)
    centres = np.linalg.qr(rng.normal(size=(dimension, count)))[0].T
    return np.repeat(centres, size, axis=0) + spread * rng.normal(size=(count * size, dimension))


@pytest.fixture(scope="module")
def moved_cluster():
    """Six clusters; training dissolves the first one into the second and leaves the others alone."""
    before, rng = clusters(), np.random.default_rng(1)
    after = before.copy()
    after[:50] = before[50:100][rng.permutation(50)] + 0.05 * rng.normal(size=(50, before.shape[1]))
    return before, after, project(before, after, seed=3)


def test_a_cluster_that_moved_stands_out_and_the_others_do_not(moved_cluster):
    _, _, projection = moved_cluster
    frame = projection.frame
    moved, untouched = frame.iloc[:50], frame.iloc[100:]
    assert moved["kept"].mean() < 0.3
    assert untouched["kept"].mean() > 0.9
    assert moved["moved"].median() > 3 * untouched["moved"].median()


def test_the_moved_cluster_lies_where_it_went(moved_cluster):
    _, _, projection = moved_cluster
    for side, near in (("before", False), ("after", True)):
        points = projection.frame[[f"x_{side}", f"y_{side}"]].to_numpy()
        centres = points.reshape(6, 50, 2).mean(axis=1)
        gaps = np.linalg.norm(centres[0] - centres[1:], axis=1)
        assert (gaps[0] < 0.5 * gaps[1:].min()) == near


def test_neighbours_are_those_of_the_full_space(moved_cluster):
    before, _, projection = moved_cluster
    unit = before / np.linalg.norm(before, axis=1, keepdims=True)
    similarity = unit @ unit.T
    np.fill_diagonal(similarity, -2)
    expected = np.argsort(-similarity, axis=1)[:, :NEIGHBORS_SHOWN]
    assert projection.frame["neighbors_before"].tolist() == expected.tolist()


def test_kept_is_the_share_of_listed_neighbours_that_are_on_both_lists(moved_cluster):
    frame = moved_cluster[2].frame
    for row in frame.itertuples():
        shared = set(row.neighbors_before) & set(row.neighbors_after)
        assert row.kept == pytest.approx(len(shared) / NEIGHBORS_SHOWN)
    assert moved_cluster[2].meta["kept_mean"] == pytest.approx(frame["kept"].mean())


def test_the_same_seed_gives_the_same_maps_and_another_seed_others(moved_cluster):
    before, after, first = moved_cluster
    again, other = project(before, after, seed=3), project(before, after, seed=4)
    assert again.frame.equals(first.frame)
    assert again.meta == first.meta
    assert not np.allclose(other.frame[POSITIONS], first.frame[POSITIONS], atol=1e-3)


def test_identical_vectors_keep_all_neighbours_and_move_like_noise():
    vectors = clusters(seed=5)
    projection = project(vectors, vectors)
    assert (projection.frame["kept"] == 1.0).all()
    assert 0.5 < projection.frame["moved"].mean() < 2.0
    assert 0 < projection.meta["noise_floor"] < 0.3


def test_the_maps_can_be_trusted_where_clusters_are_clear(moved_cluster):
    meta = moved_cluster[2].meta
    assert 0.9 < meta["trust_before"] <= 1.0 and 0.9 < meta["trust_after"] <= 1.0
    assert meta["n"] == 300 and meta["seed"] == 3 and "UMAP" in meta["recipe"]
    assert "300 texts" in repr(moved_cluster[2])


def test_length_of_vectors_and_their_dimension_do_not_matter():
    before = clusters(size=20)
    wider = np.hstack([7 * before, np.zeros((len(before), 3))])
    projection = project(before, wider)
    assert (projection.frame["kept"] == 1.0).all()


@pytest.mark.parametrize("count", [1, 2, 3, 5, 9, 14, 15, 16, 30])
def test_few_texts_make_a_finite_map(count):
    rng = np.random.default_rng(count)
    before = rng.normal(size=(count, 8))
    projection = project(before, before + 0.1 * rng.normal(size=before.shape))
    frame = projection.frame
    assert len(frame) == count and np.isfinite(frame[NUMBERS].to_numpy()).all()
    assert {len(row) for row in frame["neighbors_before"]} == {min(NEIGHBORS_SHOWN, count - 1)}
    assert ("Principal components" in projection.meta["recipe"]) == (count < 15)
    assert f"{count} different texts" in projection.meta["recipe"] or count >= 15


def test_twenty_copies_of_three_texts_are_three_texts():
    vectors = np.repeat(np.eye(3, 8), 20, axis=0)
    projection = project(vectors, vectors)
    assert "3 different texts" in projection.meta["recipe"]
    assert (projection.frame["moved"] < 1e-3).all() and (projection.frame["kept"] == 1).all()


def test_one_text_many_times_stays_in_one_place():
    vectors = np.tile(np.random.default_rng(0).normal(size=8), (40, 1))
    frame = project(vectors, vectors).frame
    assert np.allclose(frame[POSITIONS], 0)


def test_copies_among_many_texts_and_a_collapsed_model_still_make_maps():
    before = np.concatenate([clusters(size=15), np.tile(clusters(size=1)[:1], (30, 1))])
    collapsed = np.tile(np.random.default_rng(0).normal(size=8), (len(before), 1))
    frame = project(before, collapsed).frame
    assert np.isfinite(frame[NUMBERS].to_numpy()).all()
    assert frame["kept"].mean() < 0.5


def test_progress_runs_to_its_end():
    seen = []
    project(clusters(size=10), clusters(size=10), progress=lambda *step: seen.append(step))
    phases = [phase for phase, _, _ in seen]
    assert [phase for phase in phases if "compiling" not in phase] == [
        "finding neighbours",
        "laying out before",
        "laying out after",
        "checking",
        "done",
    ]
    assert seen[-1][1] == seen[-1][2]


def test_the_first_map_on_a_machine_says_that_it_compiles():
    prepare_numba_cache().mark.unlink(missing_ok=True)
    seen = []
    for _ in range(2):
        project(clusters(size=10), clusters(size=10), progress=lambda phase, *_: seen.append(phase))
    assert sum("compiling" in phase for phase in seen) == 1
    assert "compiling" in seen[0]


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        (np.ones((4, 3)), np.ones((5, 3)), "4 vectors before and 5 after"),
        (np.ones((0, 3)), np.ones((0, 3)), "shape"),
        (np.ones(4), np.ones(4), "shape"),
        (np.array([[1.0, np.nan]]), np.ones((1, 2)), "1 rows of `before`"),
    ],
)
def test_vectors_that_make_no_map_are_named(before, after, message):
    with pytest.raises(DataError, match=message):
        project(before, after)
