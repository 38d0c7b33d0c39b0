"""What the sessions service says to the recorder and hears from it: JSON lines on one socket.

to the recorder    {"do":"configure",…} {"do":"attach","display":{…}} {"do":"seen",…,"time":ms}
                   {"do":"pause",…} {"do":"resume"} {"do":"cut"} {"do":"event","event":{…}} {"do":"stop"}
from the recorder  {"is":"configured"} {"is":"attached",…} {"is":"sealed","record":{…},"file":…,"raw":n}
                   {"is":"paused",…} {"is":"resumed",…} {"is":"stopped",…} {"is":"failed",…} {"is":"stats",…}
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lucid.recorder.errors import BadCommand, ControlLost
from lucid_kit.ids import is_id
from lucid_proof.errors import ProofError
from lucid_proof.records import Seen

if TYPE_CHECKING:
    from lucid_proof.canonical import JSON

MAX_LINE: Final = 64 * 1024
MIN_CHUNK: Final = 512 * 1024
MAX_CHUNK: Final = 8 * 1024 * 1024


class Control:
    """The recorder's end of the socket. A peer that does not read for ten seconds counts as gone."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._sock.settimeout(10.0)
        self._in = bytearray()
        self._mute = False

    def fileno(self) -> int:
        return self._sock.fileno()

    def mute(self) -> None:
        """Nobody listens any more; say nothing from now on."""
        self._mute = True

    def say(self, what: str, **facts: JSON) -> None:
        """Send one line.

        Raises
        ------
        ControlLost
            If nobody takes it.
        """
        if self._mute:
            return
        line = json.dumps({"is": what, **facts}, separators=(",", ":")) + "\n"
        try:
            self._sock.sendall(line.encode())
        except OSError as error:
            raise ControlLost("the sessions service no longer listens") from error

    def commands(self) -> Iterator[dict[str, Any]]:
        """Commands that have arrived; call it when there is something to read.

        Raises
        ------
        ControlLost
            If the other end is closed and every command was given.
        BadCommand
            If a line is not a command.
        """
        try:
            data = self._sock.recv(MAX_LINE)
        except OSError as error:
            raise ControlLost("the sessions service is gone") from error
        self._in += data
        *lines, rest = bytes(self._in).split(b"\n")
        self._in[:] = rest
        if len(rest) > MAX_LINE:
            raise BadCommand("a command of more than 64 KiB")
        for line in lines:
            yield _command(line)
        if not data:
            raise ControlLost("the sessions service is gone")


def _command(line: bytes) -> dict[str, Any]:
    try:
        command = json.loads(line)
    except ValueError as error:
        raise BadCommand("a command that is not JSON") from error
    if not isinstance(command, dict) or not isinstance(command.get("do"), str):
        raise BadCommand("a command without `do`")
    return command


@dataclass(frozen=True, slots=True)
class Configuration:
    """What `configure` says.

    Attributes
    ----------
    start_ms
        What the recorder's clock shows now, ms since 1970; from here it runs on its own.
    keyframe_ms, chunk_ms
        Longest time between two whole pictures, and that one chunk covers.
    chunk_bytes
        Plaintext of a chunk, at most.
    fps
        Pictures a second, at most.
    spool_limit
        Bytes of chunks that may wait on the disk.
    """

    session: str
    spool: Path
    seen: Seen
    start_ms: int
    keyframe_ms: int
    chunk_ms: int
    chunk_bytes: int
    fps: int
    spool_limit: int

    @classmethod
    def parse(cls, command: dict[str, Any]) -> Configuration:
        """Raises `BadCommand` naming the member that is wrong."""
        session = command.get("session")
        if not isinstance(session, str) or not is_id(session, "ses"):
            raise BadCommand("configure: session is not a session's id")
        spool = command.get("spool")
        if not isinstance(spool, str) or not Path(spool).is_absolute():
            raise BadCommand("configure: spool is not an absolute path")
        return cls(
            session=session,
            spool=Path(spool),
            seen=seen_of(command.get("seen")),
            start_ms=integer(command, "start_ms", 0, 1 << 53),
            keyframe_ms=integer(command, "keyframe_ms", 1_000, 3_600_000, 60_000),
            chunk_ms=integer(command, "chunk_ms", 200, 60_000, 10_000),
            chunk_bytes=integer(command, "chunk_bytes", MIN_CHUNK, MAX_CHUNK, MAX_CHUNK),
            fps=integer(command, "fps", 1, 60, 10),
            spool_limit=integer(command, "spool_limit", 0, 1 << 53),
        )


def time_of(command: dict[str, Any]) -> int:
    """The time of the block that a `seen` names, milliseconds since 1970.

    Raises
    ------
    BadCommand
        If there is none.
    """
    value = command.get("time")
    if type(value) is not int or not 0 <= value < 1 << 53:
        raise BadCommand("seen: time is not a number of milliseconds")
    return value


def seen_of(value: object) -> Seen:
    """A block, `{"height":n,"hash":hex32}`. Raises `BadCommand`."""
    try:
        return Seen.from_json(value)
    except ProofError as error:
        raise BadCommand(f"seen: {error}") from error


def integer(command: dict[str, Any], name: str, low: int, high: int, default: int | None = None) -> int:
    """An integer member between `low` and `high`. Raises `BadCommand`."""
    value = command.get(name, default)
    if type(value) is not int or not low <= value <= high:
        raise BadCommand(f"{command['do']}: {name} is not an integer from {low} to {high}")
    return value
