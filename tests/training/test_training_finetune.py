"""A whole job in this process: stopped where it evaluates, carried on, published, tidied up."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from embedtune_nb.catalogue import resolve_base
from embedtune_nb.data.datasource import Datasource
from embedtune_nb.data.split import Split
from embedtune_nb.encoder.encoder import Encoder
from embedtune_nb.errors import JobStoppedError
from embedtune_nb.evaluation.evaluate import evaluate
from embedtune_nb.evaluation.forgetting import general_probe
from embedtune_nb.plan.plan import Plan
from embedtune_nb.plan.resolve import resolve
from embedtune_nb.store.events import Base, Best, Measured, Metrics, Notice, Phase, Published, VerdictReached
from embedtune_nb.store.job_folder import JobFolder, create
from embedtune_nb.training.finetune import run_finetune
from embedtune_nb.training.forgetting_guard import ForgettingGuard

pytestmark = pytest.mark.jobs

QUICK = {"epochs": 1, "batch_size": 16, "bf16": False}


class Worker:
    """Carries a job out; told to stop, it stops in the given phase once that has begun."""

    def __init__(self, folder: JobFolder) -> None:
        self.folder = folder
        self.events: list[Any] = []

    def work(self, stop_in: str | None = None, after: int = 0) -> list[Any]:
        """Run until the phase *stop_in*, there until *after* steps were told; return the events."""
        self.events = []
        phases: list[str] = []

        def emit(event: Any) -> None:
            self.events.append(event)
            if isinstance(event, Phase):
                phases.append(event.name)

        def should_stop() -> bool:
            return bool(phases) and phases[-1] == stop_in and len(self.steps) >= after

        run_finetune(self.folder, emit, should_stop)
        return self.events

    def of(self, kind: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def evaluations(self) -> list[int]:
        curves = self.of(Metrics)
        return [event.step for event in curves if any(name.startswith("eval/") for name in event.values)]

    @property
    def steps(self) -> list[int]:
        return [event.step for event in self.of(Metrics) if "train/loss" in event.values]


@pytest.fixture
def job(home, tiny_bert):
    def make(data: Datasource, evaluation: Datasource | None = None, **hyperparams: Any) -> Worker:
        plan, parts = resolve(
            resolve_base(str(tiny_bert)),
            data,
            name="toy",
            eval_datasource=evaluation,
            loss=hyperparams.pop("loss", None),
            hyperparams={**QUICK, **hyperparams},
        )
        return Worker(create("toy", plan.to_json(), parts.write))

    return make


def test_a_stop_in_the_closing_evaluation_keeps_the_training(job, labeled):
    worker = job(labeled, eval_steps="off", early_stopping=False)
    with pytest.raises(JobStoppedError, match="closing evaluation; the trained weights are kept"):
        worker.work(stop_in="evaluating")
    total = worker.steps[-1]
    worker.work()
    assert worker.steps == [], "nothing was trained twice"
    assert worker.evaluations == [total]
    assert len(worker.of(VerdictReached)) == len(worker.of(Published)) == 1
    assert any(f"step-{total}" in notice.text for notice in worker.of(Notice))
    left = {path.name for path in worker.folder.path.iterdir()}
    assert {"data", "evaluation", "plan.json"} <= left
    assert not {"checkpoints", "best.pt"} & left


def test_a_stop_in_an_evaluation_of_the_curve_is_carried_on(job, labeled):
    worker = job(labeled, eval_method="neighbor", eval_steps=2)
    with pytest.raises(JobStoppedError, match=r"Stopped at step 4 of 5; a checkpoint is kept"):
        # a step is told after its evaluation, so the first to be asked is the evaluation of step 4
        worker.work(stop_in="training", after=3)
    first = worker.steps
    worker.work()
    assert [*first, *worker.steps] == [1, 2, 3, 4, 5]
    assert worker.evaluations == [4, 5]
    assert worker.of(Published)


def test_a_first_loss_is_told_before_the_base_is_evaluated_and_a_stop_there_keeps_it(job, labeled):
    worker = job(labeled, eval_steps="off", early_stopping=False)
    with pytest.raises(JobStoppedError, match="Stopped at step 1 of"):
        worker.work(stop_in="evaluating base")
    assert worker.steps == [1]
    assert not worker.of(Base)
    worker.work()
    assert worker.steps[0] == 2
    assert len(worker.of(Base)) == len(worker.of(Published)) == 1


def test_the_base_is_judged_as_it_was_before_the_first_step(job, labeled):
    worker = job(labeled, eval_steps="off", early_stopping=False, learning_rate=1e-2)
    worker.work()
    plan, parts = Plan.from_json(worker.folder.plan()), Split.read(worker.folder.data)
    encoder = Encoder.load(plan.base, {"max_seq_length": None})
    settings = {key: setting.value for key, setting in plan.settings.items()}
    alone = evaluate(encoder, parts.verdict, reference=parts.train, settings=settings)
    assert worker.of(VerdictReached)[0].verdict["before"] == pytest.approx(alone.metrics["accuracy"])


def test_a_curve_begins_with_the_base_even_if_the_first_step_is_evaluated(job, labeled):
    worker = job(labeled, eval_method="neighbor", eval_steps=1)
    worker.work()
    assert worker.evaluations == [0, *worker.steps]


def test_the_loss_selects_by_its_real_value(job, labeled):
    worker = job(labeled, loss="contrastive", eval_method="loss", eval_steps=2)
    events = worker.work()
    values = [event.values["eval/loss"] for event in events if "eval/loss" in getattr(event, "values", {})]
    assert worker.of(Best)[-1].name == "eval/loss"
    assert worker.of(Best)[-1].value == min(values) > 0


def test_each_evaluation_tells_held_out_loss_forgetting_and_what_it_cost(job, labeled):
    worker = job(labeled, eval_method="neighbor", eval_steps=1, learning_rate=1e-2)
    worker.work()
    curves = {event.step: event.values for event in worker.of(Metrics) if "eval/accuracy" in event.values}
    assert all(np.isfinite(values["eval/loss"]) for step, values in curves.items() if step)
    assert "eval/loss" not in curves[0], "the base has no head, so it has no loss"
    kept = [curves[step]["forgetting/neighbors_kept"] for step in sorted(curves)]
    assert kept[0] == 1.0 > kept[-1]
    shares = [
        event.settings["evaluation_share"]["value"]
        for event in worker.of(Measured)
        if "evaluation_share" in event.settings
    ]
    assert len(shares) == len(curves) - 1 and 0.2 < shares[-1] < 1
    word = next(notice.text for notice in worker.of(Notice) if "of the training time" in notice.text)
    assert word.startswith("Evaluation took ") and "eval_steps=2 would halve that" in word
    assert any(notice.text.startswith("General probe (240 sentences)") for notice in worker.of(Notice))


def test_a_run_that_is_carried_on_remembers_what_the_base_made_of_the_general_probe(
    job, labeled, monkeypatch
):
    worker = job(labeled, eval_method="neighbor", eval_steps=2)
    with pytest.raises(JobStoppedError):
        worker.work(stop_in="training", after=3)
    kept = np.load(worker.folder.path / "evaluation" / "general_probe.npy")
    plan = Plan.from_json(worker.folder.plan())
    base = Encoder.load(plan.base, {"max_seq_length": None}).embed(general_probe().texts)
    assert np.allclose(kept, base, atol=1e-5)
    monkeypatch.setattr(ForgettingGuard, "see_base", lambda *_: pytest.fail("the base was read again"))
    worker.work()
    assert worker.of(Published)


@pytest.mark.parametrize("selection", [False, True])
def test_a_retrieval_set_of_its_own_judges_the_run(selection, job, labeled):
    examples = pd.DataFrame(labeled.frames["examples"])
    texts = examples["value"].tolist()

    def retrieval(first: int, last: int) -> Datasource:
        # both sources count their documents from d0, and share some of them
        queries = {f"q{place}": text for place, text in enumerate(texts[first:last])}
        corpus = {f"d{place}": f"{text} card" for place, text in enumerate(texts[first : last + 5])}
        return Datasource.from_retrieval(queries, corpus, {f"q{n}": [f"d{n}"] for n in range(len(queries))})

    worker = job(retrieval(0, 50), retrieval(50, 80), eval_steps=1 if selection else "end")
    worker.work()
    assert worker.of(VerdictReached)[0].verdict["queries"] == 30
    assert worker.of(Published)


def test_a_named_metric_selects_stops_and_judges(job, labeled):
    worker = job(
        labeled, loss="contrastive", metric="f1_macro", eval_steps=1, early_stopping=2, learning_rate=1e-2
    )
    worker.work()
    curve = {
        event.step: event.values["eval/f1_macro"]
        for event in worker.of(Metrics)
        if event.step and "eval/f1_macro" in event.values
    }
    best = worker.of(Best)[-1]
    assert (best.name, best.value) == ("eval/f1_macro", max(curve.values()))
    assert worker.of(VerdictReached)[0].verdict["metric"] == "f1_macro"


def test_a_word_table_without_a_length_limit_is_evaluated_during_training(home, tiny_static, labeled):
    plan, parts = resolve(resolve_base(str(tiny_static)), labeled, name="toy", hyperparams=QUICK)
    worker = Worker(create("toy", plan.to_json(), parts.write))
    worker.work()
    assert worker.of(Published)
