"""More workers for one sweep: processes that only carry out trials, and end when the first worker does."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from embedtune_nb.data.split import Split
from embedtune_nb.encoder.threads import choose_threads, use_threads
from embedtune_nb.errors import JobStoppedError
from embedtune_nb.plan.plan import Plan
from embedtune_nb.plan.settle import Reader
from embedtune_nb.plan.trial import plan_of_trial
from embedtune_nb.store.environment import child_environment
from embedtune_nb.store.job_folder import JobFolder
from embedtune_nb.sweep.carry_out import Worker
from embedtune_nb.sweep.claims import Claims

_IDLE_SECONDS = 0.5
_GRACE_SECONDS = 20


class Helpers:
    """The further workers of a sweep, as its first worker sees them.

    Parameters
    ----------
    folder
        Of the job.
    shares
        The share of the machine that each of them has, as :func:`shares_of_machine` returned it.
    """

    def __init__(self, folder: JobFolder, shares: Sequence[Mapping[str, str]]) -> None:
        self.count = len(shares)
        self._processes = [_start(folder, share) for share in shares]

    def died(self) -> int:
        """Return how many ended by themselves since the last call, which none is meant to."""
        dead = [process for process in self._processes if process.poll() is not None]
        self._processes = [process for process in self._processes if process not in dead]
        return len(dead)

    def end(self) -> None:
        """Have them stop their trials, and wait for it."""
        for process in self._processes:
            assert process.stdin is not None, "it was started with a pipe"
            process.stdin.close()
        for process in self._processes:
            try:
                process.wait(_GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._processes = []


def shares_of_machine(workers: int) -> list[dict[str, str]]:
    """Return, for each of so many workers, the environment in which it has its share of cores and GPUs."""
    import torch

    asked = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
    devices = asked or [str(number) for number in range(torch.cuda.device_count())]
    threads = str(max(1, choose_threads().value // workers))
    shares = [{"OMP_NUM_THREADS": threads} for _ in range(workers)]
    if devices and workers > 1:
        for place, share in enumerate(shares):
            share["CUDA_VISIBLE_DEVICES"] = devices[place % len(devices)]
    return shares


def help_sweep(folder: JobFolder) -> None:
    """Carry out trials of the sweep in *folder* until its first worker closes this one's input."""
    alone = threading.Event()
    threading.Thread(target=_wait_for_end, args=(alone,), daemon=True).start()

    def should_stop() -> bool:
        return alone.is_set() or folder.stop_flag.exists()

    use_threads(choose_threads())
    sweep, split = Plan.from_json(folder.plan()), Split.read(folder.data)
    worker = Worker(Claims(folder, sweep, trial_plans(sweep, split)), sweep, split, should_stop)
    try:
        while not alone.wait(_IDLE_SECONDS):
            for _ in worker.trials():
                pass
            for _ in worker.confirming_runs():
                pass
    except JobStoppedError:
        pass


def trial_plans(sweep: Plan, split: Split) -> Callable[[Mapping[str, Any], int | None], Plan]:
    """Return what resolves the plan of one trial from its values and its seed, None for the sweep's own."""
    reader = Reader()
    return lambda values, seed: plan_of_trial(sweep, split, values, seed=seed, reader=reader)


def _start(folder: JobFolder, share: Mapping[str, str]) -> subprocess.Popen[bytes]:
    with folder.log.open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "embedtune_nb.worker", str(folder.path), "--helper"],
            stdin=subprocess.PIPE,  # closed by the end of this process, whatever ends it
            stdout=log,
            stderr=log,
            cwd=folder.path,
            env={**child_environment(), **share},
        )


def _wait_for_end(alone: threading.Event) -> None:
    while os.read(0, 1024):
        pass
    alone.set()
