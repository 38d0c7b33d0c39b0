"""Anchoring: the same bytes as often as it takes, in order, and never an end to trying."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lucid.sessions.anchorer import Anchorer
from lucid.sessions.backoff import Backoff
from lucid.sessions.errors import ChainMismatch, ChainNeverSeen
from lucid.sessions.evidence import Evidence, RecordLog, Signer, as_record
from lucid.sessions.head import Head
from lucid.sessions.ledger import Ledger
from lucid.sessions.models import Record, RecordState
from lucid.sessions.ports import Block, Placement
from lucid.sessions.store import SessionStore
from lucid_kit.clock import ManualClock
from lucid_kit.documents import open_documents
from lucid_kit.http import RemoteProblem, RemoteUnavailable
from lucid_kit.ids import new_id
from lucid_proof.records import Header, Seen

from .plant import settled

T0 = 1_800_000_000_000
ORIGIN = "lucid.local/test"


def header(height: int, chain: str = ORIGIN) -> Header:
    zero = bytes(32)
    return Header(chain, height, zero, height, zero, zero, T0 + height * 10_000, 0)


@dataclass
class FakeChain:
    """A chain that does what a test says."""

    height: int = 1
    away: bool = False
    refuses: str = ""
    submitted: list[tuple[str, bytes]] = field(default_factory=list)
    known: dict[str, Placement] = field(default_factory=dict)

    def _answer(self) -> None:
        if self.away:
            raise RemoteUnavailable("nobody there")

    async def latest(self) -> Block:
        return await self.block(self.height)

    async def block(self, height: int) -> Block:
        self._answer()
        return Block(header(height), b"note")

    async def blocks(self, first: int) -> Sequence[Block]:
        return [await self.block(height) for height in range(first, self.height + 1)]

    async def submit(self, tx: str, data: bytes) -> Placement:
        self._answer()
        self.submitted.append((tx, data))
        if self.refuses:
            raise RemoteProblem("a rule", remote_status=409, remote_code=self.refuses)
        return self.known.setdefault(tx, Placement(tx, anchored=False))

    async def placement(self, tx: str) -> Placement | None:
        self._answer()
        return self.known.get(tx)

    def decide(self) -> Header:
        """A block with everything that waits."""
        self.height += 1
        for index, (tx, place) in enumerate(self.known.items()):
            if not place.anchored:
                self.known[tx] = Placement(tx, anchored=True, height=self.height, index=index)
        return header(self.height)


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(10):
        while not await holds():  # noqa: ASYNC110 - what is waited for is in a database
            await asyncio.sleep(0.005)


@dataclass
class Room:
    chain: FakeChain
    clock: ManualClock
    ledger: Ledger
    store: SessionStore
    anchorer: Anchorer
    done: list[Record]

    async def records(self, session: str) -> list[RecordState]:
        return [record.state for record in await self.ledger.records(session)]

    async def until(self, session: str, *states: RecordState) -> None:
        async def there() -> bool:
            return await self.records(session) == list(states)

        await until(there)


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    documents = await open_documents(f"sqlite://{tmp_path}/d.db")
    clock, chain, ledger = ManualClock(T0), FakeChain(), Ledger(documents)
    store = SessionStore(documents, clock)
    await store.ensure()
    await ledger.ensure()
    done: list[Record] = []

    async def anchored(record: Record) -> None:
        done.append(record)

    anchorer = Anchorer(chain, ledger, clock, Backoff(1, 8), anchored)
    runner = asyncio.create_task(anchorer.run())
    yield Room(chain, clock, ledger, store, anchorer, done)
    runner.cancel()
    await asyncio.gather(runner, return_exceptions=True)
    await documents.close()


def signed(tmp_path: Path, count: int) -> list[Record]:
    """A session's begin record and interims."""
    session = new_id("ses")
    signer = Signer(ORIGIN, Ed25519PrivateKey.generate())
    evidence = Evidence(session, RecordLog(tmp_path / "records.jsonl"), signer)
    seen = Seen(1, header(1).hash())
    evidence.begin(commitment="00" * 32, on_failure="cut", within_ms=1, seen=seen, time_ms=T0)
    for _ in range(count - 1):
        evidence.interim("tick", seen=seen, time_ms=T0)
    return [as_record(record) for record in evidence.records]


async def test_a_record_is_accepted_then_anchored_with_its_delay(room: Room, tmp_path: Path) -> None:
    (begin,) = signed(tmp_path, 1)
    await room.anchorer.add(begin)
    await room.until(begin.session, RecordState.ACCEPTED)
    room.anchorer.block(room.chain.decide())
    await room.until(begin.session, RecordState.ANCHORED)
    assert [(record.height, record.delay_ms) for record in room.done] == [(2, 20_000)]
    assert room.anchorer.pending == []


