"""Ready-made data that is on the machine anyway: the documentation inside the installed libraries."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from hashlib import sha256
from pathlib import Path

import numpy as np
import pandas as pd

import embedtune_nb
from embedtune_nb.data.clean import Dropped
from embedtune_nb.data.copies import copy_groups
from embedtune_nb.data.datasource import Datasource
from embedtune_nb.data.docstrings import public_modules, read_docstrings
from embedtune_nb.data.kinds import LABELED, RETRIEVAL
from embedtune_nb.errors import DataError, StoreError, did_you_mean
from embedtune_nb.store.home import cache_dir

LIBRARIES = ("pandas", "numpy", "scipy", "sklearn", "torch")

_DISTRIBUTION = {"sklearn": "scikit-learn"}
_COLUMNS = ("module", "name", "summary", "description")
_CACHE_FORMAT = 1
_LEAST_SUMMARY_WORDS = 3
_LEAST_DESCRIPTION_WORDS = 8
_LEAST_ROWS_A_LABEL = 30
_CHUNKS_A_WORKER = 6


def api_docs(kind: str = RETRIEVAL, *, libraries: Sequence[str] = LIBRARIES) -> Datasource:
    """Read the documentation of installed libraries as training data, without importing them.

    Parameters
    ----------
    kind
        ``"retrieval"``: the first sentence of a docstring asks for the rest of its description; a split
        keeps each module whole. ``"labeled"``: the first sentence with its module as label, labels of at
        least 30 rows. A module here is the first two parts of its name, such as ``scipy.cluster``.
    libraries
        Top packages to read. Those not installed are left out, and a note says so.

    Returns
    -------
    Datasource
        Public functions, classes and methods of public modules; mark-up, copies and near-copies removed and
        counted. The numbers follow the installed versions. The first call reads a few thousand files in
        parallel, later ones a cache in the home folder.

    Raises
    ------
    DataError
        If *kind* is another one, or none of the libraries is installed.
    """
    if kind not in (RETRIEVAL, LABELED):
        raise DataError(
            f"api_docs cannot make data of the kind {kind!r}.",
            expected="'retrieval' or 'labeled'",
            fix=did_you_mean(str(kind), (RETRIEVAL, LABELED)) + "Choose one of them.",
        )
    roots = {library: root for library in libraries if (root := _folder_of(library)) is not None}
    if not roots:
        raise DataError(
            f"None of {', '.join(libraries)} is installed here.",
            expected="at least one of them",
            fix="install one (pip install pandas), or name installed packages: api_docs(libraries=[...]).",
        )
    table, notes = _docstrings(roots)
    missing = [library for library in libraries if library not in roots]
    if missing:
        notes.append(f"Not installed, so not read: {', '.join(missing)}.")
    notes.append("Read from " + ", ".join(f"{library} {_version(library)}" for library in roots) + ".")
    return _retrieval(table, notes) if kind == RETRIEVAL else _labeled(table, notes)


def _retrieval(table: pd.DataFrame, notes: list[str]) -> Datasource:
    dropped: list[Dropped] = []
    table = _keep(
        table, _words(table["description"]) >= _LEAST_DESCRIPTION_WORDS, "no description to find", dropped
    )
    table = _keep(
        table, _words(table["summary"]) >= _LEAST_SUMMARY_WORDS, "summary of one or two words", dropped
    )
    table = _keep(
        table, _first_of_copies(table["summary"]), "summary equal or nearly equal to an earlier one", dropped
    )
    table = _keep(
        table,
        _first_of_copies(table["description"]),
        "description equal or nearly equal to an earlier one",
        dropped,
    )
    frame = pd.DataFrame(
        {"query": table["summary"], "document": table["description"], "group": table["label"]}
    )
    return _finished(
        frame, RETRIEVAL, "the first sentence asks, the rest of the description answers", dropped, notes
    )


def _labeled(table: pd.DataFrame, notes: list[str]) -> Datasource:
    dropped: list[Dropped] = []
    table = _keep(
        table, _words(table["summary"]) >= _LEAST_SUMMARY_WORDS, "summary of one or two words", dropped
    )
    table = _keep(
        table, _first_of_copies(table["summary"]), "summary equal or nearly equal to an earlier one", dropped
    )
    rows_of_label = table["label"].map(table["label"].value_counts())
    enough = (rows_of_label >= _LEAST_ROWS_A_LABEL).to_numpy()
    table = _keep(table, enough, f"module with fewer than {_LEAST_ROWS_A_LABEL} summaries", dropped)
    frame = pd.DataFrame({"value": table["summary"], "label": table["label"]})
    return _finished(frame, LABELED, "the first sentence, and the module it stands in", dropped, notes)


def _finished(
    frame: pd.DataFrame, kind: str, reason: str, dropped: list[Dropped], notes: list[str]
) -> Datasource:
    if frame.empty:
        raise DataError(
            "The libraries hold too little documentation for this.",
            expected="docstrings with a summary and a description",
            fix="name other or more packages: api_docs(libraries=[...]).",
        )
    data = Datasource.from_pandas(frame, kind=kind, name="api_docs")
    data.kind_reason = reason
    data.dropped[:0] = dropped
    data.notes += notes
    return data


def _keep(table: pd.DataFrame, mask: np.ndarray, reason: str, dropped: list[Dropped]) -> pd.DataFrame:
    if not mask.all():
        dropped.append(Dropped(int((~mask).sum()), reason))
    return table[mask]


def _words(texts: pd.Series) -> np.ndarray:
    return np.fromiter((len(text.split()) for text in texts), int, len(texts))


def _first_of_copies(texts: pd.Series) -> np.ndarray:
    return ~pd.Series(copy_groups(texts.tolist())).duplicated().to_numpy()


def _docstrings(roots: dict[str, Path]) -> tuple[pd.DataFrame, list[str]]:
    """Return the docstrings of all *roots*, from the cache if they were read before."""
    versions = {library: _version(library) for library in roots}
    key = sha256(json.dumps([_CACHE_FORMAT, versions], sort_keys=True).encode()).hexdigest()[:16]
    notes: list[str] = []
    try:
        cached: Path | None = cache_dir("api_docs") / f"{key}.json"
    except StoreError as cause:
        cached = None
        notes.append(f"Not kept for the next call: {cause.found}")
    found = _read_cache(cached)
    if found is None:
        found = _read_all(roots)
        if cached is not None:
            temporary = cached.with_name(f"{cached.name}.{os.getpid()}.tmp")
            temporary.write_text(json.dumps(found), encoding="utf-8")
            temporary.replace(cached)
    if found["unreadable"]:
        notes.append(f"{found['unreadable']} source files could not be parsed.")
    table = pd.DataFrame(found["rows"], columns=list(_COLUMNS))
    table["label"] = [".".join(module.split(".")[:2]) for module in table["module"]]
    return table, notes


def _read_cache(path: Path | None) -> dict | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8")) if path is not None else None
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and {"rows", "unreadable"} <= set(found) else None


def _read_all(roots: dict[str, Path]) -> dict:
    from tqdm.auto import tqdm

    modules = [module for library, root in roots.items() for module in public_modules(root, library)]
    place = {module: number for number, (module, _) in enumerate(modules)}
    rows, unreadable = [], 0
    with tqdm(total=len(modules), desc="Reading docs", unit="file", leave=False) as bar:
        for size, (found, failed) in _in_parallel(modules):
            rows += found
            unreadable += failed
            bar.update(size)
    rows.sort(key=lambda row: place[row[0]])
    return {"rows": rows, "unreadable": unreadable}


def _in_parallel(modules: list[tuple[str, str]]) -> Iterator[tuple[int, tuple[list, int]]]:
    workers = min(os.cpu_count() or 1, 8)
    largest_first = sorted(modules, key=lambda module: -Path(module[1]).stat().st_size)
    chunks = [
        largest_first[start :: workers * _CHUNKS_A_WORKER] for start in range(workers * _CHUNKS_A_WORKER)
    ]
    pool = ThreadPoolExecutor(workers)
    try:
        tasks = {pool.submit(_in_own_process, chunk): len(chunk) for chunk in chunks if chunk}
        for task in as_completed(tasks):
            yield tasks[task], task.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _in_own_process(chunk: list[tuple[str, str]]) -> tuple[list, int]:
    # A fresh interpreter, neither forked nor a multiprocessing child: a notebook that has computed with torch
    # must not be forked, and multiprocessing would run an unguarded script a second time.
    source = str(Path(embedtune_nb.__file__).parents[1])
    path = os.pathsep.join(filter(None, [source, os.environ.get("PYTHONPATH")]))
    try:
        done = subprocess.run(
            [sys.executable, "-m", "embedtune_nb.data.docstrings"],
            input=json.dumps(chunk),
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=True,
            env={**os.environ, "PYTHONPATH": path, "PYTHONUTF8": "1"},
        )
        found = json.loads(done.stdout)
    except (OSError, subprocess.CalledProcessError, ValueError):
        found = read_docstrings(chunk)  # no processes on this host: slower, the same result
    return found[0], found[1]


def _folder_of(library: str) -> Path | None:
    try:
        spec = importlib.util.find_spec(library)
    except (ImportError, ValueError):
        return None
    places = list(spec.submodule_search_locations or ()) if spec is not None else []
    return Path(places[0]) if places else None


def _version(library: str) -> str:
    try:
        return importlib.metadata.version(_DISTRIBUTION.get(library, library))
    except importlib.metadata.PackageNotFoundError:
        return "(no version)"
