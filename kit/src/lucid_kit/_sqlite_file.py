"""A SQLite database as a file: how it is made and opened, and what can be wrong with it."""

import contextlib
import errno
import os
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

from lucid_kit.errors import StoreFull, StoreReadOnly, StoreUnavailable, SystemFault

_BUSY_MS = 10_000


def make_file(path: Path) -> None:
    """Make an empty database that only its owner can read, if there is none; the directory must exist.

    Never by a descriptor: when a process closes any descriptor of a file, its record locks on that file are
    gone (fcntl(2)), also those of SQLite's connections to it. The next process that looked in and left
    would take itself for the last one and remove the write-ahead log under them
    (https://sqlite.org/howtocorrupt.html, 2.2). mknod(2) needs no descriptor.

    Raises
    ------
    OSError
        If it cannot be made, or is there and may not be written.
    """
    # SQLite follows links, mknod does not.
    place = path.resolve()
    with contextlib.suppress(FileExistsError):
        os.mknod(place, stat.S_IFREG | 0o600)
    if not os.access(place, os.R_OK | os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))


def connect(path: Path) -> sqlite3.Connection:
    """A connection, with the settings durability needs, to a database that `make_file` has made."""
    # rw: a database that someone removed must not come back empty.
    address = f"{path.absolute().as_uri()}?mode=rw"
    db = sqlite3.connect(
        address, uri=True, isolation_level=None, check_same_thread=False, cached_statements=512
    )
    try:
        db.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
        db.execute("PRAGMA journal_mode = WAL")
        # FULL: a commit is on the disk when it returns. NORMAL in WAL would lose the last ones with the
        # power.
        db.execute("PRAGMA synchronous = FULL")
    except BaseException:
        db.close()
        raise
    return db


@contextlib.contextmanager
def translated(path: Path) -> Iterator[None]:
    """SQLite's errors, and the file system's, as the port's."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_FULL:
            raise StoreFull(f"The disk of {path} is full", store=path) from error
        if code == sqlite3.SQLITE_READONLY:
            raise StoreReadOnly(f"{path} cannot be written", store=path) from error
        if code in (
            sqlite3.SQLITE_BUSY,
            sqlite3.SQLITE_LOCKED,
            sqlite3.SQLITE_CANTOPEN,
            sqlite3.SQLITE_IOERR,
        ):
            raise StoreUnavailable(f"{path}: {error}", store=path) from error
        if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
            raise StoreDamaged(f"{path}: {error}", store=path) from error
        raise
    except OSError as error:
        raise StoreUnavailable(f"{path} cannot be opened: {error.strerror}", store=path) from error


class StoreDamaged(SystemFault):
    """A store's file is damaged or is not one."""

    code = "LUCID_ERR_5013"
    advice = "Restore the file that is named from a backup; keep the damaged one until it has been looked at."
