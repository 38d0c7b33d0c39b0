"""What one can do with sessions. Knows rules; knows neither HTTP nor a database."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lucid.sessions.archive import Archive
from lucid.sessions.asks import What, wrong_state
from lucid.sessions.conductor import Conductor
from lucid.sessions.errors import ContentDestroyed, SessionLive
from lucid.sessions.machine import Event, after
from lucid.sessions.models import Access, Document, OnFailure, Session, State
from lucid.sessions.requests import Requests
from lucid.sessions.settling import Settler
from lucid.sessions.starting import Starter
from lucid.sessions.store import SessionStore
from lucid.sessions.vault import Vault
from lucid_kit import fault
from lucid_kit.clock import Clock
from lucid_kit.ids import new_id
from lucid_kit.logs import bind, get_logger
from lucid_proof.records import Header

_STOP_WITHIN_S = 30.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """A session as it is asked for."""

    width: int
    height: int
    on_failure: OnFailure
    name: str
    start: bool = True

    def text(self) -> str:
        """What two requests with one idempotency key must have in common."""
        return json.dumps([self.width, self.height, self.on_failure, self.name, self.start])


class Sessions:
    """The sessions of this instance."""

    def __init__(
        self,
        store: SessionStore,
        vault: Vault,
        requests: Requests,
        starter: Starter,
        settler: Settler,
        archive: Archive,
        clock: Clock,
    ) -> None:
        self._store = store
        self._vault = vault
        self._requests = requests
        self._starter = starter
        self._settler = settler
        self._archive = archive
        self._clock = clock
        self._live: dict[str, Conductor] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    @property
    def live(self) -> Mapping[str, Conductor]:
        """The conductors of the sessions that run."""
        return self._live

    async def create(
        self, who: str, wanted: Wanted, idempotency_key: str = ""
    ) -> tuple[Session, Access | None]:
        """A new session, and the way in if it was to start at once.

        Raises
        ------
        KeyReused, RequestUnderWay
            If the idempotency key is taken.
        ChainNeverSeen, DesktopNotStarted
            If it cannot start.
        """
        id_ = new_id("ses")
        if idempotency_key:
            known = await self._requests.reserve(who, idempotency_key, wanted.text(), id_)
            if known is not None:
                return await self._store.get(known.session), known
        try:
            session = await self._new(id_, who, wanted)
            if not wanted.start:
                access = Access(id_, "", 0, "", "", "")
            else:
                access = await self._start(session, idempotent=bool(idempotency_key))
            if idempotency_key:
                await self._requests.answer(who, idempotency_key, access)
        except BaseException:
            if idempotency_key:
                await self._requests.release(who, idempotency_key)
            raise
        return await self._store.get(id_), access if wanted.start else None

    async def start(self, id: str) -> Access:  # noqa: A002
        """Bring up a session that was created without a start. Raises as `create` does, and WrongState."""
        session = await self._store.get(id)
        if session.state is not State.CREATED or session.started_ms is not None:
            raise wrong_state("be started", session.state)
        return await self._start(session, idempotent=False)

    async def get(self, id: str) -> Session:  # noqa: A002
        """Raises SessionMissing."""
        return await self._store.get(id)

    async def find(self, where: Mapping[str, Any], *, after: str = "", limit: int = 100) -> list[Session]:
        return await self._store.find(where, after=after, limit=limit)

    async def history(self, id: str) -> list[Document]:  # noqa: A002
        await self._store.get(id)
        return await self._store.history(id)

    async def rename(self, id: str, name: str) -> Session:  # noqa: A002
        return await self._store.set(id, name=name)

    async def ask(self, id: str, what: What, *, reason: str, by: str) -> Session:  # noqa: A002
        """Pause, resume or stop a session; the session afterwards. Stopping one that is over is no error.

        Raises
        ------
        WrongState
            If that cannot be done now.
        """
        session = await self._store.get(id)
        conductor = self._live.get(id)
        if conductor is None:
            if what == "stop" and session.final and session.state is not State.DELETED:
                return session
            raise wrong_state(what, session.state)
        try:
            async with asyncio.timeout(_STOP_WITHIN_S):
                await conductor.ask(what, reason=reason, by=by)
        except TimeoutError:
            get_logger().warning("session.slow", session_id=id, asked=what)
        return await self._store.get(id)

    async def delete(self, id: str, *, by: str) -> Session:  # noqa: A002
        """Destroy a session's key, and with it everything the recording shows. Its proof stays.

        Raises
        ------
        SessionLive
            If it has not ended.
        ContentDestroyed
            If that was done before.
        """
        session = await self._store.get(id)
        if session.state is State.DELETED:
            raise ContentDestroyed(f"Session {id} was deleted before", session=id)
        if not session.final and (session.state is not State.CREATED or session.started_ms is not None):
            raise SessionLive(f"Session {id} is {session.state}; stop it first", state=session.state.value)
        after(session.state, Event.DELETED)
        await self._vault.destroy(id)
        # Ends here: the key is gone and the state does not say so yet; start-up sees that there is no key.
        fault.point("key-destroyed")
        deleted = await self._store.advance(id, Event.DELETED, by=by)
        get_logger().info("session.deleted", session_id=id)
        return deleted

    async def close(self, reason: str = "service-stopped") -> None:
        """End every live session in order; called when this service is asked to end."""
        asked = [self.ask(id_, "stop", reason=reason, by="") for id_ in list(self._live)]
        await asyncio.gather(*asked, return_exceptions=True)
        tasks = [*self._tasks.values(), *self._starter.background]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def block(self, header: Header) -> None:
        """A new block: recorders name it from now on."""
        for conductor in self._live.values():
            conductor.block(header)

    async def _new(self, id_: str, who: str, wanted: Wanted) -> Session:
        fresh = await self._vault.fresh(id_)
        session = Session(
            id=id_,
            state=State.CREATED,
            owner=who,
            name=wanted.name,
            width=wanted.width,
            height=wanted.height,
            on_failure=wanted.on_failure,
            created_ms=self._clock.now_ms(),
            key_commitment=fresh.commitment,
        )
        await self._store.insert(session)
        # Ends here: a session without a desktop; start-up leaves it to be started or deleted.
        fault.point("session-created")
        get_logger().info("session.created", session_id=id_)
        return session

    async def _start(self, session: Session, *, idempotent: bool) -> Access:
        with bind(session_id=session.id):
            key = await self._vault.open(session.id)
            conductor, access = await self._starter.start(session, key)
            self._live[session.id] = conductor
            self._tasks[session.id] = asyncio.create_task(self._conduct(conductor, idempotent))
            return access

    async def _conduct(self, conductor: Conductor, idempotent: bool) -> None:
        id_ = conductor.session.id
        try:
            await conductor.run()
        finally:
            self._live.pop(id_, None)
            self._tasks.pop(id_, None)
        if idempotent:
            await self._requests.forget(id_)
        await self._archive.consider(id_)
