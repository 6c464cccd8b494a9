"""What a base model can read, for the check of how many texts it would cut."""

from __future__ import annotations

from typing import Any

from embedtune_nb.catalogue.base_models import BaseSpec
from embedtune_nb.catalogue.files import tokenizer_file
from embedtune_nb.catalogue.resolve import resolve_base
from embedtune_nb.data.lint.sizes import Reader


def reader_of_base(base: Any) -> Reader:
    """Return name, limit and tokenizer of a base model, given as a model, its facts, a name or a folder."""
    spec: BaseSpec = base.spec if hasattr(base, "spec") else resolve_base(base)
    return Reader(spec.id, spec.max_length, tokenizer_file(spec))
