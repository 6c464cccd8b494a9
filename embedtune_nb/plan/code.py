"""The Python cell that repeats a call."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from embedtune_nb.catalogue import CATALOGUE, BaseSpec


def finetune_cell(
    base: BaseSpec,
    name: str,
    *,
    description: str,
    has_eval: bool,
    loss: str | None,
    given: Mapping[str, Any],
    seed: int,
    executor: str,
) -> str:
    """Return the call as code; only what the user chose is written out, defaults stay defaults.

    *description* says what ``data`` is, for the reader.
    """
    model = f".{base.id}" if base.id in CATALOGUE else f"({_quoted(base.path or str(base.hub_id))})"
    arguments = [f"{_quoted(name)},", f"data,  # {' '.join(description.split())}"]
    if has_eval:
        arguments.append("eval_data,")
    if loss is not None:
        arguments.append(f"loss={_quoted(loss)},")
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
