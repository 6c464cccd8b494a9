"""The studio's fourth step: the job, live."""

from __future__ import annotations

from typing import Any

import ipywidgets

from embedtune_nb.evaluation.figures import figures
from embedtune_nb.jobs.feed import unit_of
from embedtune_nb.jobs.job import Job
from embedtune_nb.widgets.job_view import view_of
from embedtune_nb.widgets.studio_follow import Follower
from embedtune_nb.widgets.studio_parts import complaint, heading, say, small
from embedtune_nb.widgets.studio_state import JobLine
from embedtune_nb.widgets.studio_view import Desk, StepView, show_html, styled

_CAN_GO_ON = ("stopped", "failed", "lost")


class WatchStep(StepView):
    """Shows the monitor of the job, and hears of its progress for the rail."""

    key = "watch"

    def __init__(self, desk: Desk, ended: Any) -> None:
        super().__init__(desk)
        self.job: Job | None = None
        self._ended = ended
        self._follower: Follower | None = None
        self._notes, self._empty, self._problem = ipywidgets.HTML(), ipywidgets.HTML(), ipywidgets.HTML()
        self._stage = ipywidgets.VBox()
        self._go_on = ipywidgets.Button(
            description="Carry on", tooltip="Carry on this job from its last checkpoint"
        )
        self._actions = styled(ipywidgets.Box((self._go_on,)), "etn-row")
        self.box.children = (
            ipywidgets.HTML(heading("Watch")),
            self._notes,
            self._empty,
            self._stage,
            self._problem,
            self._actions,
        )
        self.click(self._go_on, self._carry_on)

    def show(self, job: Job) -> None:
        """Show *job* and follow it; call it while holding the lock."""
        self._leave()
        self.job = job
        show_html(self._problem, "")
        self._stage.children = (view_of(job),)
        self._follower = Follower(job, self._changed)

    def refresh(self) -> None:
        """Show what is to be said about the job beside its monitor."""
        state = self.state
        line = state.job
        show_html(self._notes, "".join(say(note) for note in state.job_notes))
        show_html(self._empty, "" if line else small("Nothing is running yet. Press Train in the step Plan."))
        self._actions.layout.display = "" if line and line.state in _CAN_GO_ON else "none"

    def wait(self, timeout: float | None = None) -> None:
        """Wait until the job's end has arrived here."""
        if self._follower is not None:
            self._follower.wait(timeout)

    def close(self) -> None:
        """End the following and the monitor; the job goes on."""
        self._leave()

    def _changed(self, snapshot: Any) -> None:
        line = JobLine(
            snapshot.name,
            snapshot.state,
            snapshot.steps_completed,
            snapshot.steps_total,
            snapshot.reason.splitlines()[0] if snapshot.reason else "",
            _verdict_line(snapshot.verdict),
            unit_of(snapshot.kind),
        )
        with self.desk.lock:
            if line == self.state.job:
                return
            self.state.job = line
            if snapshot.state == "done":
                self._ended()
            self.desk.refresh()

    def _carry_on(self) -> None:
        job = self.job
        self._go_on.disabled = True

        def go_on() -> Job:
            # what was shown may be old: another kernel can have carried it on, or brought it to its end
            return job.resume() if job.status in _CAN_GO_ON else job

        self.desk.ask("carry on", go_on, self._carried_on, self._not_carried_on)

    def _carried_on(self, job: Job) -> None:
        self._go_on.disabled = False
        self.state.job_notes = (f"Carrying on job {job.id}.",)
        self.show(job)

    def _not_carried_on(self, problem: Exception) -> None:
        self._go_on.disabled = False
        show_html(self._problem, complaint(problem))

    def _leave(self) -> None:
        if self._follower is not None:
            self._follower.close()
        for monitor in self._stage.children:
            monitor.close()


def _verdict_line(verdict: dict[str, Any] | None) -> str:
    if not verdict:
        return ""
    return f"{verdict['answer'].capitalize()}: {figures(verdict)['difference']}"
