"""A job that follows a script instead of training: a driver of time for tests of what is shown.

The moments of a real run (which phase, how many points) come from a worker that takes minutes and is
never twice the same. Here they come from a clock that a test moves, or from the wall clock, fast.
"""

from __future__ import annotations

import math
import random
import threading
import time
from dataclasses import dataclass, field
from typing import Any

from some_regressions import regressions

from embedtune_nb.errors import DataError
from embedtune_nb.evaluation.regressions import Regressions

VERDICT = {
    "metric": "ndcg@10",
    "before": 0.521,
    "after": 0.597,
    "difference": 0.076,
    "low": 0.058,
    "high": 0.094,
    "confidence": 0.95,
    "wins": 180,
    "losses": 66,
    "ties": 404,
    "queries": 650,
    "answer": "better",
    "explanation": "",
    "text": "Better: NDCG@10 0.521 -> 0.597, +0.076 [+0.058, +0.094], 180 wins, 66 losses, 404 ties",
    "resamples": 10_000,
    "seed": 42,
    "others": [
        {
            "metric": "mrr@10",
            "before": 0.482,
            "after": 0.556,
            "difference": 0.074,
            "low": 0.053,
            "high": 0.095,
        },
        {
            "metric": "recall@10",
            "before": 0.64,
            "after": 0.71,
            "difference": 0.07,
            "low": 0.04,
            "high": 0.099,
        },
    ],
}
WHY = "To show a difference of this size, about 2,100 queries would be needed."
UNCLEAR = VERDICT | {
    "after": 0.5214,
    "difference": 0.0004,
    "low": -0.0003,
    "high": 0.0011,
    "answer": "no difference shown",
    "explanation": WHY,
    "text": "No difference shown: NDCG@10 0.5210 -> 0.5214, +0.0004 [-0.0003, +0.0011], 180 wins, 66 losses, "
    f"404 ties. {WHY}",
}
SETTINGS = {
    "loss": (
        "contrastive",
        "default",
        "pairs: the other documents of the batch are negatives",
    ),
    "epochs": (3, "user", ""),
    "learning_rate": (2e-5, "default", "contrastive on a transformer"),
    "batch_size": (128, "inferred", "the largest power of two that gives 50 steps or more"),
    "warmup": (15, "inferred", "10 % of 150 steps"),
    "max_seq_length": (256, "default", "the base model's own limit; 1.2 % of the texts are longer"),
    "eval_steps": (30, "inferred", "five evaluations a run"),
    "metric": ("ndcg@10", "inferred", "retrieval with graded relevance"),
    "seed": (42, "default", ""),
}
CODE = (
    "import embedtune_nb as et\n\ndata = et.datasets.api_docs()\n"
    "job = et.PretrainedEmbeddingModel.MINILM_L6.finetune(\n"
    '    "api-docs", data, hyperparams={"epochs": 3}, background=True, if_exists="open"\n)\njob'
)
PHASES = [
    (0.06, "loading"),
    (0.14, "evaluating base"),
    (0.85, "training"),
    (0.9, "evaluating"),
    (0.96, "verdict"),
]


@dataclass
class Series:
    """One curve, as four columns."""

    step: list[float] = field(default_factory=list)
    epoch: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)
    value: list[float] = field(default_factory=list)

    def cut_after(self, step: float) -> None:
        kept = sum(point <= step for point in self.step)
        for column in (self.step, self.epoch, self.wall, self.value):
            del column[kept:]

    def add(self, step: float, epoch: float, wall: float, value: float) -> None:
        self.step.append(step)
        self.epoch.append(epoch)
        self.wall.append(wall)
        self.value.append(value)


@dataclass
class Snapshot:
    """The fields of a job's snapshot that pictures read."""

    id: str = "20260101-api-docs"
    kind: str = "finetune"
    name: str = "api-docs"
    state: str = "running"
    reason: str = ""
    levers: list[str] = field(default_factory=list)
    phase: str = ""
    phase_done: int = 0
    phase_total: int = 0
    steps_total: int = 0
    steps_completed: int = 0
    epoch: float = 0.0
    epochs_total: float = 3.0
    eta_seconds: float | None = None
    texts_per_second: float | None = None
    elapsed: float = 0.0
    series: dict[str, Series] = field(default_factory=dict)
    base: dict[str, float] = field(default_factory=dict)
    best: dict[str, Any] | None = None
    primary: str = "eval/ndcg@10"
    higher_is_better: bool = True
    verdict: dict[str, Any] | None = None
    notices: list[dict[str, str]] = field(default_factory=list)
    plan: dict[str, Any] = field(default_factory=dict)
    code: str = CODE
    measured: dict[str, Any] = field(default_factory=dict)


