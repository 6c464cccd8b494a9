"""One number for the content of a Datasource."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np
import pandas as pd

# Where a row stood in its source is no content: the same examples loaded from a filtered table are the same.
_NOT_CONTENT = {"examples": {"id"}}


def fingerprint(kind: str, frames: Mapping[str, pd.DataFrame]) -> str:
    """Return the SHA-256 (hex) of a kind and its examples, in their order.

    It depends on neither the index of a table, nor the storage types pandas chose, nor the process.
    """
    digest = hashlib.sha256(f"embedtune datasource 1 {kind}".encode())
    for name in sorted(frames):
        for column in sorted(set(frames[name].columns) - _NOT_CONTENT.get(name, set())):
            values = frames[name][column].tolist()
            if values and isinstance(values[0], (list, tuple, np.ndarray)):
                sizes = np.array([len(entry) for entry in values], dtype="<i8")
                digest.update(f"\0{name}.{column}:list:{len(values)}\0".encode() + sizes.tobytes())
                values = [text for entry in values for text in entry]
            is_text = not values or isinstance(values[0], str)
            digest.update(f"\0{name}.{column}:{'text' if is_text else 'number'}:{len(values)}\0".encode())
            if is_text:
                encoded = [value.encode() for value in values]
                digest.update(np.array([len(part) for part in encoded], dtype="<i8").tobytes())
                digest.update(b"".join(encoded))
            else:
                digest.update(np.asarray(values, dtype="<f8").tobytes())
    return digest.hexdigest()
