"""Use cases without processes: requests, keys, state, and what half-done work becomes at start-up."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lucid.sessions.asks import Ask, Asks
from lucid.sessions.errors import (
    ContentDestroyed,
    KeyReused,
    RequestUnderWay,
    SessionMissing,
    WrongState,
)
from lucid.sessions.facts import Facts
from lucid.sessions.inbox import Inbox
from lucid.sessions.machine import Event
from lucid.sessions.models import Access, ChunkState, Record, RecordState, Session, State, Verdict
from lucid.sessions.processes import end, end_all, start_ticks
from lucid.sessions.requests import Requests
from lucid.sessions.store import SessionStore
from lucid.sessions.vault import Vault
from lucid_kit.clock import ManualClock, SystemClock
from lucid_kit.custody import KeyFile
from lucid_kit.documents import open_documents
from lucid_kit.ids import new_id
from lucid_proof.domains import key_commitment

T0 = 1_800_000_000_000


def a_session(**changes: object) -> Session:
    values = {
        "id": new_id("ses"), "state": State.CREATED, "owner": "ann", "name": "", "width": 640, "height": 400,
        "on_failure": "cut", "created_ms": T0, "key_commitment": "00" * 32,
    }  # fmt: skip
    return Session(**{**values, **changes})  # type: ignore[arg-type]


@dataclass
class Room:
    store: SessionStore
    requests: Requests
    vault: Vault
    home: Path


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    url = f"sqlite://{tmp_path}/keys.db"
    documents, keys = await open_documents(f"sqlite://{tmp_path}/d.db"), await open_documents(url)
    custody = KeyFile(tmp_path / "kms.key")
    room = Room(
        SessionStore(documents, ManualClock(T0)),
        Requests(documents, custody),
        Vault(keys, custody, url),
        tmp_path,
    )
    for part in (room.store, room.requests, room.vault):
        await part.ensure()
    yield room
    await documents.close()
    await keys.close()


async def test_a_change_of_state_and_its_event_are_stored_together(room: Room) -> None:
    session = a_session()
    await room.store.insert(session)
    now = await room.store.advance(session.id, Event.ABANDONED, by="ann", reason="no-desktop", closed_ms=T0)
    assert (now.state, now.revision, now.reason, now.closed_ms) == (State.ABANDONED, 1, "no-desktop", T0)
    events = await room.store.history(session.id)
    assert [(event["event"], event["by"]) for event in events] == [("created", "ann"), ("abandoned", "ann")]


async def test_of_two_changes_at_once_one_is_refused(room: Room) -> None:
    session = a_session()
    await room.store.insert(session)
    results = await asyncio.gather(
        *(room.store.advance(session.id, Event.ABANDONED) for _ in range(4)), return_exceptions=True
    )
    assert sum(isinstance(result, Session) for result in results) == 1
    assert sum(isinstance(result, WrongState) for result in results) == 3
    assert len(await room.store.history(session.id)) == 2


async def test_totals_and_state_do_not_overwrite_each_other(room: Room) -> None:
    session = a_session()
    await room.store.insert(session)
    await asyncio.gather(
        room.store.set(session.id, chunks=7), room.store.advance(session.id, Event.PREPARED, port=13389)
    )
    now = await room.store.get(session.id)
    assert (now.chunks, now.state, now.port) == (7, State.READY, 13389)


async def test_what_is_not_there_says_so(room: Room) -> None:
    with pytest.raises(SessionMissing):
        await room.store.get("ses_x")
    with pytest.raises(SessionMissing):
        await room.store.set("ses_x", name="y")


async def test_a_session_survives_its_document(room: Room) -> None:
    session = a_session(figures={"frames": 3}, state=State.PAUSED)
    await room.store.insert(session)
    assert await room.store.get(session.id) == session


async def test_a_request_is_answered_again_with_the_same_answer(room: Room) -> None:
    access = Access("ses_1", "127.0.0.1", 13389, "u", "s3cret-word", "{}")
    assert await room.requests.reserve("ann", "k", "asked", "ses_1") is None
    with pytest.raises(RequestUnderWay):
        await room.requests.reserve("ann", "k", "asked", "ses_2")
    await room.requests.answer("ann", "k", access)
    assert await room.requests.reserve("ann", "k", "asked", "ses_2") == access
    assert await room.requests.reserve("bob", "k", "asked", "ses_3") is None
    with pytest.raises(KeyReused):
        await room.requests.reserve("ann", "k", "asked otherwise", "ses_2")
    assert not any(b"s3cret-word" in path.read_bytes() for path in room.home.iterdir())
    await room.requests.forget("ses_1")
    with pytest.raises(KeyReused, match="which is over"):
        await room.requests.reserve("ann", "k", "asked", "ses_2")


async def test_a_request_that_failed_gives_its_key_back(room: Room) -> None:
    await room.requests.reserve("ann", "k", "asked", "ses_1")
    await room.requests.release("ann", "k")
    assert await room.requests.reserve("ann", "k", "asked", "ses_2") is None
    await room.requests.forget("ses_2")
    assert await room.requests.reserve("ann", "k", "asked", "ses_3") is None


async def test_a_key_opens_until_it_is_destroyed_and_leaves_no_trace(room: Room) -> None:
    fresh = await room.vault.fresh("ses_1")
    other = await room.vault.fresh("ses_2")
    assert key_commitment(fresh.key).hex() == fresh.commitment
    assert await room.vault.open("ses_1") == fresh.key
    assert repr(fresh.key) not in repr(fresh)
    files = {path: path.read_bytes() for path in room.home.glob("keys.db*")}
    assert any(b"ses_1" in data for data in files.values())
    await room.vault.destroy("ses_1")
    await room.vault.destroy("ses_1")
    assert not any(b"ses_1" in path.read_bytes() for path in room.home.glob("keys.db*"))
    with pytest.raises(ContentDestroyed):
        await room.vault.open("ses_1")
    assert (await room.vault.sessions(), await room.vault.open("ses_2")) == (["ses_2"], other.key)


def a_record(event: str, *, chunks: int = 0, state: RecordState = RecordState.ANCHORED) -> Record:
    kind = {"begin": "session.begin", "tick": "session.interim"}.get(event, "session.close")
    return Record("ses_1", 0, kind, event, "tx", chunks, T0, 1, "", state, delay_ms=5)


@pytest.mark.parametrize(
    ("state", "records", "chunks", "verdict"),
    [
        (State.READY, [], 0, Verdict.IN_PROGRESS),
        (State.RECORDING, [a_record("begin")], 3, Verdict.IN_PROGRESS),
        (State.CLOSED, [a_record("closed", chunks=3)], 3, Verdict.COMPLETE),
        (State.CLOSED, [a_record("closed", chunks=3, state=RecordState.ACCEPTED)], 3, Verdict.IN_PROGRESS),
        (State.CLOSED, [a_record("closed", chunks=4)], 3, Verdict.GAP),
        (State.ABANDONED, [a_record("abandoned", chunks=3)], 3, Verdict.ABANDONED),
        (State.UNRECORDED, [a_record("abandoned", chunks=3)], 3, Verdict.ABANDONED),
        (State.ABANDONED, [], 0, Verdict.ABANDONED),
        (State.DELETED, [a_record("closed", chunks=3)], 3, Verdict.COMPLETE),
    ],
)
def test_a_verdict_follows_from_what_is_known(
    state: State, records: list[Record], chunks: int, verdict: Verdict
) -> None:
    held = {ChunkState.STORED: chunks, ChunkState.SPOOLED: 0, ChunkState.DEAD: 0}
    assert Facts(a_session(state=state), held, records).verdict is verdict


async def test_wishes_are_fulfilled_refused_or_answered_at_the_end() -> None:
    asks = Asks()
    pause, stop, late = Ask("pause", "", "ann"), Ask("stop", "", "bob"), Ask("resume", "", "eve")
    for ask in (pause, stop, late):
        asks.add(ask)
    assert asks.who("pause") == "ann"
    assert not asks.allow(late, State.RECORDING)
    with pytest.raises(WrongState):
        await late.answer
    assert asks.allow(stop, State.READY)
    asks.fulfil("pause", a_session())
    assert (await pause.answer).owner == "ann"
    asks.refuse_all(WrongState("over"), but="stop")
    asks.refuse_all(WrongState("over"))
    with pytest.raises(WrongState):
        await stop.answer


async def test_work_is_done_in_order_and_what_waits_is_dropped_at_the_end() -> None:
    inbox, done = Inbox(SystemClock()), list[str]()

    async def do(what: str) -> None:
        done.append(what)

    async def tick() -> None:
        done.append("tick")

    inbox.post(do, "first")
    inbox.later(0.001, tick)
    inbox.start(inbox.every(0.001, tick))
    for _ in range(3):
        await (await inbox.next())()
    assert done == ["first", "tick", "tick"]
    await inbox.close()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await inbox.next()


async def test_a_process_is_ended_by_pid_and_start_never_by_pid_alone() -> None:
    process = await asyncio.create_subprocess_exec("sleep", "60")
    ticks = start_ticks(process.pid)
    assert not await asyncio.to_thread(end, process.pid, ticks + 1)
    assert process.returncode is None
    assert await asyncio.to_thread(end_all, [(process.pid, ticks), (1, 1), (0, 0)]) == 1
    assert await process.wait() == -9
    assert start_ticks(process.pid) == 0
    assert not await asyncio.to_thread(end, process.pid, ticks)
