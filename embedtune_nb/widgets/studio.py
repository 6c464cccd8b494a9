"""The way from a table to a tuned model without writing code, and the code for all of it."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

import ipywidgets

from embedtune_nb.catalogue import resolve_base
from embedtune_nb.data.datasource import Datasource
from embedtune_nb.errors import ModelUnavailableError
from embedtune_nb.jobs.job import Job
from embedtune_nb.models.finetuned import FinetunedEmbeddingModel
from embedtune_nb.plan.plan import Plan
from embedtune_nb.plan.resolve import resolve
from embedtune_nb.widgets.errands import Errands
from embedtune_nb.widgets.studio_data import DataStep
from embedtune_nb.widgets.studio_model import ModelStep
from embedtune_nb.widgets.studio_parts import CodeLine, StudioRail
from embedtune_nb.widgets.studio_plan import PlanStep, standing_of, start_job
from embedtune_nb.widgets.studio_result import ResultStep
from embedtune_nb.widgets.studio_state import STEPS, JobLine, Standing, StudioState
from embedtune_nb.widgets.studio_summaries import step_lines
from embedtune_nb.widgets.studio_view import Desk, Form, column, styled
from embedtune_nb.widgets.studio_watch import WatchStep


class Studio(ipywidgets.VBox):
    """Pick the data, pick the loss, read the plan, press Train, watch, compare; copy the code that does it.

    Parameters
    ----------
    namespace
        Where to look for DataFrames and Datasources; the notebook's variables by default.

    Examples
    --------
    >>> studio = Studio()  # doctest: +SKIP
    >>> studio  # choose and train in the notebook, then  # doctest: +SKIP
    >>> studio.model.verdict  # doctest: +SKIP
    """

    def __init__(self, namespace: Mapping[str, Any] | None = None) -> None:
        self.state = StudioState()
        self._desk = Desk(self.state, Errands(), self._refresh)
        self._rail, self._code_line = StudioRail(), CodeLine()
        self._next = ipywidgets.Button(tooltip="Go to the next step")
        self._planned_for: Any = None
        self._standing_for: Any = None
        with self._desk.lock:
            self._watch, self._result = WatchStep(self._desk, self._open_result), ResultStep(self._desk)
            self._steps = {
                "data": DataStep(self._desk, namespace),
                "model": ModelStep(self._desk),
                "plan": PlanStep(self._desk, self._train),
                "watch": self._watch,
                "result": self._result,
            }
            boxes = [step.box for step in self._steps.values()]
            onward = styled(column(self._next), "etn-studio-next")
            stage = styled(ipywidgets.VBox([*boxes, onward]), "etn-studio-stage")
            frame = styled(ipywidgets.Box((self._rail, stage)), "etn-studio-frame")
            super().__init__((frame, self._code_line))
            styled(self, "etn-root", "etn-studio")
            self._form = Form(self._desk.lock)
            self._form.hear(self._rail, "current", self._go)
            self._form.click(self._next, lambda: self._go(self._following()))
            self._refresh()

    # The twins of the screen ---------------------------------------------------------------------------

    @property
    def datasource(self) -> Datasource | None:
        """The data that was picked; None while nothing is, or it needs attention."""
        return self.state.datasource

    @property
    def plan(self) -> Plan | None:
        """The plan of the present choices."""
        return self.state.plan

    @property
    def job(self) -> Job | None:
        """The job that Train started or attached to."""
        return self._watch.job

    @property
    def model(self) -> FinetunedEmbeddingModel | None:
        """The tuned model, once the job is done."""
        return self._result.model

    @property
    def code(self) -> str:
        """The Python that does what the screen shows."""
        return self.state.code

    @property
    def step(self) -> str:
        """The step that is shown: ``data``, ``model``, ``plan``, ``watch`` or ``result``; may be set."""
        return self.state.step

    @step.setter
    def step(self, step: str) -> None:
        with self._desk.lock:
            self._go(step)

    def wait(self, timeout: float | None = None) -> Studio:
        """Wait until everything asked for so far is read, planned or started (not until a job ends)."""
        self._desk.errands.settle(timeout)
        return self

    def close(self) -> None:
        """Remove it from the page; a running job goes on."""
        self._desk.errands.close()
        for step in self._steps.values():
            step.close()
        super().close()

    def __repr__(self) -> str:
        lines = [f"{line['title']}: {line['summary']} ({line['word']})" for line in step_lines(self.state)]
        return "\n  ".join(["Studio", *lines])

    def fallback_html(self) -> str:
        """Return the steps and the code, for places that show no widgets."""
        lines = "".join(
            f"<li><b>{escape(line['title'])}</b> ({escape(line['word'])}): {escape(line['summary'])}</li>"
            for line in step_lines(self.state)
        )
        return f"<div><ol>{lines}</ol><pre>{escape(self.code)}</pre></div>"

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        bundle = super()._repr_mimebundle_(**kwargs)
        if bundle is not None:
            bundle["text/html"] = self.fallback_html()
        return bundle

    # What happens --------------------------------------------------------------------------------------

    def _go(self, step: str) -> None:
        self.state.go(step)
        self._refresh()

    def _refresh(self) -> None:
        self._keep_plan()
        self._keep_standing()
        with self._form.filling():
            self._rail.steps, self._rail.current = step_lines(self.state), self.state.step
        self._code_line.code = self.state.code
        for key, step in self._steps.items():
            step.refresh()
            step.box.layout.display = "" if key == self.state.step else "none"
        following = self._following()
        self._next.layout.display = "" if following else "none"
        self._next.description = f"Next: {STEPS[following]}" if following else ""

    def _following(self) -> str:
        """The step that Next goes to; from the plan it is Train that leads on."""
        keys = list(STEPS)
        place = keys.index(self.state.step)
        return "" if self.state.step in ("plan", keys[-1]) else keys[place + 1]

    def _keep_plan(self) -> None:
        """Ask for a plan if the choices are others than those that one was asked for."""
        state = self.state
        if not state.planning:
            self._planned_for = None
            return
        wish = (state.datasource.fingerprint, state.base_name, state.loss, repr(state.hyperparams))
        if wish == self._planned_for:
            return
        self._planned_for = wish
        source, base_name, loss, given = state.datasource, state.base_name, state.loss, state.hyperparams

        def make() -> Plan:
            plan, _ = resolve(resolve_base(base_name), source, name="draft", loss=loss, hyperparams=given)
            return plan

        self._desk.ask("plan", make, state.planned, self._no_plan)

    def _no_plan(self, problem: Exception) -> None:
        self.state.plan_refused(problem, of_base=isinstance(problem, ModelUnavailableError))

    def _keep_standing(self) -> None:
        """Find out what stands under the name, if name, plan or job are others than before."""
        state = self.state
        if state.name_problem is not None:
            state.stands(Standing())
            self._standing_for = None
            return
        about = (state.name, state.plan and state.plan.recipe_fingerprint, state.job and state.job.state)
        if about == self._standing_for:
            return
        self._standing_for = about
        name, plan = state.name, state.plan
        self._desk.ask("standing", lambda: standing_of(name, plan), state.stands, state.stands_unknown)

    def _train(self) -> None:
        state = self.state
        if state.missing:
            self._refresh()
            return
        wish = (state.base_name, state.name, state.datasource, state.loss, state.hyperparams)
        state.starting, state.start_problem = True, None
        self._desk.ask("train", lambda: start_job(*wish), self._started, state.start_refused)
        self._refresh()

    def _started(self, result: tuple[Job, tuple[str, ...]]) -> None:
        job, notes = result
        self._result.forget()
        self.state.started(JobLine(job.name, job.status), notes)
        self._watch.show(job)

    def _open_result(self) -> None:
        self._desk.ask("open", self._watch.job.result, self._opened, self._not_opened)

    def _opened(self, model: FinetunedEmbeddingModel) -> None:
        self.state.published = model.name
        self._result.show(model)

    def _not_opened(self, problem: Exception) -> None:
        self.state.result_problem = problem
