"""The Python cell that repeats a call."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from embedtune_nb.catalogue import CATALOGUE, BaseSpec
from embedtune_nb.data.datasource import Datasource


def described(data: Datasource) -> str:
    """Return what *data* is, in a few words for the reader of the cell."""
    return f"{data.name or data.kind}: {len(data):,} {data.kind} rows"


def finetune_cell(
    base: BaseSpec,
    name: str,
    *,
    described: Sequence[str],
    losses: Sequence[str | Sequence[str] | None],
    has_eval: Sequence[bool],
    given: Mapping[str, Any],
    seed: int,
    executor: str,
    trial_count: int = 1,
    note: str = "",
) -> str:
    """Return the call as code; only what the user chose is written out, defaults stay defaults.

    *described* says what the data of each objective is, and *note* what else the reader should know.
    """
    model = f".{base.id}" if base.id in CATALOGUE else f"({_quoted(base.path or str(base.hub_id))})"
    comments = [" ".join(description.split()) for description in described]
    arguments = [f"{_quoted(name)},"]
    if len(losses) == 1:
        arguments.append(f"data,  # {comments[0]}")
        arguments += ["eval_data,"] * has_eval[0]
        arguments += [f"loss={_quoted(loss)}," for loss in losses if loss is not None]
    else:
        pairs = [
            f"    (data_{place}, {_quoted(loss)}),  # {comment}"
            for place, (loss, comment) in enumerate(zip(losses, comments, strict=True), 1)
        ]
        arguments += ["[", *pairs, "],"]
        if any(has_eval):
            parts = [f"eval_data_{place}" if own else "None" for place, own in enumerate(has_eval, 1)]
            arguments.append(f"[{', '.join(parts)}],")
    if given:
        arguments.append(f"hyperparams={{{_items(given)}}},")
    if trial_count > 1:
        arguments.append(f"trial_count={trial_count},")
    if executor != "process":
        arguments.append(f"executor={_quoted(executor)},")
    arguments += [f"seed={seed},", 'if_exists="open",', "background=True,"]
    body = "\n".join(f"    {argument}" for argument in arguments)
    noted = "".join(f"# {line}\n" for line in textwrap.wrap(note, 88))
    call = f"job = et.PretrainedEmbeddingModel{model}.finetune(\n{body}\n)"
    return f"import embedtune_nb as et\n\n{noted}{call}\njob"


def _items(given: Mapping[str, Any]) -> str:
    return ", ".join(f"{_quoted(key)}: {_quoted(value)}" for key, value in given.items())


def _quoted(value: Any) -> str:
    """Return *value* as Python, strings in double quotes as the rest of the cell has them."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, (list, tuple)):
        inner = ", ".join(map(_quoted, value))
        return f"[{inner}]" if isinstance(value, list) else f"({inner})"
    return repr(value)
