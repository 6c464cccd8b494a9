"""Keeping what numba compiles, so that only the first map on a machine waits for it."""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from embedtune_nb.store.home import cache_dir

# UMAP compiles these afresh in every process (about 8 CPU seconds) unless told to keep them.
_KEPT = {
    "umap.umap_": ("smooth_knn_dist", "compute_membership_strengths"),
    "umap.layouts": ("_nb_optimize_layout_euclidean_single_epoch",),
}


@dataclass(frozen=True)
class NumbaCache:
    """Where compiled code is kept, and whether it is there already.

    Attributes
    ----------
    folder
        ``NUMBA_CACHE_DIR`` if the user has set it, else ``cache/numba`` in the home folder.
    mark
        A file that is written once a whole map has been made with these versions.
    """

    folder: Path
    mark: Path

    @property
    def warm(self) -> bool:
        """Whether a map can be made without compiling first."""
        return self.mark.exists()

    def mark_warm(self) -> None:
        """Record that everything has been compiled."""
        self.mark.touch()


def prepare_numba_cache() -> NumbaCache:
    """Point numba to a folder that stays; call it before UMAP is imported."""
    folder = Path(os.environ.setdefault("NUMBA_CACHE_DIR", str(cache_dir("numba"))))
    folder.mkdir(parents=True, exist_ok=True)
    if "numba" in sys.modules:
        # numba reads the environment when it is imported, which another library may have done
        sys.modules["numba"].config.CACHE_DIR = str(folder)
    parts = [version(name) for name in ("numba", "umap-learn", "pynndescent")]
    return NumbaCache(folder, folder / f"warm-{'-'.join(parts)}-{platform.python_version()}")


def keep_compiled() -> None:
    """Let UMAP's per-process functions be kept too, and its layout release the interpreter lock.

    These are UMAP's own names; where a later version has others, maps are slower, not different.
    """
    for module, names in _KEPT.items():
        for name in names:
            compiled: Any = getattr(sys.modules.get(module), name, None)
            if hasattr(compiled, "enable_caching") and not compiled.signatures:
                compiled.targetoptions["nogil"] = True
                compiled.enable_caching()
