"""What happens beside the steps: numbers go out, the stop request comes in, models are compared."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import psutil
import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from embedtune_nb.errors import JobStoppedError
from embedtune_nb.store.events import Best, Measured, Metrics

if TYPE_CHECKING:
    from embedtune_nb.training.trainer import FinetuneTrainer

_MEASURED_STEPS = 5


class EmitMetrics(TrainerCallback):
    """Send what the trainer logs as events, with the texts per second since the last one."""

    def __init__(self, trainer: FinetuneTrainer) -> None:
        self.trainer = trainer
        self._texts, self._mark = 0, time.perf_counter()

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        """Start the clock."""
        self._texts, self._mark = self.trainer.texts_seen, time.perf_counter()

    def pause(self, seconds: float) -> None:
        """Leave *seconds* of other work out of the rate."""
        self._mark += seconds

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Have the last step logged too, so that the curve ends where the run does."""
        if state.global_step >= state.max_steps:
            control.should_log = True

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **_: Any,
    ) -> None:
        """Emit one ``metrics`` event."""
        if logs is None or "loss" not in logs:
            return
        now = time.perf_counter()
        rate = (self.trainer.texts_seen - self._texts) / max(now - self._mark, 1e-9)
        self._texts, self._mark = self.trainer.texts_seen, now
        names = [name for name in ("loss", "learning_rate", "grad_norm") if name in logs]
        values = {f"train/{name}": float(logs[name]) for name in names}
        values |= self.trainer.losses_since_logged()
        values["train/texts_per_second"] = rate
        self.trainer.emit(Metrics(state.global_step, float(state.epoch or 0.0), values))


class AfterFirstStep(TrainerCallback):
    """Do something long once the first loss is known, so that a watcher need not wait for it.

    Parameters
    ----------
    trainer
        The trainer.
    act
        Called once. If it raises JobStoppedError, training ends as stopped.
    """

    def __init__(self, trainer: FinetuneTrainer, act: Callable[[], None]) -> None:
        self.trainer, self.act = trainer, act
        self._done = False

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **_: Any,
    ) -> None:
        """Act at the first loss, unless the run is about to stop."""
        if self._done or logs is None or "loss" not in logs or self.trainer.outcome == "stopped":
            return
        self._done = True
        start = time.perf_counter()
        try:
            self.act()
        except JobStoppedError:
            self.trainer.outcome = "stopped"
            control.should_training_stop = True
        self.trainer.pause(time.perf_counter() - start)


class MeasureSteps(TrainerCallback):
    """Tell the real time and memory of a step once a few of them are behind us."""

    def __init__(self, trainer: FinetuneTrainer) -> None:
        self.trainer = trainer
        self._marks: list[float] | None = []

    def pause(self, seconds: float) -> None:
        """Leave *seconds* of other work out of the step it falls into."""
        self._marks = self._marks and [mark + seconds for mark in self._marks]

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Note the time; after some steps, or the last one, emit one ``measured`` event."""
        if self._marks is None:
            return
        self._marks.append(time.perf_counter())
        enough = len(self._marks) > _MEASURED_STEPS or state.global_step >= state.max_steps
        if not enough or len(self._marks) < 2:
            return
        steps = [later - earlier for earlier, later in zip(self._marks, self._marks[1:], strict=False)]
        seconds, memory = statistics.median(steps), _peak_memory()
        where = "GPU memory" if torch.cuda.is_available() else "memory of this process"
        self.trainer.measured |= {
            "seconds_per_step": {"value": round(seconds, 4), "reason": f"median of {len(steps)} steps"},
            "peak_memory_bytes": {"value": memory, "reason": f"peak {where} so far"},
        }
        self.trainer.emit(Measured(dict(self.trainer.measured)))
        self._marks = None


class StopOnRequest(TrainerCallback):
    """End training after the step during which a stop was asked for; ask for a checkpoint now and then.

    Checkpoints come every *steps*, where a number is given, else every *seconds*.
    """

    def __init__(self, trainer: FinetuneTrainer, seconds: float, steps: int | None = None) -> None:
        self.trainer, self.interval, self.steps = trainer, seconds, steps
        self._saved = time.monotonic()

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Ask whether to stop; once in a while ask for a checkpoint."""
        if self.trainer.ended:
            return
        if self.trainer.should_stop():
            self.trainer.outcome = "stopped"
            control.should_training_stop = control.should_log = True
        elif self.steps is not None:
            control.should_save = state.global_step % self.steps == 0
        elif time.monotonic() - self._saved > self.interval:
            self._saved = time.monotonic()
            control.should_save = True


