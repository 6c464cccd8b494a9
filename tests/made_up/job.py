"""A job that follows a script instead of training: a driver of time for tests of what is shown.

The moments of a real run (which phase, how many points) come from a worker that takes minutes and is
never twice the same. Here they come from a clock that a test moves, or from the wall clock, fast.
"""

from __future__ import annotations

import math
import random
import threading
import time
from typing import Any

from embedtune_nb.errors import DataError
from embedtune_nb.evaluation.regressions import Regressions
from embedtune_nb.jobs.feed import JobSnapshot, take_metrics
from made_up.regressions import regressions
from made_up.verdict import VERDICT

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
        while feed.poll() and not feed.snapshot.ended:
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
        self.snapshot = JobSnapshot(
            id=job.id,
            kind="finetune",
            name=job.name,
            state="running",
            epochs_total=3.0,
            primary="eval/ndcg@10",
            plan=_plan(),
            code=CODE,
        )

    def poll(self) -> bool:
        with self.lock:
            self._take_up()
            return self._poll()

    def _take_up(self) -> None:
        checkpoint, self._job.checkpoint = self._job.checkpoint, None
        if checkpoint is not None:
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
            take_metrics(shot.series, {"step": step, "epoch": epoch, "t": wall, "values": values})
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
