"""From what a user writes (a name, a hub id, a folder) to the facts of a base model."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from embedtune_nb.catalogue import hub, packaged
from embedtune_nb.catalogue.base_models import CATALOGUE, BaseSpec
from embedtune_nb.catalogue.files import remedy
from embedtune_nb.catalogue.folder import FolderFacts, read_folder
from embedtune_nb.errors import ModelUnavailableError, did_you_mean

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


def resolve_base(name_or_path: str | Path | BaseSpec) -> BaseSpec:
    """Return the facts of a base model.

    Parameters
    ----------
    name_or_path
        A name of the catalogue (``"MINILM_L6"``), a folder that holds a sentence-transformers model,
        or any hub id (``"organisation/name"``), for which the hub is asked unless a copy is here.

    Raises
    ------
    ModelUnavailableError
        If there is no such name or folder, the folder is incomplete, or the hub cannot be reached.
    """
    if isinstance(name_or_path, BaseSpec):
        return name_or_path
    text = str(name_or_path)
    if text in CATALOGUE:
        return _named(CATALOGUE[text])
    by_hub_id = {spec.hub_id: spec for spec in CATALOGUE.values() if spec.source == "hub"}.get(text)
    if by_hub_id is not None and not Path(text).is_dir():
        return _named(by_hub_id)
    folder = Path(text).expanduser()
    if folder.is_dir():
        return _of_folder(folder.absolute())
    if _HUB_ID.fullmatch(text) and not isinstance(name_or_path, Path):
        return _of_hub(text)
    hint = did_you_mean(text, CATALOGUE)
    raise ModelUnavailableError(
        f"There is no base model {text!r}. {hint}".rstrip(),
        expected=f"one of {', '.join(CATALOGUE)}, a folder that exists, or a hub id 'organisation/name'",
        fix="correct the name or the path.",
    )


def _named(spec: BaseSpec) -> BaseSpec:
    if spec.id == "MINILM_L6" and packaged.minilm_folder() is not None:
        return replace(spec, source="package")
    return spec


def _of_folder(folder: Path) -> BaseSpec:
    facts = read_folder(folder)
    return _spec(str(folder), facts, hub_id=None, path=str(folder), citation=f"the files in {folder}")


def _of_hub(hub_id: str) -> BaseSpec:
    placeholder = BaseSpec(hub_id, hub_id, "hub", None, None, None, None, None, "transformer", False, "")
    folder = hub.download(hub_id, with_weights=False, remedy=remedy(placeholder))
    facts = read_folder(folder, need_weights=False)
    return _spec(hub_id, facts, hub_id=hub_id, path=None, citation=f"the config files of {hub_id} on the hub")


def _spec(id: str, facts: FolderFacts, *, hub_id: str | None, path: str | None, citation: str) -> BaseSpec:
    return BaseSpec(
        id=id,
        hub_id=hub_id,
        source="hub" if hub_id else "folder",
        path=path,
        dimension=facts.dimension,
        max_length=facts.max_length,
        parameters=facts.parameters,
        embedding_parameters=facts.embedding_parameters,
        size_bytes=facts.size_bytes,
        architecture="static" if facts.static else "transformer",
        instructions=facts.instructions,
        citation=citation,
    )
