"""kill -9 at every fault point of the chain, and what the next start makes of it."""

import sqlite3
from pathlib import Path
from signal import SIGKILL
from typing import Any

import httpx
import pytest

import lucid_blocks
from lucid_blocks.home import initialise
from lucid_blocks.ledger import ANCHOR, DATABASE, TLOG
from lucid_blocks.models import Entry, Params
from lucid_blocks.verify import verify
from lucid_kit import fault
from lucid_kit.clock import SystemClock
from lucid_proof.checkpoint import Checkpoint
from lucid_proof.note import Note
from lucid_proof.records import build_transaction

from .builders import RECORDER, START_MS, public, session_id
from .process import command, running, until

pytestmark = pytest.mark.real

BLOCK_MS = 250
# Each point with the passage at which the process is killed: a block or two after the start.
RUNNING = {
    "chain-transaction-stored": 1,
    "chain-block-sealed": 3,
    "chain-block-committed": 3,
    "chain-checkpoint-anchored": 3,
    "chain-tiles-written": 3,
    "chain-checkpoint-published": 3,
}
INIT = {"chain-init-prepared"}
REFUSALS = {"chain-transaction-store", "chain-block-store", "chain-anchor-store", "chain-tiles-store"}


def test_every_fault_point_of_the_chain_is_walked() -> None:
    here = Path(lucid_blocks.__file__).parent
    assert set(fault.names(here)) == RUNNING.keys() | INIT | REFUSALS


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    made = tmp_path / "chain"
    initialise(made, "t", [public(RECORDER)], SystemClock(), Params(block_ms=BLOCK_MS))
    return made


def a_begin(info: dict[str, Any], number: int) -> Entry:
    body = {
        "anchor_within_ms": 60_000,
        "format": "lucid-recording/1",
        "key_commitment": "11" * 32,
        "on_failure": "cut",
        "seen": {"hash": info["hash"], "height": info["height"]},
        "seq": 0,
        "session": session_id(number),
        "time": START_MS,
    }
    return Entry.of(build_transaction("session.begin", body, info["chain"], RECORDER))


def post(client: httpx.Client, entry: Entry) -> dict[str, Any]:
    answer = client.post("/transactions", content=entry.data, headers={"Content-Type": "application/json"})
    assert answer.status_code == 202, answer.text
    found: dict[str, Any] = answer.json()
    return found


def signed(directory: Path) -> set[bytes]:
    """Every checkpoint that anyone may have seen."""
    places = [directory / ANCHOR / "checkpoint", directory / TLOG / "checkpoint"]
    return {path.read_bytes() for path in places}


def size_of(checkpoint: bytes) -> int:
    return Checkpoint.parse(Note.parse(checkpoint).text).size


def stored(directory: Path) -> dict[int, bytes]:
    with sqlite3.connect(directory / DATABASE) as db:
        checkpoints = [row[0] for row in db.execute("SELECT checkpoint FROM blocks ORDER BY height")]
    db.close()
    return {size_of(each): each for each in checkpoints}


@pytest.mark.parametrize("point", RUNNING)
def test_killed_at(point: str, directory: Path) -> None:
    entries: list[Entry] = []
    answered: list[Entry] = []
    with running(directory, LUCID_FAULT=f"{point}:{RUNNING[point]}") as process:
        with process.client() as client:
            info = client.get("/chain/info").json()
            try:
                for number in range(1_000):
                    entries.append(a_begin(info, number))
                    post(client, entries[-1])
                    answered.append(entries[-1])
            except httpx.HTTPError:
                pass  # that was the kill
        assert process.wait() == -SIGKILL
    seen = signed(directory)
    with running(directory) as process, process.client() as client:
        again = {entry.id: post(client, entry) for entry in entries}
        height = client.get("/chain/height").json()["height"]
        until(lambda: client.get("/chain/height").json()["height"] >= height + 2)
        final = {entry.id: client.get(f"/transactions/{entry.id}").json() for entry in entries}
        assert process.stop() == 0
    assert {each["state"] for each in final.values()} == {"anchored"}
    assert len({each["index"] for each in final.values()}) == len(entries), "each has its own place"
    kept = stored(directory)
    for checkpoint in seen | signed(directory):
        assert kept[size_of(checkpoint)] == checkpoint, "one size was signed once"
    assert {entry.id for entry in answered} <= again.keys()
    assert verify(directory).difference is None


def test_killed_while_it_is_made_a_chain_is_made_by_the_next_init(tmp_path: Path) -> None:
    args = ("init", "--data", tmp_path / "chain", "--name", "t")
    assert command(*args, LUCID_FAULT="chain-init-prepared").returncode == -SIGKILL
    assert not (tmp_path / "chain").exists()
    assert command(*args).returncode == 0
    assert verify(tmp_path / "chain").difference is None
    assert [path.name for path in tmp_path.iterdir()] == ["chain"]


@pytest.mark.parametrize("passage", [2, 4, 5])
def test_killed_between_any_two_files(passage: int, directory: Path) -> None:
    with running(directory, LUCID_FAULT=f"file-written:{passage}") as process:
        assert process.wait() == -SIGKILL
    seen = signed(directory)
    with running(directory) as process, process.client() as client:
        height = process.ready["height"]
        until(lambda: client.get("/chain/height").json()["height"] > height)
        assert process.stop() == 0
    kept = stored(directory)
    assert all(kept[size_of(each)] == each for each in seen)
    assert verify(directory).difference is None
    assert list(directory.rglob(".*.tmp")) == []
