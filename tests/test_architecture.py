"""The house keeps its order: imports run one way, and the kernel's side stays light."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def test_imports_run_one_way():
    linted = subprocess.run(
        [Path(sys.executable).parent / "lint-imports"], cwd=ROOT, capture_output=True, text=True
    )
    assert linted.returncode == 0, linted.stdout + linted.stderr


HEAVY = "{'torch', 'transformers', 'sentence_transformers', 'umap', 'optuna', 'datasets', 'accelerate'}"


@pytest.mark.slow
@pytest.mark.parametrize(
    "statement",
    [
        "import embedtune_nb",
        "import embedtune_nb as et; et.Datasource; et.Job; et.datasets; et.PretrainedEmbeddingModel.all()",
        "import embedtune_nb as et; et.TrainingMonitor; et.EmbeddingMap; et.Studio; et.charts",
    ],
)
def test_what_a_kernel_imports_loads_no_torch(statement, tmp_path):
    code = f"{statement}; import sys; print(sorted({HEAVY} & set(sys.modules)))"
    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert shown.stdout.strip() == "[]"


def test_no_file_grows_beyond_one_idea():
    long = {
        str(path.relative_to(ROOT)): lines
        for folder in ("embedtune_nb", "js/src", "tests", "benchmarks")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in (".py", ".js")
        and "static" not in path.parts
        and "node_modules" not in path.parts
        and (lines := len(path.read_text().splitlines())) > 400
    }
    assert not long


def test_a_misspelt_public_name_is_told_the_right_one():
    import embedtune_nb

    with pytest.raises(AttributeError, match="Datasource"):
        embedtune_nb.DataSource
