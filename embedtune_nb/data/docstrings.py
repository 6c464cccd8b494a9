"""Reading docstrings out of source files without importing what they document.

Run as a program it reads a JSON list of ``[module, path]`` from standard input and writes the docstrings
found to standard output; so other processes can share the work without inheriting anything from a notebook.
"""

from __future__ import annotations

import ast
import json
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

from embedtune_nb.data.markup import summary_and_description

# Public names, but scaffolding: what they say is of no interest to who searches an API.
_SCAFFOLDING = {"tests", "testing", "test", "benchmarks", "conftest", "setup", "_vendor", "externals"}


def public_modules(root: Path, package: str) -> list[tuple[str, str]]:
    """Return ``(module name, file)`` of every public module of the package in folder *root*, sorted."""
    found = []
    for path in sorted(root.rglob("*.py")):
        parts = list(path.relative_to(root).with_suffix("").parts)
        if parts[-1] == "__init__":
            parts.pop()
        if not any(part.startswith("_") or part in _SCAFFOLDING for part in parts):
            found.append((".".join([package, *parts]), str(path)))
    return found


def read_docstrings(modules: list[tuple[str, str]]) -> tuple[list[tuple[str, str, str, str]], int]:
    """Parse source files.

    Returns
    -------
    rows, unreadable
        ``(module, qualified name, summary, description)`` of every public function, class and method that
        has a summary; and how many files could not be parsed.
    """
    rows, unreadable = [], 0
    for module, path in modules:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # odd escapes in other people's strings
                tree = ast.parse(Path(path).read_bytes())
        except (OSError, SyntaxError, ValueError):
            unreadable += 1
            continue
        for name, docstring in _documented(tree.body, ""):
            summary, description = summary_and_description(docstring)
            if summary:
                rows.append((module, name, summary, description))
    return rows, unreadable


def _documented(body: list[ast.stmt], prefix: str) -> Iterator[tuple[str, str]]:
    for node in body:
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) or node.name[0] == "_":
            continue
        docstring = ast.get_docstring(node, clean=False)
        if docstring:
            yield prefix + node.name, docstring
        if isinstance(node, ast.ClassDef):
            yield from _documented(node.body, f"{prefix}{node.name}.")


if __name__ == "__main__":
    json.dump(read_docstrings(json.load(sys.stdin)), sys.stdout)
