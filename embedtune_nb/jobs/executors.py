"""Where a job's worker runs: in a process of its own, or in a thread of this one."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from importlib import import_module

from embedtune_nb.errors import JobError
from embedtune_nb.store.environment import child_environment
from embedtune_nb.store.job_folder import JobFolder
from embedtune_nb.store.locks import take


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
        If the job has a worker already.
    """
    if not folder.path.is_dir():
        raise JobError(f"The folder of job {folder.id} was deleted.", fix="start it again with finetune().")
    descriptor = take(folder.lock)
    if descriptor is None:
        raise JobError(f"Job {folder.id} has a worker already.", fix="attach to it with Job.open(...).")
    folder.stop_flag.unlink(missing_ok=True)
    _STARTERS[executor](folder, descriptor)


def _start_process(folder: JobFolder, descriptor: int) -> None:
    try:
        with folder.log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "embedtune_nb.worker", str(folder.path)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=folder.path,
                env=child_environment(),
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


_STARTERS = {"process": _start_process, "thread": _start_thread}
