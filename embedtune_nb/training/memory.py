"""How much memory there is, how much a backward pass will keep, and what running out of it looks like."""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import torch
from torch import Tensor, nn

from embedtune_nb.errors import EmbedtuneError

#: What torch and its backends say when memory is gone but no OutOfMemoryError is raised.
_SIGNS = (
    "out of memory",
    "can't allocate memory",
    "cannot allocate memory",
    "not enough memory",
    "alloc_failed",
    "bad_alloc",
)
#: What oneDNN says, and no more, when it gets no memory for a matrix product.
_ONEDNN = "could not create a primitive"
_CONTROL_GROUPS = (
    # unified hierarchy, then the memory controller of the older one
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current", "/sys/fs/cgroup/memory.stat"),
    (
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
        "/sys/fs/cgroup/memory/memory.usage_in_bytes",
        "/sys/fs/cgroup/memory/memory.stat",
    ),
)


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether *error*, none of this package's own, says that memory ran out, on any device."""
    if isinstance(error, EmbedtuneError):
        return False
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    words = str(error).strip().casefold()
    return isinstance(error, RuntimeError) and (words == _ONEDNN or any(sign in words for sign in _SIGNS))


def available_bytes(device: torch.device) -> int | None:
    """Return the memory that this process could still take on *device*; ``None`` where nobody can tell.

    A container may own less than the machine has free, so its limit counts too.
    """
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    if device.type == "mps":
        return torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory()
    if device.type != "cpu":
        return None
    free = psutil.virtual_memory().available
    return min([free, *(left for files in _CONTROL_GROUPS if (left := _left_in_group(*files)) is not None)])


def release(device: torch.device) -> None:
    """Give back what nobody uses any more, before a second attempt."""
    gc.collect()
    if sys.platform == "linux":
        # a worker's allocator keeps what is freed, in pieces that larger blocks may not fit
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()


class Kept:
    """Counts the bytes that autograd keeps for the backward pass."""

    def __init__(self, weights: nn.Module) -> None:
        # what is there anyway costs nothing more
        self._seen = {tensor.untyped_storage().data_ptr() for tensor in weights.state_dict().values()}
        self.bytes = 0

    def see(self, tensor: Tensor) -> Tensor:
        """Count *tensor*, once for all views of the same memory."""
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in self._seen:
            self._seen.add(storage.data_ptr())
            self.bytes += storage.nbytes()
        return tensor


@contextmanager
def kept_for_backward(weights: nn.Module) -> Iterator[Kept]:
    """Count what the operations inside the block keep for their backward pass, *weights* left out.

    Results must stay alive until the block ends, or memory used twice is counted once.
    """
    kept = Kept(weights)
    with torch.autograd.graph.saved_tensors_hooks(kept.see, lambda tensor: tensor):
        yield kept


def _left_in_group(limit: str, used: str, statistics: str) -> int | None:
    """Return what a control group may still take; its cached files can be dropped and do not count."""
    try:
        most, taken = Path(limit).read_text().strip(), int(Path(used).read_text())
        lines = [line.split() for line in Path(statistics).read_text().splitlines()]
    except (OSError, ValueError):
        return None
    if most == "max":
        return None
    files = next((int(number) for name, number in lines if name == "inactive_file"), 0)
    return max(0, int(most) - taken + files)
