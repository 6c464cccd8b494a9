"""One trial of a sweep: a fresh model, loss and trainer, judged on the part that selects and on no other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from embedtune_nb.data.split import Split
from embedtune_nb.errors import EmbedtuneError, JobStoppedError
from embedtune_nb.plan.metrics import lower_is_better
from embedtune_nb.plan.plan import Plan
from embedtune_nb.store.events import Event, EventWriter, Metrics, Notice, Phase, State
from embedtune_nb.store.publish import publish
from embedtune_nb.sweep.trial_folder import TrialFolder
from embedtune_nb.training.checkpoint import drop_progress
from embedtune_nb.training.held_out import held_out_of
from embedtune_nb.training.run import Training
from embedtune_nb.training.shared import Shared
from embedtune_nb.training.telling import Telling


class PrunedError(EmbedtuneError):
    """A trial does not look worth going on with; raised by whoever is told its values."""


@dataclass(frozen=True)
class TrialOutcome:
    """What a trial came to.

    Attributes
    ----------
    score
        The best value of the metric that selects; None if nothing was evaluated.
    metrics
        Metrics of the selection part at the best step, ``loss`` being the loss there, and ``train/loss``.
    best_step
        Where that was; None if nothing was evaluated.
    steps_done, steps_total
        Optimizer steps.
    pruned
        Why it was ended before its time; empty for a trial that went to its end.
    """

    score: float | None
    metrics: dict[str, float]
    best_step: int | None
    steps_done: int
    steps_total: int
    pruned: str = ""


def run_trial(
    folder: TrialFolder,
    plan: Plan,
    split: Split,
    shared: Shared,
    *,
    should_stop: Callable[[], bool],
    on_value: Callable[[float, float], None] = lambda fraction, value: None,
) -> TrialOutcome:
    """Carry out one trial.

    Parameters
    ----------
    folder
        Receives the events, and the weights of the best step as a model folder. What an earlier attempt
        left there is thrown away: a trial starts anew.
    plan
        Of this trial alone, with a selection part and evaluations on the way.
    split
        The data; its verdict part is not read.
    shared
        What the trials of this process found out before.
    should_stop
        Asked between steps and batches.
    on_value
        Called after each evaluation with the share of the trial's own schedule that is behind it, above 0
        and at most 1, and the value of the metric that selects. May raise :class:`PrunedError`, which ends
        the trial in order.

    Raises
    ------
    JobStoppedError
        If a stop was asked for.
    Exception
        Whatever made the trial fail; its events tell the reason.
    """
    anew = folder.events.exists()
    folder.path.mkdir(parents=True, exist_ok=True)
    folder.drop_unfinished()
    folder.events.unlink(missing_ok=True)
    writer = EventWriter(folder.events)
    trial = _Trial(folder, plan, writer.emit)
    try:
        writer.emit(State("running"))
        if anew:
            writer.emit(Notice("An earlier attempt did not come to its end; the trial starts anew."))
        outcome = trial.carry_out(split, shared, should_stop, on_value)
        writer.emit(State("done", reason=outcome.pruned))
        return outcome
    except JobStoppedError as stop:
        writer.emit(State("stopped", reason=str(stop)))
        raise
    except Exception as cause:
        writer.emit(State("failed", reason=str(cause).strip() or type(cause).__name__))
        raise
    finally:
        drop_progress(folder.path, checkpoints=True)
        writer.close()


@dataclass
class _Trial:
    """A trial under way, and what of its course will be asked for."""

    folder: TrialFolder
    plan: Plan
    write: Callable[[Event], None]
    losses: dict[int, float] = field(default_factory=dict)
    evaluations: dict[int, dict[str, float]] = field(default_factory=dict)

    def carry_out(
        self,
        split: Split,
        shared: Shared,
        should_stop: Callable[[], bool],
        on_value: Callable[[float, float], None],
    ) -> TrialOutcome:
        """Begin with the base, train, save the best weights."""
        self.emit(Phase("loading"))
        telling = Telling(
            self.emit,
            should_stop,
            at_stop="Stopped before training began.",
            fix="carry on with job.resume(), which starts the trial anew.",
        )
        training = Training(
            self.plan,
            split,
            self.folder.path,
            held_out=held_out_of(self.plan, split, self.folder.path, telling)[0],
            emit=self.emit,
            should_stop=should_stop,
            telling=telling,
            shared=shared,
            resumable=False,
        )
        training.begin_with_base()
        total = int(training.settings["steps_total"])

        def see(step: int, values: dict[str, float]) -> None:
            self.evaluations[step] = values
            on_value(step / total, values[training.metric])

        try:
            training.train(on_value=see)
        except PrunedError as pruned:
            self.emit(
                Notice(f"Ended at step {training.trainer.state.global_step} of {total}: {pruned.found}")
            )
            return self._outcome(training, total, pruned=pruned.found)
        publish(self.folder.weights, training.encoder.save)
        return self._outcome(training, total)

    def emit(self, event: Event) -> None:
        """Write *event*; remember the training loss."""
        if isinstance(event, Metrics) and "train/loss" in event.values:
            self.losses[event.step] = event.values["train/loss"]
        self.write(event)

    def _outcome(self, training: Training, total: int, pruned: str = "") -> TrialOutcome:
        done = training.trainer.state.global_step
        if not self.evaluations:
            return TrialOutcome(None, {}, None, done, total, pruned)
        choose = min if lower_is_better(training.metric) else max
        best = choose(self.evaluations, key=lambda step: self.evaluations[step][training.metric])
        metrics = dict(self.evaluations[best])
        told = [step for step in self.losses if step <= best]
        if told:
            metrics["train/loss"] = self.losses[max(told)]
        return TrialOutcome(metrics[training.metric], metrics, best, done, total, pruned)
