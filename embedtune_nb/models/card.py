"""The card of a published model: Markdown in its folder, rendered in a notebook."""

from __future__ import annotations

import re

_FRONT_MATTER = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)


class ModelCard:
    """A model card; a notebook renders it, ``str()`` is its Markdown.

    Parameters
    ----------
    text
        The content of the model's ``README.md``, with or without the hub's front matter.
    """

    def __init__(self, text: str) -> None:
        self.text = text

    def __str__(self) -> str:
        return _FRONT_MATTER.sub("", self.text).strip()

    __repr__ = __str__

    def _repr_markdown_(self) -> str:
        return str(self)
