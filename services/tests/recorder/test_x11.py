"""What the display's side may do wrong, played by a socket that is no X server."""

from __future__ import annotations

import socket
import struct
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from lucid.recorder.errors import DisplayLost, DisplayRefused, DisplayStalled
from lucid.recorder.x11 import SYNC, Connection, XError, cookie_of, dial

from .conftest import XServer


def setup_reply(depth: int = 24, red: int = 0xFF0000, bits: int = 32) -> bytes:
    body = struct.pack("<IIIIHHBBBBBBBB4x", 1, 0x400000, 0x1FFFFF, 0, 2, 65535, 1, 1, 0, 0, 32, 32, 8, 255)
    body += b"xy\x00\x00" + struct.pack("<BBB5x", depth, bits, 32)
    body += struct.pack("<IIIIIHHHHHHIBBBB", 0x5E, 1, 0, 0, 0, 640, 400, 1, 1, 1, 1, 0x21, 0, 0, depth, 1)
    body += struct.pack("<BxH4x", depth, 1) + struct.pack("<IBBHIII4x", 0x21, 4, 8, 256, red, 0xFF00, 0xFF)
    return struct.pack("<BxHHH", 1, 11, 0, len(body) // 4) + body


def connection(greeting: bytes, *then: bytes, patience: float = 0.2) -> tuple[Connection, socket.socket]:
    ours, theirs = socket.socketpair()
    theirs.sendall(greeting)
    try:
        made = Connection(ours, b"", patience)
    except BaseException:
        ours.close()
        theirs.close()
        raise
    for data in then:
        theirs.sendall(data)
    return made, theirs


@pytest.mark.parametrize(
    "greeting",
    [
        struct.pack("<BBHHH", 0, 4, 11, 0, 1) + b"no..",
        setup_reply(depth=16),
        setup_reply(red=0xFF),
        setup_reply(bits=24),
    ],
    ids=["refused", "16 bits", "R and B swapped", "24 bits a pixel"],
)
def test_a_display_that_cannot_be_recorded_is_refused(greeting: bytes) -> None:
    with pytest.raises(DisplayRefused):
        connection(greeting)


def test_silence_is_noticed_in_the_greeting_and_later() -> None:
    with pytest.raises(DisplayStalled):
        connection(b"")
    made, theirs = connection(setup_reply())
    with pytest.raises(DisplayStalled):
        made.call(SYNC)
    made.close()
    theirs.close()


def test_a_closed_connection_is_noticed() -> None:
    made, theirs = connection(setup_reply())
    theirs.close()
    with pytest.raises(DisplayLost):
        made.call(SYNC)
    with pytest.raises(DisplayLost):
        list(made.events())
    made.close()


def test_replies_errors_and_events_are_told_apart() -> None:
    def message(kind: int, number: int, rest: bytes = b"") -> bytes:
        return (struct.pack("<BBHI", kind, 3, number, 0) + rest).ljust(32, b"\x00")

    long = struct.pack("<BBHI", 1, 0, 2, 1).ljust(32, b"\x00") + b"more"
    made, theirs = connection(
        setup_reply(), message(28 | 0x80, 0), message(0, 1), message(35, 1), long, message(0, 3)
    )
    first = made.send(SYNC, answer=True)
    second = made.send(SYNC, answer=True)
    third = made.send(SYNC)
    assert third == 3
    assert made.reply(second)[32:] == b"more"
    with pytest.raises(XError) as error:
        made.reply(first)
    assert error.value.code == 3
    assert made.waiting
    assert [event[0] for event in made.events()] == [28, 35]
    made.close()
    theirs.close()


def test_request_numbers_go_on_beyond_16_bits() -> None:
    made, theirs = connection(setup_reply(), patience=5)
    made._sent = made._heard = 65_530

    def serve() -> None:
        theirs.recv(12)  # the greeting
        number = 65_530
        for _ in range(20):
            data = b""
            while len(data) < 4:
                data += theirs.recv(4 - len(data))
            number += 1
            theirs.sendall(struct.pack("<BBHI", 1, 0, number & 0xFFFF, 0).ljust(32, b"\x00"))

    server = threading.Thread(target=serve)
    server.start()
    for _ in range(20):
        made.call(SYNC)
    server.join()
    made.close()
    theirs.close()


@pytest.mark.real
def test_the_cookie_of_the_display_opens_it_and_no_other(tmp_path: Path) -> None:
    file = tmp_path / "cookies"
    for name, cookie in ((":98", "aa" * 16), (":97", "bb" * 16)):
        subprocess.run(["xauth", "-q", "-f", str(file), "add", name, ".", cookie], check=True)
    assert cookie_of(str(file), ":97") == b"\xbb" * 16
    assert cookie_of(str(file), ":98.0") == b"\xaa" * 16
    assert cookie_of("cc" * 16, ":1") == b"\xcc" * 16
    assert cookie_of("", ":1") == b""
    with pytest.raises(DisplayRefused, match="no cookie"):
        cookie_of(str(file), ":96")
    with pytest.raises(DisplayRefused, match="cannot be read"):
        cookie_of(str(tmp_path / "none"), ":96")


@pytest.mark.real
def test_a_socket_of_another_user_is_not_the_display(
    x_server: XServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    real: Callable[..., bytes] = socket.socket.getsockopt
    monkeypatch.setattr(socket.socket, "getsockopt", lambda *_: struct.pack("3i", 1, 1234, 1))
    with pytest.raises(DisplayRefused, match="user 1234"):
        dial(x_server.socket, b"", 1000)
    monkeypatch.setattr(socket.socket, "getsockopt", real)
    dial(x_server.socket, b"", 0).close()


def test_a_display_without_an_extension_is_refused() -> None:
    made, theirs = connection(setup_reply(), struct.pack("<BBHI", 1, 0, 1, 0).ljust(32, b"\x00"))
    with pytest.raises(DisplayRefused, match="DAMAGE"):
        made.extension("DAMAGE")
    made.close()
    theirs.close()
