"""A real X server for each test that asks, somebody who draws on it, and the recorder as its own process."""

from __future__ import annotations

import json
import os
import random
import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import xcffib
import xcffib.xproto

from lucid.recording.replay import SealedChunks
from lucid.recording.spool import JOURNAL, chunk_name, read_journal

SESSION = "ses_01920192019271928192019201920192"
KEY = bytes(range(32))
START = 1_700_000_000_000
PATIENCE = 20.0


class XServer:
    """An Xvfb of its own, 24 bits deep."""

    def __init__(self, width: int, height: int) -> None:
        read, write = os.pipe()
        self.process = subprocess.Popen(
            [
                "Xvfb",
                "-displayfd",
                str(write),
                "-screen",
                "0",
                f"{width}x{height}x24",
                "-nolisten",
                "tcp",
                "-noreset",
            ],
            pass_fds=[write],
            stderr=subprocess.DEVNULL,
        )
        os.close(write)
        with os.fdopen(read) as ready:
            self.number = int(ready.readline())
        self.name = f":{self.number}"
        self.socket = f"/tmp/.X11-unix/X{self.number}"

    def display(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "socket": self.socket,
            "xauthority": "",
            "ipc_pid": self.process.pid,
            "uid": 0,
        }

    def run(self, *argv: str) -> None:
        subprocess.run(argv, check=True, env={**os.environ, "DISPLAY": self.name}, stdout=subprocess.DEVNULL)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()


class Painter:
    """An independent X client (xcffib): draws, and takes screenshots to compare with."""

    def __init__(self, server: XServer) -> None:
        self.connection = xcffib.connect(server.name)
        self.core = self.connection.core
        self.screen = self.connection.get_setup().roots[0]
        self.root = self.screen.root
        self._gc = self.connection.generate_id()
        # Include inferiors, so that drawing on the root shows over windows, too.
        self.core.CreateGC(self._gc, self.root, xcffib.xproto.GC.SubwindowMode, [1])
        self.sync()

    def sync(self) -> None:
        self.core.GetInputFocus().reply()

    def size(self) -> tuple[int, int]:
        geometry = self.core.GetGeometry(self.root).reply()
        return geometry.width, geometry.height

    def fill(self, color: int, x: int, y: int, width: int, height: int) -> None:
        self.core.ChangeGC(self._gc, xcffib.xproto.GC.Foreground, [color])
        rectangle = xcffib.xproto.RECTANGLE.synthetic(x, y, width, height)
        self.core.PolyFillRectangle(self.root, self._gc, 1, [rectangle])

    def scroll(self, x: int, y: int, width: int, height: int, rows: int) -> None:
        self.core.CopyArea(self.root, self.root, self._gc, x, y + rows, x, y, width, height - rows)

    def noise(self, dice: random.Random, x: int, y: int, width: int, height: int) -> None:
        data = dice.randbytes(width * height * 4)
        self.core.PutImage(2, self.root, self._gc, width, height, x, y, 0, 24, len(data), data)

    def scribble(self, dice: random.Random) -> None:
        """Something of any kind, anywhere."""
        screen_width, screen_height = self.size()
        width, height = dice.randint(1, 90), dice.randint(1, 90)
        x, y = dice.randint(-40, screen_width - 1), dice.randint(-40, screen_height - 1)
        kind = dice.randrange(4)
        if kind == 0:
            self.noise(dice, x, y, width, height)
        elif kind == 1:
            self.scroll(max(0, x), max(0, y), 200, 120, dice.randint(1, 60))
        else:
            self.fill(dice.randrange(1 << 24), x, y, width * kind, height)

    def window(self, x: int, y: int, width: int, height: int, color: int) -> int:
        window = self.connection.generate_id()
        values = xcffib.xproto.CW.BackPixel | xcffib.xproto.CW.EventMask
        self.core.CreateWindow(
            24, window, self.root, x, y, width, height, 1, 1, self.screen.root_visual, values, [color, 0]
        )
        self.core.MapWindow(window)
        return int(window)

    def atom(self, name: str) -> int:
        return int(self.core.InternAtom(False, len(name), name).reply().atom)

    def set_windows(self, *windows: int) -> None:
        """What a window manager publishes: its list of windows."""
        cardinal = xcffib.xproto.Atom.WINDOW
        self.core.ChangeProperty(
            0, self.root, self.atom("_NET_CLIENT_LIST"), cardinal, 32, len(windows), list(windows)
        )

    def set_active(self, window: int) -> None:
        window_type = xcffib.xproto.Atom.WINDOW
        self.core.ChangeProperty(0, self.root, self.atom("_NET_ACTIVE_WINDOW"), window_type, 32, 1, [window])

    def set_title(self, window: int, title: str) -> None:
        data = title.encode()
        self.core.ChangeProperty(
            0, window, self.atom("_NET_WM_NAME"), self.atom("UTF8_STRING"), 8, len(data), data
        )

    def screenshot(self) -> bytes:
        """What is on the screen: rows of B, G, R, X with X = 0."""
        width, height = self.size()
        data = bytearray(self.core.GetImage(2, self.root, 0, 0, width, height, 0xFFFFFFFF).reply().data.buf())
        data[3::4] = bytes(width * height)
        return bytes(data)


