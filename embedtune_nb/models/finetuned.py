"""A model that a job published under a name."""

from __future__ import annotations

import html
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from embedtune_nb.catalogue import resolve_base
from embedtune_nb.data.datasource import Datasource
from embedtune_nb.errors import (
    AlreadyExistsError,
    IntegrityError,
    InUseError,
    ModelUnavailableError,
    NotFoundError,
    PlanError,
)
from embedtune_nb.evaluation.regressions import Regressions
from embedtune_nb.jobs.feed import ALIVE_STATES
from embedtune_nb.jobs.job import Job, latest_job
from embedtune_nb.jobs.progress import show_progress
from embedtune_nb.latebound import late
from embedtune_nb.models.embedding_model import EmbeddingModel
from embedtune_nb.models.export import export
from embedtune_nb.models.merge import WEIGHTS, merge_job
from embedtune_nb.models.on_record import OnRecord
from embedtune_nb.models.record import ModelRecord, find_record, model_names, no_such_model
from embedtune_nb.models.seen import seen_in_training
from embedtune_nb.store import publish
from embedtune_nb.store.home import models_folder, name_lock
from embedtune_nb.store.leases import holders
from embedtune_nb.store.locks import locked
from embedtune_nb.store.names import check_name, named_folder


class FinetunedEmbeddingModel(OnRecord, EmbeddingModel):
    """A tuned model: an ordinary sentence-transformers folder with its plan and verdict beside it.

    Use :meth:`open`, :meth:`all` or the result of a job instead of this constructor.

    Parameters
    ----------
    record
        What stands in the store.
    """

    def __init__(self, record: ModelRecord) -> None:
        publish.check(record.path)
        OnRecord.__init__(self, record)
        EmbeddingModel.__init__(self, replace(resolve_base(record.path), id=record.name))

    @classmethod
    def open(cls, name: str) -> FinetunedEmbeddingModel:
        """Return the model published under *name* (regardless of case).

        Raises
        ------
        NotFoundError
            If there is none; the message lists those there are.
        IntegrityError
            If files are missing or have another size than recorded.
        """
        record = find_record(check_name(name))
        if record is None:
            raise no_such_model(name)
        return cls(record)

    @classmethod
    def all(cls) -> list[FinetunedEmbeddingModel]:
        """Return all published models, oldest first; a damaged one is left out with a warning."""
        models = []
        for name in model_names():
            try:
                models.append(cls.open(name))
            except (IntegrityError, ModelUnavailableError) as damage:
                warnings.warn(f"The model {name!r} is left out: {damage}", stacklevel=2)
        return models

    @classmethod
    def drop(cls, name: str, if_not_exists: str = "error") -> None:
        """Delete the model *name*; the history of its job stays.

        Parameters
        ----------
        name
            The model.
        if_not_exists
            ``"error"`` or ``"ignore"``.

        Raises
        ------
        NotFoundError
            If there is none and *if_not_exists* is ``"error"``.
        AlreadyExistsError
            If a job is making a model of this name.
        InUseError
            If a memoryset is embedded with it, or a job is training from it.
        """
        if if_not_exists not in ("error", "ignore"):
            raise PlanError(
                f"if_not_exists={if_not_exists!r}.",
                expected="'error' or 'ignore'",
                fix="choose one of the two.",
            )
        name = check_name(name)
        with locked(name_lock(name)):
            job = latest_job(name)
            if job is not None and job.status in ALIVE_STATES:
                raise AlreadyExistsError(
                    f"Job {job.id} is making a model of this name right now.",
                    fix="stop it first: Job.open(...).stop().",
                )
            folder = named_folder(models_folder(), name)  # a damaged model can be dropped too
            if folder.is_dir():
                _refuse_in_use(name, folder)
                publish.remove(folder)
            elif if_not_exists == "error":
                raise no_such_model(name)

    def merge_with_base(
        self,
        weight: float | None = None,
        *,
        name: str | None = None,
        weights: Sequence[float] = WEIGHTS,
        background: bool = False,
        executor: str = "process",
    ) -> Any:
        """Move the weights towards those of the base: often most of the gain stays and less is forgotten.

        Without a weight, a worker scores merged models on held-out data that judges nothing and on the
        general probe, and suggests a weight. With one, it publishes that model under a new name, with a
        verdict on the part that chose nothing.

        Parameters
        ----------
        weight
            Share of this model's weights, between 0 (the base) and 1. None draws the curve.
        name
            Of the merged model. None: this model's with ``-merged-`` and the weight.
        weights
            What the curve tries; the base (0) and this model (1) are always among them.
        background
            True: return the job at once.
        executor
            As for :meth:`finetune`.

        Returns
        -------
        MergeCurve, FinetunedEmbeddingModel or Job
            The curve without a weight, the published model with one; the job if *background*.

        Raises
        ------
        PlanError
            If a weight is out of range, or this is an adapter, which leaves its base untouched.
        AlreadyExistsError
            If *name* is taken.
        DataError
            If the run's data is no longer kept with its job.
        """
        job = merge_job(self, weight, name=name, weights=weights, executor=executor)
        return job if background else show_progress(job).result()

    def _notes_on(self, source: Datasource, scored: Datasource) -> tuple[str, ...]:
        seen = seen_in_training(self, scored)
        if seen is None:
            recipe = self.recipe
            trained_on = {part["fingerprint"] for part in (recipe.data, *(o.data for o in recipe.further))}
            told = "This model was trained on a part of this data" if source.fingerprint in trained_on else ""
        else:
            told = f"This model was trained on {seen:,} of the {len(scored):,} rows scored" if seen else ""
        if not told:
            return ()
        return (f"{told}, so the figures flatter it; model.verdict rests on rows it never saw.",)

    def map(self, data: Any = None, **options: Any) -> Any:
        """Show texts before and after in one picture; options as in ``maps.of_model.map_of_model``."""
        return late("map_of_model")(self, data, **options)

    def regressions(self) -> Regressions:
        """Show where it got worse than its base on the held-out part, row by row, with likely causes.

        Returns
        -------
        Regressions
            A sortable table in a notebook; ``.to_frame()``, ``.causes`` and ``.where(...)``; its rows go on
            to ``.mine_hard_negatives()``, ``.fix(...)`` and ``.map()``.

        Raises
        ------
        DataError
            If the folder of its job was deleted.
        """
        from embedtune_nb.models.regressed import regressions_of

        return regressions_of(self)

    def noise_floor(
        self,
        seeds: int | Sequence[int] = 3,
        *,
        if_exists: str = "open",
        executor: str | None = None,
        keep_models: bool = False,
    ) -> Any:
        """Train the same recipe on the same rows with other seeds: how much do the figures move by chance?

        Each seed is a job of its own, named ``<name>-seed-<seed>``. After an interrupt or the end of the
        kernel the same call takes over what is done and carries on the rest.

        Parameters
        ----------
        seeds
            How many runs in all, this model's own among them, or the seeds of the further ones.
        if_exists
            ``"open"``, or ``"error"``: refuse if such a run was made or begun before.
        executor
            ``"process"`` or ``"thread"``; None: as this model was trained.
        keep_models
            True keeps the further models; else only their figures stay, with their jobs.

        Returns
        -------
        NoiseFloor
            ``.band``: two runs that differ by less are a tie. Kept with this model's job, and used by
            ``et.compare``.

        Raises
        ------
        DataError
            If the data that it was trained on is no longer kept.
        """
        return late("noise_floor")(
            self, seeds, if_exists=if_exists, executor=executor, keep_models=keep_models
        )

    def save_report(self, path: str | Path, *, with_map: bool = True) -> Path:
        """Write verdict, curves, plan and interactive map to one HTML file that works offline.

        Parameters
        ----------
        path
            The file; replaced if it exists.
        with_map
            False leaves the map out, and with it every text of the data.
        """
        return late("save_report")(self, path, with_map=with_map)

    def verify(self) -> FinetunedEmbeddingModel:
        """Compare every byte with the manifest.

        Raises
        ------
        IntegrityError
            If anything changed since it was published.
        """
        publish.check(self.path, hashes=True)
        return self

    def save(self, folder: str | Path, *, check: bool = True) -> Path:
        """Copy the model to *folder*, after verifying it.

        Parameters
        ----------
        folder
            Must not exist, or be empty.
        check
            Open the copy in a fresh process, compare its vectors and its score with those of this model,
            and say so on the copy's card. False saves the ten seconds or so.

        Raises
        ------
        AlreadyExistsError
            If something is there.
        StoreError
            If *folder* is no path, or cannot be written.
        IntegrityError
            If the copy gives other vectors or another score; it is removed.
        """
        return export(self, folder, check=check)

    def __repr__(self) -> str:
        return (
            f"FinetunedEmbeddingModel({{name: {self.name}, embedding_dim: {self.embedding_dim}, "
            f"max_seq_length: {self.max_seq_length}, base_model: {self.base_model}{self._kept()}}})"
        )

    def _repr_html_(self) -> str:
        line = f"{self.embedding_dim} dimensions, tuned from {self.base_model}{self._kept()}"
        shown = f"<b>{html.escape(self.name)}</b> ({html.escape(line)})<br>{self.verdict._repr_html_()}"
        return shown + (self.forgetting._repr_html_() if "forgetting" in self._record.facts else "")

    def _kept(self) -> str:
        """Return how much of the quality each smaller dimension keeps; nothing without Matryoshka."""
        kept = ", ".join(
            f"{row['retention']:.0%} at {row['dimension']}"
            for row in self.matryoshka
            if row["retention"] is not None
        )
        return f", matryoshka: keeps {kept}" if kept else ""


def _refuse_in_use(name: str, folder: Path) -> None:
    if sets := holders(folder):
        named = ", ".join(map(repr, sets))
        raise InUseError(
            f"The model {name!r} is in use by {'memoryset' if len(sets) == 1 else 'memorysets'} {named}.",
            fix="drop these first, for example with LabeledMemoryset.drop(...).",
        )
    for job in Job.all():
        if job.status in ALIVE_STATES and (job.plan.get("base") or {}).get("path") == str(folder):
            raise InUseError(
                f"Job {job.id} is training from the model {name!r} right now.",
                fix="wait for it, or stop it first: Job.open(...).stop().",
            )


def result_of_job(job: Job) -> FinetunedEmbeddingModel:
    """Return the model that *job* made.

    Raises
    ------
    NotFoundError
        If it was dropped since, or replaced by another job's.
    """
    record = find_record(job.name)
    if record is None or record.job_id != job.id:
        raise NotFoundError(
            f"The model that job {job.id} made is no longer in the store.",
            fix=f"train it again: the code is {job.plan.get('code', 'in the plan')!r}.",
        )
    return FinetunedEmbeddingModel(record)
