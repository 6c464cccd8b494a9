"""What a person has chosen in a studio, and what follows from it: plain Python, without any widget."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field, replace
from typing import Any

from embedtune_nb.data.datasource import Datasource
from embedtune_nb.errors import EmbedtuneError, PlanError, did_you_mean
from embedtune_nb.plan.losses import DEFAULT_LOSS, LOSSES
from embedtune_nb.plan.plan import Plan
from embedtune_nb.plan.wishes import check_hyperparams
from embedtune_nb.store.names import check_name
from embedtune_nb.widgets.data_choice import DataChoice
from embedtune_nb.widgets.studio_code import studio_code

STEPS = {
    "data": "Data",
    "model": "Model & loss",
    "plan": "Plan",
    "watch": "Watch",
    "result": "Result",
}
FORM_ENTRIES = ("epochs", "batch_size", "learning_rate", "max_seq_length", "early_stopping")
DEFAULT_BASE = "MINILM_L6"


@dataclass(frozen=True)
class JobLine:
    """What the studio says about its job."""

    name: str
    state: str
    steps_completed: int = 0
    steps_total: int = 0
    reason: str = ""
    verdict: str = ""
    unit: str = "step"

    @property
    def text(self) -> str:
        """The line for the rail."""
        if self.state == "running" and self.steps_total:
            return f"{self.name}: {self.unit} {self.steps_completed:,} of {self.steps_total:,}"
        return f"{self.name}: {self.state}"


@dataclass(frozen=True)
class Standing:
    """What already stands under the chosen name, and what Train would therefore do."""

    button: str = "Train"
    remark: str = ""
    taken: bool = False
    """Whether the name is of no use with the present choices."""


@dataclass
class StudioState:
    """The choices of a studio and their consequences.

    A change of a choice drops what rested on it (the Datasource, the plan), never another choice.
    """

    step: str = "data"
    choice: DataChoice | None = None
    datasource: Datasource | None = None
    reading: bool = False
    data_problem: Exception | None = None
    base_name: str = DEFAULT_BASE
    base_problem: Exception | None = None
    loss: str | None = None
    entries: dict[str, str] = field(default_factory=dict)
    remark: str = ""
    own_name: str | None = None
    plan: Plan | None = None
    planning: bool = False
    plan_problem: Exception | None = None
    standing: Standing = field(default_factory=Standing)
    standing_problem: Exception | None = None
    starting: bool = False
    start_problem: Exception | None = None
    job: JobLine | None = None
    job_notes: tuple[str, ...] = ()
    published: str = ""
    result_problem: Exception | None = None
    viewed: tuple[str, ...] = ()
    saved_to: str = ""

    # Choosing ------------------------------------------------------------------------------------------

    def go(self, step: str) -> None:
        """Show another step; every step can be looked at at any time."""
        if step not in STEPS:
            raise PlanError(
                f"There is no step {step!r}.",
                expected=f"one of {', '.join(STEPS)}",
                fix=f"{did_you_mean(step, STEPS)}Correct the name.",
            )
        self.step = step

    def choose_data(self, choice: DataChoice | None) -> None:
        """Take other data, or the same with other roles."""
        self.choice, self.datasource, self.data_problem = choice, None, None
        self.reading = choice is not None
        self._drop_plan()

    def data_read(self, source: Datasource) -> None:
        """Take the Datasource that was made of the choice."""
        self.datasource, self.reading, self.data_problem, self.remark = source, False, None, ""
        self._drop_plan()
        if self.loss is not None and source.kind not in LOSSES[self.loss].kinds:
            self.remark = (
                f"The loss {self.loss!r} does not fit {source.kind} data; {self.recommended_loss!r} "
                "is chosen instead."
            )
            self.loss = None

    def data_refused(self, problem: Exception) -> None:
        """Remember why the choice gave no Datasource."""
        self.datasource, self.reading, self.data_problem = None, False, problem
        self._drop_plan()

    def choose_base(self, name: str) -> None:
        """Take another base model."""
        self.base_name, self.base_problem = name.strip(), None
        self._drop_plan()

    def choose_loss(self, name: str | None) -> None:
        """Take another loss; the recommended one counts as no wish."""
        self.loss = None if name == self.recommended_loss else name
        self.remark = ""
        self._drop_plan()

    def enter(self, key: str, text: str) -> None:
        """Take what was typed for a hyperparameter; empty means its default."""
        self.entries = {name: entry for name, entry in {**self.entries, key: text.strip()}.items() if entry}
        self._drop_plan()

    def rename(self, name: str) -> None:
        """Take a name for the model; empty brings the suggestion back. A plan outlives its name."""
        self.own_name = name.strip() or None
        self.start_problem = self.standing_problem = None
        if self.plan is not None and self.name_problem is None:
            self.planned(self.plan)

    # What follows --------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """The name of the model to be made: typed, else after the data."""
        return self.own_name or suggested_name(self.choice.title if self.choice else "")

    @property
    def name_problem(self) -> EmbedtuneError | None:
        """Why the name cannot be used."""
        try:
            check_name(self.name)
        except EmbedtuneError as problem:
            return problem
        return None

    @property
    def recommended_loss(self) -> str:
        """The recommended loss for the data."""
        return DEFAULT_LOSS[self.datasource.kind] if self.datasource else ""

    @property
    def effective_loss(self) -> str:
        """The loss that would be used; empty without data."""
        return self.loss or self.recommended_loss

    @property
    def hyperparams(self) -> dict[str, Any]:
        """The typed values that are right, by key."""
        problems = self.entry_problems
        return {key: parsed(text) for key, text in self.entries.items() if key not in problems}

    @property
    def entry_problems(self) -> dict[str, EmbedtuneError]:
        """The plan's own objection to each typed value that is wrong."""
        problems: dict[str, EmbedtuneError] = {}
        for key, text in self.entries.items():
            try:
                check_hyperparams({key: parsed(text)}, loss=self.effective_loss or "contrastive")
            except EmbedtuneError as problem:
                problems[key] = problem
        return problems

    @property
    def can_plan(self) -> bool:
        """Whether everything a plan needs is chosen."""
        return self.datasource is not None and bool(self.base_name) and not self.entry_problems

    @property
    def missing(self) -> str:
        """Why Train cannot be pressed, as a sentence; empty if it can."""
        if self.starting:
            return "The job is being started."
        if self.reading:
            return "The data is being read."
        if self.datasource is None:
            return (
                "Choose data in the step Data." if self.choice is None else "The step Data needs attention."
            )
        if self.entry_problems or self.base_problem is not None or not self.base_name:
            return "The step Model & loss needs attention."
        if self.name_problem is not None:
            return "The name cannot be used."
        if self.standing.taken:
            return "The name is taken."
        if self.plan is None:
            return "The plan is being made." if self.plan_problem is None else "The plan cannot be made."
        return ""

    @property
    def code(self) -> str:
        """The Python that does what the screen shows."""
        return studio_code(self)

    def planned(self, plan: Plan) -> None:
        """Take the plan that was made of the choices."""
        self.planning, self.plan_problem, self.base_problem = False, None, None
        self.plan = replace(plan, name=self.name, code=self.code)

    def plan_refused(self, problem: Exception, *, of_base: bool) -> None:
        """Remember why no plan could be made, and whether the base model is why."""
        self._drop_plan()
        self.planning = False
        if of_base:
            self.base_problem = problem
        else:
            self.plan_problem = problem

    def stands(self, standing: Standing) -> None:
        """Take what was found under the name."""
        self.standing, self.standing_problem = standing, None

    def stands_unknown(self, problem: Exception) -> None:
        """Remember why nobody can tell what stands under the name; the plan does not rest on it."""
        self.standing, self.standing_problem = Standing(), problem

    def started(self, job: JobLine, notes: tuple[str, ...] = ()) -> None:
        """Take the job that Train started or attached to, and show it."""
        self.starting, self.start_problem, self.job, self.job_notes = False, None, job, notes
        self.published, self.viewed, self.saved_to, self.result_problem = "", (), "", None
        self.step = "watch"

    def start_refused(self, problem: Exception) -> None:
        """Remember why no job was started."""
        self.starting, self.start_problem = False, problem

    def _drop_plan(self) -> None:
        self.plan, self.plan_problem, self.start_problem = None, None, None
        self.planning = self.can_plan


def parsed(text: str) -> Any:
    """Return what a person meant by an entry: a number, a truth value, else the text itself."""
    folded = text.strip().casefold()
    if folded in ("true", "false"):
        return folded == "true"
    try:
        value = ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text.strip()
    return value if isinstance(value, (int, float, str)) else text.strip()


def suggested_name(title: str) -> str:
    """Return a name for a model after its data."""
    return re.sub(r"[^A-Za-z0-9]+", "-", title).strip("-")[:60] or "my-model"
