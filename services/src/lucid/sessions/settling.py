"""How a session ends: one way, whether it was stopped, failed, or is found half-done at start-up.

Whatever the journal acknowledges is closed over. The steps can be repeated from any point: what was done is
found done.
"""

import asyncio
import re
from dataclasses import dataclass
from pathlib import Path

from lucid.recording.spool import Journal, recover
from lucid.sessions import processes
from lucid.sessions.anchorer import Anchorer
from lucid.sessions.backoff import Backoff
from lucid.sessions.evidence import Evidence, RecordLog, Signer, as_record
from lucid.sessions.guard import Guard
from lucid.sessions.head import Head
from lucid.sessions.ledger import Ledger
from lucid.sessions.machine import Event
from lucid.sessions.models import Chunk, Outcome, Session, State
from lucid.sessions.ports import Desktops
from lucid.sessions.store import SessionStore
from lucid.sessions.uploader import Uploader
from lucid_kit import fault
from lucid_kit.clock import Clock
from lucid_kit.errors import LucidError
from lucid_kit.files import AlreadyRunning, make_dirs
from lucid_kit.logs import bind, get_logger

_LOCK_TRIES = 100
_LOCK_WAIT_S = 0.1
RECORDS = "records.jsonl"

_NEVER_BEGAN = "never-began"


@dataclass(frozen=True, slots=True)
class Settler:
    """Ends sessions."""

    store: SessionStore
    ledger: Ledger
    head: Head
    signer: Signer
    anchorer: Anchorer
    uploader: Uploader
    desktops: Desktops
    guard: Guard
    spool: Path
    clock: Clock
    backoff: Backoff

    async def settle(self, id: str, outcome: Outcome, reason: str) -> Session:  # noqa: A002
        """End a session as `outcome`, unless its close record exists already: then as that says.

        The recorder must be gone or may be killed. Gives the session in its final state.

        Raises
        ------
        LucidError, OSError
            If a step could not be done. Nothing is lost; call it again.
        """
        session = await self.store.get(id)
        if session.final:
            return session
        outcome, reason = await self.sign_off(session, outcome, reason)
        if outcome == "closed" and session.state is not State.STOPPING:
            await self.store.advance(id, Event.STOPPED, reason=reason)
        # Ends here: the close record stands; start-up finds it and ends the session as it says.
        fault.point("session-closing")
        event = Event.CLOSED if outcome == "closed" else Event.ABANDONED
        ended = await self.store.advance(
            id, event, reason=reason, closed_ms=self.clock.now_ms(), recorder_pid=0, recorder_ticks=0
        )
        # Ends here: the session is final; what is not stored or anchored yet is taken up at start-up.
        fault.point("session-settled")
        get_logger().info("session.ended", state=ended.state.value, reason=reason, chunks=ended.chunks)
        return ended

    async def sign_off(self, session: Session, outcome: Outcome, reason: str) -> tuple[Outcome, str]:
        """Close over what the journal holds; what the close record says. A session that never began is
        abandoned."""
        journal = await self._journal(session)
        log = RecordLog(self.spool / session.id / RECORDS)
        evidence = await asyncio.to_thread(Evidence, session.id, log, self.signer, journal.records)
        await self.take_up(session, journal, evidence)
        if not evidence.records:
            return "abandoned", _NEVER_BEGAN
        newest = await self.head.require()
        close = await asyncio.to_thread(
            evidence.close, outcome, slug(reason), seen=newest.seen(), time_ms=newest.time_ms
        )
        await self.anchorer.add(as_record(close))
        return ("closed" if close.body["outcome"] == "closed" else "abandoned"), str(close.body["reason"])

    async def take_up(self, session: Session, journal: Journal, evidence: Evidence) -> None:
        """Make documents say what the spool says, and set uploads and anchoring going again."""
        known = {chunk.index: chunk for chunk in await self.ledger.chunks(session.id)}
        stored_bytes = sum(record.size for record in journal.records)
        for record in journal.records:
            chunk = known.get(record.index)
            if chunk is None:
                chunk = Chunk(session.id, record.index, record.to_json())
                await self.ledger.acknowledge(
                    chunk, {"chunks": record.index + 1, "stored_bytes": stored_bytes}
                )
            self.uploader.add(chunk)
        for transaction in evidence.records:
            await self.anchorer.add(as_record(transaction))

    async def until_settled(self, id: str, outcome: Outcome, reason: str) -> None:  # noqa: A002
        """Settle, again and again until it holds: a full disk or a stopped database may stand in the way."""
        with bind(session_id=id):
            attempts = 0
            while True:
                try:
                    await self.settle(id, outcome, reason)
                except (LucidError, OSError) as error:
                    attempts += 1
                    get_logger().error("session.unsettled", error=str(error), attempts=attempts)
                    await self.clock.sleep(self.backoff.wait_s(attempts))
                else:
                    return

    async def remove_desktop(self, session: Session) -> None:
        """Tear down whatever desktop the session still has, as long as it takes."""
        attempts = 0
        while True:
            try:
                for desktop in await self.desktops.all():
                    if desktop.session == session.id:
                        await self.desktops.remove(desktop.id)
            except LucidError as error:
                attempts += 1
                get_logger().warning("desktop.left", session_id=session.id, error=error.detail)
                await self.clock.sleep(self.backoff.wait_s(attempts))
            else:
                return

    async def _journal(self, session: Session) -> Journal:
        """The journal once its recorder is gone."""
        await asyncio.to_thread(processes.end, session.recorder_pid, session.recorder_ticks)
        directory = self.spool / session.id
        await asyncio.to_thread(make_dirs, directory)
        for attempt in range(_LOCK_TRIES):
            try:
                return await asyncio.to_thread(recover, directory, session.id)
            except AlreadyRunning:
                if attempt == _LOCK_TRIES - 1:
                    raise
            await self.clock.sleep(_LOCK_WAIT_S)
        raise AssertionError("the loop returns or raises")


def slug(text: str) -> str:
    """A reason as records may hold it: at most 64 of a-z, 0-9 and hyphen."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:64].strip("-") or "unknown"