class EvaluateAndSelect(TrainerCallback):
    """Evaluate when it is due, keep the best weights, end when nothing gets better.

    Parameters
    ----------
    trainer
        The trainer.
    evaluate
        Called with (step, epoch); returns the selecting metric or ``None``. If it raises JobStoppedError,
        training ends as stopped, and the evaluation is still due when the run is carried on.
    every
        Steps between evaluations, or ``"epoch"``, ``"end"`` or ``"off"``.
    patience
        Evaluations without a gain after which training ends; 0 never ends it.
    threshold
        Least gain over the best that counts against patience.
    metric
        Name of the metric.
    higher_is_better
        Whether a gain is a rise of the metric; of a loss it is a fall.

    Attributes
    ----------
    best
        The best evaluation so far.
    misses
        Evaluations in a row without a gain.
    evaluated
        Step of the last evaluation; -1 before the first.
    """

    def __init__(
        self,
        trainer: FinetuneTrainer,
        evaluate: Callable[[int, float], float | None],
        *,
        every: int | str,
        patience: int,
        threshold: float,
        metric: str,
        higher_is_better: bool,
    ) -> None:
        self.trainer, self.evaluate, self.every = trainer, evaluate, every
        self.patience, self.threshold, self.metric = patience, threshold, metric
        self.higher_is_better = higher_is_better
        self.misses, self.evaluated = 0, -1
        self.best: Best | None = None

    def due(self, state: TrainerState) -> bool:
        """Return whether the present weights are to be evaluated and have not been."""
        step = state.global_step
        if self.every == "off" or step == self.evaluated:
            return False
        if step >= state.max_steps:
            return True
        if self.every == "epoch":
            return float(state.epoch or 0.0).is_integer()
        return isinstance(self.every, int) and step % self.every == 0

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Evaluate every so many steps."""
        if isinstance(self.every, int) and self.due(state):
            self.turn(state, control)

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Evaluate after each epoch."""
        if self.every == "epoch" and self.trainer.outcome != "stopped" and self.due(state):
            self.turn(state, control)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Evaluate the last weights too, so that the best of all is known."""
        if self.trainer.outcome != "stopped" and self.due(state):
            self.turn(state, control)

    def turn(self, state: TrainerState, control: TrainerControl) -> None:
        """Evaluate, keep the weights if they are the best, and say whether training shall end."""
        start = time.perf_counter()
        try:
            value = self.evaluate(state.global_step, float(state.epoch or 0.0))
        except JobStoppedError:
            self.trainer.outcome = "stopped"
            control.should_training_stop = control.should_log = True
            return
        self.evaluated = state.global_step
        self.trainer.pause(time.perf_counter() - start)
        if value is None:
            return
        gain = float("inf") if self.best is None else value - self.best.value
        if self.best is not None and not self.higher_is_better:
            gain = -gain
        if gain > 0:
            self.best = Best(f"eval/{self.metric}", value, state.global_step)
            self.trainer.keep_best()
            self.trainer.emit(self.best)
        self.misses = 0 if gain > self.threshold else self.misses + 1
        if self.patience and self.misses >= self.patience and state.global_step < state.max_steps:
            self.trainer.outcome = "early stopped"
            control.should_training_stop = True


def _peak_memory() -> int:
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    if sys.platform == "win32":
        return psutil.Process().memory_info().peak_wset
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
