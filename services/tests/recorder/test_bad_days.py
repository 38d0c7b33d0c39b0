"""Whatever ends a recorder: what was acknowledged holds, and the session learns of it."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import lucid.recorder
import lucid.recording
from lucid.recorder.camera import Camera
from lucid.recorder.errors import DisplayStalled
from lucid.recorder.x11 import dial
from lucid.recording.replay import SealedChunks, frames
from lucid.recording.spool import JOURNAL, chunk_name, read_journal, recover
from lucid_kit import fault

from .conftest import KEY, SESSION, Driver, Painter, XServer

pytestmark = pytest.mark.real
Start = Callable[..., Driver]

POINTS = ["file-written", "file-renamed", "chunk-durable", "file-appended", "chunk-journalled"]


def test_every_fault_point_of_the_recorder_is_walked() -> None:
    sources = [Path(room.__path__[0]) for room in (lucid.recorder, lucid.recording)]
    assert set(fault.names(*sources)) <= set(POINTS)


@pytest.mark.parametrize("passage", [1, 3])
@pytest.mark.parametrize("point", POINTS)
def test_killed_at_any_step_everything_acknowledged_holds(
    x_server: XServer, painter: Painter, start: Start, point: str, passage: int
) -> None:
    recorder = start(LUCID_FAULT=f"{point}:{passage}")
    recorder.attach(x_server)
    dice = random.Random(1)
    for _ in range(passage):
        painter.scribble(dice)
        painter.sync()
        recorder.say("cut")
    said = recorder.hear_all()
    assert recorder.process.wait(20) == -signal.SIGKILL
    acknowledged = [line["record"] for line in said if line["is"] == "sealed"]
    journal = recover(recorder.spool, SESSION)
    assert [record.to_json() for record in journal.records[: len(acknowledged)]] == acknowledged
    assert len(journal.records) in (passage - 1, passage)
    source = SealedChunks(journal.records, KEY, lambda i: (recorder.spool / chunk_name(i)).read_bytes())
    assert bool(list(frames(source))) == bool(journal.records)
    kept = {path.name for path in (recorder.spool / "chunks").iterdir()}
    assert kept == {f"{index:08d}.bin" for index in range(len(journal.records))}


def failed(recorder: Driver, reason: str) -> None:
    line = recorder.hear("failed")
    assert line["reason"] == reason
    assert line["code"].startswith("LUCID_ERR_56")
    assert recorder.process.wait(20) == 1
    assert "Traceback" not in recorder.errors()


def test_a_dead_x_server_ends_the_recording_at_once_and_keeps_it(
    x_server: XServer, painter: Painter, start: Start
) -> None:
    recorder = start()
    recorder.attach(x_server)
    painter.fill(7, 0, 0, 50, 50)
    painter.sync()
    x_server.process.kill()
    failed(recorder, "display-lost")
    assert len(recorder.sealed()) == 1
    assert list(frames(recorder.source()))


def test_who_kills_the_recorders_client_ends_the_recording(
    x_server: XServer, painter: Painter, start: Start
) -> None:
    recorder = start()
    recorder.attach(x_server)
    mask = painter.connection.get_setup().resource_id_mask
    own = painter.connection.get_setup().resource_id_base
    for client in range(1, 8):
        base = client * (mask + 1)
        if base != own:
            painter.core.KillClient(base + 1)
    painter.sync()
    failed(recorder, "display-lost")
    assert len(recorder.sealed()) == 1


def test_a_display_that_someone_holds_grabbed_is_noticed(x_server: XServer, painter: Painter) -> None:
    connection = dial(x_server.socket, b"", patience=0.2)
    camera = Camera(connection)
    painter.core.GrabServer()
    painter.fill(3, 0, 0, 10, 10)
    painter.sync()
    with pytest.raises(DisplayStalled):
        camera.shoot(whole=False)
    connection.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 600 KiB."""
    if os.getuid() != 0:
        pytest.skip("mounting needs root")
    place = tmp_path / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(place)], check=True)
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_fails_closed_with_a_whole_journal(
    x_server: XServer, painter: Painter, small_disk: Path
) -> None:
    recorder = Driver(small_disk / "spool")
    try:
        recorder.attach(x_server)
        dice = random.Random(2)
        for _ in range(2):
            painter.noise(dice, 0, 0, 300, 200)
            painter.sync()
            recorder.say("cut")
        recorder.say("cut")
        for y in (0, 200):
            painter.noise(dice, 0, y, 600, 200)
        painter.sync()
        recorder.say("cut")
        failed(recorder, "spool-full")
        journal = read_journal(recorder.spool / JOURNAL, SESSION)
        assert not journal.torn
        assert [record.to_json() for record in journal.records] == [
            line["record"] for line in recorder.sealed()
        ]
        assert recover(recorder.spool, SESSION) == journal
        assert list(frames(recorder.source()))
    finally:
        recorder.close()


def test_the_spools_limit_fails_closed(x_server: XServer, painter: Painter, start: Start) -> None:
    recorder = start()
    recorder.attach(x_server, spool_limit=50_000)
    painter.noise(random.Random(2), 0, 0, 300, 200)
    painter.sync()
    recorder.say("cut")
    failed(recorder, "spool-full")


def test_a_recorder_that_died_is_never_resumed(x_server: XServer, start: Start) -> None:
    recorder = start()
    recorder.attach(x_server)
    recorder.stop()
    second = Driver(recorder.spool)
    try:
        second.configure()
        failed(second, "spool-in-use")
    finally:
        second.close()
    assert len(read_journal(recorder.spool / JOURNAL, SESSION).records) == 1


