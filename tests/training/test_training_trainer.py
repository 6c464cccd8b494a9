"""A training run as its user sees it: it learns, tells, stops, resumes, and leaves a plain model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sentence_transformers import SentenceTransformer

from embedtune_nb.data.datasource import Datasource
from embedtune_nb.encoder.encoder import Encoder
from embedtune_nb.encoder.load import load_folder
from embedtune_nb.errors import IntegrityError, JobFailedError, JobStoppedError, LossError, PlanError
from embedtune_nb.store.events import Best, Measured, Metrics, Notice
from embedtune_nb.store.publish import check
from embedtune_nb.training.build import build_trainer
from embedtune_nb.training.checkpoint import latest_checkpoint
from embedtune_nb.training.head_scores import head_scores

pytestmark = pytest.mark.slow

SETTINGS = {
    "loss": "prediction",
    "epochs": 3,
    "max_steps": None,
    "learning_rate": 2e-3,
    "head_learning_rate": 1e-2,
    "batch_size": 16,
    "warmup": 2,
    "learning_rate_scheduler": "linear",
    "weight_decay": 0.01,
    "loss_scale": 20.0,
    "normalize_embeddings": True,
    "early_stopping": 0,
    "early_stopping_threshold": 0.0,
    "eval_steps": "off",
    "metric": "accuracy",
    "bf16": False,
    "logging_steps": 1,
    "seed": 5,
}


@pytest.fixture
def pairs(topic_rows) -> Datasource:
    frame = pd.DataFrame(topic_rows)
    texts = [group["value"].tolist() for _, group in frame.groupby("label")]
    rows = [(texts[0][i], texts[0][i + 1]) for i in range(0, 24, 2)]
    for part in texts[1:]:
        rows += [(part[i], part[i + 1]) for i in range(0, 24, 2)]
    table = pd.DataFrame(rows, columns=["anchor", "positive"])
    return Datasource.from_pandas(table, kind="pairs", roles={"anchor": "anchor", "positive": "positive"})


class Run:
    """A trainer with everything it emitted."""

    def __init__(self, model: Path, data: Datasource, folder: Path, **changes: Any) -> None:
        hooks = {key: changes.pop(key) for key in ("on_evaluate", "resume_from") if key in changes}
        self.stop_at = changes.pop("stop_at", None)
        self.events: list[Any] = []
        self.encoder = Encoder(load_folder(model, device="cpu"), 32)
        self.trainer = build_trainer(
            self.encoder,
            data,
            {**SETTINGS, **changes},
            output_dir=folder,
            emit=self.events.append,
            should_stop=lambda: self.trainer.state.global_step == self.stop_at,
            **hooks,
        )

    def of(self, kind: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def losses(self) -> dict[int, float]:
        return {event.step: event.values["train/loss"] for event in self.of(Metrics)}


@pytest.mark.parametrize("loss", ["prediction", "contrastive"])
@pytest.mark.parametrize("model", ["tiny_bert", "tiny_rope", "tiny_static"])
def test_it_learns_labels(model, loss, request, labeled, tmp_path):
    rate = 0.05 if model == "tiny_static" else 2e-3
    run = Run(request.getfixturevalue(model), labeled, tmp_path, loss=loss, learning_rate=rate, epochs=8)
    before = run.trainer.eval_loss(labeled)
    result = run.trainer.run()
    assert result.outcome == "finished" and result.step == 48
    assert run.trainer.eval_loss(labeled) < 0.8 * before
    if loss == "prediction":
        assert head_scores(run.trainer.objective, run.encoder, labeled)["head_accuracy"] > 0.9


def test_it_learns_pairs_and_says_what_was_masked(tiny_bert, pairs, tmp_path):
    doubled = pd.concat([pairs.to_pandas(), pairs.to_pandas().assign(positive=lambda f: f.positive + " too")])
    data = Datasource.from_pandas(
        doubled[["anchor", "positive"]], kind="pairs", roles={"anchor": "anchor", "positive": "positive"}
    )
    run = Run(tiny_bert, data, tmp_path, loss="contrastive", epochs=8)
    before = run.trainer.eval_loss(data)
    run.trainer.run()
    assert run.trainer.eval_loss(data) < 0.8 * before
    assert any("masked" in notice.text for notice in run.of(Notice))


def test_every_step_of_a_short_run_is_told(tiny_bert, labeled, tmp_path):
    run = Run(tiny_bert, labeled, tmp_path, logging_steps=500)
    run.trainer.run()
    metrics = run.of(Metrics)
    assert [event.step for event in metrics] == list(range(1, 19))
    assert metrics[5].epoch == pytest.approx(1.0)
    assert set(metrics[0].values) == {
        "train/loss",
        "train/learning_rate",
        "train/grad_norm",
        "train/texts_per_second",
    }
    # two warm-up steps up to the peak, then down to the last step
    rates = [event.values["train/learning_rate"] for event in metrics]
    assert rates[:3] == pytest.approx([0.0, 1e-3, 2e-3]) and rates[-1] == pytest.approx(2e-3 / 16)
    measured = run.of(Measured)[-1].settings
    assert measured["seconds_per_step"]["value"] > 0 and measured["peak_memory_bytes"]["value"] > 1e6
    assert measured["bf16"]["reason"] == "asked for" and measured["rows"]["value"] == "packed"


def test_a_run_says_nothing_on_the_terminal(tiny_bert, labeled, tmp_path, capfd):
    Run(tiny_bert, labeled, tmp_path, epochs=1).trainer.run()
    out, err = capfd.readouterr()
    assert out == "" and "it/s" not in err


@pytest.mark.parametrize("loss", ["prediction", "contrastive"])
def test_a_stopped_run_goes_on_as_if_nothing_had_happened(loss, tiny_bert, labeled, tmp_path):
    straight = Run(tiny_bert, labeled, tmp_path / "straight", loss=loss)
    straight.trainer.run()
    # step 8 lies in the second epoch, so data order and random state of an epoch must be found again
    first = Run(tiny_bert, labeled, tmp_path / "cut", loss=loss, stop_at=8)
    stopped = first.trainer.run()
    assert stopped.outcome == "stopped" and stopped.step == 8
    assert (
        stopped.checkpoint
        == tmp_path / "cut" / "checkpoints" / "step-8"
        == latest_checkpoint(tmp_path / "cut")
    )
    second = Run(tiny_bert, labeled, tmp_path / "cut", loss=loss, resume_from=stopped.checkpoint)
    assert second.trainer.run(resume_from=stopped.checkpoint).outcome == "finished"
    assert first.losses | second.losses == pytest.approx(straight.losses, rel=1e-5)
    texts = labeled.texts()[:20]
    assert second.encoder.embed(texts) == pytest.approx(straight.encoder.embed(texts), abs=1e-5)
    if loss == "prediction":
        weights = [run.trainer.loss.head.weight.detach().numpy() for run in (second, straight)]
        assert weights[0] == pytest.approx(weights[1], abs=1e-5)


def test_a_checkpoint_that_was_never_finished_is_passed_over(tiny_bert, labeled, tmp_path):
    stopped = Run(tiny_bert, labeled, tmp_path, stop_at=4).trainer.run()
    torn = stopped.checkpoint.parent / "step-9"
    torn.mkdir()
    (torn / "model.safetensors").write_bytes(b"half")
    assert latest_checkpoint(tmp_path) == stopped.checkpoint
    weights = stopped.checkpoint / "loss.pt"
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(IntegrityError):
        check(stopped.checkpoint)
    assert latest_checkpoint(tmp_path) is None


def test_the_best_weights_come_back(tiny_bert, labeled, tmp_path):
    vectors = {}
    scores = {6: 0.5, 12: 0.9, 18: 0.7}

    def evaluate(step: int, epoch: float) -> float:
        vectors[step] = run.encoder.embed(labeled.texts()[:8])
        return scores[step]

    run = Run(tiny_bert, labeled, tmp_path, eval_steps="epoch", on_evaluate=evaluate)
    result = run.trainer.run()
    assert list(vectors) == [6, 12, 18]
    assert result.best == Best("eval/accuracy", 0.9, 12)
    assert [event.step for event in run.of(Best)] == [6, 12]
    assert run.encoder.embed(labeled.texts()[:8]) == pytest.approx(vectors[12], abs=1e-6)
    assert np.abs(vectors[12] - vectors[18]).max() > 1e-4
    assert any("step 12" in notice.text for notice in run.of(Notice))


def test_patience_ends_a_run_that_gets_no_better(tiny_bert, labeled, tmp_path):
    scores = iter([0.5, 0.505, 0.502, 0.9])
    run = Run(
        tiny_bert,
        labeled,
        tmp_path,
        eval_steps=3,
        early_stopping=2,
        early_stopping_threshold=0.01,
        on_evaluate=lambda step, epoch: next(scores),
    )
    result = run.trainer.run()
    assert (result.outcome, result.step, result.best.step) == ("early stopped", 9, 6)


def test_patience_survives_a_stop(tiny_bert, labeled, tmp_path):
    options = {"eval_steps": 3, "early_stopping": 2}
    first = Run(tiny_bert, labeled, tmp_path, stop_at=7, on_evaluate=lambda step, _: -step, **options)
    stopped = first.trainer.run()
    second = Run(
        tiny_bert,
        labeled,
        tmp_path,
        on_evaluate=lambda step, _: -step,
        resume_from=stopped.checkpoint,
        **options,
    )
    result = second.trainer.run(resume_from=stopped.checkpoint)
    assert (result.outcome, result.step, result.best.step) == ("early stopped", 9, 3)


class Scores:
    """An evaluation with known scores that can be stopped in the middle of one of its turns."""

    def __init__(self, scores: dict[int, float], stop_at: int | None = None) -> None:
        self.scores, self.stop_at = scores, stop_at
        self.steps: list[int] = []

    def __call__(self, step: int, epoch: float) -> float:
        if step == self.stop_at:
            raise JobStoppedError("stopped")
        self.steps.append(step)
        return self.scores[step]


@pytest.mark.parametrize(
    ("every", "halted", "steps"),
    [(4, 8, [4, 8, 12, 16, 18]), (4, 18, [4, 8, 12, 16, 18]), ("epoch", 12, [6, 12, 18]), ("end", 18, [18])],
)
def test_a_stop_in_an_evaluation_loses_neither_steps_nor_the_evaluation(
    every, halted, steps, tiny_bert, labeled, tmp_path
):
    scores = {step: 1 / step for step in steps}
    straight = Run(tiny_bert, labeled, tmp_path / "straight", eval_steps=every, on_evaluate=Scores(scores))
    straight_result = straight.trainer.run()
    before, after = Scores(scores, halted), Scores(scores)
    first = Run(tiny_bert, labeled, tmp_path / "cut", eval_steps=every, on_evaluate=before)
    stopped = first.trainer.run()
    assert (stopped.outcome, stopped.step) == ("stopped", halted)
    assert stopped.checkpoint == latest_checkpoint(tmp_path / "cut")
    second = Run(
        tiny_bert,
        labeled,
        tmp_path / "cut",
        eval_steps=every,
        on_evaluate=after,
        resume_from=stopped.checkpoint,
    )
    result = second.trainer.run(resume_from=stopped.checkpoint)
    assert before.steps + after.steps == steps
    assert (result.outcome, result.step) == ("finished", 18)
    assert result.best == straight_result.best
    assert first.losses | second.losses == pytest.approx(straight.losses, rel=1e-5)
    texts = labeled.texts()[:20]
    assert second.encoder.embed(texts) == pytest.approx(straight.encoder.embed(texts), abs=1e-5)


def test_a_stop_in_the_evaluation_that_was_made_up_for_keeps_the_checkpoint(tiny_bert, labeled, tmp_path):
    def go_on(checkpoint: Path | None, stop_at: int | None):
        scores = Scores({4: 0.1, 8: 0.2, 12: 0.3, 16: 0.4, 18: 0.5}, stop_at)
        run = Run(tiny_bert, labeled, tmp_path, eval_steps=4, on_evaluate=scores, resume_from=checkpoint)
        return run.trainer.run(resume_from=checkpoint)

    once = go_on(None, 8)
    twice = go_on(once.checkpoint, 8)
    assert (twice.outcome, twice.step, twice.checkpoint) == ("stopped", 8, once.checkpoint)
    assert go_on(latest_checkpoint(tmp_path), None).best == Best("eval/accuracy", 0.5, 18)


@pytest.mark.parametrize("patience", [0, 2])
@pytest.mark.parametrize("limit", [None, 10])
def test_a_run_that_has_ended_comes_back_without_another_step(limit, patience, tiny_bert, labeled, tmp_path):
    # best at step 3, so early stopping ends the run after step 9
    options = {"eval_steps": 3, "early_stopping": patience, "max_steps": limit}
    first = Run(tiny_bert, labeled, tmp_path, on_evaluate=lambda step, _: -step, **options)
    ended = first.trainer.run()
    assert ended.step == (9 if patience else limit or 18)
    assert ended.checkpoint == latest_checkpoint(tmp_path)

    def never(step: int, epoch: float) -> float:
        pytest.fail("evaluated again")

    again = Run(tiny_bert, labeled, tmp_path, on_evaluate=never, resume_from=ended.checkpoint, **options)
    result = again.trainer.run(resume_from=ended.checkpoint)
    assert (result.outcome, result.step, result.best) == (ended.outcome, ended.step, ended.best)
    assert not again.losses
    texts = labeled.texts()[:20]
    assert again.encoder.embed(texts) == pytest.approx(first.encoder.embed(texts), abs=1e-6)
    again.trainer.drop_progress()
    assert not list(tmp_path.rglob("*.pt")) and latest_checkpoint(tmp_path) is None


def test_the_lowest_loss_is_the_best_and_is_told_as_it_is(tiny_bert, labeled, tmp_path):
    scores = Scores({4: 0.9, 8: 0.3, 12: 0.5, 16: 0.7, 18: 0.8})
    run = Run(tiny_bert, labeled, tmp_path, eval_steps=4, metric="loss", early_stopping=2, on_evaluate=scores)
    result = run.trainer.run()
    assert (result.outcome, result.step) == ("early stopped", 16)
    assert [(event.value, event.step) for event in run.of(Best)] == [(0.9, 4), (0.3, 8)]
    assert result.best == Best("eval/loss", 0.3, 8)
    assert any("step 8: eval/loss was best, 0.3000" in notice.text for notice in run.of(Notice))


def test_what_evaluations_leave_out_is_not_told_of_training(tiny_bert, labeled, tmp_path):
    run = Run(tiny_bert, labeled, tmp_path, loss="contrastive", epochs=1)
    frame = labeled.frames["examples"].drop_duplicates("label")
    alone = Datasource("labeled", {"examples": frame}, name="one text a label")
    run.trainer.run()
    told = run.trainer.objective.loss.left_out
    assert run.trainer.eval_loss(alone) == 0.0, "no text has a partner here"
    assert run.trainer.objective.loss.left_out == told


def test_a_loss_that_is_no_number_ends_the_run_at_once(tiny_bert, labeled, tmp_path):
    run = Run(tiny_bert, labeled, tmp_path, learning_rate=1e30, warmup=0)
    with pytest.raises(JobFailedError, match=r"The loss became (nan|inf) at step [2-4]\.") as failure:
        run.trainer.run()
    assert "learning_rate" in str(failure.value)


def test_a_trained_model_is_a_plain_folder(tiny_bert, labeled, tmp_path):
    run = Run(tiny_bert, labeled, tmp_path / "run", epochs=1)
    run.trainer.run()
    run.encoder.save(tmp_path / "model")
    stranger = SentenceTransformer(str(tmp_path / "model"), device="cpu")
    expected = stranger.encode(labeled.texts(), normalize_embeddings=True)
    assert run.encoder.embed(labeled.texts()) == pytest.approx(expected, abs=1e-5)
    assert not [path for path in (tmp_path / "model").rglob("*") if path.suffix in {".pt", ".bin", ".md"}]


def test_the_head_learns_at_its_own_pace(tiny_bert, labeled, tmp_path):
    run = Run(tiny_bert, labeled, tmp_path, learning_rate=0.0, head_learning_rate=0.1)
    head, texts = run.trainer.loss.head.weight.detach().clone(), labeled.texts()[:8]
    vectors = run.encoder.embed(texts)
    run.trainer.run()
    assert (run.trainer.loss.head.weight.detach() - head).abs().max() > 1e-2
    assert run.encoder.embed(texts) == pytest.approx(vectors, abs=1e-6)


def test_training_in_bfloat16_does_not_touch_evaluation(tiny_bert, labeled, tmp_path):
    run = Run(tiny_bert, labeled, tmp_path, bf16=True, epochs=1)
    run.trainer.run()
    assert {weight.dtype for weight in run.encoder.model.parameters()} == {torch.float32}
    run.encoder.save(tmp_path / "model")
    exact = SentenceTransformer(str(tmp_path / "model"), device="cpu").encode(
        ["rain"], normalize_embeddings=True
    )
    assert run.encoder.embed(["rain"]) == pytest.approx(exact, abs=1e-6)


def test_refusals_name_the_way_out(tiny_bert, labeled, pairs, tmp_path):
    with pytest.raises(LossError, match=r"prediction.*pairs"):
        Run(tiny_bert, pairs, tmp_path, loss="prediction")
    run = Run(tiny_bert, labeled, tmp_path, loss="contrastive")
    with pytest.raises(PlanError, match="neighbor"):
        head_scores(run.trainer.objective, run.encoder, labeled)
