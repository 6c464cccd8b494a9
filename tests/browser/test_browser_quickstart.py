"""The quickstart notebook as a new user meets it: a real model, a real JupyterLab, live and finished."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from lab import CURRENT, SECONDS, NotebookPage

pytestmark = [pytest.mark.model, pytest.mark.notebook]

NOTEBOOK = Path(__file__).resolve().parents[2] / "notebooks" / "01_quickstart.ipynb"
OpenNotebook = Callable[..., NotebookPage]


def show(notebook: NotebookPage, testid: str) -> None:
    """Scroll *testid* to the top of the page."""
    notebook.find(testid).evaluate("element => element.scrollIntoView({block: 'start'})")
    notebook.page.wait_for_timeout(700)


def test_quickstart_trains_live_and_tells_its_story(
    minilm: Path, open_notebook: OpenNotebook, shots: Path
) -> None:
    notebook = open_notebook(NOTEBOOK, height=900)
    notebook.run_all()
    notebook.find("monitor").wait_for(timeout=60 * SECONDS)
    wait_until_step(notebook, 6)
    show(notebook, "monitor")
    notebook.screenshot(shots, "quickstart-running-light")

    notebook.wait_cells(600)
    notebook.assert_no_traceback()
    assert notebook.console_errors == []
    verdict = notebook.find("monitor").inner_text()
    assert "done" in verdict
    assert any(answer in verdict for answer in ("Better", "Worse", "No difference shown"))
    show(notebook, "monitor")
    notebook.screenshot(shots, "quickstart-finished-light")
    assert notebook.find("embedding-map").get_attribute("data-state") == "ready"
    show(notebook, "embedding-map")
    notebook.screenshot(shots, "quickstart-map-light")

    saved = notebook.save()
    pictures = [
        output["data"]["text/html"]
        for cell in saved.cells
        for output in cell.get("outputs", [])
        if "data:image/svg+xml" in "".join(output.get("data", {}).get("text/html", ""))
    ]
    assert len(pictures) >= 2, "without a kernel the saved notebook still shows curves and map"
    page = (notebook.lab.server.root / "quickstart.html").read_text()
    assert "Verdict" in page

    dark = open_notebook(NOTEBOOK, theme="dark", height=900)
    dark.run(300)
    assert dark.page.locator(f"{CURRENT} [data-testid='monitor']").count() == 1
    show(dark, "monitor")
    dark.screenshot(shots, "quickstart-finished-dark")
    show(dark, "embedding-map")
    dark.screenshot(shots, "quickstart-map-dark")
    dark.execute("assert len([job for job in et.Job.all() if job.kind == 'finetune']) == 1, 'trained twice'")


def wait_until_step(notebook: NotebookPage, step: int) -> None:
    """Wait until the monitor shows that training has passed *step*."""
    notebook.page.wait_for_function(
        "([panel, step]) => { const monitor = document.querySelector(`${panel} [data-testid='monitor']`);"
        " const shown = monitor?.innerText.match(/(\\d+)\\s*\\/\\s*\\d+\\s*step/);"
        " return shown && Number(shown[1]) >= step; }",
        arg=[CURRENT, step],
        timeout=300 * SECONDS,
    )
