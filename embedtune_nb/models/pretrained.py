"""The base models that can be tuned: a catalogue as attributes, any hub id or local folder as a call."""

from __future__ import annotations

import html

from embedtune_nb.catalogue import CATALOGUE, resolve_base
from embedtune_nb.errors import did_you_mean
from embedtune_nb.models.embedding_model import EmbeddingModel


class _Catalogue(type):
    """Makes a misspelt catalogue name an error that knows the right one."""

    def __getattr__(cls, name: str) -> PretrainedEmbeddingModel:
        if name in CATALOGUE:
            model = cls(name)
            setattr(cls, name, model)
            return model
        raise AttributeError(
            f"There is no base model {name!r} in the catalogue. {did_you_mean(name, CATALOGUE)}"
            f"Known: {', '.join(CATALOGUE)}. "
            f'Any other: PretrainedEmbeddingModel("hub-id or folder").'
        )

    def __dir__(cls) -> list[str]:
        return [*super().__dir__(), *CATALOGUE]


class PretrainedEmbeddingModel(EmbeddingModel, metaclass=_Catalogue):
    """A base model.

    Parameters
    ----------
    name
        A catalogue name (also an attribute: ``PretrainedEmbeddingModel.MINILM_L6``), a hub id such as
        ``"sentence-transformers/all-mpnet-base-v2"``, or a folder with a sentence-transformers model.

    Raises
    ------
    ModelUnavailableError
        If the name is neither known nor a folder nor a hub id.

    Examples
    --------
    >>> PretrainedEmbeddingModel.MINILM_L6.embedding_dim
    384
    """

    def __init__(self, name: str) -> None:
        super().__init__(resolve_base(name))

    @classmethod
    def all(cls) -> list[PretrainedEmbeddingModel]:
        """Return the catalogue."""
        return [getattr(cls, name) for name in CATALOGUE]

    def __repr__(self) -> str:
        spec = self._spec
        if spec.id in CATALOGUE:
            return f"PretrainedEmbeddingModel.{spec.id}"
        return f"PretrainedEmbeddingModel({spec.path or spec.hub_id!r})"

    def _repr_html_(self) -> str:
        spec = self._spec
        size = "unknown" if spec.size_bytes is None else f"{spec.size_bytes / 1e6:,.0f} MB"
        parameters = "unknown" if spec.parameters is None else f"{spec.parameters / 1e6:,.1f} M"
        facts = {
            "dimension": spec.dimension,
            "longest input": "no limit" if spec.max_length is None else f"{spec.max_length:,} tokens",
            "parameters": parameters,
            "size": size,
            "takes instructions": "yes" if spec.instructions else "no",
            "hub id": spec.hub_id or "none",
        }
        cells = "".join(
            f"<tr><th style='text-align:left'>{html.escape(key)}</th><td>{html.escape(str(value))}</td></tr>"
            for key, value in facts.items()
        )
        return f"<b>{html.escape(repr(self))}</b><table>{cells}</table>"
