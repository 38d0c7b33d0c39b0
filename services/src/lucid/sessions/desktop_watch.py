"""One desktop as its session sees it: follows its status, cuts it, even when its server does not answer."""

import asyncio
import contextlib
from collections.abc import Callable

from lucid.sessions import processes
from lucid.sessions.backoff import Backoff
from lucid.sessions.guard import Guard
from lucid.sessions.ports import Desktops, DesktopStatus
from lucid_kit.clock import Clock
from lucid_kit.errors import LucidError
from lucid_kit.logs import get_logger

_POLL_MS = 25_000
_GRACE_S = 3.0  # what the server gets to cut a desktop before we do it ourselves
_DISMISSED_S = 1.0
_SETTLES_S = 3.0  # between a display's end and the server's word on why

ENDED = frozenset({"stopped", "failed"})


class DesktopWatch:
    """Follows a desktop by long polls.

    Parameters
    ----------
    tell
        Called with each status that is new, and with None once the desktop is gone.
    """

    def __init__(
        self,
        desktops: Desktops,
        id: str,  # noqa: A002
        clock: Clock,
        backoff: Backoff,
        guard: Guard,
        tell: Callable[[DesktopStatus | None], None],
    ) -> None:
        self._desktops = desktops
        self._clock = clock
        self._backoff = backoff
        self._guard = guard
        self._tell = tell
        self._known: dict[int, int] = {}  # pid → start
        self.id = id
        self.latest: DesktopStatus | None = None

    async def run(self) -> None:
        """Follow the desktop until it is gone or this is cancelled."""
        failures = 0
        while True:
            after = self.latest.revision if self.latest else 0
            try:
                status = await self._desktops.status(self.id, after, _POLL_MS)
            except LucidError as error:
                failures += 1
                get_logger().warning("desktop.unknown", error=error.detail)
                await self._clock.sleep(self._backoff.wait_s(failures))
                continue
            failures = 0
            if status is None:
                self._tell(None)
                return
            if self.latest is not None and status.revision <= self.latest.revision:
                continue
            self._remember(status)
            self.latest = status
            self._tell(status)

    async def why_ended(self) -> DesktopStatus | None:
        """The server's word on a display that is gone: its status once it has ended, None if it says nothing
        in time.
        """
        try:
            async with asyncio.timeout(_SETTLES_S):
                after = 0
                while True:
                    status = await self._desktops.status(self.id, after, 1_000)
                    if status is None or status.state in ENDED:
                        return status
                    after = status.revision
        except (TimeoutError, LucidError):
            return None

    async def admit(self) -> None:
        """Open the gate. Raises LucidError."""
        await self._desktops.admit(self.id)

    async def dismiss(self) -> None:
        """Send the client away, if its server answers: the cut that follows does it anyway."""
        if self.latest is None or not self.latest.client_connected:
            return
        with contextlib.suppress(TimeoutError, LucidError):
            async with asyncio.timeout(_DISMISSED_S):
                await self._desktops.dismiss(self.latest.session)

    async def cut(self) -> None:
        """End the desktop now: through its server, or by its processes if the server does not answer."""
        try:
            async with asyncio.timeout(_GRACE_S):
                await self._desktops.remove(self.id)
                self._guard.drop(self.id)
                return
        except (TimeoutError, LucidError) as error:
            get_logger().error("desktop.not-cut", error=str(error) or "no answer in time")
        killed = await asyncio.to_thread(processes.end_all, list(self._known.items()))
        self._guard.drop(self.id)
        get_logger().warning("desktop.killed", processes=killed)

    def _remember(self, status: DesktopStatus) -> None:
        for pid in status.pids:
            if pid not in self._known:
                self._known[pid] = processes.start_ticks(pid)
        if status.state not in ENDED:
            self._guard.note(self.id, [(pid, self._known[pid]) for pid in status.pids])
