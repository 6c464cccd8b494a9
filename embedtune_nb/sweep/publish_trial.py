"""Publish one trial of a sweep under a name of its own: judged as the winner was."""

from __future__ import annotations

from collections.abc import Callable

from embedtune_nb.data.split import Split
from embedtune_nb.errors import NotFoundError
from embedtune_nb.plan.plan import Plan
from embedtune_nb.store.events import Event
from embedtune_nb.store.job_folder import JobFolder, find
from embedtune_nb.sweep.feed import SweepFeed
from embedtune_nb.sweep.reading import PUBLISHED_TRIAL
from embedtune_nb.sweep.trial_folder import TRIALS, TrialFolder
from embedtune_nb.sweep.winner import publish_winner


def run_publish(folder: JobFolder, emit: Callable[[Event], None], should_stop: Callable[[], bool]) -> None:
    """Judge and publish the kept weights of a trial; carries out jobs of the kind ``"publish"``.

    Parameters
    ----------
    folder
        Of the job, with a copy of the sweep's data.
    emit
        Takes the events.
    should_stop
        Asked between batches.

    Raises
    ------
    NotFoundError
        If the weights, or the whole sweep, are gone by now.
    """
    plan = folder.plan()
    wanted = plan[PUBLISHED_TRIAL]
    sweep = find(wanted["job"])
    trial = TrialFolder(sweep.path / TRIALS / wanted["trial"])
    if not trial.weights.is_dir():
        raise NotFoundError(
            f"The weights of trial {wanted['trial']} are gone: a sweep keeps those of its best trials.",
            fix="train it again: trial.train_again(...).",
        )
    feed = SweepFeed(sweep)
    feed.poll()
    publish_winner(
        folder,
        Plan.from_json(plan),
        Split.read(folder.data),
        trial,
        emit=emit,
        should_stop=should_stop,
        trials=[record.to_json() for record in feed.snapshot.trials],
        decision=feed.snapshot.decision or {},
    )
