"""The recorder of one session as a child process: JSON lines on its fd 3, the session key on its fd 4.

Neither its arguments nor its environment hold a secret. When this service ends, however it ends, the socket
closes and the recorder ends too.
"""

import asyncio
import contextlib
import fcntl
import json
import os
import signal
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lucid.sessions.processes import start_ticks
from lucid.sessions.settings import Settings
from lucid_kit.logs import get_logger
from lucid_proof.records import Seen

Message = dict[str, Any]

_CONTROL_FD = 3
_KEY_FD = 4
_MAX_LINE = 1 << 20
_READ = 1 << 16
_PRIVATE = ("LUCID_SESSIONS_",)  # this service's settings are none of the recorder's business


class RecorderProcess:
    """A running recorder."""

    def __init__(self, pid: int, control: socket.socket) -> None:
        self.pid = pid
        self.ticks = start_ticks(pid)
        self._control = control
        self._turn = asyncio.Lock()
        self._reading = False
        self._exit: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._pidfd = os.pidfd_open(pid)
        asyncio.get_running_loop().add_reader(self._pidfd, self._ended)

    @classmethod
    async def spawn(cls, command: Sequence[str], key: bytes) -> "RecorderProcess":
        """Start `command` and give it the session key. Raises OSError if it cannot be started."""
        ours, theirs = socket.socketpair()
        key_out, key_in = os.pipe2(os.O_CLOEXEC)
        high: list[int] = []
        try:
            os.write(key_in, key)  # a pipe holds far more than 32 bytes: this never waits
            # Above the numbers that they will have in the child, or one dup2 would close the other.
            high = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 10) for fd in (theirs.fileno(), key_out)]
            pid = os.posix_spawnp(  # noqa: ASYNC221 - it returns at once
                command[0],
                list(command),
                {name: value for name, value in os.environ.items() if not name.startswith(_PRIVATE)},
                file_actions=[
                    (os.POSIX_SPAWN_DUP2, high[0], _CONTROL_FD),
                    (os.POSIX_SPAWN_DUP2, high[1], _KEY_FD),
                ],
                setpgroup=0,
            )
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
            for fd in (key_out, key_in, *high):
                os.close(fd)
        ours.setblocking(False)
        return cls(pid, ours)

    async def send(self, message: Mapping[str, Any]) -> None:
        """Tell the recorder something. A recorder that is gone does not hear it: its exit tells."""
        line = json.dumps(message, separators=(",", ":")).encode("utf-8") + b"\n"
        async with self._turn:
            with contextlib.suppress(OSError):
                await asyncio.get_running_loop().sock_sendall(self._control, line)

    async def messages(self) -> AsyncIterator[Message]:
        """What the recorder says, until it closes its end.

        Not by asyncio's streams: those drop what is still unread when a write fails, and the last words of a
        recorder that ends while we speak are the ones that count.
        """
        async for line in self._lines():
            try:
                message = json.loads(line)
            except ValueError:
                get_logger().warning("recorder.garbled", pid=self.pid)
                return
            if isinstance(message, dict):
                yield message

    async def _lines(self) -> AsyncIterator[bytes]:
        buffer = b""
        self._reading = True
        try:
            while len(buffer) <= _MAX_LINE:
                data = await asyncio.get_running_loop().sock_recv(self._control, _READ)
                if not data:
                    return
                *lines, buffer = (buffer + data).split(b"\n")
                for line in lines:
                    yield line
            get_logger().warning("recorder.garbled", pid=self.pid)
        except OSError:  # it ended with words of ours unread
            return
        finally:
            self._reading = False
            async with self._turn:
                self._control.close()

    async def wait(self) -> int:
        """Its exit status; minus the signal's number if one ended it."""
        return await asyncio.shield(self._exit)

    @property
    def alive(self) -> bool:
        return not self._exit.done()

    def kill(self) -> None:
        if self.alive:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)

    async def close(self) -> None:
        """End it if it still runs, and let go of everything."""
        self.kill()
        await self.wait()
        async with self._turn:
            with contextlib.suppress(OSError):
                self._control.shutdown(socket.SHUT_RDWR)  # whoever reads sees the end, and closes
            if not self._reading:
                self._control.close()

    def _ended(self) -> None:
        asyncio.get_running_loop().remove_reader(self._pidfd)
        with contextlib.suppress(ChildProcessError):
            _, status = os.waitpid(self.pid, 0)
            self._exit.set_result(os.waitstatus_to_exitcode(status))
        if not self._exit.done():  # someone else took its status
            self._exit.set_result(-1)
        os.close(self._pidfd)


def configuration(session: str, spool: Path, seen: Seen, start_ms: int, settings: Settings) -> Message:
    """What a recorder has to know first. Its clock shows `start_ms` when it reads this."""
    return {
        "do": "configure",
        "session": session,
        "spool": str(spool),
        "seen": seen.to_json(),
        "start_ms": start_ms,
        "keyframe_ms": settings.keyframe_ms,
        "chunk_ms": settings.chunk_ms,
        "chunk_bytes": settings.chunk_bytes,
        "fps": settings.fps,
        "spool_limit": settings.spool_bytes,
    }
