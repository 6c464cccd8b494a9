"""Checkpoints that a run can be carried on from: model, loss, optimizer, schedule, random state, choices."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from torch import nn

from embedtune_nb.errors import IntegrityError
from embedtune_nb.store.publish import check, publish, remove

LOSS_WEIGHTS = "loss.pt"
RUN_STATE = "run.json"
#: The best weights so far, in the folder of the run and in each checkpoint.
BEST_WEIGHTS = "best.pt"


def loss_weights(loss: nn.Module) -> dict[str, torch.Tensor]:
    """Return the weights that belong to the loss itself, without those of its model."""
    return {name: value for name, value in loss.state_dict().items() if not name.startswith("model.")}


def load_loss_weights(loss: nn.Module, weights: dict[str, torch.Tensor]) -> None:
    """Put weights as of :func:`loss_weights` back."""
    with torch.no_grad():
        own = loss.state_dict()
        for name, value in weights.items():
            own[name].copy_(value)


def checkpoint_folder(root: Path, step: int) -> Path:
    """Return where the checkpoint after *step* optimizer steps stands below *root*."""
    return root / "checkpoints" / f"step-{step}"


def latest_checkpoint(root: Path) -> Path | None:
    """Return the newest complete checkpoint below *root*, or ``None``.

    A folder whose manifest is missing or does not agree with its files was never finished, or was
    damaged; it is passed over.
    """
    folders = (root / "checkpoints").glob("step-*")
    for folder in sorted(folders, key=_step_of, reverse=True):
        try:
            check(folder, hashes=True)
        except IntegrityError:
            continue
        return folder
    return None


def write_checkpoint(root: Path, step: int, fill: Any, run_state: dict[str, Any], *, keep: int = 1) -> Path:
    """Write a checkpoint and drop older ones.

    Parameters
    ----------
    root
        Folder of the run.
    step
        Optimizer steps behind us.
    fill
        Called with the folder to fill.
    run_state
        What a resumed run must repeat; plain JSON.
    keep
        How many stay, this one included; 0 for all.
    """
    target = checkpoint_folder(root, step)

    def build(folder: Path) -> None:
        fill(folder)
        (folder / RUN_STATE).write_text(json.dumps(run_state, indent=1), encoding="utf-8")
        if target.exists():
            remove(target)

    publish(target, build)
    older = sorted(target.parent.glob("step-*"), key=_step_of)
    for folder in older[: len(older) - keep] if keep else []:
        if folder != target:
            shutil.rmtree(folder, ignore_errors=True)
    return target


def _step_of(folder: Path) -> int:
    return int(folder.name.partition("-")[2])


def drop_progress(root: Path, *, checkpoints: bool) -> None:
    """Delete the best weights of the run in *root*, and its *checkpoints* too."""
    if checkpoints:
        shutil.rmtree(root / "checkpoints", ignore_errors=True)
    (root / BEST_WEIGHTS).unlink(missing_ok=True)


def read_run_state(folder: Path) -> dict[str, Any]:
    """Return what :func:`write_checkpoint` was given as *run_state*."""
    return json.loads((folder / RUN_STATE).read_text(encoding="utf-8"))