class Driver:
    """The sessions service's part: starts a recorder, tells it what to do, hears what it says."""

    def __init__(self, spool: Path, **environment: str) -> None:
        self.spool = spool
        self._ours, theirs = socket.socketpair()
        read, write = os.pipe()
        os.write(write, KEY)
        os.close(write)
        # A shell puts the descriptors where the contract wants them, without touching this process's own.
        moved = f'exec "$@" 3<&{theirs.fileno()} 4<&{read}'
        self.process = subprocess.Popen(
            ["bash", "-c", moved, "bash", sys.executable, "-m", "lucid.recorder"],
            pass_fds=[theirs.fileno(), read],
            env={**os.environ, **environment},
            stderr=subprocess.PIPE,
        )
        theirs.close()
        os.close(read)
        self._in = b""
        self.said: list[dict[str, Any]] = []

    def say(self, do: str, **rest: object) -> None:
        self._ours.sendall(json.dumps({"do": do, **rest}).encode() + b"\n")

    def say_raw(self, line: bytes) -> None:
        self._ours.sendall(line)

    def hang_up(self) -> None:
        self._ours.close()

    def configure(self, **changes: object) -> None:
        settings: dict[str, object] = {
            "session": SESSION,
            "spool": str(self.spool),
            "seen": {"height": 3, "hash": "ab" * 32},
            "start_ms": START,
            "spool_limit": 1 << 30,
            "fps": 50,
            **changes,
        }
        self.say("configure", **settings)

    def hear(self, what: str) -> dict[str, Any]:
        """The next line of that kind; everything on the way is kept in `said`."""
        end = time.monotonic() + PATIENCE
        while True:
            line = self._line(end)
            if line is None:
                raise AssertionError(f"the recorder ended without saying {what}; it said {self.said[-3:]}")
            self.said.append(line)
            if line["is"] == what:
                return line

    def hear_all(self) -> list[dict[str, Any]]:
        """Everything until it hangs up."""
        end = time.monotonic() + PATIENCE
        while (line := self._line(end)) is not None:
            self.said.append(line)
        return self.said

    def _line(self, end: float) -> dict[str, Any] | None:
        while b"\n" not in self._in:
            if not select.select([self._ours], [], [], max(0.0, end - time.monotonic()))[0]:
                raise AssertionError(f"the recorder says nothing; last {self.said[-2:]}")
            try:
                data = self._ours.recv(1 << 16)
            except ConnectionResetError:
                data = b""
            if not data:
                return None
            self._in += data
        line, self._in = self._in.split(b"\n", 1)
        heard: dict[str, Any] = json.loads(line)
        return heard

    def attach(self, server: XServer, **changes: object) -> dict[str, Any]:
        self.configure(**changes)
        self.hear("configured")
        self.say("attach", display=server.display())
        return self.hear("attached")

    def cut(self) -> int:
        """Have the chunk sealed now; its index."""
        self.say("cut")
        return int(self.hear("sealed")["record"]["index"])

    def stop(self) -> dict[str, Any]:
        self.say("stop")
        stopped = self.hear("stopped")
        assert self.process.wait(PATIENCE) == 0, self.errors()
        return stopped

    def errors(self) -> str:
        assert self.process.stderr is not None
        return self.process.stderr.read().decode()

    def sealed(self) -> list[dict[str, Any]]:
        return [line for line in self.said if line["is"] == "sealed"]

    def source(self, stop: int | None = None) -> SealedChunks:
        records = read_journal(self.spool / JOURNAL, SESSION).records[:stop]
        return SealedChunks(records, KEY, lambda index: (self.spool / chunk_name(index)).read_bytes())

    def close(self) -> None:
        self._ours.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        if self.process.stderr is not None:
            self.process.stderr.close()


@pytest.fixture
def x_server() -> Iterator[XServer]:
    server = XServer(640, 400)
    yield server
    server.close()


@pytest.fixture
def painter(x_server: XServer) -> Iterator[Painter]:
    painter = Painter(x_server)
    yield painter
    painter.connection.disconnect()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Driver]]:
    """Start a recorder: `start()`, or with variables for its environment."""
    with ExitStack() as stack:
        count = 0

        def begin(**environment: str) -> Driver:
            nonlocal count
            count += 1
            driver = Driver(tmp_path / f"spool-{count}", **environment)
            stack.callback(driver.close)
            return driver

        yield begin
