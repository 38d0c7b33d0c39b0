"""The X11 protocol, as much of it as a recorder needs (X.Org, "X Window System Protocol", version 11).

Written out rather than imported for three reasons: every wait has a deadline, so a display that hangs or is
grabbed is noticed; file descriptors can be passed along with requests (MIT-SHM 1.2); and the process stays
half as large (docs/adr/0070).
"""

from __future__ import annotations

import array
import select
import socket
import struct
import time
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from lucid.recorder.errors import DisplayLost, DisplayRefused, DisplayStalled

_ERROR, _REPLY, _GENERIC = 0, 1, 35
_READ = 1 << 18
SYNC: Final = 43  # GetInputFocus: the customary request to wait for


class XError(Exception):
    """The server refused a request; `code` as in the protocol (3 Window, 8 Match, 10 Access, …)."""

    def __init__(self, code: int, major: int, minor: int) -> None:
        super().__init__(f"X error {code} to request {major}.{minor}")
        self.code = code


class Connection:
    """A connection to an X server.

    Parameters
    ----------
    sock
        Connected Unix socket; it is owned from now on.
    cookie
        MIT-MAGIC-COOKIE-1, or nothing.
    patience
        Seconds that any answer may take.

    Raises
    ------
    DisplayRefused
        If the server does not let us in.
    DisplayLost, DisplayStalled
        From here and from every method that reads or writes.
    """

    def __init__(self, sock: socket.socket, cookie: bytes, patience: float = 10.0) -> None:
        self._sock = sock
        self._sock.setblocking(False)
        self._patience = patience
        self._out = bytearray()
        self._in = bytearray()
        self._sent = 0
        self._heard = 0
        self._awaited: set[int] = set()
        self._answers: dict[int, bytes | XError] = {}
        self._events: deque[bytes] = deque()
        self._ids = 0
        self._set_up(cookie)

    def _set_up(self, cookie: bytes) -> None:
        name = b"MIT-MAGIC-COOKIE-1" if cookie else b""
        hello = (
            struct.pack("<BxHHHH2x", 0x6C, 11, 0, len(name), len(cookie)) + _padded(name) + _padded(cookie)
        )
        self._out += hello
        self.flush()
        head = self._take(8)
        body = self._take(struct.unpack_from("<H", head, 6)[0] * 4)
        if head[0] != 1:
            raise DisplayRefused("the display refuses the recorder's cookie")
        self._id_base: int
        self._id_mask: int
        self._id_base, self._id_mask = struct.unpack_from("<II", body, 4)
        (vendor,) = struct.unpack_from("<H", body, 16)
        formats, byte_order = body[21], body[22]
        at = 32 + _round(vendor)
        bits = {body[i]: body[i + 1] for i in range(at, at + 8 * formats, 8)}
        at += 8 * formats
        (self.root,) = struct.unpack_from("<I", body, at)
        self.width, self.height = struct.unpack_from("<HH", body, at + 20)
        (visual,) = struct.unpack_from("<I", body, at + 32)
        depth, depths = body[at + 38], body[at + 39]
        red = _red_mask(body, at + 40, depths, visual)
        if byte_order != 0 or depth != 24 or bits.get(24) != 32 or red != 0xFF0000:
            raise DisplayRefused(f"the display's pixels are not B, G, R, X (depth {depth})")

    def fileno(self) -> int:
        return self._sock.fileno()

    @property
    def waiting(self) -> bool:
        """Whether events have been read that `events` has not given yet."""
        return bool(self._events)

    def close(self) -> None:
        self._sock.close()

    def new_id(self) -> int:
        """A resource id that was not used yet."""
        self._ids += 1
        return self._id_base | (self._ids & self._id_mask)

    def send(self, major: int, minor: int = 0, body: bytes = b"", *, answer: bool = False) -> int:
        """Queue a request; its number. With `answer`, `reply` must be called with that number."""
        self._out += struct.pack("<BBH", major, minor, 1 + len(body) // 4)
        self._out += body
        self._sent += 1
        if answer:
            self._awaited.add(self._sent)
        return self._sent

    def call(self, major: int, minor: int = 0, body: bytes = b"") -> bytes:
        """Send a request and wait for its reply.

        Raises
        ------
        XError
            If the server refuses it.
        """
        return self.reply(self.send(major, minor, body, answer=True))

    def reply(self, number: int) -> bytes:
        """The reply to a request sent with `answer`. Raises `XError` if it was refused."""
        self.flush()
        while number not in self._answers:
            self._read(self._patience)
        answer = self._answers.pop(number)
        if isinstance(answer, XError):
            raise answer
        return answer

    def check(self, number: int) -> None:
        """Wait until a request without reply was done. Raises `XError` if it was refused."""
        self._awaited.add(number)
        self.call(SYNC)
        self._awaited.discard(number)
        answer = self._answers.pop(number, None)
        if isinstance(answer, XError):
            raise answer

    def flush(self, fds: Sequence[int] = ()) -> None:
        """Write what is queued; `fds` travel with it."""
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        while self._out:
            try:
                sent = self._sock.sendmsg([self._out], ancillary)
            except BlockingIOError:
                self._wait(select.POLLOUT | select.POLLIN, self._patience)
                # A server that cannot write to us does not read from us either.
                self._receive()
                continue
            except OSError as error:
                raise DisplayLost(f"the display closed the connection: {error.strerror}") from error
            ancillary = []
            del self._out[:sent]

    def events(self) -> Iterator[bytes]:
        """Events that have arrived, without waiting. Byte 0 is the type, without the bit of SendEvent."""
        self._receive()
        while self._events:
            yield self._events.popleft()

    def atom(self, name: str) -> int:
        """InternAtom."""
        body = struct.pack("<H2x", len(name)) + _padded(name.encode("ascii"))
        return int(struct.unpack_from("<I", self.call(16, 0, body), 8)[0])

    def extension(self, name: str) -> tuple[int, int]:
        """Major opcode and first event of an extension.

        Raises
        ------
        DisplayRefused
            If the server has none of that name.
        """
        body = struct.pack("<H2x", len(name)) + _padded(name.encode("ascii"))
        present, major, event = struct.unpack_from("<BBB", self.call(98, 0, body), 8)
        if not present:
            raise DisplayRefused(f"the display has no extension {name}")
        return major, event

    def _read(self, patience: float) -> None:
        self._wait(select.POLLIN, patience)
        self._receive()

    def _wait(self, mask: int, patience: float) -> None:
        poll = select.poll()
        poll.register(self._sock, mask)
        if not poll.poll(patience * 1000):
            raise DisplayStalled(f"the display did not answer for {patience:g} s")

    def _receive(self) -> None:
        while True:
            try:
                data = self._sock.recv(_READ)
            except BlockingIOError:
                break
            except OSError as error:
                raise DisplayLost(f"the display closed the connection: {error.strerror}") from error
            if not data:
                raise DisplayLost("the display closed the connection")
            self._in += data
            if len(data) < _READ:
                break
        self._sort()

    def _sort(self) -> None:
        """Take whole messages out of what was read: replies, errors, events."""
        data, at = self._in, 0
        while len(data) - at >= 32:
            kind = data[at] & 0x7F
            size = 32
            if kind in (_REPLY, _GENERIC):
                size += int.from_bytes(data[at + 4 : at + 8], "little") * 4
            if len(data) - at < size:
                break
            message = bytes(data[at : at + size])
            at += size
            self._deliver(kind, message)
        del data[:at]

    def _deliver(self, kind: int, message: bytes) -> None:
        if kind not in (_ERROR, _REPLY):
            self._events.append(bytes([kind]) + message[1:])
            return
        number = self._full(int.from_bytes(message[2:4], "little"))
        if number in self._awaited:
            self._awaited.discard(number)
            code, minor, major = message[1], int.from_bytes(message[8:10], "little"), message[10]
            self._answers[number] = message if kind == _REPLY else XError(code, major, minor)

    def _full(self, low: int) -> int:
        """A request's number from its lowest 16 bits: numbers only grow."""
        number = (self._heard & ~0xFFFF) | low
        if number < self._heard:
            number += 0x10000
        self._heard = number
        return number

    def _take(self, size: int) -> bytes:
        """Raw bytes, before the stream consists of messages."""
        end = time.monotonic() + self._patience
        while len(self._in) < size:
            self._wait(select.POLLIN, max(0.0, end - time.monotonic()))
            data = self._sock.recv(size - len(self._in))
            if not data:
                raise DisplayRefused("the display closed the connection at once")
            self._in += data
        taken = bytes(self._in[:size])
        del self._in[:size]
        return taken


def cookie_of(xauthority: str, display: str) -> bytes:
    """The cookie for a display such as `:100`, from an Xauthority file (Xau(3)), or given as hex itself.

    Raises
    ------
    DisplayRefused
        If the file cannot be read or has no cookie for it.
    """
    if not xauthority:
        return b""
    path = Path(xauthority)
    if not path.is_absolute():
        return bytes.fromhex(xauthority)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DisplayRefused(f"the Xauthority file cannot be read: {error.strerror}") from error
    wanted = display.rpartition(":")[2].partition(".")[0].encode()
    at, found = 0, b""
    while at + 2 <= len(data):
        at += 2  # the family: one of them is right, or the server refuses the cookie
        fields = []
        for _ in range(4):
            size = int.from_bytes(data[at : at + 2], "big")
            fields.append(data[at + 2 : at + 2 + size])
            at += 2 + size
        if fields[2] == b"MIT-MAGIC-COOKIE-1" and fields[1] in (wanted, b""):
            found = fields[3]
    if not found:
        raise DisplayRefused(f"the Xauthority file has no cookie for {display}")
    return found


def dial(path: str, cookie: bytes, uid: int | None = None, patience: float = 10.0) -> Connection:
    """Connect to a display's socket.

    `uid`: who must be at the other end (root may be, too): a user can put another socket in this one's place.

    Raises
    ------
    DisplayRefused
        If nobody answers there, or somebody else does.
    """
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        sock.settimeout(patience)
        sock.connect(path)
        _, peer, _ = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        if uid is not None and peer not in (uid, 0):
            raise DisplayRefused(f"the display's socket belongs to user {peer}, not {uid}")
        return Connection(sock, cookie, patience)
    except OSError as error:
        sock.close()
        raise DisplayRefused(f"the display's socket cannot be reached: {error.strerror or error}") from error
    except BaseException:
        sock.close()
        raise


def _round(size: int) -> int:
    return (size + 3) & ~3


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def _red_mask(body: bytes, at: int, depths: int, visual: int) -> int:
    for _ in range(depths):
        (count,) = struct.unpack_from("<H", body, at + 2)
        at += 8
        for place in range(at, at + 24 * count, 24):
            id_, red = struct.unpack_from("<I4xI", body, place)
            if id_ == visual:
                return int(red)
        at += 24 * count
    return 0
