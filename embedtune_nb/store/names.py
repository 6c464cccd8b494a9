"""Which names a model or memoryset may have: safe as a folder on every system."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

from embedtune_nb.errors import NameRefusedError

LONGEST_NAME = 100
PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_WINDOWS_DEVICES = {"con", "prn", "aux", "nul"} | {f"{d}{i}" for d in ("com", "lpt") for i in range(1, 10)}
_RULE = "1 to 100 letters (a-z), digits, dots, dashes and underscores, beginning with a letter or digit"


def check_name(name: object) -> str:
    """Return *name* in NFC if it is safe, else refuse it.

    Raises
    ------
    NameRefusedError
        If the name could leave its folder, collide on another system or is empty.
    """
    if not isinstance(name, str):
        raise NameRefusedError(
            f"The name is {name!r} ({type(name).__name__}).", expected=_RULE, fix="give the name as a string."
        )
    name = unicodedata.normalize("NFC", name)
    problem = ""
    if not PATTERN.fullmatch(name):
        problem = "has a character or a length that is not allowed"
    elif name.endswith("."):
        problem = "ends with a dot, which Windows drops"
    elif name.split(".")[0].lower() in _WINDOWS_DEVICES:
        problem = "is a device on Windows"
    if problem:
        shown = name if len(name) <= 60 else name[:57] + "..."
        suggestion = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-._")[:100]
        device = suggestion.split(".")[0].lower() in _WINDOWS_DEVICES
        usable = PATTERN.fullmatch(suggestion) and not device
        fix = f"take {suggestion!r}, for example." if usable else "choose another name."
        raise NameRefusedError(f"The name {shown!r} {problem}.", expected=_RULE, fix=fix)
    return name


def named_folder(parent: Path, name: str) -> Path:
    """Return the folder of *name* below *parent*: the existing one whatever its case, else the new path.

    Raises
    ------
    NameRefusedError
        If the name is unsafe or its folder is a link that leads out of *parent*.
    """
    name = check_name(name)
    folder = parent / name
    if parent.is_dir():
        twin = next((entry for entry in parent.iterdir() if entry.name.casefold() == name.casefold()), None)
        folder = twin or folder
    if folder.resolve().parent != parent.resolve():
        raise NameRefusedError(
            f"{folder} is a link that leads out of {parent}.",
            expected="an ordinary folder",
            fix="remove the link, or choose another name.",
        )
    return folder
