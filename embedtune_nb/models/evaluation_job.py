"""An evaluation as a job: what is scored, in a worker that outlives the kernel."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from embedtune_nb.catalogue import BaseSpec, Prompts
from embedtune_nb.data.datasource import Datasource
from embedtune_nb.errors import JobFailedError, JobStoppedError
from embedtune_nb.evaluation.evaluate import evaluate
from embedtune_nb.evaluation.result import Evaluation
from embedtune_nb.jobs.job import Job, submit
from embedtune_nb.store.events import Event, Notice, Phase, Progress
from embedtune_nb.store.job_folder import JobFolder, create
from embedtune_nb.store.names import PATTERN

_PROGRESS_SECONDS = 0.25


@dataclass(frozen=True)
class EvaluationTask:
    """One evaluation, ready to be carried out here or by a worker.

    Attributes
    ----------
    spec
        The model.
    data, reference
        What is scored, and what its neighbours are taken from.
    settings
        Of the evaluation.
    reading
        ``max_seq_length``, ``truncation_side`` and ``prompts``; what is missing is the model's own.
    notes
        What was decided before, for the result.
    """

    spec: BaseSpec
    data: Datasource
    reference: Datasource | None
    settings: Mapping[str, Any]
    reading: Mapping[str, Any]
    notes: tuple[str, ...]

    def load(self) -> Any:
        """Load the model, reading texts as asked."""
        from embedtune_nb.encoder.encoder import Encoder

        return Encoder.load(self.spec, self.reading)

    def carry_out(self, encoder: Any, progress: Callable[[int, int], None] | None = None) -> Evaluation:
        """Score *encoder*; it is what :meth:`load` gave, or one that reads texts the same way."""
        evaluation = evaluate(
            encoder, self.data, reference=self.reference, settings=self.settings, progress=progress
        )
        evaluation.notes += self.notes
        return evaluation

    def submit(self, executor: str) -> Job:
        """Have a worker carry it out."""
        name = f"evaluate-{self.spec.id.rsplit('/', 1)[-1]}"[:80]
        plan = {
            "format": 1,
            "kind": "evaluate",
            "name": name if PATTERN.fullmatch(name) else "evaluate",
            "base": self.spec.to_dict(),
            "options": dict(self.settings),
            "reading": dict(self.reading),
            "notes": list(self.notes),
            "executor": executor,
        }

        def write(folder: Any) -> None:
            self.data.write(folder / "data")
            if self.reference is not None:
                self.reference.write(folder / "reference")

        return submit(create(str(plan["name"]), plan, write), executor)

    @classmethod
    def read(cls, folder: JobFolder) -> EvaluationTask:
        """Restore what :meth:`submit` wrote."""
        plan, reference = folder.plan(), folder.data / "reference"
        return cls(
            spec=BaseSpec.from_dict(plan["base"]),
            data=Datasource.read(folder.data / "data"),
            reference=Datasource.read(reference) if reference.is_dir() else None,
            settings=plan["options"],
            reading=plan["reading"],
            notes=tuple(plan["notes"]),
        )


def reading_of(
    prompts: Prompts | None, *, max_seq_length: int | None, truncation_side: str | None
) -> dict[str, Any]:
    """Return how texts are to be read, as JSON-able values; only what was asked for."""
    asked = {
        "prompts": None if prompts is None else prompts.to_json(),
        "max_seq_length": max_seq_length,
        "truncation_side": truncation_side,
    }
    return {name: value for name, value in asked.items() if value is not None}


def run_evaluate(folder: JobFolder, emit: Callable[[Event], None], should_stop: Callable[[], bool]) -> None:
    """Carry out an evaluate job; the result stands in its folder under ``evaluation``."""
    from embedtune_nb.encoder.threads import choose_threads, use_threads
    from embedtune_nb.training.kept import save_evaluation

    told = 0.0

    def progress(done: int, total: int) -> None:
        nonlocal told
        if should_stop():
            raise JobStoppedError("The evaluation was stopped.", fix="call evaluate() again.")
        now = time.monotonic()
        if done == total or now - told > _PROGRESS_SECONDS:
            told = now
            emit(Progress(done, total))

    emit(Phase("loading"))
    use_threads(choose_threads())
    task = EvaluationTask.read(folder)
    encoder = task.load()
    emit(Phase("evaluating"))
    evaluation = task.carry_out(encoder, progress)
    for sentence in (evaluation.figures, *evaluation.notes):
        emit(Notice(sentence))
    save_evaluation(evaluation, folder.path / "evaluation")


def result_of_job(job: Job) -> Evaluation:
    """Return what a finished evaluate job found."""
    from embedtune_nb.training.kept import load_evaluation

    evaluation = load_evaluation(job.folder.path / "evaluation")
    if evaluation is None:
        raise JobFailedError(f"The evaluation left no result: {job.reason or job.status}.")
    return evaluation
