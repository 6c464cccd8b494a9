"""One line and one mark for each step of a studio."""

from __future__ import annotations

from collections.abc import Callable

from embedtune_nb.data.describe import headline
from embedtune_nb.plan.table import headline as plan_headline
from embedtune_nb.widgets.studio_parts import first_sentence
from embedtune_nb.widgets.studio_state import STEPS, StudioState

# What a mark says to those who do not see it.
_WORDS = {"done": "done", "attention": "needs attention", "busy": "at work", "todo": "to do"}
_AT_WORK = ("queued", "running", "stopping")
_BAD_ENDS = ("failed", "lost", "stopped")

Line = tuple[str, str]


def step_lines(state: StudioState) -> list[dict[str, str]]:
    """Return ``key, title, summary, mark, word`` for each step, for the rail and the static picture."""
    lines = []
    for key, title in STEPS.items():
        mark, summary = _LINES[key](state)
        lines.append({"key": key, "title": title, "summary": summary, "mark": mark, "word": _WORDS[mark]})
    return lines


def _data(state: StudioState) -> Line:
    if state.choice is None:
        return "todo", "nothing chosen yet"
    if state.reading:
        return "busy", f"reading {state.choice.title}"
    if state.datasource is None:
        problem = state.data_problem
        return "attention", first_sentence(problem) if problem else "needs attention"
    return "done", f"{state.datasource.name} · {state.datasource.kind} · {headline(state.datasource)}"


def _model(state: StudioState) -> Line:
    base = state.base_name.rstrip("/").rpartition("/")[2] or "no base model"
    wrong = list(state.entry_problems)
    if wrong:
        return "attention", f"{', '.join(wrong)}: not a possible value"
    if state.base_problem is not None:
        return "attention", first_sentence(state.base_problem)
    if not state.base_name:
        return "attention", "enter a hub id or a folder"
    given = "".join(f" · {key} {value}" for key, value in state.hyperparams.items())
    mark = "attention" if state.remark else "done" if state.datasource else "todo"
    return mark, f"{base} · {state.effective_loss or 'loss follows from the data'}{given}"


def _plan(state: StudioState) -> Line:
    problem = state.name_problem or state.standing_problem or state.plan_problem
    if problem is not None:
        return "attention", first_sentence(problem)
    if state.plan is None:
        return ("busy", "being resolved") if state.planning else ("todo", "needs the steps above")
    (steps, _), (time, _) = plan_headline(state.plan)[:2]
    return "done", f"{state.name} · {steps} steps · {time}"


def _watch(state: StudioState) -> Line:
    line = state.job
    if state.starting:
        return "busy", "starting"
    if line is None:
        return "todo", "nothing running"
    if line.state in _AT_WORK:
        return "busy", line.text
    return ("attention" if line.state in _BAD_ENDS else "done"), line.text


def _result(state: StudioState) -> Line:
    line = state.job
    if state.result_problem is not None:
        return "attention", first_sentence(state.result_problem)
    if line is not None and line.state == "done":
        return ("done" if state.published else "busy"), line.verdict or "opening the model"
    return "todo", "after the training"


_LINES: dict[str, Callable[[StudioState], Line]] = {
    "data": _data,
    "model": _model,
    "plan": _plan,
    "watch": _watch,
    "result": _result,
}
