"""The Python cell that repeats a call."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from embedtune_nb.catalogue import CATALOGUE, BaseSpec


def finetune_cell(
    base: BaseSpec,
    name: str,
    *,
    described: Sequence[str],
    losses: Sequence[str | None],
    has_eval: Sequence[bool],
    given: Mapping[str, Any],
    seed: int,
    executor: str,
) -> str:
    """Return the call as code; only what the user chose is written out, defaults stay defaults.

    *described* says what the data of each objective is, for the reader.
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
    if executor != "process":
        arguments.append(f"executor={_quoted(executor)},")
    arguments += [f"seed={seed},", 'if_exists="open",', "background=True,"]
    body = "\n".join(f"    {argument}" for argument in arguments)
    return f"import embedtune_nb as et\n\njob = et.PretrainedEmbeddingModel{model}.finetune(\n{body}\n)\njob"


def _items(given: Mapping[str, Any]) -> str:
    return ", ".join(f"{_quoted(key)}: {_quoted(value)}" for key, value in given.items())


def _quoted(value: Any) -> str:
    """Return *value* as Python, strings in double quotes as the rest of the cell has them."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)
