"""A published folder is whole or absent; damage is found."""

import threading

import pytest

from embedtune_nb.errors import AlreadyExistsError, IntegrityError
from embedtune_nb.store import publish as store


def _build(folder):
    (folder / "sub").mkdir()
    (folder / "sub" / "weights.bin").write_bytes(b"0123456789")
    (folder / "config.json").write_text("{}")


def test_published_folder_is_complete_and_checks_out(tmp_path):
    folder = store.publish(tmp_path / "m", _build)
    store.check(folder, hashes=True)
    assert [p.name for p in tmp_path.iterdir()] == ["m"]


def test_a_failing_build_leaves_nothing_behind(tmp_path):
    def broken(folder):
        _build(folder)
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        store.publish(tmp_path / "m", broken)
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_publisher_left_is_removed_by_the_next(tmp_path):
    abandoned = tmp_path / f".tmp-m.{'0' * 32}"
    other = tmp_path / f".tmp-m.x.{'0' * 32}"
    abandoned.mkdir()
    other.mkdir()
    store.publish(tmp_path / "m", _build)
    assert sorted(path.name for path in tmp_path.iterdir()) == [other.name, "m"]


def test_the_first_of_two_publishers_wins(tmp_path):
    store.publish(tmp_path / "m", _build)
    with pytest.raises(AlreadyExistsError):
        store.publish(tmp_path / "m", _build)
    store.check(tmp_path / "m", hashes=True)


def test_missing_and_truncated_files_are_found_by_size(tmp_path):
    folder = store.publish(tmp_path / "m", _build)
    (folder / "sub" / "weights.bin").write_bytes(b"012")
    with pytest.raises(IntegrityError, match="3 bytes"):
        store.check(folder)
    (folder / "sub" / "weights.bin").unlink()
    with pytest.raises(IntegrityError, match="missing"):
        store.check(folder)


def test_a_flipped_byte_is_found_by_hash_only(tmp_path):
    folder = store.publish(tmp_path / "m", _build)
    (folder / "sub" / "weights.bin").write_bytes(b"0123456780")
    store.check(folder)
    with pytest.raises(IntegrityError, match="changed"):
        store.check(folder, hashes=True)


def test_a_folder_without_manifest_never_counts(tmp_path):
    (tmp_path / "m").mkdir()
    with pytest.raises(IntegrityError, match="manifest"):
        store.check(tmp_path / "m")


def test_removal_leaves_no_trace(tmp_path):
    store.remove(store.publish(tmp_path / "m", _build))
    assert list(tmp_path.iterdir()) == []


def _build_other(folder):
    (folder / "other.txt").write_text("newer")


@pytest.mark.parametrize("in_one_step", [True, False])
def test_a_folder_takes_the_place_of_another(tmp_path, monkeypatch, in_one_step):
    if not in_one_step:
        monkeypatch.setattr("embedtune_nb.store.exchange._in_one_step", lambda one, other: False)
    store.publish(tmp_path / "m", _build)
    folder = store.publish(tmp_path / "m", _build_other, replace=True)
    store.check(folder, hashes=True)
    assert {path.name for path in folder.iterdir()} == {"other.txt", store.MANIFEST}
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


def test_a_replacement_that_fails_leaves_what_stood(tmp_path):
    store.publish(tmp_path / "m", _build)

    def broken(folder):
        _build_other(folder)
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        store.publish(tmp_path / "m", broken, replace=True)
    store.check(tmp_path / "m", hashes=True)
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


def test_a_reader_finds_the_old_folder_or_the_new_one_while_they_change_places(tmp_path):
    store.publish(tmp_path / "m", _build)
    ended, misses = threading.Event(), []

    def read():
        while not ended.is_set():
            if not (tmp_path / "m" / store.MANIFEST).is_file():
                misses.append(1)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for build in (_build_other, _build) * 20:
            store.publish(tmp_path / "m", build, replace=True)
    finally:
        ended.set()
        reader.join()
    assert not misses
