"""Whole runs of every kind of data: trained, judged, checked in a fresh process, published."""

from __future__ import annotations

import json
import random
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from embedtune_nb.catalogue import resolve_base
from embedtune_nb.data.datasource import Datasource
from embedtune_nb.evaluation.verdict import Verdict
from embedtune_nb.jobs.feed import JobFeed
from embedtune_nb.models.finetuned import FinetunedEmbeddingModel
from embedtune_nb.plan.resolve import resolve
from embedtune_nb.store.events import Base, Best, EventWriter, Metrics, Notice, Published, VerdictReached
from embedtune_nb.store.home import models_folder
from embedtune_nb.store.job_folder import create
from embedtune_nb.training import reload_check
from embedtune_nb.training.finetune import run_finetune

pytestmark = [pytest.mark.jobs, pytest.mark.slow]


@pytest.fixture
def of_kind(topic_rows):
    """Return a maker of data of any kind from the texts of four topics."""
    draw = random.Random(3)
    topics: dict[str, list[str]] = {}
    for row in topic_rows:
        topics.setdefault(row["label"], []).append(row["value"])
    names = list(topics)

    def two(same: bool) -> tuple[str, str]:
        first = draw.choice(names)
        second = first if same else draw.choice([name for name in names if name != first])
        return tuple(f"{draw.choice(topics[name])} {draw.randrange(10**6)}" for name in (first, second))

    def filler() -> str:
        # so much of it that the untrained model finds the wrong neighbours
        return " ".join(
            draw.choices(
                ["the", "a", "my", "is", "was", "in", "on", "with", "about", "please", "how", "why"], k=20
            )
        )

    def make(kind: str) -> Datasource:
        if kind == "scored":
            rows = [
                {"value": f"{draw.choice(topics[name])} {filler()}", "score": 10.0 * names.index(name)}
                for name in names * 60
            ]
        elif kind == "triplets":
            rows = [
                {"anchor": a, "positive": p, "negatives": [two(False)[1] for _ in range(draw.choice([1, 3]))]}
                for a, p in (two(True) for _ in range(140))
            ]
        elif kind == "scored_pairs":
            rows = [
                {"sentence1": a, "sentence2": b, "score": 5.0 * same + draw.random() / 2}
                for same in (0, 1)
                for a, b in (two(bool(same)) for _ in range(80))
            ]
        else:
            answers = {"entailment": True, "contradiction": False, "neutral": False}
            rows = [
                {"premise": a, "hypothesis": b, "label": label}
                for label, same in answers.items()
                for a, b in (two(same) for _ in range(60))
            ]
        return Datasource.from_list(rows, kind=kind)

    return make


