"""Two folders that change places, so that no reader finds neither of them."""

from __future__ import annotations

import ctypes
import errno
import os
import sys
import uuid
from pathlib import Path

# `AT_FDCWD` and the flags of `renameat2` (Linux 3.15) and `renamex_np` (macOS 10.12), from their headers
_FROM_HERE = -100
_LINUX_EXCHANGE, _MACOS_SWAP = 2, 2
_NOT_THERE = {errno.ENOSYS, errno.EINVAL, errno.ENOTSUP}


def exchange(one: Path, other: Path) -> None:
    """Let two folders of one filesystem change places.

    In one step where system and filesystem can (Linux, macOS). Elsewhere by three renames: for an
    instant there is no *other*, and a process killed in that instant leaves it beside under the name
    ``.away-<name>.<number>``.

    Raises
    ------
    OSError
        If the folders cannot be renamed; both are then where they were.
    """
    if _in_one_step(one, other):
        return
    away = other.with_name(f".away-{other.name}.{uuid.uuid4().hex}")
    other.rename(away)
    try:
        one.rename(other)
    except OSError:
        away.rename(other)
        raise
    away.rename(one)


def _in_one_step(one: Path, other: Path) -> bool:
    """Return whether the folders changed places; False where that cannot be done at once."""
    library = ctypes.CDLL(None, use_errno=True)
    first, second = os.fsencode(one), os.fsencode(other)
    if sys.platform == "darwin" and hasattr(library, "renamex_np"):
        failed = library.renamex_np(first, second, _MACOS_SWAP)
    elif hasattr(library, "renameat2"):
        failed = library.renameat2(_FROM_HERE, first, _FROM_HERE, second, _LINUX_EXCHANGE)
    else:
        return False
    if not failed:
        return True
    number = ctypes.get_errno()
    if number in _NOT_THERE:
        return False
    raise OSError(number, os.strerror(number), str(one), None, str(other))
