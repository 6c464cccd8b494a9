"""The items of a torch data set as a table, without importing torch."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import pandas as pd

from embedtune_nb.data.readers import frame_of
from embedtune_nb.errors import DataError


def read_torch(dataset: Any, *, names: Sequence[str] | None = None, limit: int | None = None) -> pd.DataFrame:
    """Read every item of a data set once.

    Parameters
    ----------
    dataset
        Anything with ``__getitem__`` and ``__len__`` (map style), or that can be iterated over. Items are
        dicts, dataclasses, named tuples, or tuples and lists.
    names
        Names for the places of tuples and lists; numbered by default.
    limit
        Read at most so many items; needed where the data set does not know its length.

    Raises
    ------
    DataError
        If it is no data set, or if an item cannot be read.
    """
    has_length = hasattr(dataset, "__len__")
    if hasattr(dataset, "dataset") and hasattr(dataset, "collate_fn"):
        raise DataError(
            "from_torch was given a DataLoader, which hands out batches.",
            expected="a data set",
            fix="pass loader.dataset.",
        )
    if isinstance(dataset, (str, bytes, Mapping)) or not (
        hasattr(dataset, "__iter__") or (has_length and hasattr(dataset, "__getitem__"))
    ):
        raise DataError(f"from_torch was given a {type(dataset).__name__}.", expected="a torch Dataset")
    if limit is None and not has_length:
        raise DataError(
            f"This {type(dataset).__name__} does not tell its length, so reading it might never end.",
            expected="a data set with a length, or a limit",
            fix="pass limit=100_000 (or as many items as are wanted).",
        )
    rows = [_row(item, place, names) for place, item in enumerate(islice(_items(dataset), limit))]
    if len({frozenset(row) for row in rows}) > 1:
        place = next(place for place, row in enumerate(rows) if set(row) != set(rows[0]))
        raise DataError(
            f"Item {place} has {_fields(rows[place])}, item 0 has {_fields(rows[0])}.",
            expected="items of the same form",
        )
    return frame_of(rows)


def _items(dataset: Any) -> Iterator[Any]:
    place = 0
    try:
        if hasattr(dataset, "__iter__"):
            # asked first, for torch gives an iterable data set a __getitem__ that only raises
            for item in dataset:
                yield item
                place += 1
        else:
            # to iterate over it would go on until an IndexError that it may never raise
            for place in range(len(dataset)):
                yield dataset[place]
    except Exception as cause:
        raise DataError(
            f"Item {place} cannot be read: {type(cause).__name__}: {cause}.", fix="mend the data set."
        ) from cause


def _row(item: Any, place: int, names: Sequence[str] | None) -> dict[Any, Any]:
    fields: dict[Any, Any]
    if dataclasses.is_dataclass(item) and not isinstance(item, type):
        fields = {field.name: getattr(item, field.name) for field in dataclasses.fields(item)}
    elif isinstance(item, Mapping):
        fields = dict(item)
    elif hasattr(item, "_asdict"):
        fields = item._asdict()
    elif isinstance(item, (tuple, list)):
        if names is not None and len(names) != len(item):
            raise DataError(
                f"Item {place} has {len(item)} entries, {len(names)} names were given.",
                expected="a name for each entry",
            )
        fields = dict(enumerate(item)) if names is None else dict(zip(names, item, strict=True))
    else:
        raise DataError(
            f"Item {place} is a {type(item).__name__}.",
            expected="a dict, a dataclass or a tuple, such as (text, label)",
            fix='make dicts of the items: {"text": ..., "label": ...}.',
        )
    return {name: _plain(value) for name, value in fields.items()}


def _plain(value: Any) -> Any:
    """Return the number in a tensor or array of one, and lists for longer ones."""
    if hasattr(value, "tolist") and hasattr(value, "shape"):
        return value.item() if value.shape in ((), (1,)) else value.tolist()
    return value


def _fields(row: Mapping[Any, Any]) -> str:
    return ", ".join(repr(name) for name in row) or "no fields"
