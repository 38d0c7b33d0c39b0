"""What is persisted about a session's chunks and records: how far each has come.

The journal and records.jsonl in the spool are what counts; these documents can be made again from them.
"""

from collections.abc import Mapping
from typing import Any

from lucid.sessions.errors import ChunkMissing
from lucid.sessions.models import Chunk, ChunkState, Record, RecordState
from lucid.sessions.store import SESSIONS
from lucid_kit.documents import Collection, Documents, Index

CHUNKS = Collection(
    "session_chunks",
    Index("session", "index", unique=True),  # chunks()
    Index("session", "state"),  # counts()
    Index("state", "id"),  # waiting()
)
RECORDS = Collection(
    "session_records",
    Index("session", "seq", unique=True),  # records()
    Index("state", "id"),  # open_records()
    Index("tx"),  # an anchoring looked up by transaction
)


class Ledger:
    """Chunks and records of sessions."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    async def ensure(self) -> None:
        await self._documents.ensure(CHUNKS, RECORDS)

    # -- chunks

    async def acknowledge(self, chunk: Chunk, totals: Mapping[str, Any]) -> None:
        """Store a chunk that the journal holds, and the session's totals with it."""
        async with self._documents.transaction() as documents:
            if await documents.get(CHUNKS.name, chunk.id) is None:
                await documents.insert(CHUNKS.name, chunk.to_document())
            await documents.update(SESSIONS.name, chunk.session, totals)

    async def chunk(self, session: str, index: int) -> Chunk:
        """Raises ChunkMissing."""
        document = await self._documents.get(CHUNKS.name, f"{session}:{index:08d}")
        if document is None:
            raise ChunkMissing(f"Session {session} has no chunk {index}", session=session, index=index)
        return Chunk.of(document)

    async def chunks(self, session: str, *, first: int = 0, limit: int | None = None) -> list[Chunk]:
        where = {"session": session, "index": {"$gte": first}}
        found = await self._documents.find(CHUNKS.name, where, sort=[("index", 1)], limit=limit)
        return [Chunk.of(document) for document in found]

    async def waiting(self, session: str) -> list[Chunk]:
        """Chunks that still have to be stored, dead letters included."""
        states = [ChunkState.SPOOLED.value, ChunkState.DEAD.value]
        where = {"session": session, "state": {"$in": states}}
        found = await self._documents.find(CHUNKS.name, where, sort=[("index", 1)])
        return [Chunk.of(document) for document in found]

    async def counts(self, session: str | None = None) -> dict[ChunkState, int]:
        beside = {} if session is None else {"session": session}
        return {
            state: await self._documents.count(CHUNKS.name, {**beside, "state": state.value})
            for state in ChunkState
        }

    async def set_chunk(self, chunk: Chunk, **changes: Any) -> None:
        await self._documents.update(CHUNKS.name, chunk.id, changes)

    # -- records

    async def add(self, record: Record) -> None:
        """Store a record that records.jsonl holds; nothing happens if it is there already."""
        async with self._documents.transaction() as documents:
            if await documents.get(RECORDS.name, record.id) is None:
                await documents.insert(RECORDS.name, record.to_document())

    async def records(self, session: str) -> list[Record]:
        found = await self._documents.find(RECORDS.name, {"session": session}, sort=[("seq", 1)])
        return [Record.of(document) for document in found]

    async def open_records(self) -> list[Record]:
        """Every record that is not anchored, in the order they were signed within their session."""
        states = [state.value for state in RecordState if state is not RecordState.ANCHORED]
        found = await self._documents.find(RECORDS.name, {"state": {"$in": states}}, sort=[("id", 1)])
        return [Record.of(document) for document in found]

    async def anchored(self) -> list[int]:
        """Delays of the records anchored last, milliseconds, newest first; at most 1,000."""
        where = {"state": RecordState.ANCHORED.value}
        found = await self._documents.find(RECORDS.name, where, sort=[("id", -1)], limit=1000)
        return [int(document["delay_ms"] or 0) for document in found]

    async def count_records(self, state: RecordState) -> int:
        return await self._documents.count(RECORDS.name, {"state": state.value})

    async def set_record(self, record: Record, **changes: Any) -> None:
        await self._documents.update(RECORDS.name, record.id, changes)
