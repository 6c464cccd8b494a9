"""Evaluations kept in the job folder: per-query values, and a resumed run need not repeat the first."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd

from embedtune_nb.evaluation.result import Evaluation
from embedtune_nb.evaluation.vectors import VectorCache

#: As many vectors are kept for the map, which shows fewer; the rest it would embed again.
_VECTORS_KEPT = 20_000
_TABLES = ("per_query", "answers", "votes", "traits")


def save_evaluation(evaluation: Evaluation, folder: Path, vectors: VectorCache | None = None) -> None:
    """Write *evaluation*, and the vectors it rests on, to *folder*; it appears whole or not at all."""
    temporary = folder.with_name(f".tmp-{folder.name}")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    for name in _TABLES:
        table = getattr(evaluation, name)
        if table is not None:
            table.to_parquet(temporary / f"{name}.parquet")
    if vectors is not None:
        vectors.save(temporary / "vectors.npz", limit=_VECTORS_KEPT)
    facts = {
        "metrics": evaluation.metrics,
        "primary": evaluation.primary,
        "seconds": evaluation.seconds,
        "notes": list(evaluation.notes),
        "unit": evaluation.unit,
        "truncated": evaluation.truncated,
    }
    (temporary / "metrics.json").write_text(json.dumps(facts))
    shutil.rmtree(folder, ignore_errors=True)
    temporary.rename(folder)


def load_vectors(folder: Path) -> VectorCache:
    """Return the vectors kept in *folder*; an empty cache if there are none."""
    return VectorCache.load(folder / "vectors.npz")


def load_evaluation(folder: Path) -> Evaluation | None:
    """Read what :func:`save_evaluation` wrote, None if nothing was."""
    if not folder.is_dir():
        return None
    facts = json.loads((folder / "metrics.json").read_text())
    # JSON has made text of the dimensions
    facts["truncated"] = {int(size): value for size, value in facts.get("truncated", {}).items()}
    files = {name: folder / f"{name}.parquet" for name in _TABLES}
    return Evaluation(
        **{name: pd.read_parquet(file) for name, file in files.items() if file.is_file()}, **facts
    )
