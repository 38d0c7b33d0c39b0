"""Blobs: immutable bytes under a key, on a local directory or an S3-compatible store, through obstore.

    blobs = open_blobs("file:///var/lib/lucid/blobs")
    await blobs.put("sessions/ses_…/chunks/00000000.bin", ciphertext)

Durable and whole once `put` returns. obstore's LocalStore renames without any fsync, so a power cut could
leave a torn blob in the place of a good one; local writes are ours therefore, and obstore reads, lists and
removes. Keys are `/`-separated segments of `A–Z a–z 0–9 _ . -`.
"""

import asyncio
import errno
import os
import re
import secrets
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qsl, unquote, urlsplit

import obstore
from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)
from obstore.store import LocalStore, MemoryStore, S3Store

from lucid_kit import fault
from lucid_kit.errors import (
    DomainError,
    LucidError,
    NotFound,
    StoreFull,
    StoreReadOnly,
    StoreUnavailable,
    ValidationFailed,
)
from lucid_kit.files import fsync_dir, make_dirs

_KEY = re.compile(r"(?!.*(^|/)\.{1,2}(/|$))[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*")
_MAX_KEY = 512


class BlobMissing(NotFound):
    """There is no blob under that key."""

    code = "LUCID_ERR_1010"


class BlobExists(DomainError):
    """There is a blob under that key already."""

    code = "LUCID_ERR_4004"
    advice = "Use another key, or read what is there: it may be the same."


class BadBlobUrl(ValidationFailed):
    """This is no address of a blob store."""

    code = "LUCID_ERR_1011"
    advice = "Use file:///dir, s3://bucket?endpoint=https://…&region=…, or memory://."


class Blobs(Protocol):
    """The port. Usable concurrently."""

    async def put(self, key: str, data: bytes, *, if_absent: bool = False) -> None:
        """Store bytes, replacing what was there; durable once it returns.

        Raises
        ------
        BlobExists
            If `if_absent` and something is there.
        StoreFull, StoreReadOnly, StoreUnavailable
            If the store can't; then the key holds what it held before.
        """
        ...

    async def get(self, key: str) -> bytes:
        """All bytes. Raises BlobMissing, StoreUnavailable."""
        ...

    async def get_range(self, key: str, start: int, end: int) -> bytes:
        """Bytes `start` to `end`, exclusive, cut off at the blob's end. Raises as `get` does."""
        ...

    async def head(self, key: str) -> int | None:
        """Its size in bytes; None if there is none."""
        ...

    async def delete(self, key: str) -> None:
        """Remove it; nothing happens if there is none."""
        ...

    def list(self, prefix: str) -> AsyncIterator[tuple[str, int]]:
        """Key and size of every blob below `prefix`, which ends at a `/`; in no particular order."""
        ...

    async def ping(self) -> None:
        """Raises StoreUnavailable if the store does not answer."""
        ...


def open_blobs(url: str) -> Blobs:
    """Open the store at `url`.

    `file:///dir` (made if missing), `memory://`, or `s3://bucket?endpoint=…&region=…`. Credentials of S3
    come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or the files that AWS_… variables name, never from
    the address, which ends up in logs.

    Raises
    ------
    BadBlobUrl
        If the address has another form.
    """
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query))
    if parts.scheme == "file" and not parts.netloc and parts.path.startswith("/"):
        root = Path(unquote(parts.path))
        make_dirs(root)
        return _Obstore(LocalStore(prefix=root, automatic_cleanup=False), root)
    if parts.scheme == "memory":
        return _Obstore(MemoryStore(), None)
    if (
        parts.scheme == "s3"
        and parts.netloc
        and not parts.username
        and options.keys() <= {"endpoint", "region"}
    ):
        return _Obstore(_s3(parts.netloc, options), None)
    raise BadBlobUrl(f"{parts.scheme or url!r} with these parts is no blob store's address")


def _s3(bucket: str, options: dict[str, str]) -> S3Store:
    endpoint = options.get("endpoint", "")
    config: Any = {
        "region": options.get("region", "us-east-1"),
        "virtual_hosted_style_request": False,
    }
    if endpoint:
        config["endpoint"] = endpoint
    retries: Any = {"max_retries": 2, "retry_timeout": timedelta(seconds=10)}
    client: Any = {"allow_http": endpoint.startswith("http://"), "timeout": "30s", "connect_timeout": "3s"}
    return S3Store(bucket, config=config, client_options=client, retry_config=retries)


