"""Who takes part in a comparison: models by object, name or job, each with its base beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from embedtune_nb.catalogue import BaseSpec
from embedtune_nb.errors import DataError, EmbedtuneError, ModelUnavailableError, did_you_mean
from embedtune_nb.jobs.job import Job
from embedtune_nb.models.embedding_model import EmbeddingModel
from embedtune_nb.models.finetuned import FinetunedEmbeddingModel
from embedtune_nb.models.pretrained import PretrainedEmbeddingModel
from embedtune_nb.models.record import find_record, model_names
from embedtune_nb.store.names import PATTERN


class Reading:
    """A model that reads an instruction before each text, as an evaluation wants it.

    Parameters
    ----------
    model
        The model.
    instruction
        None: the model's own prompts.
    """

    def __init__(self, model: EmbeddingModel, instruction: str | None) -> None:
        self._model, self._instruction = model, instruction

    def embed(
        self, texts: list[str], *, role: Any, progress: Callable[[int, int], None] | None
    ) -> np.ndarray:
        """Return (n, d) float32 unit vectors."""
        return self._model.embed(texts, role=role, instruction=self._instruction, progress=progress)


def entrants(models: Any, *, base: bool) -> tuple[dict[str, EmbeddingModel], list[str]]:
    """Return the models by the name to show, base models first, and what was left out.

    Parameters
    ----------
    models
        Models, names, jobs or folders; or a dict from the names to show to these; or only one.
    base
        Add the base of every tuned model that is not among them.

    Raises
    ------
    DataError
        If there is nothing to compare, or two models have one name.
    """
    if isinstance(models, (str, EmbeddingModel, Job)) or not isinstance(models, Iterable):
        models = [models]
    if isinstance(models, Mapping):
        given = [(str(name), _model(model)) for name, model in models.items()]
    else:
        given = [(name_of(model), model) for model in map(_model, models)]
    bases, notes = _bases_of([model for _, model in given]) if base else ([], [])
    chosen = [*bases, *given]
    names = [name for name, _ in chosen]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise DataError(
            f"Two of the models are called {twice[0]!r}.",
            expected="each model once",
            fix='name them: et.compare({"first": ..., "second": ...}, data).',
        )
    if not chosen:
        raise DataError(
            "There is no model to compare.", expected="at least one model", fix="give a list of models."
        )
    return dict(chosen), notes


def name_of(model: EmbeddingModel) -> str:
    """Return the name that a model is known by: the one it was published under, else the base's id."""
    return str(getattr(model, "name", None) or model.spec.id)


def _model(model: Any) -> EmbeddingModel:
    if isinstance(model, EmbeddingModel):
        return model
    if isinstance(model, Job):
        model = model.result()
        if isinstance(model, EmbeddingModel):
            return model
    if isinstance(model, str) and PATTERN.fullmatch(model) and find_record(model) is not None:
        return FinetunedEmbeddingModel.open(model)
    if isinstance(model, str) or hasattr(model, "__fspath__"):
        return _pretrained(str(model))
    raise DataError(
        f"A {type(model).__name__} was given as a model.",
        expected="a model, the name of one, a job that makes one, or a folder",
        fix="open it first: et.FinetunedEmbeddingModel.open(name).",
    )


def _pretrained(name: str) -> PretrainedEmbeddingModel:
    try:
        return PretrainedEmbeddingModel(name)
    except ModelUnavailableError as error:
        hint = did_you_mean(name, model_names())
        if not hint:
            raise
        raise ModelUnavailableError(error.found, expected=error.expected, fix=f"{hint}{error.fix}") from None


def _bases_of(models: list[EmbeddingModel]) -> tuple[list[tuple[str, EmbeddingModel]], list[str]]:
    """Return the bases that are not among *models*, each once."""
    there = {(model.spec.id, model.spec.path) for model in models}
    found: list[tuple[str, EmbeddingModel]] = []
    notes = []
    for model in models:
        if not isinstance(model, FinetunedEmbeddingModel):
            continue
        spec = BaseSpec.from_dict(dict(model.recipe.base))
        if (spec.id, spec.path) in there:
            continue
        there.add((spec.id, spec.path))
        try:
            found.append((spec.id, PretrainedEmbeddingModel(spec.path or spec.id)))
        except EmbedtuneError as gone:
            notes.append(f"The base of {model.name} is left out: {gone.found}")
    return found, notes
