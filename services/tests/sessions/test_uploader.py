"""Uploads: each chunk on its own, believed only by digest, tried again, and never lost in between."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from lucid.recording.spool import chunk_name
from lucid.sessions.backoff import Backoff
from lucid.sessions.chunks import ChunkReader
from lucid.sessions.errors import ChunkDamaged, ChunkLost
from lucid.sessions.ledger import Ledger
from lucid.sessions.models import Chunk, ChunkState
from lucid.sessions.store import SessionStore
from lucid.sessions.uploader import Limits, Uploader, blob_key
from lucid_kit.blobs import Blobs, open_blobs
from lucid_kit.clock import SystemClock
from lucid_kit.documents import open_documents
from lucid_kit.errors import LucidError, StoreFull, StoreReadOnly, StoreUnavailable
from lucid_kit.ids import new_id
from lucid_proof.records import ChunkRecord, Seen

SESSION = new_id("ses")
T0 = 1_800_000_000_000


@dataclass
class Trouble:
    """A store in front of a real one that fails as told, some number of times."""

    inner: Blobs
    fail: LucidError | None = None
    times: int = 0
    garble: int = -1
    puts: list[str] = field(default_factory=list)

    async def put(self, key: str, data: bytes, *, if_absent: bool = False) -> None:
        self.puts.append(key)
        if self.fail is not None and self.times != 0:
            self.times -= 1
            raise self.fail
        if self.garble == len(self.puts):
            data = data[:-1] + bytes([data[-1] ^ 1])
        await self.inner.put(key, data, if_absent=if_absent)

    async def get(self, key: str) -> bytes:
        return await self.inner.get(key)

    async def head(self, key: str) -> int | None:
        return await self.inner.head(key)


@dataclass
class Room:
    spool: Path
    blobs: Trouble
    ledger: Ledger
    uploader: Uploader
    reader: ChunkReader
    stored: list[str]

    async def chunk(self, index: int) -> Chunk:
        data = b"ciphertext %d" % index
        record = ChunkRecord.of(SESSION, index, data, T0, T0, Seen(1, bytes(32)))
        file = self.spool / SESSION / chunk_name(index)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        chunk = Chunk(SESSION, index, record.to_json())
        await self.ledger.acknowledge(chunk, {"chunks": index + 1})
        return chunk

    def file(self, index: int) -> Path:
        return self.spool / SESSION / chunk_name(index)

    async def until(self, index: int, state: ChunkState) -> Chunk:
        async def there() -> bool:
            return (await self.ledger.chunk(SESSION, index)).state is state

        await until(there)
        return await self.ledger.chunk(SESSION, index)


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(10):
        while not await holds():  # noqa: ASYNC110 - what is waited for is in a database
            await asyncio.sleep(0.005)


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    documents = await open_documents(f"sqlite://{tmp_path}/d.db")
    ledger = Ledger(documents)
    await SessionStore(documents, SystemClock()).ensure()
    await ledger.ensure()
    blobs = Trouble(open_blobs("memory://"))
    stored: list[str] = []

    async def note(session: str) -> None:
        stored.append(session)

    limits = Limits(workers=2, attempts=3, backoff=Backoff(0.001, 0.005))
    spool = tmp_path / "spool"
    uploader = Uploader(blobs, ledger, spool, SystemClock(), limits, note)  # type: ignore[arg-type]
    yield Room(spool, blobs, ledger, uploader, ChunkReader(blobs, ledger, spool), stored)  # type: ignore[arg-type]
    await uploader.close()
    await documents.close()


async def test_a_stored_chunk_leaves_the_spool_and_can_be_read(room: Room) -> None:
    chunk = await room.chunk(0)
    before = await room.reader.read(chunk)
    room.uploader.add(chunk)
    stored = await room.until(0, ChunkState.STORED)
    await until(lambda: asyncio.sleep(0, not room.file(0).exists()))
    assert await room.reader.read(stored) == before
    assert await room.reader.crc32(stored) == stored.crc32
    assert room.stored == [SESSION]


async def test_a_chunk_is_not_put_twice_when_the_store_has_it(room: Room) -> None:
    chunk = await room.chunk(0)
    await room.blobs.inner.put(blob_key(SESSION, 0), room.file(0).read_bytes())
    room.uploader.add(chunk)
    room.uploader.add(chunk)
    await room.until(0, ChunkState.STORED)
    assert room.blobs.puts == []


@pytest.mark.parametrize("fault", [StoreFull("full"), StoreReadOnly("ro"), StoreUnavailable("away")])
async def test_a_fault_of_the_whole_store_never_makes_a_dead_letter(room: Room, fault: LucidError) -> None:
    room.blobs.fail, room.blobs.times = fault, 10
    room.uploader.add(await room.chunk(0))
    stored = await room.until(0, ChunkState.STORED)
    assert (stored.attempts, stored.fault) == (0, "")
    assert (room.uploader.faults, room.uploader.last_fault) == (10, fault.code)


async def test_bytes_that_come_back_different_stay_in_the_spool_and_are_put_again(room: Room) -> None:
    room.blobs.garble = 1
    room.uploader.add(await room.chunk(0))
    stored = await room.until(0, ChunkState.STORED)
    assert stored.attempts == 1
    assert len(room.blobs.puts) == 2


async def test_a_chunk_that_keeps_failing_holds_up_no_other(room: Room) -> None:
    bad, good = await room.chunk(0), await room.chunk(1)
    room.file(0).unlink()
    room.uploader.add(bad)
    room.uploader.add(good)
    await room.until(1, ChunkState.STORED)
    dead = await room.until(0, ChunkState.DEAD)
    assert (dead.attempts, "neither in the spool nor stored" in dead.fault) == (3, True)
    with pytest.raises(ChunkLost):
        await room.reader.read(dead)


async def test_a_dead_letter_is_retried_by_hand(room: Room) -> None:
    chunk = await room.chunk(0)
    whole = room.file(0).read_bytes()
    room.file(0).write_bytes(b"damaged")
    room.uploader.add(chunk)
    dead = await room.until(0, ChunkState.DEAD)
    with pytest.raises(ChunkDamaged):
        await room.reader.read(dead)
    room.file(0).write_bytes(whole)
    await room.uploader.resume(SESSION)
    await room.until(0, ChunkState.STORED)


async def test_what_is_paused_is_not_uploaded(room: Room) -> None:
    room.blobs.fail, room.blobs.times = StoreUnavailable("away"), -1
    room.uploader.add(await room.chunk(0))
    await room.uploader.pause(SESSION)
    assert room.uploader.under_way == 0
    room.blobs.fail = None
    room.uploader.add(await room.chunk(1))
    assert room.uploader.under_way == 0
    await room.uploader.resume(SESSION)
    await room.until(0, ChunkState.STORED)
    await room.until(1, ChunkState.STORED)


async def test_the_crc_of_a_chunk_that_still_waits_is_read_once(room: Room) -> None:
    chunk = await room.chunk(0)
    crc = await room.reader.crc32(chunk)
    assert (await room.ledger.chunk(SESSION, 0)).crc32 == crc


def test_waits_double_up_to_a_limit_and_are_spread() -> None:
    backoff = Backoff(1.0, 30.0)
    for attempts, step in ((1, 1), (2, 2), (5, 16), (6, 30), (10_000, 30)):
        assert step / 2 <= backoff.wait_s(attempts) <= step