@pytest.mark.parametrize("how", ["hang up", "terminate"])
def test_without_its_service_the_recorder_keeps_what_it_has_and_ends(
    x_server: XServer, painter: Painter, start: Start, how: str
) -> None:
    recorder = start()
    recorder.attach(x_server)
    painter.fill(0x2A, 0, 0, 640, 400)
    painter.sync()
    if how == "hang up":
        recorder.hang_up()
    else:
        recorder.process.terminate()
        recorder.hear("stopped")
    assert recorder.process.wait(20) == 3
    assert recorder.errors() == ""
    assert list(frames(recorder.source()))[-1].pixels[:3] == b"\x2a\x00\x00"


@pytest.mark.parametrize(
    "line",
    [
        b"not json\n",
        b"[]\n",
        b'{"do":"dance"}\n',
        b'{"do":"cut"}\n',
        b'{"do":"attach"}\n',
        b'{"do":"configure"}\n',
        b'{"do":"configure","session":"x"}\n',
        b'{"do":"seen"}\n',
        b'{"do":"seen","height":9,"hash":"' + b"ab" * 32 + b'","time":"soon"}\n',
        b"\xff\xfe\n",
        b"x" * 200_000,
    ],
)
def test_what_is_no_command_ends_the_recorder_in_words(start: Start, line: bytes) -> None:
    recorder = start()
    recorder.say_raw(line)
    failed(recorder, "bad-command")


@pytest.mark.parametrize(
    "change",
    [
        {"spool": "relative"},
        {"seen": {"height": 1}},
        {"chunk_bytes": 9 << 20},
        {"chunk_bytes": 1000},
        {"chunk_ms": 0},
        {"fps": True},
        {"start_ms": "now"},
        {"keyframe_ms": None},
    ],
)
def test_a_configuration_out_of_bounds_is_refused(start: Start, change: dict[str, object]) -> None:
    recorder = start()
    recorder.configure(**change)
    failed(recorder, "bad-command")


@pytest.mark.parametrize(
    "command",
    [
        {"do": "attach", "display": {}},
        {"do": "configure"},
        {"do": "event", "event": {"event": "key", "text": "s"}},
        {"do": "pause"},
    ],
)
def test_a_command_at_the_wrong_time_or_of_the_wrong_form_is_refused(
    start: Start, command: dict[str, object]
) -> None:
    recorder = start()
    recorder.configure()
    recorder.hear("configured")
    recorder.say(**command)
    failed(recorder, "bad-command")


@pytest.mark.parametrize(
    "display",
    [
        {"socket": "/nowhere/X1", "name": ":1"},
        {"xauthority": "/nowhere/cookies"},
        {"uid": 4242424},
    ],
)
def test_a_display_that_is_not_the_one_meant_is_refused(
    x_server: XServer, start: Start, display: dict[str, object]
) -> None:
    recorder = start()
    recorder.configure()
    recorder.hear("configured")
    x_server.process.poll()
    recorder.say("attach", display={**x_server.display(), **display})
    if display.get("uid"):  # Xvfb runs as root, and root may always
        recorder.hear("attached")
    else:
        failed(recorder, "display-refused")


def test_stop_before_anything_is_a_clean_end(start: Start) -> None:
    recorder = start()
    recorder.say("stop")
    assert recorder.hear("stopped")["chunks"] == 0
    assert recorder.process.wait(20) == 0


def test_plaintext_never_touches_the_disk_or_a_log(x_server: XServer, painter: Painter, start: Start) -> None:
    recorder = start()
    recorder.attach(x_server)
    window = painter.window(0, 0, 300, 100, 0x5AA55A)
    painter.set_title(window, "Quarterly figures 8839201")
    painter.set_windows(window)
    painter.sync()
    recorder.cut()
    recorder.stop()
    plaintext = b"".join(recorder.source().plaintext(index) for index in range(2))
    pixels = bytes([0x5A, 0xA5, 0x5A]) + plaintext[plaintext.index(b"\x5a\xa5\x5a") + 3 :][:61]
    assert b"8839201" in plaintext
    written = b"".join(path.read_bytes() for path in recorder.spool.rglob("*") if path.is_file())
    said = repr(recorder.said).encode() + recorder.errors().encode()
    for secret in (b"8839201", b"Quarterly", pixels, KEY, KEY.hex().encode()):
        assert secret not in written
        assert secret not in said


def test_the_key_is_in_neither_arguments_nor_environment_and_there_is_no_core_dump(
    x_server: XServer, start: Start
) -> None:
    recorder = start()
    recorder.attach(x_server)
    proc = Path(f"/proc/{recorder.process.pid}")
    public = (proc / "cmdline").read_bytes() + (proc / "environ").read_bytes()
    assert KEY not in public
    assert KEY.hex().encode() not in public
    limits = (proc / "limits").read_text()
    core = next(line for line in limits.splitlines() if line.startswith("Max core file size"))
    assert core.split()[4:6] == ["0", "0"]
    recorder.stop()


@pytest.mark.parametrize(
    ("redirect", "words"),
    [("3<&- 4<&-", "the sessions service starts it"), ("3<&0 4</dev/null", "0 bytes instead of 32")],
    ids=["started by hand", "without a key"],
)
def test_started_by_hand_it_says_who_starts_it(redirect: str, words: str) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ended = subprocess.run(
            ["bash", "-c", f'exec "$@" {redirect}', "bash", sys.executable, "-m", "lucid.recorder"],
            stdin=theirs,
            capture_output=True,
            text=True,
            check=False,
        )
    assert ended.returncode == 64
    assert words in ended.stderr
    assert "Traceback" not in ended.stderr
