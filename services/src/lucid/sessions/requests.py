"""Requests that carry an Idempotency-Key: answered once, and then again with the same answer.

An answer holds a one-time password, so it is kept under the key custody's wrap, and only while it can be of
use.
"""

import json
from dataclasses import asdict

from lucid.sessions.errors import KeyReused, RequestUnderWay
from lucid.sessions.models import Access
from lucid_kit.custody import KeyCustody, WrappedKey
from lucid_kit.documents import Collection, Documents, DuplicateKey, Index
from lucid_proof.domains import digest

REQUESTS = Collection("session_requests", Index("session"))  # forget()
_OVER = "over"


class Requests:
    """Answers to create requests, by sender and key."""

    def __init__(self, documents: Documents, custody: KeyCustody) -> None:
        self._documents = documents
        self._custody = custody

    async def ensure(self) -> None:
        await self._documents.ensure(REQUESTS)

    async def reserve(self, subject: str, key: str, asked: str, session: str) -> Access | None:
        """Claim a key for a request; what was answered if it is an old one.

        Raises
        ------
        KeyReused
            If the key stands for a request that asked something else.
        RequestUnderWay
            If the first one is not answered yet.
        """
        document = {"id": _id(subject, key), "session": session, "asked": _hash(asked), "answer": ""}
        try:
            await self._documents.insert(REQUESTS.name, document)
        except DuplicateKey:
            known = await self._documents.get(REQUESTS.name, document["id"])
            if known is None or (known["asked"] == document["asked"] and not known["answer"]):
                raise RequestUnderWay(
                    "The first request with this Idempotency-Key is not answered yet"
                ) from None
            if known["answer"] == _OVER:
                raise KeyReused(
                    f"This Idempotency-Key made session {known['session']}, which is over",
                    session=known["session"],
                ) from None
            if known["asked"] != document["asked"]:
                raise KeyReused("This Idempotency-Key was sent with another request before") from None
            wrapped = WrappedKey(bytes.fromhex(known["answer"]), known["key_id"])
            answer = await self._custody.unwrap(wrapped, _context(known["session"]))
            return Access(**json.loads(answer))
        return None

    async def answer(self, subject: str, key: str, access: Access) -> None:
        """Keep the answer to a reserved request."""
        wrapped = await self._custody.wrap(
            json.dumps(asdict(access)).encode("utf-8"), _context(access.session)
        )
        await self._documents.update(
            REQUESTS.name, _id(subject, key), {"answer": wrapped.bytes.hex(), "key_id": wrapped.key_id}
        )

    async def release(self, subject: str, key: str) -> None:
        """Give a key back whose request failed."""
        await self._documents.delete(REQUESTS.name, _id(subject, key), expect={"answer": ""})

    async def forget(self, session: str) -> None:
        """Remove what was answered about a session that is over; the key stays used. A request never answered
        goes.
        """
        for document in await self._documents.find(REQUESTS.name, {"session": session}):
            if document["answer"]:
                await self._documents.update(REQUESTS.name, document["id"], {"answer": _OVER})
            else:
                await self._documents.delete(REQUESTS.name, document["id"])


def _id(subject: str, key: str) -> str:
    return _hash(f"{len(subject)}:{subject}:{key}")


def _hash(text: str) -> str:
    return digest(text.encode("utf-8")).hex()


def _context(session: str) -> dict[str, str]:
    return {"session": session, "use": "access"}
