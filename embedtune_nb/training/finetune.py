"""One run, from a plan and its data snapshot to a published model with a verdict."""

from __future__ import annotations

from collections.abc import Callable

from embedtune_nb.data.split import Split
from embedtune_nb.encoder.threads import choose_threads, use_threads
from embedtune_nb.evaluation.result import Evaluation
from embedtune_nb.evaluation.vectors import VectorCache
from embedtune_nb.plan.plan import Plan
from embedtune_nb.store.events import Metrics, Notice, Phase
from embedtune_nb.store.job_folder import JobFolder
from embedtune_nb.training.checkpoint import drop_progress
from embedtune_nb.training.finish import Emit, Finish, publish_judged, tell_if_published
from embedtune_nb.training.run import Training, evaluated
from embedtune_nb.training.telling import Telling


def run_finetune(folder: JobFolder, emit: Emit, should_stop: Callable[[], bool]) -> None:
    """Carry out a finetune job.

    Parameters
    ----------
    folder
        Holds the plan and the data; receives checkpoints and evaluations.
    emit
        Takes the events.
    should_stop
        Asked between steps and batches.

    Raises
    ------
    JobStoppedError
        If the user asked for a stop; a checkpoint is kept once training has begun.
    """
    _Run(folder, emit, should_stop).carry_out()


class _Run:
    """The stages of one finetune job and what they hand on to each other."""

    def __init__(self, folder: JobFolder, emit: Emit, should_stop: Callable[[], bool]) -> None:
        self.folder, self.emit, self.should_stop = folder, emit, should_stop
        self.plan = Plan.from_json(folder.plan())
        self.telling = Telling(emit, should_stop, fix="carry on with job.resume().")

    def carry_out(self) -> None:
        """Load, train, evaluate the base beside it, evaluate, judge, publish."""
        if tell_if_published(self.folder, self.plan, self.emit):
            kept = self.plan.objectives[0].get("checkpoint_save_total_limit")
            drop_progress(self.folder.path, checkpoints=kept is None)
            return
        self.emit(Phase("loading"))
        use_threads(choose_threads())
        self.split = Split.read(self.folder.data)
        path = self.folder.path
        self.finish = Finish(self.plan, self.split, path, emit=self.emit, telling=self.telling)
        self.training = Training(
            self.plan,
            self.split,
            path,
            held_out=self.finish.main,
            emit=self.emit,
            should_stop=self.should_stop,
            telling=self.telling,
        )
        known = self.finish.main.before is not None
        if known:
            self.emit(Notice("The base model's evaluation was kept from the earlier attempt."))
        result = self.training.train(evaluate_base=None if known else self._evaluate_base)
        self.training.base_first()
        encoder, guard = self.training.encoder, self.training.guard
        forgotten, vectors = self.finish.judge(encoder, guard)
        after = self.finish.main.after
        if self.split.selection is None and after is not None:
            epoch = float(self.training.trainer.state.epoch or 0.0)
            self.emit(Metrics(result.step, epoch, evaluated(after.metrics) | forgotten.metrics()))
        judged = self.finish.conclude(forgotten, vectors, self.folder.events)
        publish_judged(self.folder, self.plan, encoder, self.finish.main, judged, emit=self.emit)
        self.training.trainer.drop_progress()

    def _evaluate_base(self) -> None:
        """Evaluate the base model, loaded once more: the one in hand has begun to learn."""
        self.emit(Phase("evaluating base"))
        self.telling.at_stop = "Stopped while the base model was evaluated; the trained weights are kept."
        base = self.training.base_beside()
        vectors = VectorCache()  # both parts search the same documents
        before = self.finish.judge_base(base, self.training.guard, vectors)
        # the live curve shows the part that selects, where there is one; the verdict part stays out of it
        start: Evaluation | None = before
        if self.split.selection is not None:
            start = self.training.start_of_curve(base, vectors)
        if start is not None:
            self.training.tell_start(start.metrics)
        self.finish.keep_base(base, before, vectors)
