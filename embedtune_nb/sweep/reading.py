"""Where trials are read from: the folder of the sweep's job or, when that is gone, the model it made."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from embedtune_nb.catalogue import resolve_base
from embedtune_nb.errors import NotFoundError
from embedtune_nb.jobs.job import Job
from embedtune_nb.plan.plan import Plan, Setting
from embedtune_nb.store.job_folder import find
from embedtune_nb.sweep.feed import SweepFeed
from embedtune_nb.sweep.snapshot import TRIALS_FILE, SweepSnapshot, snapshot_of_model
from embedtune_nb.sweep.trial import Trial
from embedtune_nb.sweep.trial_folder import TRIALS, TrialFolder, TrialRecord
from embedtune_nb.sweep.trials import Trials

#: Key in the plan of a job that publishes one trial: which ``trial`` of which sweep's ``job``.
PUBLISHED_TRIAL = "published_trial"


def trials_of_job(job: Job) -> Trials:
    """Return the trials of a sweep as they stand now; of any other job a list without any."""
    if job.kind != "sweep":
        return Trials(job.name, None)
    feed = SweepFeed(job.folder)
    feed.poll()
    folders, ranks = job.folder.path / TRIALS, feed.snapshot.ranks

    def plan_of(folder: TrialFolder) -> Callable[[], Plan]:
        return lambda: Plan.from_json(folder.plan())

    found = [
        _trial(feed.snapshot, ranks, record, plan_of(TrialFolder(folders / record.key)), folders / record.key)
        for record in feed.snapshot.trials
    ]
    return Trials(job.name, feed.snapshot, found, job=job)


def trials_of_model(folder: Path, name: str, job_id: str) -> Trials:
    """Return the trials of the sweep that made the model in *folder*.

    Parameters
    ----------
    folder
        Of the published model.
    name
        It is published under.
    job_id
        The job that made it. While its folder is there, trials can be opened and published too.
    """
    sweep = _sweep_of(job_id)
    if sweep is not None:
        return trials_of_job(sweep)
    if not (folder / TRIALS_FILE).is_file():
        return Trials(name, None)
    snapshot = snapshot_of_model(folder)

    def plan_of(record: TrialRecord) -> Callable[[], Plan]:
        return lambda: _plan_on_record(folder, snapshot, record)

    ranks = snapshot.ranks
    found = [_trial(snapshot, ranks, record, plan_of(record), None) for record in snapshot.trials]
    return Trials(name, snapshot, found)


def _sweep_of(job_id: str) -> Job | None:
    """Return the sweep that a job was, or whose trial it published; None if its folder is gone."""
    try:
        job = Job(find(job_id))
        if job.kind == "publish":
            job = Job(find(job.plan[PUBLISHED_TRIAL]["job"]))
    except NotFoundError:
        return None
    return job if job.kind == "sweep" and (job.folder.path / TRIALS).is_dir() else None


def _trial(
    snapshot: SweepSnapshot,
    ranks: dict[str, int],
    record: TrialRecord,
    read_plan: Callable[[], Plan],
    folder: Path | None,
) -> Trial:
    return Trial(
        record=record,
        curves=snapshot.curves.get(record.key, {}),
        rank=ranks.get(record.key),
        dimensions=snapshot.dimensions,
        read_plan=read_plan,
        folder=None if folder is None else TrialFolder(folder),
    )


def _plan_on_record(folder: Path, snapshot: SweepSnapshot, record: TrialRecord) -> Plan:
    """Return the plan of a trial whose folder is gone: that of the winner with its own settings."""
    winner = Plan.from_json(json.loads((folder / "embedtune.json").read_text())["plan"])
    settings = {name: Setting(**setting) for name, setting in snapshot.settings[record.key].items()}
    base = winner.base
    if "base_model" in record.values:
        base = resolve_base(record.values["base_model"]).to_dict()
    return replace(winner, settings=settings, base=base, code=snapshot.codes[record.key])
