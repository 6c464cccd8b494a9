"""Run a notebook from top to bottom without a screen and print what its last cell printed.

``python notebooks/execute.py notebooks/01_quickstart.ipynb --out out`` leaves the executed notebook and
whatever its cells wrote in ``out/``. Models and jobs go to ``out/home``, so that a trial run leaves no
trace in the user's own home.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError


def execute(notebook: Path, out: Path, timeout: int) -> int:
    """Run *notebook* in *out*; return the exit code."""
    out.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("EMBEDTUNE_HOME", str((out / "home").absolute()))
    document = nbformat.read(notebook, as_version=4)
    began = time.monotonic()

    def announce(cell: nbformat.NotebookNode, cell_index: int) -> None:
        if cell.cell_type == "code":
            lines = [line for line in cell.source.splitlines() if line and not line.startswith("#")]
            print(f"[{time.monotonic() - began:5.0f} s] {lines[0] if lines else ''}", flush=True)

    client = NotebookClient(
        document,
        timeout=timeout,
        kernel_name="python3",
        resources={"metadata": {"path": str(out)}},
        on_cell_execute=announce,
    )
    try:
        client.execute()
    except CellExecutionError as failure:
        print(failure, file=sys.stderr)
        return 1
    finally:
        nbformat.write(document, out / notebook.name)
    last = [cell for cell in document.cells if cell.cell_type == "code"][-1]
    print(f"[{time.monotonic() - began:5.0f} s] done\n")
    print("".join(output.text for output in last.outputs if output.output_type == "stream"))
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebook", type=Path)
    parser.add_argument("--out", type=Path, default=Path("out"))
    parser.add_argument("--timeout", type=int, default=1200, help="seconds a cell may take")
    given = parser.parse_args()
    sys.exit(execute(given.notebook, given.out, given.timeout))
