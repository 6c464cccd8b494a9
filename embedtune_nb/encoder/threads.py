"""How many threads the arithmetic gets."""

from __future__ import annotations

import math
import os

from embedtune_nb.encoder.choice import Choice
from embedtune_nb.plan.machine import cpu_quota


def choose_threads() -> Choice:
    """Return the number of threads for torch: one for each core that this process may really use.

    Torch counts the cores of the machine. In a container it may own fewer, by affinity or by a CPU
    quota of the control group; more threads than cores then wait for each other.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    asked = os.environ.get("OMP_NUM_THREADS", "")
    if asked.isdigit() and int(asked) > 0:
        return Choice(int(asked), "OMP_NUM_THREADS says so")
    quota = cpu_quota()
    if quota is not None and quota < cores:
        return Choice(max(1, math.floor(quota)), f"the container's CPU quota is {quota:g} of {cores} cores")
    return Choice(max(1, cores), f"this process may use {cores} cores")


def use_threads(choice: Choice) -> None:
    """Make torch compute with the chosen number of threads."""
    import torch

    torch.set_num_threads(choice.value)
