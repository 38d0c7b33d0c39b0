"""Who may come in: xrdp asks here, as it would its session manager, and gets a display or a no.

It takes the place of xrdp-sesman, which would need root and PAM inside every session, start the X server
only at login and tell its news in a log file. The protocol is SCP version 0 of xrdp 0.9: a header of
version and size (both 32 bits, big endian), a code, then counted strings (16 bits); the answer is three
16-bit numbers: code, verdict, display.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from lucid.rdp import processes

_CREATE_XORG = 20
_MAX_MESSAGE = 8192
_HIGHEST_PORT = 64999  # xrdp ignores higher ones and falls back to 3350
_ANSWER = 3
_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Login:
    """What a client gave: name, password, the size it asked for, and where it says it comes from."""

    username: str
    password: str
    width: int
    height: int
    client: str

    def __repr__(self) -> str:
        """Without the password."""
        return f"Login({self.username!r} from {self.client!r}, {self.width}x{self.height})"


class NotALogin(Exception):
    """The bytes are not a request to create an Xorg session."""


def read_login(body: bytes) -> Login:
    """The login in a message, whose header has been taken off.

    Raises
    ------
    NotALogin
        If it asks for something else, is cut short, or is followed by anything.
    """
    rest = memoryview(body)

    def number() -> int:
        nonlocal rest
        if len(rest) < 2:
            raise NotALogin("cut short")
        value = int.from_bytes(rest[:2], "big")
        rest = rest[2:]
        return value

    def text() -> str:
        nonlocal rest
        size = number()
        if size > len(rest):
            raise NotALogin("cut short")
        value = bytes(rest[:size]).decode("utf-8", "surrogateescape")
        rest = rest[size:]
        return value

    code = number()
    if code != _CREATE_XORG:
        raise NotALogin(f"request {code}")
    username, password, width, height = text(), text(), number(), number()
    number()  # bits per pixel
    text(), text(), text()  # domain, shell, directory: a session has none of the client's choosing
    login = Login(username, password, width, height, text())
    if rest:
        raise NotALogin(f"{len(rest)} bytes too many")
    return login


def answer(display: int | None) -> bytes:
    """The reply: this display, or None for no."""
    verdict, number = (1, display) if display is not None else (0, 0)
    return struct.pack(">IIHHH16x", 0, 30, _ANSWER, verdict, number)


@dataclass(frozen=True, slots=True)
class Seat:
    """A yes: the display's number, and what to do once xrdp has taken the client there (or has given up)."""

    display: int
    arrived: Callable[[], Awaitable[None]]


# Decides on a login; the number is the inode of xrdp's socket, by which its process can be found. May take
# its time.
Judge = Callable[[Login, int], Awaitable[Seat | None]]


class Doorman:
    """Listens on a loopback port of its own for one xrdp.

    Parameters
    ----------
    uid
        Who that xrdp runs as: connections of others are closed unheard, whatever they know.
    judge
        Decides on a login.
    """

    def __init__(self, uid: int, judge: Judge) -> None:
        self._uid = uid
        self._judge = judge
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> int:
        """Begin to listen; gives the port."""
        refused: list[asyncio.Server] = []
        try:
            while True:
                server = await asyncio.start_server(self._meet, "127.0.0.1", 0, limit=_MAX_MESSAGE)
                port: int = server.sockets[0].getsockname()[1]
                if port <= _HIGHEST_PORT:
                    self._server = server
                    return port
                refused.append(server)
        finally:
            for server in refused:
                server.close()

    async def close(self) -> None:
        """Stop listening and forget who is waiting."""
        if self._server is not None:
            self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._serve(reader, writer)
        except (OSError, EOFError, TimeoutError, NotALogin, asyncio.CancelledError):
            pass  # whoever it was gets nothing; xrdp shows its client that the login failed
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        here, there = writer.get_extra_info("sockname")[1], writer.get_extra_info("peername")[1]
        peer = processes.tcp_owner(there, here)
        if peer is None or peer.uid != self._uid:
            return
        async with asyncio.timeout(_SECONDS):
            version, size = struct.unpack(">II", await reader.readexactly(8))
            if version != 0 or not 8 < size <= _MAX_MESSAGE:
                raise NotALogin(f"version {version}, {size} bytes")
            login = read_login(await reader.readexactly(size - 8))
        seat = await self._judge(login, peer.inode)
        writer.write(answer(seat.display if seat else None))
        await writer.drain()
        if seat is not None:
            await reader.read(1)  # xrdp closes this connection once the client has its display
            await seat.arrived()
