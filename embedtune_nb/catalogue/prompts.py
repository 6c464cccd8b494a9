"""What a model puts before a text it reads: a prompt for queries, one for documents, one for all others."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from embedtune_nb.catalogue.base_models import BaseSpec
from embedtune_nb.catalogue.files import small_files

CONFIG = "config_sentence_transformers.json"
# What models call the two; the first one with a text counts. The library's own encode_document stops at
# "document" even where that is empty and the model keeps its prompt under "passage".
_QUERY_NAMES = ("query", "search_query")
_DOCUMENT_NAMES = ("document", "passage", "corpus", "search_document")
# How models of this family were taught to read a task: https://github.com/QwenLM/Qwen3-Embedding, and the
# card of https://huggingface.co/codefuse-ai/F2LLM-v2-4B. A prompt of this form keeps its frame, only the
# task in it is exchanged.
_FRAME = re.compile(r"(?P<before>\s*Instruct:\s*)(?P<task>\S.*?)?(?P<after>\s*\n\s*Query:\s*)", re.DOTALL)
_USUAL_FRAME = ("Instruct: ", "\nQuery: ")


@dataclass(frozen=True)
class Prompts:
    """The prompts of one model; an empty one puts nothing before a text.

    Attributes
    ----------
    query
        Before a text that searches.
    document
        Before a text that is searched.
    default
        Before a text that is neither, such as one that gets a label.
    """

    query: str = ""
    document: str = ""
    default: str = ""

    def before(self, role: str | None) -> str:
        """Return what stands before a text in *role*: ``"query"``, ``"document"`` or None."""
        return {"query": self.query, "document": self.document}.get(role or "", self.default)

    def with_instruction(
        self, instruction: str, *, frame: bool = False, only_queries: bool = False
    ) -> Prompts:
        """Return the prompts that make a model read *instruction*.

        Parameters
        ----------
        instruction
            The task in words. Where the model's own prompt has the form ``Instruct: ... Query:``, it
            takes the place of the task there; a space is added where the words would touch the text.
        frame
            Put it into that form also if the model has no prompt at all.
        only_queries
            Leave texts without a role as they are: documents never carry an instruction, and plain
            ``encode`` of a search model is as often given documents as queries.
        """
        query = _framed(instruction, self.query or self.default, frame)
        follows = bool(self.default) and self.default == self.query
        return replace(self, query=query, default=self.default if only_queries and not follows else query)

    def to_json(self) -> dict[str, str] | None:
        """Return the prompts that are not empty, None without any."""
        return {name: prompt for name, prompt in asdict(self).items() if prompt} or None

    @classmethod
    def from_json(cls, content: Mapping[str, str] | None) -> Prompts:
        """Return the prompts that :meth:`to_json` described."""
        return cls(**(content or {}))

    @classmethod
    def from_config(cls, prompts: Mapping[str, str | None] | None, default_name: str | None) -> Prompts:
        """Return the prompts of a sentence-transformers configuration.

        Parameters
        ----------
        prompts
            Prompts by name, as the library keeps them.
        default_name
            Which of them stands before a text without a role.
        """
        prompts = prompts or {}

        def first(names: tuple[str, ...]) -> str:
            return next((prompts[name] or "" for name in names if prompts.get(name)), "")

        default = (prompts.get(default_name) if default_name else "") or ""
        return cls(query=first(_QUERY_NAMES), document=first(_DOCUMENT_NAMES), default=default)


def prompts_of(spec: BaseSpec) -> Prompts:
    """Return the prompts that a base model brings, from its small files alone.

    Raises
    ------
    ModelUnavailableError
        If they are neither here nor reachable.
    """
    file = small_files(spec) / CONFIG
    config: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    return Prompts.from_config(config.get("prompts"), config.get("default_prompt_name"))


def instructed(spec: BaseSpec, instruction: str, *, only_queries: bool = False) -> Prompts:
    """Return the prompts of a base model that is to read *instruction* (see :class:`Prompts`)."""
    own = prompts_of(spec)
    return own.with_instruction(
        instruction, frame=spec.instructions and own == Prompts(), only_queries=only_queries
    )


def _framed(instruction: str, own: str, frame: bool) -> str:
    if _FRAME.match(instruction):
        return instruction
    match = _FRAME.fullmatch(own)
    if match or frame:
        before, after = (match["before"], match["after"]) if match else _USUAL_FRAME
        return f"{before}{instruction.strip()}{after}"
    return instruction if instruction[-1:].isspace() else f"{instruction} "
