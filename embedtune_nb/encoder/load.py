"""Base models: from what a spec says to a ``SentenceTransformer`` that can be trained."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from sentence_transformers import SentenceTransformer
from transformers.utils import logging

from embedtune_nb.catalogue import BaseSpec, local_folder
from embedtune_nb.errors import ModelUnavailableError


def load_sentence_transformer(
    base: BaseSpec | Mapping[str, Any], *, device: str | None = None
) -> SentenceTransformer:
    """Load the base model that *base* describes, with float32 weights, ready to train.

    Parameters
    ----------
    base
        A base spec, or one as a mapping (a plan holds it so).
    device
        ``"cpu"``, ``"cuda"`` or ``"mps"``; torch's first choice when ``None``.

    Raises
    ------
    ModelUnavailableError
        If the files cannot be had, or hold what :func:`load_folder` refuses.
    """
    spec = base if isinstance(base, BaseSpec) else _spec(base)
    return load_folder(local_folder(spec), name=spec.id, device=device)


def load_folder(folder: Path, *, name: str = "", device: str | None = None) -> SentenceTransformer:
    """Load a model folder with float32 weights.

    Code that comes with a model is never run, and weights stored as pickles are refused, since
    unpickling runs code too.

    Raises
    ------
    ModelUnavailableError
        If the folder holds no safetensors weights or needs Python code of its own.
    """
    name = name or str(folder)
    _refuse_foreign_modules(folder, name)
    if not any(folder.rglob("*.safetensors")):
        raise ModelUnavailableError(
            f"{name} holds no safetensors weights in {folder}.",
            expected="weights in *.safetensors; pickled weights are refused because loading them runs code",
            fix="convert the weights to safetensors, or choose a model that has them.",
        )
    try:
        with without_progress_bars():
            return SentenceTransformer(
                str(folder),
                device=device,
                local_files_only=True,
                trust_remote_code=False,
                # float32 master weights: the small updates of training would vanish in half precision
                model_kwargs={"dtype": torch.float32, "use_safetensors": True},
            )
    except ValueError as cause:
        if "trust_remote_code" not in str(cause):
            raise
        raise _needs_code(name, "its configuration names a class of its own") from cause


@contextmanager
def without_progress_bars() -> Iterator[None]:
    """Keep transformers from drawing bars: a job has no terminal, and a notebook has its monitor."""
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def _spec(base: Mapping[str, Any]) -> BaseSpec:
    known = {field.name for field in dataclasses.fields(BaseSpec)}
    return BaseSpec(**{key: value for key, value in base.items() if key in known})


def _refuse_foreign_modules(folder: Path, name: str) -> None:
    try:
        modules = json.loads((folder / "modules.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return
    for module in modules:
        if not str(module.get("type", "")).startswith("sentence_transformers."):
            raise _needs_code(name, f"its modules.json names {module.get('type')!r}")


def _needs_code(name: str, evidence: str) -> ModelUnavailableError:
    return ModelUnavailableError(
        f"{name} needs Python code that comes with it ({evidence}); such code is not run.",
        expected="a model made of modules of sentence-transformers and transformers",
        fix="choose another base model.",
    )
