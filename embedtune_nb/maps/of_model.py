"""The map of a tuned model: which texts are shown, computed once by a worker, opened again for free."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from embedtune_nb.data.split import Split
from embedtune_nb.errors import DataError, JobFailedError, JobStoppedError, PlanError
from embedtune_nb.evaluation.vectors import Progress as OnProgress
from embedtune_nb.evaluation.vectors import VectorCache, embed_roles
from embedtune_nb.jobs.job import Job, submit
from embedtune_nb.jobs.progress import show_progress
from embedtune_nb.latebound import late
from embedtune_nb.maps.texts import texts_of
from embedtune_nb.models.coerce import to_datasource
from embedtune_nb.models.finetuned import FinetunedEmbeddingModel
from embedtune_nb.plan.resolve import check_executor
from embedtune_nb.store.events import Event, Notice, Phase, Progress
from embedtune_nb.store.job_folder import JobFolder, create, job_folders
from embedtune_nb.training.kept import load_vectors

if TYPE_CHECKING:
    from embedtune_nb.encoder.encoder import Encoder

_PROGRESS_SECONDS = 0.25


def map_of_model(
    model: FinetunedEmbeddingModel,
    data: Any = None,
    *,
    limit: int = 5000,
    neighbors: int = 15,
    seed: int = 0,
    executor: str = "process",
) -> Any:
    """Show texts as the base model and as the tuned model place them, in one picture.

    A worker embeds the texts with both models and computes the aligned UMAP; the cell shows its
    progress. The same call again opens the finished map.

    Parameters
    ----------
    model
        The tuned model.
    data
        What to show. None: the run's own data, the held-out part first.
    limit
        Most texts in the picture; a seeded sample is taken from more, and the map says so.
    neighbors
        Neighbours of each text in the full space that the map is made from.
    seed
        Of sample and projection.
    executor
        As in ``finetune``.

    Returns
    -------
    EmbeddingMap
        Interactive in a notebook; ``.to_frame()`` and ``.chart()`` beside it.
    """
    job = map_job(model, data, limit=limit, neighbors=neighbors, seed=seed, executor=executor)
    return show_progress(job).result()


def map_job(
    model: FinetunedEmbeddingModel,
    data: Any = None,
    *,
    limit: int = 5000,
    neighbors: int = 15,
    seed: int = 0,
    executor: str = "process",
) -> Job:
    """Return the job that makes, or made, the map, and wait for nothing; parameters as ``map_of_model``."""
    check_executor(executor)
    for name, value, least in (("limit", limit, 2), ("neighbors", neighbors, 2), ("seed", seed, 0)):
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise PlanError(f"{name} is {value!r}.", expected=f"a whole number from {least}")
    texts = _texts(model, data)
    left_out = max(0, len(texts) - limit)
    if left_out:
        # shuffled, so that sorted data is not cut at its last labels; the held-out part stays first
        texts = texts.sample(frac=1, random_state=seed).sort_values("part", kind="stable").head(limit)
    texts = texts.drop(columns="part").reset_index(drop=True)
    plan = {
        "format": 1,
        "kind": "map",
        "name": model.name,
        "base": dict(model.recipe.base),
        "model": str(model.path),
        "evaluation": str(model.job.folder.path / "evaluation"),
        # the tuned model's folder carries them; the base model must read its texts the same way
        "reading": {key: model.recipe[key] for key in ("prompts", "truncation_side")},
        "neighbors": neighbors,
        "seed": seed,
        "left_out": left_out,
        "executor": executor,
    }
    fingerprint = _fingerprint(plan, texts, model.job.id)
    return _made_before(fingerprint) or _start({**plan, "fingerprint": fingerprint}, texts)


def run_map(folder: JobFolder, emit: Callable[[Event], None], should_stop: Callable[[], bool]) -> None:
    """Carry out a map job: embed with both models, project, write ``map.parquet`` and ``map.json``."""
    from embedtune_nb.encoder.encoder import Encoder
    from embedtune_nb.encoder.load import load_folder
    from embedtune_nb.encoder.threads import choose_threads, use_threads

    plan = folder.plan()
    texts = pd.read_parquet(folder.data / "texts.parquet")
    use_threads(choose_threads())
    told: dict[str, Any] = {"phase": "", "at": 0.0}

    def progress(phase: str, done: int, total: int) -> None:
        if should_stop():
            raise JobStoppedError("The map was stopped.", fix="call .map() again.")
        now = time.monotonic()
        if phase != told["phase"]:
            told["phase"] = phase
            emit(Phase(phase, total))
        if done == total or now - told["at"] > _PROGRESS_SECONDS:
            told["at"] = now
            emit(Progress(done, total))

    def embed(phase: str, kept: str, load: Callable[[], Encoder]) -> np.ndarray:
        return _embed(texts, load, load_vectors(Path(plan["evaluation"]) / kept), partial(progress, phase))

    emit(Phase("loading"))
    before = embed(
        "embedding with the base model", "before", lambda: Encoder.load(plan["base"], plan["reading"])
    )
    after = embed(
        "embedding with the tuned model", "after", lambda: Encoder(load_folder(Path(plan["model"])))
    )
    # numba compiles on import, so its cache must be chosen before
    from embedtune_nb.maps.project import project

    projection = project(before, after, neighbors=plan["neighbors"], seed=plan["seed"], progress=progress)
    frame = pd.concat([texts, projection.frame], axis=1)
    frame.to_parquet(folder.path / "map.parquet")
    meta = {
        **projection.meta,
        "model": plan["name"],
        "base": plan["base"]["id"],
        "left_out": plan["left_out"],
    }
    (folder.path / "map.json").write_text(json.dumps(meta))
    if plan["left_out"]:
        emit(Notice(f"{plan['left_out']:,} texts are not in the picture; raise limit= to see more."))


def _embed(
    texts: pd.DataFrame, load: Callable[[], Encoder], kept: VectorCache, progress: OnProgress
) -> np.ndarray:
    """Embed every text in its role; what the run's evaluations embedded is taken from *kept*."""
    role = texts["role"].where(texts["role"].isin(["query", "document"]), "").fillna("")
    rows = {name or None: np.flatnonzero(role == name) for name in role.unique()}
    by_role = {name: texts["text"].iloc[places].tolist() for name, places in rows.items()}
    everything_kept = not any(kept.missing(listed, name) for name, listed in by_role.items())
    vectors = embed_roles(None if everything_kept else load(), by_role, progress, kept)
    merged = np.empty((len(texts), next(iter(vectors.values())).shape[1]), dtype=np.float32)
    for name, places in rows.items():
        merged[places] = vectors[name]
    return merged


