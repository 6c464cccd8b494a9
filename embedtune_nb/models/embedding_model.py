"""What every embedding model can do: embed, be evaluated, be planned for, be fine-tuned."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from embedtune_nb.catalogue import BaseSpec
from embedtune_nb.errors import DataError
from embedtune_nb.jobs.job import Job
from embedtune_nb.latebound import late
from embedtune_nb.models.coerce import (
    VALUE_COLUMN,
    to_datasource,
    to_evaluation_data,
    to_training_data,
)
from embedtune_nb.models.evaluating import Evaluating
from embedtune_nb.models.tune import begin
from embedtune_nb.plan.plan import Plan
from embedtune_nb.plan.resolve import resolve


class EmbeddingModel(Evaluating):
    """Common ground of pretrained and fine-tuned models.

    Parameters
    ----------
    spec
        Where the weights are and what is known about them.
    """

    def __init__(self, spec: BaseSpec) -> None:
        self._spec = spec
        self._encoder: Any = None

    @property
    def spec(self) -> BaseSpec:
        """The facts: id, dimension, longest input in tokens, size, source."""
        return self._spec

    @property
    def embedding_dim(self) -> int | None:
        """Length of one embedding; None for a hub model of which nothing is here yet."""
        return self._spec.dimension

    @property
    def max_seq_length(self) -> int | None:
        """Longest input in tokens; None for models without a limit."""
        return self._spec.max_length

    def embed(
        self,
        texts: str | list[str],
        *,
        role: str | None = None,
        instruction: str | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> np.ndarray:
        """Embed texts in this process (loads torch at the first call).

        Parameters
        ----------
        texts
            One text or a list of n texts.
        role
            ``"query"`` or ``"document"`` for models with different prompts for the two.
        instruction
            The task in words, read before each text that is no document. None: the model's own prompts;
            for a tuned model these hold the instruction it was trained with.
        progress
            Called with the texts embedded so far and in all.

        Returns
        -------
        numpy.ndarray
            float32, unit length, shape (dimension,) for one text, (n, dimension) for a list.

        Raises
        ------
        DataError
            If something in *texts* is not a string.
        """
        many: list[Any] = [texts]
        if not isinstance(texts, str):
            many = list(texts) if isinstance(texts, Iterable) and not isinstance(texts, Mapping) else [texts]
        wrong = [text for text in many if not isinstance(text, str)][:1]
        if wrong or not many:
            raise DataError(
                f"Got {wrong[0]!r} ({type(wrong[0]).__name__})." if wrong else "Got an empty list.",
                expected="a string or a list of at least one string",
                fix="drop or convert it first.",
            )
        if role not in (None, "query", "document"):
            raise DataError(f"role is {role!r}.", expected="'query', 'document' or None")
        embeddings = self._loaded(instruction).embed(many, role=role, progress=progress)
        return embeddings[0] if isinstance(texts, str) else embeddings

    def plan(
        self,
        data: Any,
        name: str = "draft",
        *,
        eval_datasource: Any = None,
        loss: str | list[str] | None = None,
        hyperparams: dict[str, Any] | None = None,
        trial_count: int = 1,
        value_column: str = VALUE_COLUMN,
        label_column: str | None = None,
        score_column: str | None = None,
        executor: str = "process",
        seed: int = 42,
    ) -> Plan:
        """Resolve every setting of a run or a sweep without starting it; parameters as for :meth:`finetune`.

        Returns
        -------
        Plan
            A table in a notebook: value, source and reason of each setting, steps, time, memory; of a sweep
            also what is searched and within which bounds.
        """
        columns: dict[str, Any] = {
            "value_column": value_column,
            "label_column": label_column,
            "score_column": score_column,
        }
        plan, _ = resolve(
            self._spec,
            to_training_data(data, **columns),
            name=name,
            eval_datasource=to_evaluation_data(eval_datasource, **columns),
            loss=loss,
            hyperparams=hyperparams,
            trial_count=trial_count,
            executor=executor,
            seed=seed,
        )
        return plan

    def finetune(
        self,
        name: str,
        data: Any,
        eval_datasource: Any = None,
        *,
        loss: str | list[str] | None = None,
        hyperparams: dict[str, Any] | None = None,
        trial_count: int = 1,
        value_column: str = VALUE_COLUMN,
        label_column: str | None = None,
        score_column: str | None = None,
        if_exists: str = "error",
        background: bool = False,
        executor: str = "process",
        resume_from_checkpoint: bool = False,
        seed: int = 42,
    ) -> Any:
        """Fine-tune this model on *data* and publish the result under *name*; or search for the best way to.

        Parameters
        ----------
        name
            Unique, regardless of case; letters, digits, dots, dashes, underscores.
        data
            A Datasource or anything with ``to_datasource()``, a DataFrame, a list of dicts or a dict of
            columns. Several objectives in one run: a list of pairs, ``[(data, "contrastive"),
            (more_data, "cosent")]``; batches of all take turns, and the first selects and decides.
        eval_datasource
            The data of the verdict. None: 20 % of *data*, at most 2,000 rows, held out without leaks. With
            several objectives that of the first, or a list with one entry for each.
        loss
            None: ``"prediction"`` for labels and scores, ``"cosent"`` for scored pairs, ``"contrastive"`` for
            all other data. A sweep takes a list and finds out which serves best.
        hyperparams
            Only what should differ from the defaults; an unknown key is an error. In a sweep a tuple is a
            range (``"learning_rate": (1e-5, 1e-3)``), a list a choice (``"batch_size": [32, 64]``,
            ``"adapter": [None, "linear"]``, ``"base_model": ["MINILM_L6", "MPNET_BASE"]``), and any other
            value is fixed. Three keys say how it is carried out: ``"confirm"`` (True: the best two once more
            on two new seeds, beside the trials), ``"keep_trials"`` (2: of how many the weights are kept),
            ``"trial_workers"`` (trials at once; found from GPUs, cores and memory).
        trial_count
            1 for a single run. More makes a sweep of so many trials, of which the best becomes the model.
            Without ranges and lists it searches ``(trial_count - 1) // 2`` of learning_rate, loss_scale,
            batch_size, epochs and warmup around the defaults of the loss, which the first trial tries.
        value_column, label_column, score_column
            Needed only where the roles of a table's columns are ambiguous.
        if_exists
            ``"error"``, or ``"open"``: return the model of that name, attach to its running job, or
            carry on its stopped one. Another base model is an error, other data or settings a warning.
        background
            True: return the job at once. False: show the job live, wait, return the model.
        executor
            ``"process"`` (survives a kernel restart) or ``"thread"``.
        resume_from_checkpoint
            True: a stopped or failed job of that name goes on from its last checkpoint, if its plan is
            the same.
        seed
            Of split, shuffling, initial weights and the verdict's resamples. All trials of a sweep share it.

        Returns
        -------
        FinetunedEmbeddingModel or Job
            The job if *background*.

        Raises
        ------
        EmbedtuneError
            Whatever is wrong with data, name, loss or settings is told before a job starts.
        """
        columns: dict[str, Any] = {
            "value_column": value_column,
            "label_column": label_column,
            "score_column": score_column,
        }
        job: Job = begin(
            self._spec,
            name,
            to_training_data(data, **columns),
            eval_datasource=to_evaluation_data(eval_datasource, **columns),
            loss=loss,
            hyperparams=hyperparams,
            trial_count=trial_count,
            if_exists=if_exists,
            executor=executor,
            resume_from_checkpoint=resume_from_checkpoint,
            seed=seed,
        )
        if background:
            return job
        return job.watch().result()

    def learning_curve(
        self,
        data: Any,
        fractions: Sequence[float] = (0.25, 0.5, 1),
        *,
        repeats: int = 3,
        name: str | None = None,
        eval_datasource: Any = None,
        loss: str | None = None,
        hyperparams: dict[str, Any] | None = None,
        value_column: str = VALUE_COLUMN,
        label_column: str | None = None,
        score_column: str | None = None,
        if_exists: str = "open",
        executor: str = "process",
        keep_models: bool = False,
        seed: int = 42,
    ) -> Any:
        """Train on growing parts of *data*: is more of it worth having, and which rows to label next?

        Each run is a job of its own, named ``<name>-<fraction>-run-<repeat>``. After an interrupt or the end
        of the kernel the same call takes over what is done and carries on the rest.

        Parameters
        ----------
        data, eval_datasource, loss, hyperparams, value_column, label_column, score_column
            As for :meth:`finetune`. All runs are judged on the same held-out rows.
        fractions
            Shares of the training part, above 0 and up to 1.
        repeats
            Runs a fraction, each on other rows and with another seed: from them comes the band.
        name
            Of the runs. None: made from the data's fingerprint.
        if_exists
            ``"open"``, or ``"error"``: refuse if such a run was made or begun before.
        executor
            ``"process"`` or ``"thread"``.
        keep_models
            True keeps all models; else only one trained on all of the data stays.
        seed
            Of split, parts and training; repeat r has ``seed + r``.

        Returns
        -------
        LearningCurve
            ``.to_frame()``, ``.chart()``, ``.expected_gain()`` of twice the data, ``.label_next(texts)``.

        Raises
        ------
        EmbedtuneError
            Whatever is wrong with data, name, loss or settings is told before the first job starts.
        """
        columns: dict[str, Any] = {
            "value_column": value_column,
            "label_column": label_column,
            "score_column": score_column,
        }
        return late("learning_curve")(
            self._spec,
            to_datasource(data, **columns),
            fractions,
            repeats=repeats,
            name=name,
            eval_datasource=None if eval_datasource is None else to_datasource(eval_datasource, **columns),
            loss=loss,
            hyperparams=hyperparams,
            if_exists=if_exists,
            executor=executor,
            keep_models=keep_models,
            seed=seed,
        )
