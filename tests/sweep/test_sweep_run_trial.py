"""One trial: as a single run with its plan would go, with fresh weights, and no eye on the verdict part."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer

from embedtune_nb.catalogue import resolve_base
from embedtune_nb.data.datasource import Datasource
from embedtune_nb.data.split import Split
from embedtune_nb.encoder.encoder import Encoder
from embedtune_nb.errors import JobFailedError, JobStoppedError
from embedtune_nb.evaluation.evaluate import evaluate
from embedtune_nb.plan.plan import Plan, Setting
from embedtune_nb.plan.resolve import resolve
from embedtune_nb.plan.trial import plan_of_trial
from embedtune_nb.store.events import EventReader
from embedtune_nb.store.job_folder import create
from embedtune_nb.sweep.run_trial import PrunedError, TrialOutcome, run_trial
from embedtune_nb.sweep.trial_folder import TrialFolder
from embedtune_nb.training import run
from embedtune_nb.training.finetune import run_finetune
from embedtune_nb.training.shared import Shared

pytestmark = pytest.mark.slow

NEIGHBORS = {"loss": "contrastive", "eval_steps": 2, "batch_size": 16, "epochs": 1, "bf16": False}


QUIET = {"should_stop": lambda: False}


class Sweep:
    """Trials one after the other, in one process and on one split."""

    def __init__(self, path, base, data: Datasource, **hyperparams: Any) -> None:
        self.path, self.shared = path, Shared()
        loss = hyperparams.pop("loss", None)
        self.plan, self.split = resolve(
            resolve_base(str(base)), data, name="toy", loss=loss, hyperparams=hyperparams
        )
        self.made = 0

    def folder(self, index: int) -> TrialFolder:
        return TrialFolder(self.path / "trials" / f"{index:04d}")

    def with_values(self, **values: Any) -> Plan:
        changed = {name: Setting(value, "user", "tried") for name, value in values.items()}
        return replace(self.plan, settings={**self.plan.settings, **changed})

    def trial(self, *, split: Split | None = None, **values: Any) -> TrialOutcome:
        told = {name: values.pop(name) for name in ("should_stop", "on_value") if name in values}
        told.setdefault("should_stop", lambda: False)
        place, self.made = self.made, self.made + 1
        plan = self.with_values(**values)
        return run_trial(self.folder(place), plan, split or self.split, self.shared, **told)

    def events(self, index: int) -> list[dict[str, Any]]:
        return list(EventReader(self.folder(index).events).new())


def curves(events: list[dict[str, Any]]) -> dict[str, list[tuple[int, float]]]:
    """Return what does not depend on the clock."""
    found: dict[str, list[tuple[int, float]]] = {}
    for event in events:
        if event["type"] == "metrics":
            for name, value in event["values"].items():
                if "per_second" not in name:
                    found.setdefault(name, []).append((event["step"], value))
    return found


@pytest.fixture
def sweep(home, tmp_path, labeled):
    def make(base, **hyperparams: Any) -> Sweep:
        return Sweep(tmp_path / "job", base, labeled, **hyperparams)

    return make


@pytest.mark.parametrize(
    "settings",
    [NEIGHBORS, {**NEIGHBORS, "adapter": "linear"}, {**NEIGHBORS, "loss": "prediction", "early_stopping": 0}],
    ids=["whole", "adapter", "head"],
)
def test_a_trial_goes_as_a_single_run_with_its_plan(sweep, tiny_bert, settings, monkeypatch):
    monkeypatch.setattr("embedtune_nb.training.finish.reload_check", lambda *_, **__: CHECKED)
    trials = sweep(tiny_bert, **settings)
    outcome = trials.trial()
    again = trials.trial()
    job = create("toy", trials.plan.to_json(), trials.split.write)
    single: list[Any] = []
    run_finetune(job, single.append, lambda: False)
    told = [{"type": event.type, **vars(event)} for event in single]
    expected = curves(told)
    for index in (0, 1):
        assert curves(trials.events(index)).keys() == expected.keys()
        for name, points in curves(trials.events(index)).items():
            steps, values = zip(*points, strict=True)
            wanted_steps, wanted = zip(*expected[name], strict=True)
            assert steps == wanted_steps
            np.testing.assert_allclose(values, wanted, rtol=1e-4, atol=1e-5, err_msg=name)
    assert again.score == pytest.approx(outcome.score)
    assert outcome.steps_done == outcome.steps_total == trials.plan["steps_total"]


CHECKED = {"texts": 0, "largest_difference": 0.0, "metric": "accuracy", "score": 0.0}


def test_head_weights_are_fresh_in_each_trial(sweep, tiny_bert, monkeypatch):
    seen: list[dict[str, torch.Tensor]] = []
    build = run.build_trainer

    def watched(*arguments: Any, **options: Any) -> Any:
        trainer = build(*arguments, **options)
        seen.append({"start": trainer.objective.loss.head.weight.detach().clone()})
        seen[-1]["loss"] = trainer.objective.loss
        seen[-1]["model"] = torch.cat([weight.detach().flatten() for weight in trainer.model.parameters()])
        return trainer

    monkeypatch.setattr(run, "build_trainer", watched)
    trials = sweep(tiny_bert, loss="prediction", epochs=1, batch_size=16, bf16=False, eval_steps=2)
    for _ in range(2):
        trials.trial(head_learning_rate=0.1, learning_rate=1e-3)
    first, second = seen
    assert torch.equal(first["start"], second["start"])
    assert torch.equal(first["model"], second["model"])
    trained = first["loss"].head.weight
    assert not torch.allclose(trained, second["start"], atol=1e-3)
    assert first["loss"] is not second["loss"]


def test_the_score_is_the_best_on_the_selection_part_and_its_weights_are_kept(sweep, tiny_bert):
    trials = sweep(tiny_bert, **NEIGHBORS)
    outcome = trials.trial(learning_rate=1e-2)
    curve = dict(curves(trials.events(0))["eval/accuracy"])
    steps = [step for step in curve if step]
    assert outcome.score == max(curve[step] for step in steps)
    assert outcome.best_step == min(step for step in steps if curve[step] == outcome.score)
    assert outcome.metrics["accuracy"] == outcome.score
    losses = dict(curves(trials.events(0))["train/loss"])
    assert outcome.metrics["train/loss"] == losses[outcome.best_step]
    kept = Encoder(SentenceTransformer(str(trials.folder(0).weights), device="cpu"))
    settings = trials.plan.objectives[0]
    found = evaluate(kept, trials.split.selection, reference=trials.split.train, settings=settings)
    assert found.metrics["accuracy"] == pytest.approx(outcome.score)
    left = {path.name for path in trials.folder(0).path.iterdir()}
    assert left == {"events.jsonl", "model"}


def test_no_trial_reads_the_verdict_part(sweep, tiny_bert):
    trials = sweep(tiny_bert, **NEIGHBORS)
    blind = replace(trials.split, verdict=None)
    assert trials.trial(split=blind).score is not None


def test_a_pruned_trial_ends_in_order(sweep, tiny_bert):
    told: list[tuple[float, float]] = []

    def prune(fraction: float, value: float) -> None:
        told.append((fraction, value))
        if len(told) == 2:
            raise PrunedError("below the median of the others")

    trials = sweep(tiny_bert, **NEIGHBORS)
    outcome = trials.trial(on_value=prune)
    total = trials.plan["steps_total"]
    assert [fraction for fraction, _ in told] == [pytest.approx(2 / total), pytest.approx(4 / total)]
    assert (outcome.pruned, outcome.steps_done) == ("below the median of the others", 4)
    assert outcome.score == max(value for _, value in told)
    assert trials.events(0)[-1]["state"] == "done"
    assert {path.name for path in trials.folder(0).path.iterdir()} == {"events.jsonl"}


def test_the_base_is_evaluated_once_for_all_trials(sweep, tiny_bert):
    trials = sweep(tiny_bert, **NEIGHBORS)
    for _ in range(2):
        trials.trial()
    phases = [
        [event["name"] for event in trials.events(place) if event["type"] == "phase"] for place in (0, 1)
    ]
    assert "evaluating base" in phases[0] and "evaluating base" not in phases[1]
    starts = [[e["values"] for e in trials.events(place) if e["type"] == "base"] for place in (0, 1)]
    assert starts[0] == starts[1] != []


def test_a_stopped_trial_starts_anew(sweep, tiny_bert):
    trials = sweep(tiny_bert, **NEIGHBORS)
    steps: list[float] = []
    with pytest.raises(JobStoppedError, match="keeps no checkpoint"):
        trials.trial(should_stop=lambda: bool(steps), on_value=lambda fraction, _: steps.append(fraction))
    assert trials.events(0)[-1]["state"] == "stopped"
    assert {path.name for path in trials.folder(0).path.iterdir()} == {"events.jsonl"}
    trials.made = 0
    outcome = trials.trial()
    assert outcome.steps_done == trials.plan["steps_total"]
    events = trials.events(0)
    assert any("starts anew" in event.get("text", "") for event in events)
    assert curves(events)["train/loss"][0][0] == 1


def test_trials_of_different_losses_parts_and_lengths_share_what_they_can(home, tmp_path, tiny_bert, labeled):
    space = {"adapter": [None, "linear"], "max_seq_length": [8, 16], "learning_rate": (1e-3, 1e-2)}
    plan, split = resolve(
        resolve_base(str(tiny_bert)),
        labeled,
        name="toy",
        loss=["contrastive", "proxy"],
        hyperparams={**space, "epochs": 1, "batch_size": 16, "eval_steps": 2, "bf16": False},
        trial_count=8,
    )
    shared, starts, scores = Shared(), [], []
    for place, (loss, adapter, length) in enumerate(
        [("contrastive", None, 8), ("proxy", None, 8), ("proxy", "linear", 8), ("contrastive", None, 16)]
    ):
        values = {"loss": loss, "adapter": adapter, "max_seq_length": length, "learning_rate": 1e-3}
        folder = TrialFolder(tmp_path / str(place))
        trial = plan_of_trial(plan, split, values)
        alone = run_trial(TrialFolder(tmp_path / f"{place}-alone"), trial, split, Shared(), **QUIET)
        outcome = run_trial(folder, trial, split, shared, **QUIET)
        assert outcome.metrics == pytest.approx(alone.metrics, rel=1e-4, abs=1e-5)
        starts.append(next(e["values"] for e in EventReader(folder.events).new() if e["type"] == "base"))
        scores.append(outcome.score)
    assert all(start == pytest.approx(starts[0]) for start in starts), "one base, one metric"
    assert np.isfinite(scores).all()


def test_what_a_killed_attempt_left_goes_and_what_it_told_stays(tmp_path):
    folder = TrialFolder(tmp_path / "0000")
    for half in (folder.weights, folder.path / ".tmp-model.123"):
        half.mkdir(parents=True)
        (half / "model.safetensors").write_bytes(b"half")
    (folder.path / "best.pt").write_bytes(b"half")
    for told in (folder.plan_file, folder.record_file, folder.events, folder.lease):
        told.write_text("{}")
    folder.drop_unfinished()
    left = {path.name for path in folder.path.iterdir()}
    assert left == {"plan.json", "trial.json", "events.jsonl", "lease.lock"}


def test_a_trial_whose_loss_is_no_number_fails_and_the_next_one_is_well(sweep, tiny_bert):
    trials = sweep(tiny_bert, **NEIGHBORS)
    with pytest.raises(JobFailedError, match="lower learning_rate"):
        trials.trial(learning_rate=1e30)
    last = trials.events(0)[-1]
    assert last["state"] == "failed" and "learning_rate" in last["reason"]
    assert np.isfinite(trials.trial().score)
    assert trials.events(1)[-1]["state"] == "done"
