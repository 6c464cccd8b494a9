"""The folder where kernel and worker meet: what was asked, what happened, what came of it."""

from __future__ import annotations

import json
import os
import platform
import secrets
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import psutil

from embedtune_nb.errors import NotFoundError, StoreError
from embedtune_nb.store.home import jobs_folder, writable_folder


@dataclass(frozen=True)
class JobFolder:
    """Paths inside one job's folder.

    Parameters
    ----------
    path
        ``home()/jobs/<id>``.
    """

    path: Path

    @property
    def id(self) -> str:
        """The job's id: its name and when it was asked for."""
        return self.path.name

    @property
    def plan_file(self) -> Path:
        """The frozen plan."""
        return self.path / "plan.json"

    @property
    def data(self) -> Path:
        """The data snapshot."""
        return self.path / "data"

    @property
    def events(self) -> Path:
        """What happened, one JSON object a line."""
        return self.path / "events.jsonl"

    @property
    def log(self) -> Path:
        """Whatever the worker and its libraries printed."""
        return self.path / "log.txt"

    @property
    def lock(self) -> Path:
        """Held by the worker as long as it lives."""
        return self.path / "worker.lock"

    @property
    def stop_flag(self) -> Path:
        """Its presence asks the worker to end early."""
        return self.path / "stop"

    def plan(self) -> dict[str, Any]:
        """Read the plan.

        Raises
        ------
        NotFoundError
            If the folder was deleted.
        """
        try:
            return json.loads(self.plan_file.read_text())
        except FileNotFoundError:
            raise NotFoundError(
                f"The folder of job {self.id} was deleted: there is no {self.plan_file}.",
                fix="FinetunedEmbeddingModel.open(name) opens the model, if the job made one.",
            ) from None

    def has_plan(self) -> bool:
        """Return whether the plan can be read; a power cut can leave it empty."""
        try:
            return {"kind", "name"} <= set(self.plan())
        except (OSError, ValueError, TypeError):
            return False

    def worker(self) -> dict[str, Any]:
        """Return who carries the job out (see :func:`this_process`), empty before a worker spoke."""
        try:
            return json.loads((self.path / "worker.json").read_text())
        except (OSError, ValueError):
            return {}

    def sign(self) -> None:
        """Record this process as the one that carries the job out."""
        temporary = self.path / "worker.json.tmp"
        temporary.write_text(json.dumps(this_process()))
        temporary.replace(self.path / "worker.json")


def new_job_id(name: str) -> str:
    """Return an id that no job has: the name, the time, four random digits."""
    stamp = datetime.now(timezone.utc).strftime("%Y%m%d-%H%M%S")
    return f"{name}-{stamp}-{secrets.token_hex(2)}"


def create(
    name: str, plan: dict[str, Any], write_data: Callable[[Path], object], *, job_id: str | None = None
) -> JobFolder:
    """Make the folder of a new job; it appears under its id only when it is complete.

    Parameters
    ----------
    name
        A checked name; the id begins with it.
    plan
        JSON-able.
    write_data
        Called with the folder for the data snapshot.
    job_id
        Of a job whose folder was deleted, or from :func:`new_job_id`; None makes a new one.

    Raises
    ------
    StoreError
        If the home folder cannot be written.
    """
    jobs = writable_folder("jobs")
    job_id = job_id or new_job_id(name)
    temporary = jobs / f".tmp-{job_id}"
    try:
        (temporary / "data").mkdir(parents=True)
        write_data(temporary / "data")
        with (temporary / "plan.json").open("w") as file:
            json.dump(plan, file, indent=1, ensure_ascii=False)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(jobs / job_id)
    except OSError as cause:
        free = shutil.disk_usage(jobs).free
        raise StoreError(
            f"Could not write the job's data to {jobs}: {cause.strerror or cause} ({free:,} bytes free).",
            fix="free space there, or set EMBEDTUNE_HOME to another folder.",
        ) from cause
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return JobFolder(jobs / job_id)


def job_folders() -> list[JobFolder]:
    """Return all jobs of this home, oldest first; folders without a readable plan are passed over."""
    jobs = jobs_folder()
    if not jobs.is_dir():
        return []
    found = [JobFolder(path) for path in jobs.iterdir() if not path.name.startswith(".")]
    return sorted(
        (folder for folder in found if folder.has_plan()),
        key=lambda folder: folder.plan_file.stat().st_mtime_ns,
    )


def find(job_id: str) -> JobFolder:
    """Return the job with this id.

    Raises
    ------
    NotFoundError
        If there is none; the message lists the latest ones.
    """
    folders = job_folders()
    for folder in folders:
        if folder.id == job_id:
            return folder
    latest = ", ".join(folder.id for folder in folders[-5:][::-1]) or "none"
    raise NotFoundError(
        f"No job {job_id!r} in {jobs_folder()}.",
        expected=f"an id or a name of Job.all(); the latest: {latest}",
        fix="check the name, and whether EMBEDTUNE_HOME is the one the job was started with.",
    )


def this_process() -> dict[str, Any]:
    """Return what identifies this process beyond its number, which another may carry tomorrow."""
    process = psutil.Process()
    return {
        "pid": process.pid,
        "start": process.create_time(),
        "host": platform.node(),
        "boot_id": _first_line(Path("/proc/sys/kernel/random/boot_id")),
        "pid_namespace": _link(Path("/proc/self/ns/pid")),
        "python": platform.python_version(),
    }


def _first_line(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def _link(path: Path) -> str:
    try:
        return str(path.readlink())
    except OSError:
        return ""
