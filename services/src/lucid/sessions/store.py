"""What is persisted about sessions: the sessions, what happened to them, their wrapped keys, and requests
answered.

Every change of state is one transaction: compare-and-swap on the session's revision, and one more event.
Events are appended and read; nothing here changes or removes one.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from lucid.sessions import machine
from lucid.sessions.errors import SessionMissing, WrongState
from lucid.sessions.machine import Event
from lucid.sessions.models import FINAL, Document, Session, State
from lucid_kit.clock import Clock
from lucid_kit.documents import Collection, Documents, Index, TransactionConflict

SESSIONS = Collection(
    "sessions",
    Index("state", "id"),  # live(), find(state=…)
    Index("owner", "id"),  # find(owner=…)
    Index("archived", "id"),  # unfinished()
)
EVENTS = Collection("session_events", Index("session", "revision", unique=True))  # history()
FACTS = Collection("session_facts")  # the newest block seen

_ATTEMPTS = 16


class SessionStore:
    """Sessions and their history."""

    def __init__(self, documents: Documents, clock: Clock) -> None:
        self._documents = documents
        self._clock = clock

    async def ensure(self) -> None:
        await self._documents.ensure(SESSIONS, EVENTS, FACTS)

    async def insert(self, session: Session) -> None:
        """Store a new session and its first event, all or nothing."""
        async with self._documents.transaction() as documents:
            await documents.insert(SESSIONS.name, session.to_document())
            await documents.insert(EVENTS.name, self._event(session, "created", session.owner))

    async def get(self, id: str) -> Session:  # noqa: A002 - the field's own word
        """Raises SessionMissing."""
        document = await self._documents.get(SESSIONS.name, id)
        if document is None:
            raise SessionMissing(f"There is no session {id}", session=id)
        return Session.of(document)

    async def find(
        self, where: Mapping[str, Any], *, after: str = "", limit: int | None = None
    ) -> list[Session]:
        """Sessions in the order they were made, newest first; `after` is the last id of the page before."""
        where = {**where, "id": {"$lt": after}} if after else where
        found = await self._documents.find(SESSIONS.name, where, sort=[("id", -1)], limit=limit)
        return [Session.of(document) for document in found]

    async def count(self, where: Mapping[str, Any]) -> int:
        return await self._documents.count(SESSIONS.name, where)

    async def unfinished(self) -> list[Session]:
        """Every session that has work left: not final, or not archived."""
        states = [state.value for state in State if state not in FINAL]
        live = await self.find({"state": {"$in": states}})
        ended = await self.find({"archived": False, "state": {"$in": [state.value for state in FINAL]}})
        return [*live, *ended]

    async def advance(
        self,
        id: str,  # noqa: A002
        event: Event,
        *,
        by: str = "",
        reason: str = "",
        **changes: Any,
    ) -> Session:
        """Let `event` happen: the new state, `changes`, and the event's entry, all or nothing.

        Raises
        ------
        WrongState
            If it cannot happen now. Nothing is changed then.
        """
        for _ in range(_ATTEMPTS):
            now = await self.get(id)
            state = machine.after(now.state, event)
            if reason:
                changes["reason"] = reason
            then = replace(now, state=state, revision=now.revision + 1, **changes)
            written = {**changes, "state": state.value, "revision": then.revision}
            with suppress(TransactionConflict):
                async with self._documents.transaction() as documents:
                    expect = {"revision": now.revision, "state": now.state.value}
                    swapped = await documents.update(SESSIONS.name, id, written, expect=expect)
                    if swapped is not None:
                        await documents.insert(EVENTS.name, self._event(then, event.value, by))
                if swapped is not None:
                    return Session.of(swapped)
        raise WrongState(f"Session {id} changes too quickly", state=now.state.value)

    async def set(self, id: str, **changes: Any) -> Session:  # noqa: A002
        """Change what is no state: totals, name, flags. Raises SessionMissing."""
        document = await self._documents.update(SESSIONS.name, id, changes)
        if document is None:
            raise SessionMissing(f"There is no session {id}", session=id)
        return Session.of(document)

    async def history(self, id: str) -> list[Document]:  # noqa: A002
        """Everything that happened to a session, oldest first."""
        found = await self._documents.find(EVENTS.name, {"session": id}, sort=[("revision", 1)])
        return [
            {name: event[name] for name in ("revision", "event", "state", "reason", "by", "at_ms")}
            for event in found
        ]

    async def fact(self, name: str) -> Document | None:
        return await self._documents.get(FACTS.name, name)

    async def set_fact(self, name: str, **values: Any) -> None:
        if await self._documents.update(FACTS.name, name, values) is None:
            await self._documents.insert(FACTS.name, {"id": name, **values})

    def _event(self, session: Session, event: str, by: str) -> Document:
        return {
            "id": f"{session.id}:{session.revision:06d}",
            "session": session.id,
            "revision": session.revision,
            "event": event,
            "state": session.state.value,
            "reason": session.reason,
            "by": by,
            "at_ms": self._clock.now_ms(),
        }
