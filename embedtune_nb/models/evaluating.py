"""Evaluation without training: the method that pretrained and tuned models share."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from embedtune_nb.catalogue import BaseSpec, Prompts, instructed, local_folder
from embedtune_nb.data.datasource import Datasource
from embedtune_nb.errors import DataError
from embedtune_nb.models.coerce import VALUE_COLUMN, to_datasource
from embedtune_nb.models.evaluation_job import reading_of
from embedtune_nb.models.evaluation_options import check_length, check_side, evaluation_task
from embedtune_nb.plan.resolve import check_executor


class Evaluating:
    """What can be loaded and scored on data: a model with a spec."""

    _spec: BaseSpec
    _encoder: Any

    def evaluate(
        self,
        data: Any,
        eval_datasource: Any = None,
        *,
        value_column: str = VALUE_COLUMN,
        label_column: str | None = None,
        score_column: str | None = None,
        metric: str | None = None,
        instruction: str | None = None,
        max_seq_length: int | None = None,
        truncation_side: str | None = None,
        neighbor_count: int = 5,
        neighbor_weighting: str = "similarity",
        subsample: int | float | None = None,
        seed: int = 42,
        background: bool = False,
        executor: str = "process",
    ) -> Any:
        """Score this model on *data*, without training.

        Retrieval data and pairs: every query against the full document pool. Labels and scores: the
        held-out 20 % judged by their nearest neighbours among the rest. Other kinds: every row.

        Parameters
        ----------
        data, value_column, label_column, score_column
            As for :meth:`finetune`.
        eval_datasource
            Labels and scores: the texts to score; their neighbours are taken from all of *data*. None
            holds 20 % of *data* out.
        metric
            The metric that stands first. None: the usual one for the kind of data.
        instruction
            As for :meth:`embed`. None: the collection's, if the data has one and the model reads them.
        max_seq_length
            Most tokens of a text, up to the model's own limit. None: that limit.
        truncation_side
            The end at which a longer text loses tokens: ``"right"`` or ``"left"``. None: the model's own.
        neighbor_count
            How many neighbours answer for a text.
        neighbor_weighting
            ``"similarity"``: a nearer neighbour counts more; ``"uniform"``: all alike.
        subsample
            Most queries, texts, triplets or pairs to score: a number, or a share as a fraction. What is
            searched stays whole.
        seed
            Of what is held out and sampled.
        background
            True: a worker scores, and the job is returned at once; ``job.result()`` is the Evaluation.
        executor
            Of that job, as for :meth:`finetune`.

        Returns
        -------
        Evaluation or Job
            Metrics, per-query values, notes on what was left out; the job if *background*.

        Raises
        ------
        PlanError
            If an option is out of its range, or has no effect on this kind of data.
        """
        columns: dict[str, Any] = {
            "value_column": value_column,
            "label_column": label_column,
            "score_column": score_column,
        }
        source = to_datasource(data, **columns)
        held_out = None if eval_datasource is None else to_datasource(eval_datasource, **columns)
        settings = {
            "metric": metric,
            "neighbor_count": neighbor_count,
            "neighbor_weighting": neighbor_weighting,
            "seed": seed,
        }
        if instruction is None and self._spec.instructions:
            instruction = source.instruction
        limit = check_length(max_seq_length, self._spec)
        side = check_side(truncation_side, self._spec)
        prompts = None if instruction is None else prompts_with(self._spec, instruction)
        task = evaluation_task(
            self._spec,
            source,
            held_out,
            settings=settings,
            reading=reading_of(prompts, max_seq_length=limit, truncation_side=side),
            subsample=subsample,
        )
        task = replace(task, notes=(*task.notes, *self._notes_on(source, task.data)))
        if background:
            check_executor(executor)
            return task.submit(executor)
        if limit is not None or side is not None:
            return task.carry_out(task.load())  # the model in hand keeps reading as it does
        return task.carry_out(self._loaded(instruction))

    def _notes_on(self, source: Datasource, scored: Datasource) -> tuple[str, ...]:
        """Return what to know of figures on *scored*, a part of *source*; a base model has seen nothing."""
        return ()

    def _loaded(self, instruction: str | None = None) -> Any:
        if self._encoder is None:
            local_folder(self._spec)  # before torch is loaded: its absence is told at once

            from embedtune_nb.encoder.encoder import Encoder

            self._encoder = Encoder.load(self._spec, {})
        if instruction is None:
            return self._encoder
        return self._encoder.reading(prompts_with(self._spec, instruction))


def prompts_with(spec: BaseSpec, instruction: object) -> Prompts:
    """Return what stands before texts when a model is to read *instruction*.

    Raises
    ------
    DataError
        If it is no text, or blank.
    """
    if isinstance(instruction, str) and instruction.strip():
        return instructed(spec, instruction)
    raise DataError(
        f"The instruction is {instruction!r} ({type(instruction).__name__}).",
        expected="a text that is not blank, such as 'Find the intent of a customer'",
        fix="give such a text, or leave it out for the model's own prompts.",
    )