@pytest.fixture
def run(home, tiny_bert, monkeypatch):
    """Return what carries a plan out in this process; gives its events, its feed and its record."""

    def answer_here(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        # starting python takes longer than such a run; that the process is a fresh one is tested elsewhere
        reload_check.main(Path(command[-1]))
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(reload_check.subprocess, "run", answer_here)

    def carry_out(data: Datasource, **hyperparams: Any) -> tuple[list[Any], JobFeed, dict[str, Any]]:
        loss = hyperparams.pop("loss", None)
        settings = {"epochs": 1, "batch_size": 32, "learning_rate": 2e-3, "bf16": False, **hyperparams}
        plan, parts = resolve(resolve_base(str(tiny_bert)), data, name="toy", loss=loss, hyperparams=settings)
        folder = create("toy", plan.to_json(), parts.write)
        writer, events = EventWriter(folder.events), []

        def emit(event: Any) -> None:
            events.append(event)
            writer.emit(event)

        run_finetune(folder, emit, lambda: False)
        writer.close()
        feed = JobFeed(folder)
        feed.poll()
        return events, feed, json.loads((models_folder() / "toy" / "embedtune.json").read_text())

    return carry_out


def of(events: list[Any], kind: type) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


METRICS = {
    "scored": ("mae", {"mae", "rmse", "r2", "explained_variance"}, "texts"),
    "triplets": ("triplet_accuracy", {"triplet_accuracy", "margin"}, "triplets"),
    "scored_pairs": ("spearman", {"spearman", "pearson"}, "pairs"),
    "nli": ("spearman", {"spearman", "pearson"}, "pairs"),
}


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("scored", {"eval_steps": 2, "epochs": 3, "early_stopping": False}),
        ("scored", {"loss": "contrastive", "eval_method": "neighbor", "eval_steps": 2}),
        ("triplets", {"loss": "triplet", "eval_steps": 2}),
        ("scored_pairs", {"matryoshka_dims": [32, 8, 2]}),
        ("nli", {"eval_method": "loss", "eval_steps": 2}),
    ],
    ids=lambda value: value if isinstance(value, str) else "-".join(map(str, value)),
)
def test_a_run_ends_with_a_verdict_in_its_own_metrics(kind, settings, of_kind, run):
    events, feed, record = run(of_kind(kind), **settings)
    primary, metrics, unit = METRICS[kind]
    verdict = Verdict.from_dict(of(events, VerdictReached)[0].verdict)
    assert (verdict.metric, verdict.unit) == (primary, unit)
    assert {primary, *(other["metric"] for other in verdict.others)} == metrics
    assert set(record["metrics"]["after"]) == metrics
    assert verdict.wins + verdict.losses + verdict.ties == verdict.queries
    assert record["reload_check"]["metric"] == primary
    assert of(events, Published) and np.isfinite([verdict.low, verdict.high]).all()

    card = (models_folder() / "toy" / "README.md").read_text()
    assert f"held-out {unit}" in card
    assert ("(lower is better)" in card) == (kind == "scored")
    if "matryoshka_dims" in settings:
        table = record["matryoshka"]
        assert [row["dimension"] for row in table] == [32, 8, 2]
        assert table[0]["after"] == pytest.approx(verdict.after) and table[0]["retention"] == 1.0
        assert table[2]["after"] != table[0]["after"] and f"| 2 | {table[2]['before']:.4f} |" in card
        assert "matryoshka: keeps 100% at 32, " in repr(FinetunedEmbeddingModel.open("toy"))
        assert any("with fewer dimensions: 32: " in notice.text for notice in of(events, Notice))
    if settings.get("eval_steps") == 2:
        named = {name for event in of(events, Metrics) for name in event.values if name.startswith("eval/")}
        assert feed.snapshot.primary in named
        method = settings.get("eval_method")
        told = [
            event.values[feed.snapshot.primary]
            for event in of(events, Metrics)
            if feed.snapshot.primary in event.values and event.step > 0
        ]
        falls = kind == "scored" or method == "loss"
        assert feed.snapshot.higher_is_better is not falls
        assert of(events, Best)[-1].value == (min(told) if falls else max(told))
        assert bool(of(events, Base)) == (feed.snapshot.primary.removeprefix("eval/") == primary)


def test_a_run_that_learns_scores_lowers_the_error_and_is_better(of_kind, run):
    events, feed, _ = run(of_kind("scored"), loss="contrastive", epochs=6, eval_steps="end")
    verdict = of(events, VerdictReached)[0].verdict
    assert verdict["answer"] == "better", verdict["text"]
    assert verdict["difference"] < 0 and verdict["high"] < 0 and verdict["wins"] > verdict["losses"]
    assert Verdict.from_dict(verdict).text.startswith("Better: MAE (lower is better)")
    assert feed.snapshot.primary == "eval/mae" and not feed.snapshot.higher_is_better


def test_a_finished_run_tells_what_its_curves_advise(of_kind, run):
    asked = {"loss": "contrastive", "epochs": 4, "eval_steps": "end", "learning_rate": 1e-8}
    events, feed, _ = run(of_kind("scored"), **asked)
    (told,) = [event.text for event in of(events, Notice) if event.level == "advice"]
    assert "hardly moved" in told and "3e-08" in told
    assert {"text": told, "level": "advice"} in feed.snapshot.notices
