"""From a base model's spec to its files on this machine."""

from __future__ import annotations

from pathlib import Path

from embedtune_nb.catalogue import hub, packaged
from embedtune_nb.catalogue.base_models import BaseSpec
from embedtune_nb.catalogue.folder import read_folder
from embedtune_nb.errors import ModelUnavailableError

_PACKAGED = {"MINILM_L6": packaged.minilm_folder, "WORDLLAMA_256": packaged.wordllama_folder}
_GET_ONLINE = (
    "get online once (the files are kept), or give a folder that holds the model: "
    'PretrainedEmbeddingModel("path/to/folder")'
)


def local_folder(spec: BaseSpec) -> Path:
    """Return a sentence-transformers folder with the model, downloading it if it is not here.

    Raises
    ------
    ModelUnavailableError
        If the files are neither here nor reachable; known in under 10 seconds.
    IntegrityError
        If packaged weights are not the known ones.
    """
    here = _without_network(spec)
    if here is not None:
        return here
    _refuse_missing_package(spec)
    return hub.download(str(spec.hub_id), with_weights=True, remedy=remedy(spec))


def tokenizer_file(spec: BaseSpec) -> Path | None:
    """Return the model's ``tokenizer.json``, or None if it has none.

    Where the model is still on the hub, only its small files are fetched.

    Raises
    ------
    ModelUnavailableError
        As for :func:`local_folder`.
    """
    return read_folder(small_files(spec), need_weights=False).tokenizer


def small_files(spec: BaseSpec) -> Path:
    """Return a folder with the model's configuration; where it is still on the hub, without weights.

    Raises
    ------
    ModelUnavailableError
        As for :func:`local_folder`.
    """
    here = _without_network(spec)
    if here is None:
        _refuse_missing_package(spec)
        here = hub.download(str(spec.hub_id), with_weights=False, remedy=remedy(spec))
    return here


def ensure_available(spec: BaseSpec) -> None:
    """Raise ModelUnavailableError now if :func:`local_folder` would fail later for want of a network."""
    if _without_network(spec) is None:
        _refuse_missing_package(spec)
        hub.ensure_reachable(str(spec.hub_id), remedy=remedy(spec))


def is_here(spec: BaseSpec) -> bool:
    """Return whether the model's files are on this machine, so that no network is needed.

    Raises
    ------
    EmbedtuneError
        If they are here but damaged or incomplete.
    """
    return _without_network(spec) is not None


def remedy(spec: BaseSpec) -> str:
    """Return what to do where the model's files cannot be had."""
    if spec.id == "MINILM_L6":
        return f'pip install "embedtune-nb[demo]", which brings this model as a package; or {_GET_ONLINE}.'
    return (
        f"{_GET_ONLINE}. MINILM_L6 needs no network at all once it is installed: "
        'pip install "embedtune-nb[demo]".'
    )


def _without_network(spec: BaseSpec) -> Path | None:
    if spec.source == "folder":
        folder = Path(str(spec.path))
        read_folder(folder)
        return folder
    found = _PACKAGED[spec.id]() if spec.id in _PACKAGED else None
    if found is None and spec.source == "hub":
        found = hub.cached_folder(str(spec.hub_id), need_weights=True)
    return found


def _refuse_missing_package(spec: BaseSpec) -> None:
    if spec.source == "package" and spec.id == "WORDLLAMA_256":
        raise ModelUnavailableError(
            "WORDLLAMA_256 is read from the package wordllama, which is not installed.",
            fix='pip install "embedtune-nb[fast]", or take MINILM_L6 (pip install "embedtune-nb[demo]").',
        )
