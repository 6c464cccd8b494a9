"""How fast this machine multiplies matrices: measured once without torch, and kept."""

from __future__ import annotations

import functools
import hashlib
import json
import math
import os
import platform
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from embedtune_nb.errors import StoreError
from embedtune_nb.store.home import cache_dir

# About what one layer of a small encoder multiplies for a packed batch; 2.1 GFLOP, 10-50 ms a try.
_SHAPE = (1024, 1024, 1024)
_TRIES = 8


@dataclass(frozen=True)
class Machine:
    """What the estimate needs to know.

    Attributes
    ----------
    flops
        Best single-precision matrix multiplications a second with all BLAS threads.
    bf16
        Whether the processor has bfloat16 instructions.
    accelerator
        ``"cuda"`` or ``"mps"`` where one seems to be there, else empty.
    memory_bytes
        Main memory of the machine.
    """

    flops: float
    bf16: bool
    accelerator: str
    memory_bytes: int


def this_machine() -> Machine:
    """Return what is known of this machine, measuring its rate on the first call ever."""
    return Machine(_kept_rate(), _has_bf16(), _accelerator(), psutil.virtual_memory().total)


def usable_cores() -> int:
    """Return how many cores this process may use: of a container those that it owns, not the machine's."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = cpu_quota()
    return max(1, cores if quota is None else min(cores, math.floor(quota)))


def cpu_quota() -> float | None:
    """Return the cores that the control group of this process may use; None where it sets no quota."""
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return None if quota == "max" else int(quota) / int(period)
    except (OSError, ValueError):
        return None


def visible_gpus() -> int:
    """Return how many GPUs a worker will see, without asking their driver."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return len([device for device in named.split(",") if device.strip() not in ("", "-1")])
    listed = len(list(Path("/proc/driver/nvidia/gpus").glob("*")))
    return listed or (1 if _accelerator() else 0)


def _kept_rate() -> float:
    import numpy as np

    identity = f"{platform.node()}|{os.cpu_count()}|{np.__version__}|{_SHAPE}"
    try:
        file = cache_dir("machine") / f"{hashlib.sha256(identity.encode()).hexdigest()[:16]}.json"
    except StoreError:
        # A plan can be read where nothing can be written.
        return _measured_rate()
    try:
        return float(json.loads(file.read_text())["flops"])
    except (OSError, ValueError, KeyError):
        rate = _measured_rate()
        file.write_text(json.dumps({"flops": rate}))
        return rate


@functools.cache
def _measured_rate() -> float:
    import numpy as np

    rows, inner, columns = _SHAPE
    generator = np.random.default_rng(0)
    left = generator.random((rows, inner), dtype=np.float32)
    right = generator.random((inner, columns), dtype=np.float32)
    left @ right
    seconds = []
    for _ in range(_TRIES):
        start = time.perf_counter()
        left @ right
        seconds.append(time.perf_counter() - start)
    return 2.0 * rows * inner * columns / min(seconds)


def _has_bf16() -> bool:
    try:
        flags = Path("/proc/cpuinfo").read_text()
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags


def _accelerator() -> str:
    if shutil.which("nvidia-smi") or Path("/proc/driver/nvidia").exists():
        return "cuda"
    return "mps" if platform.system() == "Darwin" and platform.machine() == "arm64" else ""
