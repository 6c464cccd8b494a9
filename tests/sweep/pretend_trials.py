"""Trials that train nothing: what a sweep does around them is real, and takes milliseconds, not seconds.

Workers run in processes that are forked from one which has imported everything, so that a test can afford to
kill a dozen of them.
"""

from __future__ import annotations

import json
import math
import multiprocessing
import os
import sys
import time
from pathlib import Path

import optuna

from embedtune_nb.jobs.job import submit
from embedtune_nb.store.events import EventReader
from embedtune_nb.sweep.studies import open_storage
from embedtune_nb.sweep.trial_folder import COUNTED, trial_folders

SPACE = {"learning_rate": (1e-5, 1e-2), "batch_size": [8, 16]}
WORDS = ["apple", "pear", "plum", "cherry", "grape", "lemon", "iron", "gold", "lead", "zinc", "tin", "brass"]
LOG = "carried_out.txt"
# by the process that workers are forked from; what Optuna imports only when it is needed among them
_IMPORTED = [
    "embedtune_nb.worker",
    "embedtune_nb.sweep.run",
    "optuna.storages._rdb.storage",
    "optuna._gp.acqf",
    "optuna._gp.optim_mixed",
    "scipy.stats",
]
PAUSE = "seconds_per_trial.txt"


def score(values, seed):
    """Best at a learning rate of 1e-3, and a little luckier with the sweep's own seed."""
    luck = 0.02 if seed == 42 else 0.001 * (seed % 2)
    return 0.9 - 0.1 * abs(math.log10(values["learning_rate"]) + 3) - 0.002 * values["batch_size"] + luck


def run_trial(folder, plan, split, shared, *, should_stop, on_value=lambda fraction, value: None):
    """Do as the real one does, as far as files and exceptions go; see there."""
    from embedtune_nb.errors import JobStoppedError
    from embedtune_nb.store.events import EventWriter, Metrics
    from embedtune_nb.sweep.run_trial import PrunedError, TrialOutcome

    job = folder.path.parent.parent
    log(job, f"begin {folder.path.name} {os.getpid()}")
    values = {name: plan[name] for name in SPACE}
    reached = score(values, plan["seed"])
    folder.events.unlink(missing_ok=True)
    writer = EventWriter(folder.events)
    try:
        for step in range(1, 11):
            time.sleep(float((job / PAUSE).read_text()) / 10)
            if should_stop():
                raise JobStoppedError(f"Stopped at step {step} of 10.")
            value = reached - 0.05 * (10 - step) / 10
            writer.emit(Metrics(step, step / 10, {"eval/accuracy": value}))
            on_value(step / 10, value)
    except PrunedError as pruned:
        return TrialOutcome(value, {"accuracy": value}, step, step, 10, pruned.found)
    finally:
        writer.close()
    folder.weights.mkdir(exist_ok=True)
    (folder.weights / "weights.txt").write_text(str(reached))
    log(job, f"end {folder.path.name}")
    return TrialOutcome(reached, {"accuracy": reached}, 10, 10, 10)


def publish_winner(job, plan, split, trial, *, emit, should_stop, trials, decision, replace=False):
    """Publish a folder with a record, as far as the sweep looks at one."""
    from embedtune_nb.store.events import Published
    from embedtune_nb.store.home import models_folder
    from embedtune_nb.store.publish import publish

    target = models_folder() / plan.name
    if target.is_dir() and not replace:
        emit(Published(plan.name, str(target)))
        return

    def build(folder: Path) -> None:
        facts = {"job": job.id, "sweep": {"trial": decision["winner"]}, "plan": plan.to_json()}
        (folder / "embedtune.json").write_text(json.dumps(facts))
        (folder / "weights.txt").write_text((trial.weights / "weights.txt").read_text())

    publish(target, build, replace=replace)
    log(job.path, f"published {decision['winner']}")
    emit(Published(plan.name, str(target)))


def log(job: Path, line: str) -> None:
    """Note what was carried out; whole lines, whoever is killed meanwhile."""
    descriptor = os.open(job / LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(descriptor, f"{line}\n".encode())
    os.close(descriptor)


def logged(job: Path, word: str, place: int = 1) -> list[str]:
    """Return what was noted with *word*, at that place of its line."""
    lines = (job / LOG).read_text().splitlines() if (job / LOG).exists() else []
    return [line.split()[place] for line in lines if line.split()[0] == word]


def fruit_and_metal():
    """Return 144 short labelled texts."""
    import pandas as pd

    from embedtune_nb.data.datasource import Datasource

    labels = ["fruit"] * 6 + ["metal"] * 6
    rows = [
        (f"the {first} and {second}", label)
        for first, label in zip(WORDS, labels, strict=True)
        for second in WORDS
    ]
    return Datasource.from_pandas(pd.DataFrame(rows, columns=["text", "label"]))


def install(patch=setattr) -> None:
    """Put these trials in the place of the real ones."""
    from embedtune_nb.sweep import carry_out, run

    patch(carry_out, "run_trial", run_trial)
    patch(run, "publish_winner", publish_winner)


def new_sweep(data, base, name="sweep", *, trial_count=9, seconds=0.0, **hyperparams):
    """Make the folder of a sweep."""
    from embedtune_nb.catalogue import resolve_base
    from embedtune_nb.plan.resolve import resolve
    from embedtune_nb.store.job_folder import create

    asked = {**SPACE, "epochs": 1, "trial_workers": 1, **hyperparams}
    plan, split = resolve(
        resolve_base(str(base)),
        data,
        name=name,
        trial_count=trial_count,
        hyperparams=asked,
        executor="thread",
    )
    folder = create(name, plan.to_json(), split.write)
    (folder.path / PAUSE).write_text(str(seconds))
    return folder


def start_worker(folder, *, helper=False):
    """Start a worker in a process of its own; the first one, or one that helps it."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_IMPORTED)
    process = context.Process(
        target=_work, args=(str(folder.path), os.environ["EMBEDTUNE_HOME"], helper), daemon=True
    )
    process.start()
    return process


def _work(path: str, home: str, helper: bool) -> None:
    os.environ["EMBEDTUNE_HOME"] = home
    from embedtune_nb import worker
    from embedtune_nb.store.job_folder import JobFolder
    from embedtune_nb.store.locks import take

    install()
    if helper:
        reading, _ = os.pipe()  # whose other end stays open, so that it helps until it is killed
        os.dup2(reading, 0)
        worker.main([path, "--helper"])
    else:
        lock = take(JobFolder(Path(path)).lock)
        assert lock is not None, "one first worker at a time"
        worker.main([path])
    sys.stdout.flush()
    os._exit(0)


def run(folder):
    """Carry the sweep out in a thread and wait for its end."""
    return submit(folder, "thread").wait(120)


def records(folder, *, confirming=False):
    """Return the trials as they stand, or the runs that confirm them."""
    found = [one.record() for one in trial_folders(folder.path)]
    return [one for one in found if (one.confirms is not None) == confirming]


def counted(folder):
    """Return how much of the budget is used up."""
    return sum(one.state in COUNTED for one in records(folder))


def events(folder, kind):
    """Return the events of one kind."""
    return [event for event in EventReader(folder.events).new() if event["type"] == kind]


def study_of(folder):
    """Return the study as anybody who knows Optuna would open it."""
    return optuna.load_study(study_name=folder.id, storage=open_storage())


def until(happened, seconds=180):
    """Wait for something to be true."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)
