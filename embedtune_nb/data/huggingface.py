"""Hugging Face data sets to tables: objects, folders written by ``save_to_disk``, names on the hub."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pandas as pd

from embedtune_nb.data.column_names import listing
from embedtune_nb.data.hub import why_unreachable
from embedtune_nb.errors import DataError, did_you_mean


def read_huggingface(
    source: Any, *, split: str | None = None, config: str | None = None
) -> tuple[pd.DataFrame, str, list[str]]:
    """Return the table of a data set, a name for it, and notes.

    Parameters
    ----------
    source
        A ``Dataset`` or ``DatasetDict``, a folder written by ``save_to_disk``, or a name on the hub.
    split
        Which split, where there are several.
    config
        Which configuration of a data set on the hub.

    Raises
    ------
    DataError
        If there is no such data set, split or connection (known in under 10 seconds), or if it is a stream.
    """
    title = ""
    if isinstance(source, (str, os.PathLike)):
        folder = Path(source).expanduser()
        if folder.is_file():
            raise DataError(
                f"{folder} is a file.",
                expected="a folder written by save_to_disk, or a name on the hub",
                fix="read it with from_csv, from_jsonl or from_parquet.",
            )
        if folder.is_dir():
            title, source = folder.name, _from_folder(folder)
        else:
            title, source = str(source).rsplit("/", 1)[-1], _from_hub(str(source), split, config)
    part, chosen, notes = _one_split(source, split)
    table, told = _table_of(part)
    return table, " ".join(filter(None, [title, chosen])), notes + told


def _from_folder(folder: Path) -> Any:
    from datasets import load_from_disk

    try:
        return load_from_disk(str(folder))
    except Exception as cause:
        raise DataError(
            f"{folder} cannot be read as a data set: {cause}.",
            expected="a folder written by Dataset.save_to_disk",
            fix="use Datasource.from_beir for a BEIR folder, or name a file with from_csv, from_jsonl or "
            "from_parquet.",
        ) from cause


def _from_hub(name: str, split: str | None, config: str | None) -> Any:
    from datasets import load_dataset
    from huggingface_hub import constants

    remedy = (
        "load it where there is a network and keep it with save_to_disk, then pass that folder; or use a "
        "file (from_csv, from_jsonl, from_parquet)."
    )
    if not constants.HF_HUB_OFFLINE:
        reason = why_unreachable()
        if reason:
            raise DataError(
                f"The data set {name!r} is no folder here, and the hub cannot be reached: {reason}.",
                expected="a folder on this machine, or a working connection",
                fix=f"{remedy} If it was loaded here before, set HF_HUB_OFFLINE=1 before Python starts.",
            )
    try:
        # without a split the names of all splits can be told if the wrong one is asked for
        return load_dataset(name, config)
    except Exception as cause:
        offline = (
            "; HF_HUB_OFFLINE is set, so only what was loaded before is here"
            if (constants.HF_HUB_OFFLINE)
            else ""
        )
        raise DataError(
            f"The data set {name!r} cannot be loaded: {type(cause).__name__}: {_first_line(cause)}{offline}.",
            expected="'organisation/name' of a data set on the hub that you may read, or a folder",
            fix=f"check the spelling and config=...; {remedy}",
        ) from cause


def _one_split(source: Any, split: str | None) -> tuple[Any, str, list[str]]:
    from datasets import Dataset, IterableDataset

    if isinstance(source, IterableDataset) or (
        isinstance(source, dict) and any(isinstance(part, IterableDataset) for part in source.values())
    ):
        raise DataError(
            "The data set is a stream, whose end nobody knows.",
            expected="a Dataset or DatasetDict",
            fix="take a part of it: Datasource.from_list(list(stream.take(10_000))).",
        )
    if isinstance(source, Dataset):
        if split is not None:
            raise DataError(
                f"split={split!r} was given for a Dataset, which has no splits.", fix="leave split out."
            )
        return source, "", []
    if not isinstance(source, dict) or not all(isinstance(part, Dataset) for part in source.values()):
        raise DataError(
            f"from_hf was given a {type(source).__name__}.",
            expected="a Dataset, a DatasetDict, a folder of save_to_disk, or a name on the hub",
        )
    sizes = ", ".join(f"{name!r} ({len(part):,} rows)" for name, part in source.items())
    if split is None and len(source) == 1:
        (name,) = source
        return source[name], "", [f"The data set has one split, {name!r}."]
    if split is None or split not in source:
        raise DataError(
            f"The data set has no split {split!r}." if split else "The data set has several splits.",
            expected=f"one of {sizes}",
            fix=(did_you_mean(split, source) if split else "") + "Name one: split='train'.",
        )
    return source[split], split, []


def _table_of(part: Any) -> tuple[pd.DataFrame, list[str]]:
    from datasets import ClassLabel

    table, notes = part.with_format(None).to_pandas(), []
    for column, feature in part.features.items():
        if isinstance(feature, ClassLabel) and feature.names:
            names = dict(enumerate(feature.names))
            table[column] = table[column].map(names).astype(object)
            shown = listing([str(name) for name in feature.names[:6]])
            more = ", ..." if len(feature.names) > 6 else ""
            notes.append(f"The codes of column {column!r} were read as their names: {shown}{more}.")
    return table, notes


def _first_line(cause: Exception) -> str:
    return str(cause).strip().split("\n", 1)[0].rstrip(".")
