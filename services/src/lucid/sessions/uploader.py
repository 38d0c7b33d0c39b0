"""Moves acknowledged chunks from the spool to the object store, each on its own.

A chunk's file leaves the spool only after the store gave back the very bytes that the journal names. One that
fails waits and is tried again; one that keeps failing becomes a dead letter that a person sees; neither holds
up another. A fault of the whole store (full, read-only, out of reach) is no fault of the chunk: it waits as
long as it takes.
"""

import asyncio
import zlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path

from lucid.recording.spool import chunk_name
from lucid.sessions.backoff import Backoff
from lucid.sessions.errors import ChunkDamaged, ChunkLost
from lucid.sessions.ledger import Ledger
from lucid.sessions.models import Chunk, ChunkState
from lucid_kit import fault
from lucid_kit.blobs import BlobMissing, Blobs
from lucid_kit.clock import Clock
from lucid_kit.errors import LucidError, StoreFull, StoreReadOnly, StoreUnavailable
from lucid_kit.logs import bind, get_logger
from lucid_proof.domains import digest

Stored = Callable[[str], Awaitable[None]]


def blob_key(session: str, index: int) -> str:
    """Where a chunk is in the object store."""
    return f"sessions/{session}/chunks/{index:08d}.bin"


@dataclass(frozen=True, slots=True)
class Limits:
    """Uploads at once, attempts before a chunk is a dead letter, and waits between them."""

    workers: int
    attempts: int
    backoff: Backoff


class Uploader:
    """Every chunk that is not stored yet.

    Parameters
    ----------
    spool
        The directory of all spools.
    stored
        Called with the session's id after one of its chunks was stored.
    """

    def __init__(
        self, blobs: Blobs, ledger: Ledger, spool: Path, clock: Clock, limits: Limits, stored: Stored
    ) -> None:
        self._blobs = blobs
        self._ledger = ledger
        self._spool = spool
        self._clock = clock
        self._limits = limits
        self._stored = stored
        self._workers = asyncio.Semaphore(limits.workers)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._paused: set[str] = set()
        self.faults = 0
        self.last_fault = ""

    @property
    def under_way(self) -> int:
        return len(self._tasks)

    def add(self, chunk: Chunk) -> None:
        """Upload a chunk as soon as may be. A chunk that is on its way already is left alone."""
        if chunk.id in self._tasks or chunk.session in self._paused or chunk.state is ChunkState.STORED:
            return
        task = asyncio.create_task(self._bring(chunk), name=f"upload {chunk.id}")
        self._tasks[chunk.id] = task
        task.add_done_callback(lambda _: self._tasks.pop(chunk.id, None))

    async def pause(self, session: str) -> None:
        """Leave this session's chunks in the spool until `resume`. An upload that runs is given up."""
        self._paused.add(session)
        await self._cancel([task for id_, task in self._tasks.items() if id_.startswith(f"{session}:")])

    async def resume(self, session: str) -> None:
        """Upload what waits, dead letters included."""
        self._paused.discard(session)
        for chunk in await self._ledger.waiting(session):
            await self._ledger.set_chunk(chunk, state=ChunkState.SPOOLED.value, attempts=0)
            self.add(replace(chunk, state=ChunkState.SPOOLED, attempts=0))

    async def close(self) -> None:
        """Give up what runs; it is taken up at the next start."""
        await self._cancel(list(self._tasks.values()))

    async def _cancel(self, tasks: list[asyncio.Task[None]]) -> None:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _bring(self, chunk: Chunk) -> None:
        with bind(session_id=chunk.session):
            attempts, tries = chunk.attempts, 0
            while True:
                try:
                    async with self._workers:
                        await self._once(chunk)
                    return
                except (StoreFull, StoreReadOnly, StoreUnavailable) as error:
                    await self._failed(chunk, attempts, error)
                except (LucidError, OSError) as error:
                    attempts += 1
                    await self._failed(chunk, attempts, error)
                    if attempts >= self._limits.attempts:
                        return
                tries += 1
                await self._clock.sleep(self._limits.backoff.wait_s(tries))

    async def _once(self, chunk: Chunk) -> None:
        key, file = (
            blob_key(chunk.session, chunk.index),
            self._spool / chunk.session / chunk_name(chunk.index),
        )
        crc32 = await self._already_there(key, chunk)
        if crc32 is None:
            data = await asyncio.to_thread(_read, file, chunk)
            fault.refuse("chunk-upload")
            await self._blobs.put(key, data)
            # Ends here: the store may hold the chunk; the next attempt looks, and believes only the digest.
            fault.point("chunk-put")
            crc32 = await self._already_there(key, chunk)
            if crc32 is None:
                raise ChunkDamaged(
                    f"The store gave back other bytes for chunk {chunk.index} than it was given"
                )
        await self._ledger.set_chunk(
            chunk, state=ChunkState.STORED.value, crc32=crc32, stored_ms=self._clock.now_ms(), fault=""
        )
        # Ends here: stored and marked so; start-up removes the file that is left in the spool.
        fault.point("chunk-marked-stored")
        await asyncio.to_thread(file.unlink, missing_ok=True)
        fault.point("chunk-left-spool")
        await self._stored(chunk.session)

    async def _already_there(self, key: str, chunk: Chunk) -> int | None:
        """CRC-32 of the chunk if the store holds exactly its bytes."""
        try:
            if await self._blobs.head(key) != chunk.size:
                return None
            data = await self._blobs.get(key)
        except BlobMissing:
            return None
        return await asyncio.to_thread(_crc_if, data, chunk.sha256)

    async def _failed(self, chunk: Chunk, attempts: int, error: Exception) -> None:
        self.faults += 1
        self.last_fault = error.code if isinstance(error, LucidError) else type(error).__name__
        dead = attempts >= self._limits.attempts
        state = ChunkState.DEAD if dead else ChunkState.SPOOLED
        log = get_logger().error if dead else get_logger().warning
        log("chunk.dead" if dead else "chunk.waits", index=chunk.index, attempts=attempts, error=str(error))
        await self._ledger.set_chunk(chunk, state=state.value, attempts=attempts, fault=str(error)[:500])


def _read(file: Path, chunk: Chunk) -> bytes:
    try:
        data = file.read_bytes()
    except FileNotFoundError:
        raise ChunkLost(
            f"Chunk {chunk.index} of {chunk.session} is neither in the spool nor stored"
        ) from None
    if digest(data).hex() != chunk.sha256:
        raise ChunkDamaged(f"Chunk {chunk.index} of {chunk.session} was damaged in the spool")
    return data


def _crc_if(data: bytes, sha256: str) -> int | None:
    return zlib.crc32(data) if digest(data).hex() == sha256 else None