class _Obstore:
    """Both adapters: what differs between them is only what makes a write durable."""

    def __init__(self, store: LocalStore | S3Store | MemoryStore, root: Path | None) -> None:
        self._store = store
        self._root = root

    async def put(self, key: str, data: bytes, *, if_absent: bool = False) -> None:
        _check(key)
        try:
            if self._root is not None:
                await asyncio.to_thread(_put_durably, self._root / key, data, if_absent)
            else:
                mode: Any = "create" if if_absent else "overwrite"
                await obstore.put_async(self._store, key, data, mode=mode, use_multipart=False)
        except (BaseError, OSError, ValueError) as error:
            raise _translated(error, key) from error

    async def get(self, key: str) -> bytes:
        _check(key)
        try:
            answer = await obstore.get_async(self._store, key)
            return bytes(await answer.bytes_async())
        except (BaseError, OSError, ValueError) as error:
            raise _translated(error, key) from error

    async def get_range(self, key: str, start: int, end: int) -> bytes:
        size = await self.head(key)
        if size is None:
            raise BlobMissing(f"There is no blob {key}", key=key)
        end = min(end, size)
        if not 0 <= start < end:
            return b""
        try:
            return bytes(await obstore.get_range_async(self._store, key, start=start, end=end))
        except (BaseError, OSError, ValueError) as error:
            raise _translated(error, key) from error

    async def head(self, key: str) -> int | None:
        _check(key)
        try:
            return int((await obstore.head_async(self._store, key))["size"])
        except FileNotFoundError:
            return None
        except (BaseError, OSError, ValueError) as error:
            raise _translated(error, key) from error

    async def delete(self, key: str) -> None:
        _check(key)
        try:
            await obstore.delete_async(self._store, key)
            if self._root is not None:
                await asyncio.to_thread(fsync_dir, (self._root / key).parent)
        except FileNotFoundError:
            return
        except (BaseError, OSError, ValueError) as error:
            raise _translated(error, key) from error

    async def list(self, prefix: str) -> AsyncIterator[tuple[str, int]]:
        try:
            async for page in obstore.list(self._store, prefix=prefix or None):
                for each in page:
                    yield each["path"], int(each["size"])
        except (BaseError, OSError, ValueError) as error:
            raise _translated(error, prefix) from error

    async def ping(self) -> None:
        try:
            if self._root is not None:
                await asyncio.to_thread(os.statvfs, self._root)
            else:
                await anext(aiter(obstore.list(self._store, prefix="ping", chunk_size=1)), None)
        except (BaseError, OSError, ValueError) as error:
            raise StoreUnavailable(f"The blob store does not answer: {type(error).__name__}") from error


def _check(key: str) -> None:
    if len(key) > _MAX_KEY or not _KEY.fullmatch(key):
        raise ValueError(f"{key[:80]!r} is no blob key")


def _put_durably(path: Path, data: bytes, if_absent: bool) -> None:
    make_dirs(path.parent)
    # LocalStore takes a name that ends in "#" and digits for a write in progress and never lists it.
    temporary = path.with_name(f"{path.name}#{secrets.randbits(62)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        try:
            fault.refuse("blob-write")
            view = memoryview(data)
            while view:
                view = view[os.write(descriptor, view) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        # Ends here: the key holds what it held before; the temporary file is never listed.
        fault.point("blob-written")
        if if_absent:
            os.link(temporary, path)  # unlike a rename, it refuses to replace
        else:
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    # Ends here: old or new, as the file system chose; both are whole.
    fault.point("blob-named")
    fsync_dir(path.parent)


def _translated(error: Exception, key: str) -> LucidError:
    """Our error for obstore's, which has the system's only as text."""
    text = str(error)
    if isinstance(error, FileNotFoundError):
        return BlobMissing(f"There is no blob {key}", key=key)
    if isinstance(error, AlreadyExistsError | PreconditionError | FileExistsError):
        return BlobExists(f"There is a blob {key} already", key=key)
    number = error.errno if isinstance(error, OSError) else None
    if (
        number in (errno.ENOSPC, errno.EDQUOT)
        or "No space left" in text
        or "StorageFull" in text
        or "quota" in text
    ):
        return StoreFull(f"No room for blob {key}", key=key)
    if (
        number in (errno.EROFS, errno.EACCES, errno.EPERM)
        or isinstance(error, PermissionDeniedError | UnauthenticatedError | PermissionError)
        or "Read-only file system" in text
    ):
        return StoreReadOnly(f"The store refuses blob {key}", key=key)
    return StoreUnavailable(f"The store cannot serve blob {key}: {type(error).__name__}", key=key)
