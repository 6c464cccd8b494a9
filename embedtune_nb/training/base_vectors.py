"""Vectors of a frozen base model: computed once, kept on disk under the content they belong to.

A folder of the cache belongs to one base model as it reads texts (the hash of its files, its length
limit). Inside, a vector stands under the hash of its prompt and text. Files are written whole and
named after their own hash, so a damaged one is noticed, and two jobs can write side by side.
"""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from embedtune_nb.store.home import cache_dir
from embedtune_nb.store.publish import sha256_of_file

#: Bytes that the vectors of all base models together may take; the least recently used go first.
CACHE_BYTES = 2_000_000_000
_MODEL_FILES = (".safetensors", ".json", ".txt", ".model")


class VectorStore:
    """The kept vectors of one base model.

    Parameters
    ----------
    folder
        Where they are kept; created when missing.
    limit
        Bytes that *folder* and its neighbours may take together.

    Attributes
    ----------
    damaged
        Files that were thrown away because their bytes had changed.
    """

    def __init__(self, folder: Path, *, limit: int = CACHE_BYTES) -> None:
        self.folder, self.limit = folder, limit
        self.damaged = 0
        self._whole: set[Path] = set()
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def size_bytes(self) -> int:
        """Bytes that the vectors of all base models take."""
        return sum(size for _, size, _ in self._all_files())

    def find(self, keys: Iterable[bytes]) -> dict[bytes, np.ndarray]:
        """Return the kept vectors among *keys*, float32, (dimension,) each."""
        wanted, found = set(keys), {}
        for file in sorted(self.folder.glob("*.npy")):
            if not wanted:
                break
            entries = self._read(file)
            if entries is None:
                continue
            rows = [row for row, key in enumerate(entries["key"].tolist()) if key in wanted]
            for row in rows:
                key = bytes(entries["key"][row])
                found[key] = np.array(entries["vector"][row])
                wanted.discard(key)
            if rows:
                os.utime(file)  # used just now, so it is the last to go
        return found

    def add(self, keys: Sequence[bytes], vectors: np.ndarray) -> None:
        """Keep *vectors*, (n, dimension), under *keys*; then make room if there is too much."""
        if not len(keys):
            return
        layout = np.dtype([("key", "V16"), ("vector", "<f4", (vectors.shape[1],))])
        entries = np.empty(len(keys), dtype=layout)
        entries["key"] = np.frombuffer(b"".join(keys), dtype="V16")
        entries["vector"] = vectors
        draft = self.folder / f".tmp-{uuid.uuid4().hex}"
        try:
            with draft.open("wb") as file:
                np.save(file, entries)
            draft.replace(self.folder / f"{sha256_of_file(draft)}.npy")
        finally:
            draft.unlink(missing_ok=True)
        self._make_room()

    def _read(self, file: Path) -> np.ndarray | None:
        try:
            if file in self._whole or sha256_of_file(file) == file.stem:
                self._whole.add(file)
                return np.load(file, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError):
            pass
        file.unlink(missing_ok=True)
        self.damaged += 1
        return None

    def _all_files(self) -> list[tuple[int, int, Path]]:
        """Return (last use, bytes, file) of every file of every base model, the longest unused first."""
        files = []
        for file in self.folder.parent.glob("*/*.npy"):
            try:
                facts = file.stat()
            except FileNotFoundError:  # another job made room
                continue
            files.append((facts.st_mtime_ns, facts.st_size, file))
        return sorted(files)

    def _make_room(self) -> None:
        files = self._all_files()
        excess = sum(size for _, size, _ in files) - self.limit
        for _, size, file in files:
            if excess <= 0:
                return
            file.unlink(missing_ok=True)
            excess -= size


def vector_store(model_folder: Path, *, reads: Sequence[object]) -> VectorStore:
    """Return the store of the base model in *model_folder*.

    Parameters
    ----------
    model_folder
        Its files; a change of any of them is another base model.
    reads
        What else decides its vectors: length limit, side of truncation.
    """
    digest = hashlib.sha256(repr(tuple(reads)).encode())
    for file in sorted(model_folder.rglob("*")):
        if file.is_file() and file.suffix in _MODEL_FILES and not file.name.startswith("embedtune"):
            digest.update(str(file.relative_to(model_folder)).encode())
            digest.update(sha256_of_file(file).encode())
    return VectorStore(cache_dir("base_vectors") / digest.hexdigest()[:32])


def text_key(text: str, prompt: str | None, task: str | None) -> bytes:
    """Return the 16 bytes under which the vector of *text* is kept."""
    content = "\0".join((task or "", prompt or "", text))
    return hashlib.blake2b(content.encode("utf-8", "surrogatepass"), digest_size=16).digest()
