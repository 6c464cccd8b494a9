"""Fixtures that drive a real JupyterLab: `lab` for the session, `open_notebook` for a test."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from lab import FLAGS, Lab, NotebookPage, chromium_path

MISSING = (
    "Chromium is not installed, so nothing was checked in a real browser; "
    "install it with `apt install chromium fonts-dejavu-core`."
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder needs a browser."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A JupyterLab server and a Chromium, shared by all browser tests."""
    executable = chromium_path()
    if executable is None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(MISSING)
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=executable, headless=True, args=FLAGS)
        lab = Lab(tmp_path_factory.mktemp("lab"), browser)
        yield lab
        lab.close()
        browser.close()


@pytest.fixture
def open_notebook(lab: Lab) -> Iterator[Callable[..., NotebookPage]]:
    """Call it as `open_notebook(["code of cell 0", ...], theme="dark", width=700)`; closed after the test."""
    pages: list[NotebookPage] = []

    def open_one(*args: object, **kwargs: object) -> NotebookPage:
        pages.append(lab.open(*args, **kwargs))
        return pages[-1]

    yield open_one
    for page in pages:
        page.close()


@pytest.fixture
def shots(tmp_path: Path) -> Path:
    """Where a test's screenshots go: the folder in `EMBEDTUNE_SHOTS`, else a temporary one."""
    return Path(os.environ.get("EMBEDTUNE_SHOTS", tmp_path))
