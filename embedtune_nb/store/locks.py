"""Locks that the operating system releases when their holder dies, however it dies."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from embedtune_nb.errors import StoreError

try:
    import fcntl
except ImportError as cause:  # pragma: no cover - Windows
    raise StoreError(
        "This system has no POSIX file locks, which tell whether a job is alive.",
        expected="Linux or macOS",
        fix="use WSL on Windows.",
    ) from cause


def take(path: Path) -> int | None:
    """Take the exclusive lock of *path* and return its open file descriptor, None if somebody holds it.

    The lock lasts until the last copy of the descriptor is closed. A child process that inherits it
    holds the lock from its first moment on, with no gap in which the job could look dead.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    for _ in range(40):  # an onlooker (see is_held) may hold it for an instant
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.005)
        else:
            return descriptor
    os.close(descriptor)
    return None


def is_held(path: Path) -> bool:
    """Return whether some live process (this one included) holds the lock of *path*."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        # shared, so that two onlookers never take each other for the holder
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of *path* for the length of a ``with`` block, after waiting for it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as cause:
        raise StoreError(
            f"Cannot write to {path.parent}: {cause.strerror or cause}.",
            expected="a folder this user may write to",
            fix="set EMBEDTUNE_HOME to such a folder, or mend the permissions.",
        ) from cause
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
