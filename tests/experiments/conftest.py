"""A home in which tiny models were trained, and data of which some is theirs."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import embedtune_nb as et
from embedtune_nb.training import reload_check

_SHORT = {"epochs": 1, "eval_steps": "off", "early_stopping": False, "batch_size": 16, "bf16": False}


def _check_here(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
    """Carry out the check of a reloaded model in this process; that it is a fresh one is tested elsewhere."""
    reload_check.main(Path(command[-1]))
    return subprocess.CompletedProcess(command, 0)


@pytest.fixture
def short() -> dict[str, Any]:
    """Settings of a run that takes a second."""
    return dict(_SHORT)


@pytest.fixture(scope="module")
def labelled(topic_rows) -> pd.DataFrame:
    """The 96 texts of four topics, twice with other words at the end, so that 20 and more are held out."""
    extra = [{**row, "value": f"{row['value']} {row['label']} again"} for row in topic_rows]
    return pd.DataFrame([*topic_rows, *extra])


@pytest.fixture(scope="module")
def home_with_model(tiny_bert, labelled, tmp_path_factory):
    """A home in which a thread of this process published the model ``small``."""
    folder = tmp_path_factory.mktemp("experiments") / "home"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EMBEDTUNE_HOME", str(folder))
        patch.setattr(reload_check.subprocess, "run", _check_here)
        base = et.PretrainedEmbeddingModel(str(tiny_bert))
        base.finetune("small", labelled, hyperparams=_SHORT, executor="thread")
    return folder


@pytest.fixture
def small(home, home_with_model, monkeypatch):
    """That model, in a home of this test's own."""
    monkeypatch.setattr(reload_check.subprocess, "run", _check_here)
    shutil.copytree(home_with_model, home, dirs_exist_ok=True)
    return et.FinetunedEmbeddingModel.open("small")


@pytest.fixture
def base(home, tiny_bert, monkeypatch):
    monkeypatch.setattr(reload_check.subprocess, "run", _check_here)
    return et.PretrainedEmbeddingModel(str(tiny_bert))
