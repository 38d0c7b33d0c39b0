"""The manager's end of a session's processes: starting them, hearing from them, ending them all at once."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lucid.rdp import processes
from lucid.rdp.inside.plan import Plan
from lucid.rdp.layout import interpreter
from lucid.rdp.models import Identity

_LINE = 1 << 16
News = Callable[[dict[str, Any]], None]


@dataclass(frozen=True, slots=True)
class Starter:
    """A process that waits for a plan, and our end of its control socket."""

    process: asyncio.subprocess.Process
    control: socket.socket


class Starters:
    """Keeps one starter in reserve: starting Python is most of the time a new session would take."""

    def __init__(self) -> None:
        self._spare: Starter | None = None
        self._refilling = asyncio.Lock()

    async def take(self) -> Starter:
        """The spare starter, or a new one if there is none."""
        spare, self._spare = self._spare, None
        if spare is not None and spare.process.returncode is None:
            return spare
        return await _new_starter()

    async def refill(self) -> None:
        """Have a spare one again."""
        async with self._refilling:
            if self._spare is None:
                self._spare = await _new_starter()

    async def close(self) -> None:
        """End the spare one."""
        spare, self._spare = self._spare, None
        if spare is not None:
            await _dismiss(spare)


async def _new_starter() -> Starter:
    ours, theirs = socket.socketpair()
    with theirs:
        process = await asyncio.create_subprocess_exec(
            *interpreter(),
            str(theirs.fileno()),
            pass_fds=[theirs.fileno()],
            cwd="/",
            env={},
            stdin=asyncio.subprocess.DEVNULL,
        )
    return Starter(process, ours)


async def _dismiss(starter: Starter) -> None:
    starter.control.close()  # it reads no plan, and ends
    await starter.process.wait()


class Container:
    """One session's namespaces, alive as long as its first process.

    Parameters
    ----------
    news
        Called with each message of the first process, and with {"is": "gone"} when it has ended and been
        reaped.
    """

    def __init__(self, news: News) -> None:
        self._news = news
        self._writer: asyncio.StreamWriter | None = None
        self._listening: asyncio.Task[None] | None = None
        self._pidfd: int | None = None
        self._gone = asyncio.Event()
        self.identity: Identity | None = None

    async def start(self, plan: Plan, starters: Starters) -> None:
        """Start the first process and hand it the plan; what comes of it arrives as news."""
        starter = await starters.take()
        reader, self._writer = await asyncio.open_unix_connection(sock=starter.control, limit=_LINE)
        self._writer.write(plan.to_json())
        self._listening = asyncio.create_task(self._listen(reader, starter.process))

    def admit(self) -> None:
        """Start the desktop."""
        self._order({"do": "admit"})

    async def end(self) -> None:
        """Kill everything and wait until nothing is left; safe to call again."""
        if self._pidfd is not None:
            processes.kill(self._pidfd)
        if self._writer is not None:
            self._writer.close()
        if self._listening is not None:
            await asyncio.wait([self._listening])
        if self.identity is not None:
            await self._gone.wait()

    def _order(self, order: dict[str, Any]) -> None:
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(json.dumps(order).encode() + b"\n")

    async def _listen(self, reader: asyncio.StreamReader, starter: asyncio.subprocess.Process) -> None:
        try:
            while line := await reader.readline():
                message = json.loads(line)
                if message["is"] == "begun":
                    # Once its parent has gone, the first process is ours (PR_SET_CHILD_SUBREAPER), and its
                    # number stays until we reap it.
                    await starter.wait()
                    self._watch(message["pid"])
                self._news(message)
        except (OSError, ValueError) as error:
            self._news({"is": "refused", "detail": f"the control connection broke: {error}"})
        await starter.wait()
        if self.identity is None:
            self._news({"is": "gone"})

    def _watch(self, pid: int) -> None:
        self.identity = processes.identify(pid)
        self._pidfd = os.pidfd_open(pid)
        asyncio.get_running_loop().add_reader(self._pidfd, self._reap)

    def _reap(self) -> None:
        assert self._pidfd is not None
        assert self.identity is not None
        asyncio.get_running_loop().remove_reader(self._pidfd)
        with contextlib.suppress(ChildProcessError):
            os.waitid(os.P_PIDFD, self._pidfd, os.WEXITED)
        os.close(self._pidfd)
        self._pidfd = None
        self._gone.set()
        self._news({"is": "gone"})
