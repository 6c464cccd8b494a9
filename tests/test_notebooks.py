"""The notebooks that need no eyes, run from top to bottom; the quickstart is run in the browser tests."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"


def run_notebook(name: str, out: Path) -> tuple[str, str]:
    """Execute a notebook in *out*; return what its last cell printed and what all its cells showed."""
    ran = subprocess.run(
        [sys.executable, NOTEBOOKS / "execute.py", NOTEBOOKS / name, "--out", out],
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    cells = nbformat.read(out / name, as_version=4).cells
    return ran.stdout, "\n".join(str(output) for cell in cells for output in cell.get("outputs", []))


@pytest.mark.notebook
@pytest.mark.model
def test_your_data_runs_and_ends_with_a_verdict(minilm, tmp_path, home):
    printed, shown = run_notebook("02_your_data.ipynb", tmp_path)
    assert "Accuracy" in printed and "wins" in printed
    for told in ("blank text", "near_duplicates", "does not fit labeled data", "similarity", "set aside"):
        assert told in shown


@pytest.mark.notebook
@pytest.mark.model
def test_sweeps_runs_nine_trials_and_ends_with_a_model(minilm, tmp_path, home):
    _, shown = run_notebook("03_sweeps.ipynb", tmp_path)
    for told in ("usual for an adapter", "is empty", "wins", "importance", "-repeat"):
        assert told in shown


@pytest.mark.notebook
@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.stem)
def test_notebooks_are_committed_without_outputs(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in notebook.cells)
