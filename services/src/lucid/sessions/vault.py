"""Session keys under the key custody's wrap, and their destruction.

A key is 32 random bytes. It is stored wrapped before anything is encrypted with it, it is opened only for the
recorder and for a replay, and whoever destroys the wrapped bytes has made the recording unreadable for good.
"""

import os
from dataclasses import dataclass

from lucid.sessions.errors import ContentDestroyed
from lucid.sessions.models import Document
from lucid_kit.custody import KeyCustody, WrappedKey
from lucid_kit.documents import Collection, Documents
from lucid_proof.domains import key_commitment

KEYS = Collection("session_keys")


@dataclass(frozen=True, slots=True)
class FreshKey:
    """A new session key, what is stored of it, and what the begin record says of it."""

    key: bytes
    document: Document
    commitment: str

    def __repr__(self) -> str:
        return f"FreshKey({self.document['id']})"


class Vault:
    """Wrapped session keys."""

    def __init__(self, documents: Documents, custody: KeyCustody) -> None:
        self._documents = documents
        self._custody = custody

    async def ensure(self) -> None:
        await self._documents.ensure(KEYS)

    async def fresh(self, session: str) -> FreshKey:
        """A new key for `session`. The caller stores the document before the key is used."""
        key = os.urandom(32)
        wrapped = await self._custody.wrap(key, {"session": session})
        document: Document = {"id": session, "wrapped": wrapped.bytes.hex(), "key_id": wrapped.key_id}
        return FreshKey(key, document, key_commitment(key).hex())

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
        return await self._custody.unwrap(wrapped, {"session": session})

    async def destroy(self, session: str) -> None:
        """Destroy the session's key: overwritten, then removed. Doing it twice is no error."""
        document = await self._documents.get(KEYS.name, session)
        if document is None:
            return
        await self._documents.update(KEYS.name, session, {"wrapped": "0" * len(document["wrapped"])})
        await self._documents.delete(KEYS.name, session)

    async def holds(self, session: str) -> bool:
        """Whether the session's key still exists."""
        return await self._documents.get(KEYS.name, session) is not None
