"""Files that are either there, whole and durable, or not there."""

import contextlib
import errno
import fcntl
import os
import secrets
from pathlib import Path
from types import TracebackType
from typing import Self

from lucid_kit import fault
from lucid_kit.errors import DomainError

_TEMPORARY = ".tmp"


class AlreadyRunning(DomainError):
    """Another process holds this directory."""

    code = "LUCID_ERR_4001"
    advice = "Stop the process that is named, or use another directory."


def write_atomic(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Replace a file's content at once; durable once it returns.

    A reader sees the old content or the new, never a part. `mode` is set exactly, whatever the umask.

    Raises
    ------
    OSError
        If the disk refuses (ENOSPC, EROFS, …). Then the old content stands and nothing is left behind.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}{_TEMPORARY}")
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        try:
            fault.refuse("file-write")
            os.fchmod(fd, mode)
            _write_all(fd, data)
            os.fsync(fd)
        finally:
            os.close(fd)
        # Ends here: the old content stands; sweep_temporaries removes the new one at start-up.
        fault.point("file-written")
        temporary.rename(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    # Ends here: old or new, as the file system chose; both are whole.
    fault.point("file-renamed")
    fsync_dir(path.parent)


def append_durable(fd: int, data: bytes) -> None:
    """Append `data` to an open file (O_APPEND); durable once it returns. One writer at a time.

    Raises
    ------
    OSError
        If the disk refuses. Then what was half written has been cut off again.
    """
    before = os.fstat(fd).st_size
    try:
        fault.refuse("file-append")
        _write_all(fd, data)
        # Ends here: the file's end may be torn; its reader must know where a record ends.
        fault.point("file-appended")
        os.fdatasync(fd)
    except OSError:
        with contextlib.suppress(OSError):
            os.ftruncate(fd, before)
        raise


def fsync_dir(path: Path) -> None:
    """Make the names in a directory durable: new files, renames, removals."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def make_dirs(path: Path, mode: int = 0o700) -> None:
    """Make a directory and its missing parents, durably."""
    missing = [path, *path.parents]
    for directory in reversed(missing):
        if not directory.exists():
            with contextlib.suppress(FileExistsError):
                directory.mkdir(mode)
            fsync_dir(directory.parent)


def sweep_temporaries(directory: Path) -> int:
    """Remove what interrupted calls of `write_atomic` left; how many. Call it where nobody writes yet."""
    left = [p for p in directory.iterdir() if p.name.startswith(".") and p.name.endswith(_TEMPORARY)]
    for path in left:
        path.unlink(missing_ok=True)
    return len(left)


class DirectoryLock:
    """One process per directory. The kernel lets go when the holder ends, however it ends.

    Parameters
    ----------
    path
        The directory; it must exist.
    what
        What runs there, for the message the second one gets, such as "lucid up".

    Raises
    ------
    AlreadyRunning
        From `acquire`, naming the holder's process id.
    """

    def __init__(self, path: Path, what: str) -> None:
        self._path = path
        self._what = what
        self._fd: int | None = None

    def acquire(self) -> None:
        fd = os.open(self._path / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(fd, 32, 0).decode("ascii", "replace").strip()
            os.close(fd)
            if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                raise
            raise AlreadyRunning(
                f"{self._what} already runs in {self._path}, as process {holder or 'unknown'}",
                directory=self._path,
                pid=int(holder) if holder.isdigit() else None,
            ) from error
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode("ascii"), 0)
        self._fd = fd

    def release(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
