"""Session keys under the key custody's wrap, and their destruction.

A key is 32 random bytes. It is stored wrapped before anything is encrypted with it, it is opened only for the
recorder and for a replay, and whoever destroys the wrapped bytes has made the recording unreadable for good.
Keys have a database of their own, so that destroying one can afford to rewrite the whole file.
"""

import asyncio
import os
import sqlite3
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from lucid.sessions.errors import ContentDestroyed, KeyTracesLeft
from lucid_kit import fault
from lucid_kit.custody import KeyCustody, WrappedKey
from lucid_kit.documents import Collection, Documents
from lucid_proof.domains import key_commitment

KEYS = Collection("session_keys")

_TRIES = 50
_WAIT_S = 0.1


@dataclass(frozen=True, slots=True)
class FreshKey:
    """A new session key, and what the begin record says of it."""

    key: bytes = field(repr=False)
    commitment: str


class Vault:
    """Wrapped session keys.

    Parameters
    ----------
    url
        The address of `documents`, to know whether a file is to be rewritten.
    """

    def __init__(self, documents: Documents, custody: KeyCustody, url: str) -> None:
        self._documents = documents
        self._custody = custody
        parts = urlsplit(url)
        self._file = Path(unquote(parts.path)) if parts.scheme == "sqlite" else None

    async def ensure(self) -> None:
        await self._documents.ensure(KEYS)

    async def fresh(self, session: str) -> FreshKey:
        """A new key for `session`, stored wrapped before this returns."""
        key = os.urandom(32)
        wrapped = await self._custody.wrap(key, {"session": session})
        await self._documents.insert(
            KEYS.name, {"id": session, "wrapped": wrapped.bytes.hex(), "key_id": wrapped.key_id}
        )
        # Ends here: a key of a session that does not exist; start-up destroys it.
        fault.point("key-stored")
        return FreshKey(key, key_commitment(key).hex())

    async def open(self, session: str) -> bytes:
        """The session's key.

        Raises
        ------
        ContentDestroyed
            If it was destroyed.
        """
        document = await self._documents.get(KEYS.name, session)
        if document is None:
            raise ContentDestroyed(f"The key of session {session} was destroyed", session=session)
        wrapped = WrappedKey(bytes.fromhex(document["wrapped"]), document["key_id"])
        return bytes(await self._custody.unwrap(wrapped, {"session": session}))

    async def holds(self, session: str) -> bool:
        """Whether the session's key still exists."""
        return await self._documents.get(KEYS.name, session) is not None

    async def sessions(self) -> list[str]:
        """The sessions that have a key."""
        return [document["id"] for document in await self._documents.find(KEYS.name)]

    async def destroy(self, session: str) -> None:
        """Destroy the session's key: overwritten, removed, and no trace left in the database's files.

        Doing it twice is no error.

        Raises
        ------
        KeyTracesLeft
            If the files could not be rewritten; the key is gone from the database, so only call it again.
        """
        document = await self._documents.get(KEYS.name, session)
        if document is not None:
            await self._documents.update(KEYS.name, session, {"wrapped": "0" * len(document["wrapped"])})
            await self._documents.delete(KEYS.name, session)
        # Ends here: removed, with traces in free pages and the log of the database; start-up removes them.
        fault.point("key-removed")
        if self._file is not None:
            await asyncio.to_thread(_rewrite, self._file)

    async def rewrite(self) -> None:
        """Remove what an interrupted destruction left in the files."""
        if self._file is not None:
            await asyncio.to_thread(_rewrite, self._file)


def _rewrite(file: Path) -> None:
    """Write a SQLite database anew, so that neither free pages nor the write-ahead log hold what was deleted.

    VACUUM alone leaves the old pages in the log, a checkpoint alone leaves deleted rows in free pages.
    """
    database = sqlite3.connect(file, isolation_level=None, timeout=_TRIES * _WAIT_S)
    try:
        database.execute("PRAGMA temp_store = MEMORY")
        database.execute("VACUUM")
        for _ in range(_TRIES):
            busy, _, _ = database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            if not busy:
                return
        raise KeyTracesLeft(f"{file} is read all the time, so its write-ahead log cannot be emptied")
    except sqlite3.Error as error:
        raise KeyTracesLeft(f"{file} could not be rewritten: {error}") from error
    finally:
        database.close()