async def test_the_same_bytes_are_handed_in_however_often(room: Room, tmp_path: Path) -> None:
    (begin,) = signed(tmp_path, 1)
    await room.anchorer.add(begin)
    await room.until(begin.session, RecordState.ACCEPTED)
    room.chain.known.clear()  # the chain was restarted and its mempool is empty
    room.anchorer.block(header(2))

    async def twice() -> bool:
        return len(room.chain.submitted) == 2

    await until(twice)
    assert set(room.chain.submitted) == {(begin.tx, bytes.fromhex(begin.bytes_hex))}


async def test_while_the_chain_is_away_it_is_tried_again(room: Room, tmp_path: Path) -> None:
    room.chain.away = True
    records = signed(tmp_path, 3)
    for record in records:
        await room.anchorer.add(record, within_s=1)
    for _ in range(5):
        await settled()
        room.clock.advance(8_000)
    assert await room.records(records[0].session) == [RecordState.QUEUED] * 3
    room.chain.away = False
    async with asyncio.timeout(10):
        while not room.chain.known:
            await asyncio.sleep(0.005)
            room.clock.advance(8_000)
    await room.until(records[0].session, *[RecordState.ACCEPTED] * 3)
    room.anchorer.block(room.chain.decide())
    await room.until(records[0].session, *[RecordState.ANCHORED] * 3)
    assert [record.seq for record in room.done] == [0, 1, 2]


async def test_a_refusal_is_visible_and_holds_back_what_follows(room: Room, tmp_path: Path) -> None:
    room.chain.refuses = "LUCID_ERR_4207"
    first, second = signed(tmp_path, 2)
    await room.anchorer.add(first)
    await room.anchorer.add(second)
    await room.until(first.session, RecordState.REFUSED, RecordState.QUEUED)
    assert "LUCID_ERR_4207" in (await room.ledger.records(first.session))[0].fault
    assert second.tx not in {tx for tx, _ in room.chain.submitted}
    room.chain.refuses = ""
    room.anchorer.block(header(3))
    await room.until(first.session, RecordState.ACCEPTED, RecordState.ACCEPTED)


async def test_a_record_that_was_anchored_is_not_taken_up_again(room: Room, tmp_path: Path) -> None:
    (begin,) = signed(tmp_path, 1)
    await room.anchorer.add(begin)
    await room.until(begin.session, RecordState.ACCEPTED)
    room.anchorer.block(room.chain.decide())
    await room.until(begin.session, RecordState.ANCHORED)
    before = len(room.chain.submitted)
    await room.anchorer.add(begin)
    await room.anchorer.load()
    await settled()
    assert (room.anchorer.pending, len(room.chain.submitted)) == ([], before)


async def test_what_was_seen_is_seen_after_a_restart_and_never_goes_back(room: Room) -> None:
    heard: list[int] = []
    head = Head(room.chain, room.store, ORIGIN, room.clock, 1)
    head.listen(lambda block: heard.append(block.height))
    assert (await head.seen()).height == 1
    room.chain.height = 7
    await head.look()
    room.chain.height = 3
    await head.look()
    assert heard == [1, 7]
    again = Head(room.chain, room.store, ORIGIN, room.clock, 1)
    await again.load()
    room.chain.away = True
    assert (await again.seen()).height == 7


async def test_a_chain_that_never_answered_or_is_another_is_refused(room: Room) -> None:
    room.chain.away = True
    with pytest.raises(ChainNeverSeen):
        await Head(room.chain, room.store, ORIGIN, room.clock, 1).require()
    room.chain.away = False
    with pytest.raises(ChainMismatch):
        await Head(room.chain, room.store, "lucid.local/other", room.clock, 1).look()


async def test_the_clocks_ceiling_is_known_once_a_block_came_while_looking(room: Room) -> None:
    head = Head(room.chain, room.store, ORIGIN, room.clock, 1)
    await head.look()
    assert head.ceiling_ms() is None
    room.chain.height = 2
    await head.look()
    room.clock.advance(500)
    assert head.ceiling_ms() == header(2).time_ms + 500 + 15_000


async def test_the_head_is_followed_while_the_chain_comes_and_goes(room: Room) -> None:
    head = Head(room.chain, room.store, ORIGIN, room.clock, 1)
    runner = asyncio.create_task(head.run())

    async def seen_one() -> bool:
        return head.newest is not None

    async with asyncio.timeout(10):
        await until(seen_one)
        room.chain.away = True
        while head.away_since_ms is None:
            await asyncio.sleep(0.005)
            room.clock.advance(1000)
        room.chain.away = False
        while head.away_since_ms is not None:
            await asyncio.sleep(0.005)
            room.clock.advance(1000)
    runner.cancel()
    await asyncio.gather(runner, return_exceptions=True)
