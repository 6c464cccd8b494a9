"""The three small widgets of a studio that plain controls cannot give, and its sentences as HTML."""

from __future__ import annotations

from html import escape

import traitlets

from embedtune_nb.errors import EmbedtuneError
from embedtune_nb.widgets.base import Widget


class StudioRail(Widget, stem="studio_rail"):
    """The steps, each with a summary and a mark; ``current`` follows the person's clicks."""

    steps = traitlets.List().tag(sync=True)
    current = traitlets.Unicode("").tag(sync=True)


class CodeLine(Widget, stem="code_line"):
    """The Python that does what the screen shows, with a copy button."""

    code = traitlets.Unicode("").tag(sync=True)


class ChoiceCards(Widget, stem="choice_cards"):
    """One choice out of a few, each a card.

    ``options`` are dicts: ``value``, ``title`` and, if you like, ``badge``, ``warn``, ``text``, ``facts``.
    """

    label = traitlets.Unicode("").tag(sync=True)
    testid = traitlets.Unicode("").tag(sync=True)
    options = traitlets.List().tag(sync=True)
    value = traitlets.Unicode("").tag(sync=True)


def heading(text: str, below: str = "") -> str:
    """Return a step's title and what it is for."""
    return f"<h3>{escape(text)}</h3>" + (f'<p class="etn-small">{escape(below)}</p>' if below else "")


def small(text: str) -> str:
    """Return secondary text."""
    return f'<span class="etn-small">{escape(text)}</span>' if text else ""


def say(text: str) -> str:
    """Return a remark; empty for no text."""
    return f'<div class="etn-say" role="status"><p>{escape(text)}</p></div>' if text else ""


def complaint(error: Exception | None) -> str:
    """Return an error as sentences: what was found, what would be right, what to do."""
    if error is None:
        return ""
    if isinstance(error, EmbedtuneError):
        sentences = [error.found]
        if error.expected:
            sentences.append(f"Expected: {error.expected}")
        if error.fix:
            sentences.append(f"What to do: {error.fix}")
    else:
        sentences = [f"Something unexpected went wrong: {type(error).__name__}: {error}"]
    paragraphs = "".join(f"<p>{escape(sentence)}</p>" for sentence in sentences)
    return f'<div class="etn-say etn-say-error" role="alert">{paragraphs}</div>'


def first_sentence(error: Exception) -> str:
    """Return what was found, on one line."""
    found = error.found if isinstance(error, EmbedtuneError) else f"{type(error).__name__}: {error}"
    return " ".join(found.split())
