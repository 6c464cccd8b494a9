"""Where a job's worker runs: in a process of its own, or in a thread of this one."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from importlib import import_module
from pathlib import Path

from embedtune_nb.errors import JobError, did_you_mean
from embedtune_nb.store.home import cache_dir
from embedtune_nb.store.job_folder import JobFolder
from embedtune_nb.store.locks import take

# glibc gives large blocks back to the system after every step and faults their pages in again at the
# next one, which costs a training step 10 to 30 % of its time; kept blocks do not
_MALLOC = {"MALLOC_MMAP_THRESHOLD_": str(1 << 32), "MALLOC_TRIM_THRESHOLD_": str(1 << 33)}

# the threads of a matrix product wait for each other by spinning; with any other busy process on the machine
# one of them is off its core, the rest burn theirs, and a step takes 8 times as long. Sleeping costs nothing
_OPENMP = {"OMP_WAIT_POLICY": "PASSIVE"}


def start(folder: JobFolder, executor: str) -> None:
    """Start the worker of *folder* and return at once.

    Parameters
    ----------
    folder
        A complete job folder without a living worker.
    executor
        ``"process"``: own session, survives the kernel, gives its memory back. ``"thread"``: in this
        process, for tiny runs and hosts without processes; it ends with the kernel.

    Raises
    ------
    JobError
        If the executor is unknown or the job has a worker already.
    """
    if executor not in EXECUTORS:
        raise JobError(
            f"There is no executor {executor!r}.",
            expected=" or ".join(map(repr, EXECUTORS)),
            fix=did_you_mean(executor, EXECUTORS) or "use the default, 'process'.",
        )
    descriptor = take(folder.lock)
    if descriptor is None:
        raise JobError(f"Job {folder.id} has a worker already.", fix="attach to it with Job.open(...).")
    folder.stop_flag.unlink(missing_ok=True)
    EXECUTORS[executor](folder, descriptor)


def _start_process(folder: JobFolder, descriptor: int) -> None:
    try:
        with folder.log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "embedtune_nb.worker", str(folder.path)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=folder.path,
                env=_environment(),
                pass_fds=(descriptor,),
                start_new_session=True,  # an interrupt or the end of the kernel must not reach it
            )
    finally:
        os.close(descriptor)
    threading.Thread(target=process.wait, name=f"reap-{folder.id}", daemon=True).start()


def _start_thread(folder: JobFolder, descriptor: int) -> None:
    def work() -> None:
        try:
            import_module("embedtune_nb.worker").run(folder)
        finally:
            os.close(descriptor)

    threading.Thread(target=work, name=f"worker-{folder.id}", daemon=True).start()


def _environment() -> dict[str, str]:
    paths = list(filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep)))
    package_parent = str(Path(__file__).parents[2])
    if package_parent in sys.path and "site-packages" not in package_parent:
        paths.append(package_parent)  # a checkout that only this kernel's sys.path knows
    return {
        **_OPENMP,
        **_MALLOC,
        **os.environ,
        "PYTHONPATH": os.pathsep.join(paths),
        "PYTHONSAFEPATH": "1",  # files in the job folder are data, never modules
        "PYTHONUNBUFFERED": "1",
        "TOKENIZERS_PARALLELISM": "true",
        "NUMBA_CACHE_DIR": str(cache_dir("numba")),
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }


EXECUTORS = {"process": _start_process, "thread": _start_thread}
