"""The winner of a sweep as a model: judged once, with the list of trials beside it, replaced when asked."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from embedtune_nb.catalogue import resolve_base
from embedtune_nb.data.datasource import Datasource
from embedtune_nb.data.split import Split
from embedtune_nb.encoder.encoder import Encoder
from embedtune_nb.encoder.load import load_folder
from embedtune_nb.errors import AlreadyExistsError, InUseError, JobStoppedError
from embedtune_nb.models.finetuned import FinetunedEmbeddingModel
from embedtune_nb.plan.dimension import Dimension
from embedtune_nb.plan.plan import Plan, Setting
from embedtune_nb.plan.resolve import resolve
from embedtune_nb.store.environment import child_environment
from embedtune_nb.store.events import Notice, Phase, Published, VerdictReached
from embedtune_nb.store.job_folder import JobFolder, create
from embedtune_nb.sweep.run_trial import run_trial
from embedtune_nb.sweep.snapshot import snapshot_of_model
from embedtune_nb.sweep.trial_folder import TRIALS, TrialFolder, TrialRecord
from embedtune_nb.sweep.winner import publish_winner
from embedtune_nb.training.shared import Shared

pytestmark = [pytest.mark.slow, pytest.mark.jobs]

RATES = (1e-3, 1e-2)
SETTINGS = {"loss": "contrastive", "eval_steps": 2, "batch_size": 16, "epochs": 1, "bf16": False}
DIMENSION = Dimension("learning_rate", "float", 1e-3, "user", "asked for", low=1e-3, high=1e-2, log=True)
CHECKED = {"texts": 0, "largest_difference": 0.0, "metric": "accuracy", "score": 0.0}
DECISION = {"winner": 1, "proposed": 1, "tie": False, "reason": "best", "band": None, "optimism_gap": None}


class Sweep:
    """A job whose trials are done."""

    def __init__(self, folder: JobFolder) -> None:
        self.folder = folder
        self.split = Split.read(folder.data)
        self.events: list[Any] = []

    def trial(self, index: int) -> TrialFolder:
        return TrialFolder(self.folder.path / TRIALS / f"{index:04d}")

    def publish(self, index: int = 1, **options: Any) -> list[Any]:
        self.events = []
        publish_winner(
            self.folder,
            replace(Plan.from_json(self.trial(index).plan()), name="toy"),
            options.pop("split", self.split),
            self.trial(index),
            emit=self.events.append,
            should_stop=options.pop("should_stop", lambda: False),
            trials=[self.trial(place).record().to_json() for place in range(options.pop("count", 2))],
            decision={**DECISION, "winner": index},
            **options,
        )
        return self.events

    def of(self, kind: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


def sweep_with_trials(base, rows, **more: Any) -> JobFolder:
    data = Datasource.from_list(rows, kind="labeled", roles={"value": "value", "label": "label"})
    settings = {**SETTINGS, **more}
    loss = settings.pop("loss")
    plan, split = resolve(resolve_base(str(base)), data, name="toy", loss=loss, hyperparams=settings)
    content = {**plan.to_json(), "kind": "sweep", "space": [DIMENSION.to_json()]}
    job = create("toy", content, split.write)
    shared = Shared()
    for index, rate in enumerate(RATES):
        changed = {**plan.settings, "learning_rate": Setting(rate, "user", "tried")}
        own = replace(plan, name=f"toy-{index}", settings=changed)
        folder = TrialFolder(job.path / TRIALS / f"{index:04d}")
        folder.path.mkdir(parents=True)
        folder.plan_file.write_text(json.dumps(own.to_json()))
        done = run_trial(folder, own, split, shared, should_stop=lambda: False)
        record = TrialRecord(
            index, 42, "done", {"learning_rate": rate}, score=done.score, metrics=done.metrics
        )
        folder.write(replace(record, metric="accuracy", best_step=done.best_step, has_weights=True))
    return job


@pytest.fixture(scope="module", params=["whole", "adapter"])
def home_with_trials(request, tiny_bert, topic_rows, tmp_path_factory):
    """A home with a sweep that has yet to publish, of a whole model and of an adapter."""
    home = tmp_path_factory.mktemp("sweep") / "home"
    more = {"adapter": "two_layer"} if request.param == "adapter" else {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EMBEDTUNE_HOME", str(home))
        sweep_with_trials(tiny_bert, topic_rows, **more)
    return home


@pytest.fixture
def sweep(home, home_with_trials):
    shutil.copytree(home_with_trials, home)
    return Sweep(JobFolder(next((home / "jobs").glob("toy-*"))))


@pytest.fixture
def unchecked(monkeypatch):
    """Spare the fresh process that opens the saved model; one test here has it."""
    monkeypatch.setattr("embedtune_nb.training.finish.reload_check", lambda *_, **__: CHECKED)


def test_the_winner_is_a_model_like_any_other_with_the_list_of_trials_beside_it(sweep):
    sweep.publish()
    model = FinetunedEmbeddingModel.open("toy")
    texts = sweep.split.verdict.texts()
    kept = Encoder(load_folder(sweep.trial(1).weights)).embed(texts)
    np.testing.assert_allclose(Encoder(load_folder(model.path)).embed(texts), kept, atol=1e-5)
    assert model.recipe["learning_rate"] == RATES[1]
    assert (model.recipe.kind, model.recipe.name) == ("finetune", "toy")
    assert model.verdict.queries == len(sweep.split.verdict)
    assert len(model.regressions().to_frame()) <= len(sweep.split.verdict)
    assert "Trial 1 of a sweep, chosen by" in str(model.card)
    facts = json.loads((model.path / "embedtune.json").read_text())["sweep"]
    assert (facts["trial"], facts["trials"], facts["metric"]) == (1, 2, "accuracy")
    told = snapshot_of_model(model.path)
    assert [record.score for record in told.trials] == [sweep.trial(n).record().score for n in (0, 1)]
    assert told.dimensions == (DIMENSION,)
    assert told.curves["0001"]["eval/accuracy"].step[:2] == [0, 2]
    assert told.curves["0001"]["eval/accuracy"].value[0] == pytest.approx(told.base_score, rel=1e-5)
    assert told.settings["0000"]["learning_rate"]["value"] == RATES[0]


def test_publishing_twice_judges_once(sweep, unchecked):
    sweep.publish()
    written = FinetunedEmbeddingModel.open("toy").path.stat().st_mtime_ns
    first = sweep.of(VerdictReached)
    sweep.publish()
    assert [event.name for event in sweep.of(Phase)] == []
    assert sweep.of(VerdictReached) == first and len(sweep.of(Published)) == 1
    assert FinetunedEmbeddingModel.open("toy").path.stat().st_mtime_ns == written


def test_more_trials_and_the_same_winner_bring_the_list_up_to_date(sweep, unchecked):
    sweep.publish(count=1, index=0)
    model = FinetunedEmbeddingModel.open("toy")
    weights = {file.name: file.read_bytes() for file in model.path.rglob("*.safetensors")}
    sweep.publish(count=2, index=0)
    assert sweep.of(Phase) == [] and len(sweep.of(Published)) == 1
    assert any("brought up to date" in event.text for event in sweep.of(Notice))
    model = FinetunedEmbeddingModel.open("toy")
    model.verify()
    assert len(snapshot_of_model(model.path).trials) == 2
    assert {file.name: file.read_bytes() for file in model.path.rglob("*.safetensors")} == weights


def test_another_winner_replaces_the_model_when_that_is_asked_for(sweep, unchecked):
    sweep.publish(index=0)
    with pytest.raises(AlreadyExistsError, match="is trial 0 of this sweep"):
        sweep.publish(index=1)
    assert sweep.of(Phase) == []
    assert FinetunedEmbeddingModel.open("toy").recipe["learning_rate"] == RATES[0]
    sweep.publish(index=1, replace=True)
    assert FinetunedEmbeddingModel.open("toy").recipe["learning_rate"] == RATES[1]
    models = sweep.folder.path.parent.parent / "models"
    assert [path.name for path in models.iterdir()] == ["toy"]


def test_a_model_that_a_memoryset_needs_is_not_replaced(sweep, unchecked, monkeypatch):
    sweep.publish(index=0)
    monkeypatch.setattr("embedtune_nb.sweep.winner.holders", lambda folder: ["tickets"])
    with pytest.raises(InUseError, match="memoryset 'tickets'"):
        sweep.publish(index=1, replace=True)
    assert sweep.of(Phase) == []


def stop_in(sweep: Sweep, phase: str) -> None:
    with pytest.raises(JobStoppedError, match="are kept"):
        sweep.publish(should_stop=lambda: sweep.of(Phase)[-1].name == phase)


def test_a_stop_before_the_verdict_is_carried_on(sweep, unchecked):
    stop_in(sweep, "evaluating base")
    if "adapter" not in sweep.folder.plan()["settings"]:  # else nothing is left to be embedded
        stop_in(sweep, "evaluating")
        assert [event.name for event in sweep.of(Phase)].count("evaluating base") == 1
        sweep.publish()
        assert "evaluating base" not in [event.name for event in sweep.of(Phase)], "that was done"
    else:
        sweep.publish()
    assert sweep.of(Published)


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
import embedtune_nb.training.finish as finish
from embedtune_nb.store.job_folder import JobFolder
from test_sweep_winner import CHECKED, Sweep

publish = finish.publish

def publish_and_die(*arguments, **options):
    publish(*arguments, **options)
    os.kill(os.getpid(), signal.SIGKILL)

finish.publish = publish_and_die
finish.reload_check = lambda *_, **__: CHECKED
Sweep(JobFolder(Path(sys.argv[1]))).publish()
"""


def test_killed_after_publishing_it_says_the_last_word_when_carried_on(sweep, request):
    here = str(request.path.parent)
    died = subprocess.run(
        [sys.executable, "-c", KILLED, str(sweep.folder.path), here], env=child_environment()
    )
    assert died.returncode == -signal.SIGKILL
    written = FinetunedEmbeddingModel.open("toy").path.stat().st_mtime_ns
    sweep.publish()
    assert len(sweep.of(VerdictReached)) == len(sweep.of(Published)) == 1
    assert sweep.of(Phase) == []
    assert FinetunedEmbeddingModel.open("toy").path.stat().st_mtime_ns == written
