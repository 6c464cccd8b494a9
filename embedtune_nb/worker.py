"""Carry out one job: ``python -m embedtune_nb.worker JOB_FOLDER``.

With ``--helper`` it carries out trials of a sweep whose first worker is at work already.

The worker knows nothing of notebooks. It reads the plan and the data snapshot from the job folder,
writes events there, and ends. Everybody else, today or tomorrow, reads the folder.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import traceback
import warnings
from importlib import import_module
from pathlib import Path

from embedtune_nb.errors import EmbedtuneError, JobStoppedError, MemoryRanOutError
from embedtune_nb.store.events import EventWriter, State
from embedtune_nb.store.job_folder import JobFolder

_LEVERS_OF_MEMORY = [
    "lower max_seq_length (cost grows with its square)",
    "lower batch_size",
    "choose a smaller base model",
]
_SIGNS_OF_MEMORY = ("out of memory", "can't allocate memory", "Cannot allocate memory")
_TASKS = {
    "finetune": "embedtune_nb.training.finetune:run_finetune",
    "sweep": "embedtune_nb.sweep.run:run_sweep",
    "publish": "embedtune_nb.sweep.publish_trial:run_publish",
    "evaluate": "embedtune_nb.models.evaluation_job:run_evaluate",
    "merge": "embedtune_nb.training.merge:run_merge",
    "map": "embedtune_nb.maps.of_model:run_map",
}


def run(folder: JobFolder) -> None:
    """Carry out the job in *folder*; whatever happens ends as an event, nothing is raised.

    The caller holds the lock of the folder.
    """
    folder.sign()
    writer = EventWriter(folder.events)
    writer.emit(State("running"))
    told = threading.Event()

    def should_stop() -> bool:
        if folder.stop_flag.exists() and not told.is_set():
            told.set()
            writer.emit(State("stopping"))
        return told.is_set()

    try:
        module, _, function = _TASKS[folder.plan()["kind"]].partition(":")
        task = getattr(import_module(module), function)
        task(folder, writer.emit, should_stop)
        writer.emit(State("done"))
    except JobStoppedError as stop:
        writer.emit(State("stopped", reason=str(stop)))
    except BaseException as cause:
        writer.emit(_failure(cause))
        if isinstance(cause, (KeyboardInterrupt, SystemExit)):
            raise
    finally:
        writer.close()


def _failure(cause: BaseException) -> State:
    detail = "".join(traceback.format_exception(cause))
    if isinstance(cause, MemoryRanOutError):
        return State("failed", reason=cause.found, detail=detail, levers=cause.levers)
    if isinstance(cause, EmbedtuneError):
        return State("failed", reason=str(cause), detail=detail)
    if isinstance(cause, MemoryError) or any(sign in str(cause) for sign in _SIGNS_OF_MEMORY):
        reason = f"The run did not fit into memory: {_first_line(cause)}"
        return State("failed", reason=reason, detail=detail, levers=_LEVERS_OF_MEMORY)
    return State("failed", reason=f"{type(cause).__name__}: {_first_line(cause)}", detail=detail)


def _first_line(cause: BaseException) -> str:
    return (str(cause).strip().splitlines() or ["no message"])[0]


def main(argv: list[str]) -> int:
    """Run the job whose folder is the first argument; its lock was inherited open from the submitter."""
    folder = JobFolder(Path(argv[0]))
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s: %(message)s")
    warnings.simplefilter("default")
    if argv[1:] == ["--helper"]:
        import_module("embedtune_nb.sweep.helpers").help_sweep(folder)
    else:
        run(folder)
    return 0


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    # native threads of torch and numba can hang an ordinary exit; everything is on disk by now
    os._exit(code)