class ScriptedJob:
    """A run of *steps* steps that takes *seconds* of the wall clock, or stands at `at` when that is set.

    Parameters
    ----------
    seconds
        Length of the whole run.
    end
        The state it ends in: done, failed.
    fail_at
        The part of the run, 0 to 1, at which it fails where *end* is failed.
    at
        Stand still at this part of the run; 1 is the end. A test may move it.
    name
        What the job is called.
    verdict
        What it finds.
    advice
        What it says at the end of the next run.
    """

    def __init__(
        self,
        *,
        seconds: float = 10,
        steps: int = 150,
        end: str = "done",
        fail_at: float = 0.5,
        at: float | None = None,
        name: str = "api-docs",
        verdict: dict[str, Any] = VERDICT,
        advice: str = "",
    ) -> None:
        self.seconds, self.steps, self.end, self.fail_at, self.at = seconds, steps, end, fail_at, at
        self.started = time.monotonic()
        self.stopped_at: float | None = None
        self.id, self.name, self.verdict = f"20260101-{name}", name, verdict
        self.advice = advice
        self.checkpoint: int | None = None

    def feed(self) -> ScriptedFeed:
        return ScriptedFeed(self)

    def part(self) -> float:
        """How much of the run is over, 0 to 1."""
        if self.stopped_at is not None:
            return self.stopped_at
        return min(1.0, (time.monotonic() - self.started) / self.seconds if self.at is None else self.at)

    def stop(self) -> None:
        self.stopped_at = self.part()

    def resume(self, checkpoint: int, at: float) -> None:
        """Stand at part *at* of a run that was killed and repeats the steps after *checkpoint*."""
        self.at, self.checkpoint = at, checkpoint

    def result(self) -> ScriptedModel:
        return ScriptedModel(self.name)

    def log(self, lines: int = 50) -> str:
        return "\n".join(f"12:00:{i:02} step {i}: loss {1 / (1 + i):.3f}" for i in range(lines)) + (
            "\nRuntimeError: out of memory while making room for 1.2 GB" if self.end == "failed" else ""
        )

    def wait(self) -> ScriptedJob:
        feed = self.feed()
        while feed.poll() and feed.snapshot.state not in {"done", "failed", "stopped"}:
            time.sleep(0.05)
        return self


class ScriptedModel:
    """What a scripted job publishes: it knows what got worse, unless its name says that this was lost."""

    def __init__(self, name: str) -> None:
        self.name = name

    def regressions(self) -> Regressions:
        if self.name == "lost":
            raise DataError("The values of single rows are no longer kept.", fix="compare it on other data.")
        return regressions(30)


class ScriptedFeed:
    """Writes the snapshot anew at each poll, but appends to its series, unless the job was resumed."""

    def __init__(self, job: ScriptedJob) -> None:
        self.lock = threading.RLock()
        self._job, self._random, self._began = job, random.Random(7), 21.0
        self.snapshot = Snapshot(id=job.id, name=job.name, plan=_plan())

    def poll(self) -> bool:
        with self.lock:
            self._take_up()
            return self._poll()

    def _take_up(self) -> None:
        checkpoint, self._job.checkpoint = self._job.checkpoint, None
        if checkpoint is not None:
            for series in self.snapshot.series.values():
                series.cut_after(checkpoint)
            self.snapshot.steps_completed = checkpoint
            self._began += 300

    def _poll(self) -> bool:
        job, shot, part = self._job, self.snapshot, self._job.part()
        failed = job.end == "failed" and part >= job.fail_at
        part = job.fail_at if failed else part
        shot.elapsed = part * 150
        self._phase(part)
        steps = round(job.steps * min(1.0, max(0.0, (part - 0.14) / (0.85 - 0.14))))
        if part >= 0.06:
            shot.steps_total = job.steps
        if part >= 0.14:
            shot.base = {"eval/ndcg@10": 0.521, "eval/mrr@10": 0.482}
            self._train(steps)
        shot.eta_seconds = 150 * (1 - part) if steps > 3 else None
        if job.stopped_at is not None:
            shot.state = "stopped"
        elif failed:
            shot.state, shot.reason = (
                "failed",
                "Out of memory at step 63 of 150\nA batch of 128 texts needs 1.2 GB more.",
            )
            shot.levers = ['hyperparams={"batch_size": 64}', 'hyperparams={"max_seq_length": 128}']
        elif part >= 1:
            if job.advice and shot.state != "done":
                shot.notices = [*shot.notices, {"text": job.advice, "level": "advice"}]
            shot.state, shot.verdict = "done", job.verdict
        return True

    def _phase(self, part: float) -> None:
        before = 0.0
        for until, name in [*PHASES, (1.01, "publishing")]:
            if part < until:
                self.snapshot.phase, self.snapshot.phase_total = name, 100
                self.snapshot.phase_done = int(100 * (part - before) / (until - before))
                return
            before = until

    def _train(self, steps: int) -> None:
        shot = self.snapshot
        for step in range(shot.steps_completed + 1, steps + 1):
            epoch, wall = 3 * step / self._job.steps, self._began + step * 0.7
            noise = self._random.gauss(0, 0.12)
            values = {
                "train/loss": 0.55 + 1.6 * math.exp(-step / 35) + noise,
                "train/learning_rate": 2e-5 * min(step / 15, 1.12 * (1 - step / (self._job.steps + 1))),
                "train/grad_norm": 3 + 2 * math.exp(-step / 20) + 2 * noise,
            }
            if step % 30 == 0:
                value = 0.521 + 0.09 * (1 - math.exp(-step / 50)) - 0.00012 * max(0, step - 100)
                held_out = 0.7 + 1.4 * math.exp(-step / 35)
                values |= {"eval/ndcg@10": value, "eval/mrr@10": value - 0.04, "eval/loss": held_out}
                if shot.best is None or value > shot.best["value"]:
                    shot.best = {"name": "eval/ndcg@10", "value": value, "step": step}
            for name, value in values.items():
                shot.series.setdefault(name, Series()).add(step, epoch, wall, value)
            shot.steps_completed, shot.epoch, shot.texts_per_second = step, epoch, 271.4
        if steps and not shot.notices:
            shot.notices = [
                {"text": "1.2 % of the texts are longer than 256 tokens and were cut", "level": "info"}
            ]


def _plan() -> dict[str, Any]:
    return {
        "name": "api-docs",
        "base": {"id": "all-MiniLM-L6-v2"},
        "settings": {
            k: dict(zip(("value", "source", "reason"), row, strict=True)) for k, row in SETTINGS.items()
        },
        "advice": ["2,569 pairs: a gain is likely where the base model does not know the domain."],
        "code": CODE,
    }
