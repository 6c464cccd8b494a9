"""Copying a published model out of the store, and proving that the copy is the same model."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from embedtune_nb.data.kinds import LABELED, SCORED
from embedtune_nb.data.split import Split
from embedtune_nb.errors import AlreadyExistsError, EmbedtuneError, StoreError
from embedtune_nb.evaluation.forgetting import general_probe
from embedtune_nb.models.record import RECORD
from embedtune_nb.store.publish import write_manifest
from embedtune_nb.training.publish_model import check_line
from embedtune_nb.training.reload_check import Sample, export_check

if TYPE_CHECKING:
    from embedtune_nb.models.finetuned import FinetunedEmbeddingModel


def export(model: FinetunedEmbeddingModel, folder: str | Path, *, check: bool) -> Path:
    """Copy *model* to *folder*; see :meth:`FinetunedEmbeddingModel.save`."""
    if not isinstance(folder, (str, Path)) or not str(folder).strip():
        raise StoreError(
            f"The folder is {folder!r} ({type(folder).__name__}).",
            expected="a path, as text or pathlib.Path",
            fix="give the folder to copy the model to.",
        )
    target = Path(folder).expanduser().absolute()
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise AlreadyExistsError(f"{target} exists and is not empty.", fix="give a new folder.")
    model.verify()
    try:
        shutil.copytree(model.path, target, dirs_exist_ok=True)
    except OSError as cause:
        raise StoreError(
            f"Could not copy the model to {target}: {cause.strerror or cause}.",
            expected="a folder this user may write to, with room for the model",
            fix="give another folder; what was copied so far is in this one.",
        ) from cause
    if check:
        _check(model, target)
    return target


def _check(model: FinetunedEmbeddingModel, target: Path) -> None:
    """Compare the copy with the original in a fresh process; the result goes on the copy's card."""
    try:
        found = export_check(target, model.path, _sample(model))
    except EmbedtuneError:
        shutil.rmtree(target, ignore_errors=True)
        raise
    record = json.loads((target / RECORD).read_text(encoding="utf-8"))
    record["export_check"] = found
    (target / RECORD).write_text(json.dumps(record, indent=1, ensure_ascii=False), encoding="utf-8")
    with (target / "README.md").open("a", encoding="utf-8") as card:
        card.write(f"\nThis copy: {check_line(found)}\n")
    write_manifest(target)


def _sample(model: FinetunedEmbeddingModel) -> Sample:
    """Return held-out rows where the job still has them, else the general probe, which has no score."""
    snapshot = model.job.folder.data
    if not (snapshot / "split.json").is_file():
        return Sample(None, None, {}, general_probe().texts)
    split = Split.read(snapshot)
    settings = {name: setting.value for name, setting in model.recipe.settings.items()}
    reference = split.train if split.verdict.kind in (LABELED, SCORED) else None
    everything = {"neighbor_eval_count": None, "neighbor_eval_pool_subsample": None}
    return Sample.of(split.verdict, reference, {**settings, **everything})
