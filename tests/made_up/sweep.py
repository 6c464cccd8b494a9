"""A sweep that nobody carried out: files as its workers would write them, as fast as a test wants them.

A real sweep takes minutes and never ends twice the same. This one has any number of trials at once, and a
test decides when the next one begins, moves on and ends.
"""

from __future__ import annotations

import json
import math
import os
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

from embedtune_nb.plan.dimension import Dimension
from embedtune_nb.store.events import (
    Base,
    Best,
    Decided,
    EventWriter,
    Metrics,
    Phase,
    Progress,
    State,
    VerdictReached,
)
from embedtune_nb.store.home import models_folder
from embedtune_nb.store.job_folder import JobFolder, create
from embedtune_nb.store.locks import take
from embedtune_nb.sweep.snapshot import TRIALS_FILE
from embedtune_nb.sweep.trial_folder import TRIALS, TrialFolder, TrialRecord, trial_folders, trial_key
from made_up.verdict import VERDICT

METRIC = VERDICT["metric"]
BASE = VERDICT["before"]
STEPS = 150
SPACE = (
    Dimension("learning_rate", "float", 2e-5, "default", "the first to search", 1e-5, 1e-3, log=True),
    Dimension("loss_scale", "float", 20.0, "default", "how sharply it ranks", 5.0, 50.0),
    Dimension("batch_size", "choice", 128, "user", "asked for", choices=(32, 64, 128)),
    Dimension("epochs", "int", 2, "default", "length of training", 1, 4),
)


def _setting(value: Any, source: str = "default", reason: str = "") -> dict[str, Any]:
    return {"value": value, "source": source, "reason": reason}


def _settings(values: dict[str, Any]) -> dict[str, Any]:
    usual = {
        "loss": "contrastive", "loss_scale": 20.0, "epochs": 2, "steps_total": STEPS, "batch_size": 128,
        "learning_rate": 2e-5, "warmup": 0.1, "metric": METRIC, "eval_method": "retrieval", "eval_steps": 30,
        "max_seq_length": 256, "seed": 42,
    }  # fmt: skip
    settings = {name: _setting(value) for name, value in usual.items()}
    return settings | {
        name: _setting(value, "searched", "chosen by the sweep") for name, value in values.items()
    }


