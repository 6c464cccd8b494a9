"""The environment of every Python process that is started from here."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from embedtune_nb.store.home import cache_dir, home

# glibc gives large blocks back to the system after every step and faults their pages in again at the
# next one, which costs a training step 10 to 30 % of its time; kept blocks do not
_MALLOC = {"MALLOC_MMAP_THRESHOLD_": str(1 << 32), "MALLOC_TRIM_THRESHOLD_": str(1 << 33)}

# the threads of a matrix product wait for each other by spinning; with any other busy process on the
# machine one of them is off its core, the rest burn theirs, and a step takes 8 times as long
_OPENMP = {"OMP_WAIT_POLICY": "PASSIVE"}


def child_environment() -> dict[str, str]:
    """Return the environment for a child that imports this package, wherever it was imported from."""
    paths = list(filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep)))
    package_parent = str(Path(__file__).parents[2])
    if package_parent in sys.path and "site-packages" not in package_parent:
        paths.append(package_parent)  # a checkout that only this process's sys.path knows
    return {
        **_OPENMP,
        **_MALLOC,
        **os.environ,
        "EMBEDTUNE_HOME": str(home()),  # a relative one would mean another folder where the child works
        "PYTHONPATH": os.pathsep.join(paths),
        "PYTHONSAFEPATH": "1",  # files beside the notebook or the job are data, never modules
        "PYTHONUNBUFFERED": "1",
        "TOKENIZERS_PARALLELISM": "true",
        "NUMBA_CACHE_DIR": str(cache_dir("numba")),
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }
