"""Which widget shows a job."""

from __future__ import annotations

from typing import Any

from embedtune_nb.widgets.monitor import TrainingMonitor
from embedtune_nb.widgets.trial_browser import TrialBrowser


def view_of(job: Any) -> TrainingMonitor | TrialBrowser:
    """Return a browser of trials for a sweep, a monitor for any other job."""
    return TrialBrowser(job) if getattr(job, "kind", "") == "sweep" else TrainingMonitor(job)