class MadeUpSweep:
    """The job folder of a sweep in the home of this test, driven by hand.

    Parameters
    ----------
    name
        Of the model it would make.
    trial_count
        The budget.
    space
        What it searches.
    seed
        Of what its trials try, and of the noise of their scores.
    """

    def __init__(
        self,
        name: str = "api-docs",
        *,
        trial_count: int = 9,
        space: tuple[Dimension, ...] = SPACE,
        seed: int = 0,
    ) -> None:
        self.name, self.space, self.trial_count = name, space, trial_count
        self._draw = random.Random(seed)
        self._held: dict[str, int] = {}
        self._curves: dict[str, EventWriter] = {}
        self.plan = {
            "format": 1,
            "kind": "sweep",
            "name": name,
            "base": {"id": "MINILM_L6", "hub_id": "sentence-transformers/all-MiniLM-L6-v2"},
            "data": {"kind": "retrieval", "name": "api-docs", "rows": 2600, "fingerprint": "f00d"},
            "settings": _settings({dimension.name: dimension.start for dimension in space})
            | {
                "trial_count": _setting(trial_count, "user", "asked for"),
                "sampler": _setting("gp", "inferred", "no dimension depends on another"),
                "confirm": _setting(True),
                "keep_trials": _setting(2),
                "trial_workers": _setting(1, "inferred", "two cores"),
            },
            "estimate": {},
            "executor": "process",
            "advice": [],
            "code": f"job = base.finetune({name!r}, data, trial_count={trial_count})",
            "further": [],
            "space": [dimension.to_json() for dimension in space],
            "asked": {},
        }
        self.folder: JobFolder = create(name, self.plan, lambda data: None)
        self._held["job"] = take(self.folder.lock) or 0
        self._events = EventWriter(self.folder.events)
        self._events.emit(State("running"))
        self._events.emit(Phase("loading"))
        self._events.emit(Phase("trials", total=trial_count))

    def trials(self) -> list[TrialFolder]:
        """Return the folders of all trials and confirming runs so far."""
        return trial_folders(self.folder.path)

    def begin(self, *, confirms: int | None = None, seed: int = 42, **values: Any) -> str:
        """Begin a trial (or a run that confirms one) and return its key; *values* replace what it draws."""
        if confirms is None:
            index = sum(folder.record().confirms is None for folder in self.trials())
            tried = {d.name: self._tried(d, index) for d in self.space} | values
        else:
            index = confirms
            tried = dict(TrialFolder(self.folder.path / TRIALS / trial_key(confirms)).record().values)
        key = trial_key(index, None if confirms is None else seed)
        folder = TrialFolder(self.folder.path / TRIALS / key)
        folder.path.mkdir(parents=True)
        settings = _settings(tried) | {"seed": _setting(seed)}
        folder.plan_file.write_text(json.dumps({**self.plan, "kind": "finetune", "settings": settings}))
        self._held[key] = take(folder.lease) or 0
        folder.write(
            TrialRecord(
                index, seed, "running", tried, confirms=confirms, metric=METRIC, steps_total=STEPS,
                started="2026-01-01T10:00:00", is_default=index == 0 and confirms is None,
            )
        )  # fmt: skip
        self._curves[key] = EventWriter(folder.events)
        self._curves[key].emit(Base({f"eval/{METRIC}": BASE}))
        self._curves[key].emit(Metrics(0, 0.0, {f"eval/{METRIC}": BASE}))
        return key

    def advance(self, key: str, fraction: float = 1.0, *, aim: float | None = None) -> float:
        """Write the curve of a running trial up to *fraction* of its steps; return its best metric so far."""
        record = TrialFolder(self.folder.path / TRIALS / key).record()
        aim = self._quality(record) if aim is None else aim
        last = BASE
        for step in range(3, int(STEPS * fraction) + 1, 3):
            part, epoch = step / STEPS, 2 * step / STEPS
            loss = 2.2 * math.exp(-3 * part) + 0.3 + self._draw.gauss(0, 0.06)
            self._curves[key].emit(Metrics(step, epoch, {"train/loss": loss, "train/learning_rate": 2e-5}))
            if step % 30 == 0:
                last = BASE + (aim - BASE) * (1 - math.exp(-4 * part)) / (1 - math.exp(-4))
                self._curves[key].emit(
                    Metrics(step, epoch, {f"eval/{METRIC}": last, "eval/mrr@10": last - 0.03})
                )
        return last

    def end(self, key: str, state: str = "done", *, score: float | None = None, reason: str = "") -> None:
        """End a trial that was begun."""
        folder = TrialFolder(self.folder.path / TRIALS / key)
        steps = STEPS if state == "done" else 60
        record = replace(
            folder.record(), state=state, score=score, best_step=None if score is None else steps,
            steps_done=steps, seconds=round(self._draw.uniform(18, 40), 1), reason=reason,
            metrics={} if score is None else {METRIC: score, "mrr@10": score - 0.03, "train/loss": 0.41},
        )  # fmt: skip
        folder.write(record)
        self._curves.pop(key).close()
        os.close(self._held.pop(key))
        if record.confirms is not None:
            return
        ended = [f.record() for f in self.trials() if f.record().confirms is None]
        scores = [(trial.score, -trial.index) for trial in ended if trial.state == "done" and trial.score]
        if scores and max(scores)[1] == -record.index:
            self._events.emit(Best(f"eval/{METRIC}", max(scores)[0], record.index))
        counted = sum(trial.state in ("done", "pruned", "failed") for trial in ended)
        self._events.emit(Progress(counted, self.trial_count))

    def trial(
        self, state: str = "done", *, score: float | None = None, reason: str = "", **values: Any
    ) -> str:
        """Carry out one trial that ends in *state*; return its key."""
        key = self.begin(**values)
        reached = self.advance(key, 1.0 if state == "done" else 0.4, aim=score)
        self.end(key, state, score=None if state == "failed" else reached, reason=reason)
        return key

    def confirm(self) -> None:
        """Run the best two on two more seeds, and decide."""
        self._events.emit(Phase("confirming", total=4))
        done = [folder.record() for folder in self.trials() if folder.record().state == "done"]
        finalists = sorted(done, key=lambda trial: -(trial.score or 0.0))[:2]
        confirmed = []
        for place, trial in enumerate(finalists):
            scores = []
            for seed in (43, 44):
                key = self.begin(confirms=trial.index, seed=seed)
                scores.append(
                    self.advance(key, aim=(trial.score or 0.0) - 0.006 + self._draw.gauss(0, 0.002))
                )
                self.end(key, score=scores[-1])
                self._events.emit(Progress(2 * place + seed - 42, 4))
            mean = sum(scores) / 2
            confirmed.append(
                {
                    "index": trial.index,
                    "seeds": [43, 44],
                    "scores": scores,
                    "mean": mean,
                    "seconds": 25.0 + place,
                }
            )
        best = max(confirmed, key=lambda run: run["mean"])
        apart = abs(confirmed[0]["mean"] - confirmed[1]["mean"])
        self.decision = {
            "winner": best["index"],
            "proposed": best["index"],
            "tie": apart < 0.01,
            "reason": f"on two more seeds trial {best['index']} reached {best['mean']:.3f}",
            "band": 0.01,
            "optimism_gap": (finalists[0].score or 0.0) - confirmed[0]["mean"],
            "confirmed": confirmed,
        }
        for trial in finalists:
            folder = TrialFolder(self.folder.path / TRIALS / trial.key)
            folder.write(replace(folder.record(), has_weights=True))
        self._events.emit(Decided(self.decision))

    def grow(self, trial_count: int) -> None:
        """Go on after the end, as the worker of a sweep that was given more trials."""
        self.trial_count = trial_count
        self._held["job"] = take(self.folder.lock) or 0
        self._events = EventWriter(self.folder.events)
        self._events.emit(State("running"))
        self._events.emit(Phase("trials", total=trial_count))

    def finish(self) -> None:
        """Reach the verdict and end."""
        self._events.emit(Phase("verdict"))
        self._events.emit(VerdictReached(VERDICT))
        self._events.emit(State("done"))
        self.close()

    def close(self) -> None:
        """Let go of everything, as when the workers are killed."""
        for writer in self._curves.values():
            writer.close()
        for descriptor in self._held.values():
            os.close(descriptor)
        self._curves, self._held = {}, {}

    def publish(self) -> Path:
        """Write what tells of the sweep beside the weights of the model it made; return that folder."""
        folder = models_folder() / self.name
        folder.mkdir(parents=True)
        winner = TrialFolder(self.folder.path / TRIALS / trial_key(self.decision["winner"]))
        facts = {
            "name": self.name,
            "job": self.folder.id,
            "created": "2026-01-01T10:20:00",
            "plan": winner.plan() | {"name": self.name},
            "verdict": VERDICT,
            "metrics": {when: {METRIC: VERDICT[when]} for when in ("before", "after")},
        }
        (folder / "embedtune.json").write_text(json.dumps(facts))
        kept = {
            "metric": METRIC,
            "higher_is_better": True,
            "base_score": BASE,
            "space": self.plan["space"],
            "trials": [_kept(trial) for trial in self.trials()],
            "decision": self.decision,
        }
        (folder / TRIALS_FILE).write_text(json.dumps(kept))
        return folder

    def _tried(self, dimension: Dimension, index: int) -> Any:
        if index == 0:
            return dimension.start
        if dimension.kind == "choice":
            return self._draw.choice(dimension.choices)
        low, high = dimension.low or 0.0, dimension.high or 1.0
        if dimension.kind == "int":
            return self._draw.randint(int(low), int(high))
        if dimension.log:
            return math.exp(self._draw.uniform(math.log(low), math.log(high)))
        return self._draw.uniform(low, high)

    def _quality(self, record: TrialRecord) -> float:
        away = math.log10(float(record.values.get("learning_rate", 1e-4)) / 1.5e-4)
        longer = 0.004 * float(record.values.get("epochs", 2))
        return 0.6 - 0.05 * away**2 + longer + self._draw.gauss(0, 0.004)


def _kept(folder: TrialFolder) -> dict[str, Any]:
    from embedtune_nb.store.events import EventReader

    curves: dict[str, dict[str, list[float]]] = {}
    for event in EventReader(folder.events).new():
        if event["type"] != "metrics":
            continue
        for name, value in event["values"].items():
            points = curves.setdefault(name, {"step": [], "epoch": [], "value": []})
            points["step"].append(event["step"])
            points["epoch"].append(event["epoch"])
            points["value"].append(value)
    return {**folder.record().to_json(), "settings": folder.plan()["settings"], "curves": curves}


def finished_sweep(name: str = "api-docs", *, trial_count: int = 9, seed: int = 0) -> MadeUpSweep:
    """Return a sweep that went to its end: one trial pruned, one failed, the best two confirmed."""
    sweep = MadeUpSweep(name, trial_count=trial_count, seed=seed)
    for index in range(trial_count):
        if index == 3:
            sweep.trial("pruned", reason="below the median of the others after 40 % of its schedule")
        elif index == 5:
            sweep.trial("failed", reason="The loss is not a number since step 31.")
        else:
            sweep.trial()
    sweep.confirm()
    sweep.finish()
    return sweep
