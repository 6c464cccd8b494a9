"""Texts that show nothing, and characters that would act on a terminal instead of being shown."""

from __future__ import annotations

import re

# White space, controls, zero-width and direction marks, fillers, variation selectors, tags.
_NOTHING_TO_SEE = re.compile(
    r"[\s\u0000-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    "\u202a-\u202e\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff]*"
)
# Controls (an escape sequence can recolour or rewrite a terminal) and what turns the writing direction.
_ACTING = re.compile("[\u0000-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]")


def is_blank(text: str) -> bool:
    """Return whether nothing of *text* can be seen."""
    return _NOTHING_TO_SEE.fullmatch(text) is not None


def visible(text: str) -> str:
    """Return one line of text with its controls and direction marks written out, such as ``\\\\x1b``."""
    return _ACTING.sub(lambda found: ascii(found.group())[1:-1], text)


def written(value: object) -> str:
    """Return *value* as Python writes it, a number of numpy as a plain one."""
    return repr(value.item() if hasattr(value, "item") else value)
