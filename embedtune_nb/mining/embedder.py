"""Whatever embeds texts, from whatever a caller names as the model."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from embedtune_nb.catalogue import CATALOGUE, BaseSpec, is_here, resolve_base
from embedtune_nb.errors import DataError

_TEXTS_AT_ONCE = 1024
_QUICKEST_FIRST = ("WORDLLAMA_256", "MINILM_L6")


class Embedder:
    """A model that embeds texts.

    Parameters
    ----------
    name
        What to call it on screen.
    embed
        ``embed(texts, role)`` returns (n, d) vectors; role is ``"query"``, ``"document"`` or ``None``.
    """

    def __init__(self, name: str, embed: Callable[[list[str], str | None], Any]) -> None:
        self.name, self._embed = name, embed

    def embed(
        self, texts: list[str], role: str | None = None, advance: Callable[[int], object] | None = None
    ) -> np.ndarray:
        """Return float32 vectors of length 1, (n, d); *advance* is told of texts that are done.

        Raises
        ------
        DataError
            If the model gives anything but one row of finite numbers a text.
        """
        parts = []
        for start in range(0, len(texts), _TEXTS_AT_ONCE):
            block = texts[start : start + _TEXTS_AT_ONCE]
            parts.append(np.asarray(self._embed(block, role), dtype=np.float32))
            if advance is not None:
                advance(len(block))
        vectors = np.concatenate(parts)
        if vectors.ndim != 2 or len(vectors) != len(texts) or not np.isfinite(vectors).all():
            raise DataError(
                f"{self.name} gave an array of the shape {vectors.shape} for {len(texts):,} texts"
                + ("." if vectors.ndim != 2 or len(vectors) != len(texts) else ", not all finite numbers."),
                expected="one row of finite numbers for each text",
            )
        return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def embedder(model: Any = None) -> Embedder:
    """Return an Embedder for a model object, the facts of a base model, a name, a folder, or ``None``.

    ``None`` takes the quickest named model whose files are on this machine.
    """
    if isinstance(model, Embedder):
        return model
    if model is None:
        model = next((name for name in _QUICKEST_FIRST if is_here(resolve_base(name))), _QUICKEST_FIRST[-1])
    if hasattr(model, "embed"):
        spec = getattr(model, "spec", None)
        name = str(getattr(model, "name", None) or getattr(spec, "id", None) or type(model).__name__)
        takes_role = "role" in inspect.signature(model.embed).parameters

        def embed(texts: list[str], role: str | None) -> Any:
            return model.embed(texts, role=role) if takes_role else model.embed(texts)

        return Embedder(name, embed)
    if not isinstance(model, (str, BaseSpec)) and not hasattr(model, "__fspath__"):
        raise DataError(
            f"model is a {type(model).__name__}.",
            expected="a model with .embed(texts), a name such as "
            + ", ".join(list(CATALOGUE)[:2])
            + ", or a folder",
        )
    from embedtune_nb.encoder.encoder import Encoder

    spec = resolve_base(model)
    encoder = Encoder.load(spec, {})
    return Embedder(spec.id, lambda texts, role: encoder.embed(texts, role=role))  # type: ignore[arg-type]
