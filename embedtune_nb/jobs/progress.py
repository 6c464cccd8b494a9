"""A plain progress bar for jobs whose curves nobody watches: maps, evaluations, merges, one run of many."""

from __future__ import annotations

import time

from embedtune_nb.jobs.job import Job

_POLL_SECONDS = 0.1


def show_progress(job: Job, what: str = "") -> Job:
    """Show phase and progress of *job* until it has ended; a cell interrupt ends the showing only.

    Parameters
    ----------
    job
        The job to wait for.
    what
        Shown before the bar. Default: its kind.
    """
    from tqdm.auto import tqdm

    feed = job.feed()
    feed.poll()
    if feed.snapshot.ended:
        return job
    with tqdm(total=1, leave=False, bar_format="{desc} {bar} {n_fmt}/{total_fmt}") as bar:
        while not feed.snapshot.ended:
            if feed.poll():
                snapshot = feed.snapshot
                bar.set_description_str(f"{what or job.kind}: {snapshot.phase or 'starting'}", refresh=False)
                if snapshot.phase == "training":
                    bar.total, bar.n = max(1, snapshot.steps_total), snapshot.steps_completed
                else:
                    bar.total, bar.n = max(1, snapshot.phase_total), snapshot.phase_done
                bar.refresh()
            time.sleep(_POLL_SECONDS)
    return job
