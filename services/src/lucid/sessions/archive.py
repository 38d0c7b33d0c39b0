"""Puts an ended session's journal and records beside its chunks, and empties its spool."""

import asyncio
import shutil
from dataclasses import dataclass
from pathlib import Path

from lucid.recording.spool import JOURNAL, read_journal
from lucid.sessions.evidence import RecordLog
from lucid.sessions.ledger import Ledger
from lucid.sessions.models import ChunkState, RecordState, Session
from lucid.sessions.settling import RECORDS
from lucid.sessions.store import SessionStore
from lucid_kit import fault
from lucid_kit.blobs import BlobMissing, Blobs
from lucid_kit.errors import LucidError
from lucid_kit.files import fsync_dir
from lucid_kit.logs import get_logger
from lucid_proof.records import ChunkRecord, Transaction


def archive_key(session: str, name: str) -> str:
    """Where a session's journal or records are in the object store."""
    return f"sessions/{session}/{name}"


@dataclass(frozen=True, slots=True)
class Archive:
    """Journals and records, in the spool while a session has work left, in the object store afterwards."""

    store: SessionStore
    ledger: Ledger
    blobs: Blobs
    spool: Path

    async def consider(self, id: str) -> bool:  # noqa: A002
        """Archive a session that is final, wholly stored and wholly anchored; whether it is archived now."""
        session = await self.store.get(id)
        if session.archived or not session.final:
            return session.archived
        counts = await self.ledger.counts(id)
        records = await self.ledger.records(id)
        if counts[ChunkState.SPOOLED] or counts[ChunkState.DEAD]:
            return False
        if any(record.state is not RecordState.ANCHORED for record in records):
            return False
        try:
            await self._move(session)
        except (LucidError, OSError) as error:
            get_logger().warning("session.not-archived", session_id=id, error=str(error))
            return False
        return True

    async def journal(self, session: Session) -> tuple[ChunkRecord, ...]:
        """The chunk records of a session, wherever they are."""
        path = self.spool / session.id / JOURNAL
        found = await asyncio.to_thread(read_journal, path, session.id)
        # Nothing there: archived, now or since the caller looked. A copy is complete before the spool goes.
        data = b"" if found.records else await self._blob(session.id, JOURNAL)
        return found.records or tuple(ChunkRecord.parse(line) for line in data.splitlines())

    async def records(self, session: Session) -> list[Transaction]:
        """The signed records of a session, wherever they are."""
        found = await asyncio.to_thread(RecordLog(self.spool / session.id / RECORDS).read)
        data = b"" if found else await self._blob(session.id, RECORDS)
        return found or [Transaction.parse(line) for line in data.splitlines()]

    async def _blob(self, id: str, name: str) -> bytes:  # noqa: A002
        try:
            return await self.blobs.get(archive_key(id, name))
        except BlobMissing:
            return b""

    async def _move(self, session: Session) -> None:
        directory = self.spool / session.id
        for name in (JOURNAL, RECORDS):
            file = directory / name
            if await asyncio.to_thread(file.exists):
                await self.blobs.put(archive_key(session.id, name), await asyncio.to_thread(file.read_bytes))
            # Ends here: put again at the next start, the same bytes under the same key.
            fault.point("session-copied")
        await self.store.set(session.id, archived=True)
        # Ends here: start-up removes the spool of a session that is archived.
        fault.point("session-archived")
        await asyncio.to_thread(self.clear, session.id)
        get_logger().info("session.archived", session_id=session.id)

    def clear(self, id: str) -> None:  # noqa: A002
        """Remove the spool of an archived session."""
        if (self.spool / id).is_dir():
            shutil.rmtree(self.spool / id)
            fsync_dir(self.spool)
