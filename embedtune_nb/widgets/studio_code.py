"""The cell that does what a studio shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from embedtune_nb.catalogue import CATALOGUE
from embedtune_nb.widgets.data_choice import literal

if TYPE_CHECKING:
    from embedtune_nb.widgets.studio_state import StudioState

_IMPORT = "import embedtune_nb as et\n"
_WIDTH = 88


def studio_code(state: StudioState) -> str:
    """Return the code for the step that is shown: the data, the run, or what its result is good for."""
    if state.choice is None:
        return f"{_IMPORT}\n# Choose data in the first step, and its code stands here."
    data = data_code(state)
    if state.step == "data":
        return f"{data}\ndata"
    run = f"{data}\n{_finetune(state)}"
    if state.step != "result":
        return f"{run}\njob"
    *before, last = state.viewed or ("model.verdict",)
    lines = ["model = job.result()  # waits for the end", *(f"display({view})" for view in before), last]
    if state.saved_to:
        lines.insert(1, f"model.save({literal(state.saved_to)})")
    return f"{run}\n" + "\n".join(lines)


def data_code(state: StudioState) -> str:
    """Return the import and the lines that make ``data``."""
    try:
        lines = state.choice.code() if state.choice else ""
    except ValueError as problem:
        lines = f"# {' '.join(str(problem).split())}"
    return f"{_IMPORT}\n{lines}" if lines else _IMPORT


def _finetune(state: StudioState) -> str:
    base = f".{state.base_name}" if state.base_name in CATALOGUE else f"({literal(state.base_name)})"
    arguments = [literal(state.name), "data"]
    if state.loss is not None:
        arguments.append(f"loss={literal(state.loss)}")
    if state.hyperparams:
        arguments.append(f"hyperparams={literal(state.hyperparams)}")
    arguments += ['if_exists="open"', "background=True"]
    call = f"job = et.PretrainedEmbeddingModel{base}.finetune("
    if len(line := f"{call}{', '.join(arguments)})") <= _WIDTH:
        return line
    return call + "\n" + "".join(f"    {argument},\n" for argument in arguments) + ")"
