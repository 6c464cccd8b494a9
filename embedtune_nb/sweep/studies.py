"""The database of studies: one SQLite file in the home folder, or whatever ``EMBEDTUNE_STUDIES`` names.

It is an ordinary Optuna database, so that ``optuna-dashboard`` opens it at any moment. Readers and writers
must not wait for each other then, which SQLite grants with a write-ahead log [1]_.

References
----------
.. [1] https://www.sqlite.org/wal.html
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import optuna
import psutil
from optuna.storages import RDBStorage
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import SQLAlchemyError

from embedtune_nb.errors import StoreError
from embedtune_nb.store.home import home, writable_folder
from embedtune_nb.store.locks import locked

DATABASE = "studies.db"
_BUSY_SECONDS = 60
# their locks are unsafe for SQLite, and the shared memory of a write-ahead log does not reach other hosts
_NETWORK = frozenset(
    {
        *("nfs", "nfs4", "cifs", "smb2", "smb3", "smbfs", "afs", "ceph", "glusterfs", "lustre", "gpfs"),
        *("beegfs", "9p", "davfs", "fuse.sshfs", "fuse.s3fs"),
    }
)


def studies_url() -> URL:
    """Return the address of the database.

    Raises
    ------
    StoreError
        If ``EMBEDTUNE_STUDIES`` is no address of a database that all processes of a sweep can open.
    """
    given = os.environ.get("EMBEDTUNE_STUDIES", "").strip()
    if not given:
        return URL.create("sqlite", database=str(home() / DATABASE))
    try:
        url = make_url(given)
    except SQLAlchemyError:
        raise StoreError(  # the text may hold a password, so it is not repeated
            "EMBEDTUNE_STUDIES is no address of a database.",
            expected="such as sqlite:////somewhere/studies.db or postgresql://user:password@host/name",
            fix="mend it, or unset it to keep studies in the home folder.",
        ) from None
    if url.drivername.startswith("sqlite") and not _is_whole_path(url.database):
        raise StoreError(  # kernel and workers each have a folder, and a memory, of their own
            f"EMBEDTUNE_STUDIES is {given}, which is another database in each process of a sweep.",
            expected="the whole path of a file, with four slashes: sqlite:////somewhere/studies.db",
            fix="mend it, or unset it to keep studies in the home folder.",
        )
    return url


def on_network(path: Path) -> str:
    """Return the kind of network filesystem that *path* lies on; empty on a local disk."""
    wanted = path.absolute()
    holding = [
        part
        for part in psutil.disk_partitions(all=True)
        if wanted.is_relative_to(part.mountpoint) and part.fstype
    ]
    if not holding:
        return ""
    kind = max(holding, key=lambda part: len(part.mountpoint)).fstype.lower()
    return kind if kind in _NETWORK else ""


def network_of_studies() -> str:
    """Return the kind of network filesystem that the database lies on; empty where one is not in the way."""
    file = _sqlite_file(studies_url())
    return on_network(file.parent) if file else ""


def open_storage() -> RDBStorage:
    """Open the database; it is made when it is missing.

    Raises
    ------
    StoreError
        If it cannot be opened, or was made by a version of Optuna that this one cannot read.
    """
    url = studies_url()
    file = _sqlite_file(url)
    try:
        if file is None:
            return RDBStorage(url.render_as_string(hide_password=False))
        if file.parent == home():
            writable_folder()
        elif not file.parent.is_dir():
            raise FileNotFoundError(f"there is no folder {file.parent}")
        journal = "DELETE" if on_network(file.parent) else "WAL"
        with locked(file.with_name(file.name + ".lock")):  # two that make the tables at once would collide
            return RDBStorage(f"sqlite:///{file}", {"creator": lambda: _connect(file, journal)})
    except (SQLAlchemyError, sqlite3.Error, RuntimeError, ImportError, OSError) as cause:
        if isinstance(cause, StoreError) and (file is None or file.parent == home()):
            raise  # it says what to do about the home folder
        raise StoreError(
            f"Cannot open the database of studies {shown_address(url)}: {_first_line(cause)}",
            expected="a database that Optuna "
            f"{optuna.__version__} can read and this user may write to; the default is {home() / DATABASE}",
            fix="mend that, or name another database in EMBEDTUNE_STUDIES.",
        ) from cause


def shown_address(url: URL) -> str:
    """Return *url* as it may be shown: without its password."""
    return url.render_as_string(hide_password=True)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep Optuna from reporting every study and trial inside the block; warnings are still told."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)


def _is_whole_path(database: str | None) -> bool:
    return Path(database or "").expanduser().is_absolute()


def _sqlite_file(url: URL) -> Path | None:
    if not url.drivername.startswith("sqlite"):
        return None
    return Path(str(url.database)).expanduser()


def _connect(file: Path, journal: str) -> sqlite3.Connection:
    connection = sqlite3.connect(file, timeout=_BUSY_SECONDS, check_same_thread=False)
    connection.execute(f"PRAGMA journal_mode={journal}")
    # a power cut may cost the last trials of the study, never the file; the trials' own records tell them
    connection.execute("PRAGMA synchronous=NORMAL")
    return connection


def _first_line(cause: BaseException) -> str:
    return (str(cause).strip().splitlines() or [type(cause).__name__])[0]