def result_of_job(job: Job) -> Any:
    """Return the EmbeddingMap that a finished map job computed."""
    return late("embedding_map")(*read_map(job))


def read_map(job: Job) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Return what a map job computed: the frame and the figures of an EmbeddingMap.

    Raises
    ------
    JobFailedError
        If the job ended without a map.
    """
    if job.status != "done":
        raise JobFailedError(f"The map was not made: {job.reason or job.status}.")
    path = job.folder.path
    return pd.read_parquet(path / "map.parquet"), json.loads((path / "map.json").read_text())


def _texts(model: FinetunedEmbeddingModel, data: Any) -> pd.DataFrame:
    """Return columns text, label, role, and part: 0 what the verdict rests on, 1 the rest."""
    if data is not None:
        return texts_of(to_datasource(data)).assign(part=0)
    snapshot = model.job.folder.data
    if not (snapshot.is_dir() and any(snapshot.iterdir())):
        raise DataError(
            f"The data that {model.name!r} was trained on is no longer kept with its job.",
            fix="give the texts to show: model.map(data).",
        )
    split = Split.read(snapshot)
    verdict = texts_of(split.verdict, bands_of=split.train)
    parts = [verdict.assign(part=0), texts_of(split.train).assign(part=1)]
    both = pd.concat(parts, ignore_index=True)
    # a document that answers no held-out query is unlabelled there and labelled by the training part
    return both.sort_values("label", key=lambda label: label.isna(), kind="stable").drop_duplicates(
        ["text", "role"], ignore_index=True
    )


def _fingerprint(plan: dict[str, Any], texts: pd.DataFrame, job_id: str) -> str:
    recipe = {key: plan[key] for key in ("name", "neighbors", "seed")} | {"job": job_id}
    digest = hashlib.sha256(json.dumps(recipe, sort_keys=True).encode())
    digest.update(texts.to_json().encode())
    return digest.hexdigest()


def _made_before(fingerprint: str) -> Job | None:
    for folder in reversed(job_folders()):
        if folder.plan().get("fingerprint") == fingerprint:
            job = Job(folder)
            if job.status in ("queued", "running") or (
                job.status == "done" and (folder.path / "map.parquet").is_file()
            ):
                return job
    return None


def _start(plan: dict[str, Any], texts: pd.DataFrame) -> Job:
    folder = create(f"map-{plan['name']}"[:100], plan, lambda data: texts.to_parquet(data / "texts.parquet"))
    return submit(folder, plan["executor"])
