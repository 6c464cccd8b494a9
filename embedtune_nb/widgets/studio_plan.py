"""The studio's third step: the plan as it will be carried out, a name for the result, and Train."""

from __future__ import annotations

import warnings
from typing import Any

import ipywidgets

from embedtune_nb.errors import EmbedtuneError
from embedtune_nb.jobs.feed import ALIVE_STATES
from embedtune_nb.jobs.job import Job, latest_job
from embedtune_nb.models.pretrained import PretrainedEmbeddingModel
from embedtune_nb.models.record import find_record
from embedtune_nb.plan.plan import Plan
from embedtune_nb.widgets.studio_parts import complaint, heading, say, small
from embedtune_nb.widgets.studio_state import Standing
from embedtune_nb.widgets.studio_view import Desk, StepView, labelled, show_html, styled


class PlanStep(StepView):
    """Shows the plan; Train hands the job on."""

    key = "plan"

    def __init__(self, desk: Desk, train: Any) -> None:
        super().__init__(desk)
        self._name = ipywidgets.Text(description="Name of the new model", continuous_update=False)
        self._train = styled(ipywidgets.Button(description="Train"), "etn-primary")
        self._missing, self._name_problem, self._remark = (ipywidgets.HTML() for _ in range(3))
        self._problem, self._plan = ipywidgets.HTML(), ipywidgets.HTML()
        title = "Every setting with its reason, before anything starts."
        self.box.children = (
            ipywidgets.HTML(heading("Plan", title)),
            styled(ipywidgets.Box((styled(labelled(self._name), "etn-name"),)), "etn-fields"),
            self._name_problem,
            styled(ipywidgets.Box((self._train, self._missing)), "etn-row"),
            self._remark,
            self._problem,
            self._plan,
        )
        self.hear(self._name, "value", self._rename)
        self.click(self._train, train)

    def refresh(self) -> None:
        """Show the plan, or why there is none yet."""
        state = self.state
        missing = state.missing
        with self.filling():
            self._name.value = state.name
            show_html(self._name_problem, complaint(state.name_problem or state.standing_problem))
            self._train.description = state.standing.button
            self._train.disabled = bool(missing)
            self._train.tooltip = missing or "Start the job; it goes on even if this notebook is closed"
            show_html(self._missing, small(missing))
            show_html(self._remark, say(state.standing.remark))
            show_html(self._problem, complaint(state.start_problem or state.plan_problem))
            if state.plan is not None:
                show_html(self._plan, state.plan._repr_html_())
            else:
                show_html(self._plan, small("Resolving the plan ...") if state.planning else "")

    def _rename(self, name: str) -> None:
        self.state.rename(name)
        self.desk.refresh()


def standing_of(name: str, plan: Plan | None) -> Standing:
    """Return what stands under *name* already, and what Train therefore does."""
    record, job = find_record(name), latest_job(name)
    if record is not None:
        if other := _other_base(record.plan, plan):
            return Standing(
                remark=f"A model {record.name!r} was trained {record.when} UTC from the base model {other}: "
                "choose that one to open it, or enter another name.",
                taken=True,
            )
        differs = _differences(record.plan, plan)
        return Standing(
            "Open this model",
            f"A model {record.name!r} was trained {record.when} UTC{differs}. "
            "It will be opened, not trained again; for a new training enter another name.",
        )
    if job is None:
        return Standing()
    status = job.status
    if status == "done":  # its model was dropped since, so the name is free
        return Standing()
    if status in ALIVE_STATES:
        if other := _other_base(job.plan, plan):
            return Standing(
                remark=f"A job of this name is training the base model {other} right now: choose that one to "
                "attach to the job, or enter another name.",
                taken=True,
            )
        differs = _differences(job.plan, plan)
        return Standing(
            "Attach to the running job",
            f"A job of this name is at work right now{differs}. Nothing new is started.",
        )
    if _differences(job.plan, plan):
        return Standing(
            remark=f"A job of this name was {status}; it had other data or settings, so it cannot be "
            "carried on: enter another name.",
            taken=True,
        )
    return Standing("Carry on", f"A job of this name was {status}; it goes on from its last checkpoint.")


def start_job(
    base_name: str, name: str, data: Any, loss: str | None, hyperparams: dict[str, Any]
) -> tuple[Job, tuple[str, ...]]:
    """Start, attach to, carry on or reopen the job of that name; return it and the remarks on it."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        job = PretrainedEmbeddingModel(base_name).finetune(
            name, data, loss=loss, hyperparams=hyperparams, if_exists="open", background=True
        )
    return job, tuple(dict.fromkeys(str(warning.message) for warning in told))


def _other_base(theirs: dict[str, Any], plan: Plan | None) -> str:
    """Return the base model that stands behind a name, where the present choices start from another."""
    base = theirs["base"]["id"]
    return "" if plan is None or base == plan.base["id"] else repr(base)


def _differences(theirs: dict[str, Any], plan: Plan | None) -> str:
    if plan is None:
        return ""
    try:
        changes = [what for what, _, _ in Plan.from_json(theirs).diff(plan)]
    except (EmbedtuneError, KeyError):
        return ", by another version of this package"
    if not changes:
        return ""
    more = f" and {len(changes) - 4} more" if len(changes) > 4 else ""
    return f", with another {', '.join(changes[:4])}{more}"
