"""The process: ready line, clean end, refusals, recorders let in and out, blocks by the clock."""

import socket
import stat
from pathlib import Path

import pytest

from lucid_blocks.home import initialise
from lucid_blocks.ledger import ANCHOR
from lucid_blocks.models import Params
from lucid_kit.clock import SystemClock
from lucid_kit.files import write_atomic

from .builders import STRANGER, public
from .process import command, running, until

pytestmark = pytest.mark.real

BLOCK_MS = 400


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    initialise(tmp_path / "chain", "test", [], SystemClock(), Params(block_ms=BLOCK_MS))
    return tmp_path / "chain"


def test_it_serves_decides_blocks_on_slots_and_ends_cleanly(directory: Path) -> None:
    with running(directory) as process, process.client() as client:
        assert process.ready["ready"] is True
        assert process.ready["url"].startswith("http://127.0.0.1:")
        until(lambda: client.get("/chain/height").json()["height"] >= 4)
        blocks = client.get("/blocks").json()["blocks"]
        assert client.get("/ready").status_code == 200
        assert "lucid_chain_block_seconds_count" in client.get("/metrics").text
        assert process.stop() == 0
    times = [each["header"]["time"] for each in blocks[::-1]]
    assert times == sorted(set(times))
    assert [each["header"]["height"] for each in blocks[:3]] == list(
        range(len(blocks) - 1, len(blocks) - 4, -1)
    )


def test_a_second_process_on_one_directory_refuses_and_names_the_first(directory: Path) -> None:
    with running(directory) as process:
        second = command("run", "--data", directory)
        assert second.returncode == 1
        assert str(process.process.pid) in second.stderr
        assert "LUCID_ERR_4001" in second.stderr
        assert process.stop() == 0


def test_a_port_that_is_taken_is_named(directory: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ended = command("run", "--data", directory, "--port", port)
    assert ended.returncode == 1
    assert str(port) in ended.stderr
    assert "LUCID_ERR_5002" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_recorders_are_let_in_and_out(directory: Path) -> None:
    recorder = public(STRANGER)
    with running(directory) as process, process.client() as client:
        at = ("--data", directory, "--url", process.ready["url"], "--recorder", recorder)
        assert command("admit", *at, "--name", "desk 1").returncode == 0
        until(lambda: client.get("/chain/info").json()["recorders"] == [{"key": recorder, "name": "desk 1"}])
        twice = command("admit", *at)
        assert twice.returncode == 1
        assert "LUCID_ERR_4219" in twice.stderr
        assert command("revoke", *at, "--json").returncode == 0
        until(lambda: client.get("/chain/info").json()["recorders"] == [])
        assert "LUCID_ERR_1201" in command("admit", *at[:-1], "00").stderr
        assert process.stop() == 0
    assert "LUCID_ERR_5003" in command("admit", *at).stderr


def test_a_chain_that_must_stop_ends_its_process_and_says_why(directory: Path) -> None:
    with running(directory) as process:
        write_atomic(directory / ANCHOR / "checkpoint", b"moved by someone else")
        assert process.wait() == 1
        assert "LUCID_ERR_5204" in process.log.read_text()
    again = command("run", "--data", directory)
    assert again.returncode == 1
    assert "LUCID_ERR_5206" in again.stderr


def test_nothing_that_it_writes_holds_a_private_key(directory: Path) -> None:
    with running(directory) as process:
        argv = Path(f"/proc/{process.process.pid}/cmdline").read_text()
        assert process.stop() == 0
    for key in (directory / "keys").iterdir():
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
        secret = key.read_text().splitlines()[1]
        assert secret not in process.log.read_text() + argv
