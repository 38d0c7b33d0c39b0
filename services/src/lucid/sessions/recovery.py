"""Start-up: what a crash left behind is taken up, torn down, closed over, uploaded and anchored.

Every step may be interrupted again: the next start does the same.
"""

import asyncio
from dataclasses import dataclass

from lucid.recording.spool import CHUNKS, chunk_name
from lucid.sessions.archive import Archive
from lucid.sessions.machine import Event
from lucid.sessions.models import ChunkState, Session, State
from lucid.sessions.requests import Requests
from lucid.sessions.settling import Settler
from lucid.sessions.vault import Vault
from lucid_kit.ids import is_id
from lucid_kit.logs import bind, get_logger

INTERRUPTED = "service-restarted"


@dataclass(frozen=True, slots=True)
class Recovery:
    """Takes up every session that has work left."""

    settler: Settler
    archive: Archive
    requests: Requests
    vault: Vault

    async def run(self) -> None:
        """Done once before the first request is answered. Sessions that cannot be settled now go on in the
        background.
        """
        sessions = await self.settler.store.unfinished()
        for session in sessions:
            with bind(session_id=session.id):
                await self._leftovers(session)
        await self._sweep()

    async def settle_all(self, sessions: list[Session]) -> None:
        """Settle the sessions a crash interrupted, each on its own."""
        await asyncio.gather(*(self.settle(session) for session in sessions))

    async def interrupted(self) -> list[Session]:
        """Sessions that were live when the service ended."""
        return [
            session
            for session in await self.settler.store.unfinished()
            if not session.final and not (session.state is State.CREATED and session.started_ms is None)
        ]

    async def settle(self, session: Session) -> None:
        """Cut, close, and take care of what is left of one interrupted session."""
        with bind(session_id=session.id):
            get_logger().warning("session.interrupted", state=session.state.value)
            await self.settler.until_settled(session.id, "abandoned", INTERRUPTED)
            await self.settler.remove_desktop(session)
            await self.requests.forget(session.id)
            await self.archive.consider(session.id)

    async def _leftovers(self, session: Session) -> None:
        """What an ended session still has to do."""
        if not session.final:
            return
        for chunk in await self.settler.ledger.chunks(session.id):
            if chunk.state is ChunkState.STORED:
                file = self.settler.spool / session.id / chunk_name(chunk.index)
                await asyncio.to_thread(file.unlink, missing_ok=True)
        await self.settler.uploader.resume(session.id)
        await self.archive.consider(session.id)

    async def _sweep(self) -> None:
        """Spools of sessions that are archived, and key destruction that stopped half-way."""
        for directory in await asyncio.to_thread(lambda: sorted(self.settler.spool.iterdir())):
            if is_id(directory.name, "ses") and (directory / CHUNKS).is_dir():
                found = await self.settler.store.find({"id": directory.name})
                if found and found[0].archived:
                    await asyncio.to_thread(self.archive.clear, directory.name)
        await self._sweep_keys()

    async def _sweep_keys(self) -> None:
        """Keys of sessions that never came to be, and deletions that stopped half-way."""
        keys = set(await self.vault.sessions())
        known = {session.id: session for session in await self.settler.store.find({})}
        for orphan in keys - known.keys():
            await self.vault.destroy(orphan)
        half_way = [
            session
            for session in known.values()
            if session.id not in keys and session.state in (State.CREATED, State.CLOSED, State.ABANDONED)
        ]
        if half_way:
            await self.vault.rewrite()
        for session in half_way:
            await self.settler.store.advance(session.id, Event.DELETED)
