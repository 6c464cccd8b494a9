"""The committed JavaScript and style sheets are those that the sources make."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest

import embedtune_nb

STATIC = Path(embedtune_nb.__file__).parent / "static"
JS = Path(__file__).resolve().parent.parent / "js"
MANIFEST = json.loads((STATIC / "MANIFEST.json").read_text())
REBUILD = "run `npm --prefix js ci && npm --prefix js run build` and commit the result"


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_every_output_is_what_the_build_wrote() -> None:
    found = {path.name: sha256(path) for path in STATIC.iterdir() if path.name != "MANIFEST.json"}
    assert found == MANIFEST["outputs"], REBUILD


def test_no_source_has_changed_since_the_build() -> None:
    sources = [path for path in (JS / "src").rglob("*") if path.suffix in {".js", ".css", ".glsl"}]
    sources += [JS / name for name in ("build.mjs", "package.json", "package-lock.json")]
    found = {path.relative_to(JS).as_posix(): sha256(path) for path in sources}
    assert found == MANIFEST["sources"], REBUILD


@pytest.mark.parametrize("bundle", [name for name in MANIFEST["outputs"] if name.endswith((".js", ".css"))])
def test_a_bundle_fetches_nothing_and_evaluates_no_text(bundle: str) -> None:
    text = (STATIC / bundle).read_text()
    addresses = set(re.findall(r"https?://[^\s\"'`)]+", text)) - {"http://www.w3.org/2000/svg"}
    assert addresses == set()
    assert "@import" not in text
    assert not re.search(r"\beval\(|new Function\(|\.innerHTML\b|insertAdjacentHTML", text)


def test_the_lock_file_names_no_registry() -> None:
    assert "resolved" not in (JS / "package-lock.json").read_text()
