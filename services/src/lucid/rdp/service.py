"""What one can do with remote desktop servers. Knows rules and processes; knows nothing of HTTP."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from lucid.rdp import certificates, errors, layout, passwords, ports, processes
from lucid.rdp.cgroups import Cgroups
from lucid.rdp.container import Starters
from lucid.rdp.inside import linux
from lucid.rdp.instance import Instance, PortTaken
from lucid.rdp.models import Record, Server, State
from lucid.rdp.roster import Roster
from lucid.rdp.settings import RdpSettings
from lucid.rdp.store import RecordStore
from lucid.rdp.tuning import Tuning
from lucid_kit import fault
from lucid_kit.clock import Clock
from lucid_kit.ids import new_id
from lucid_kit.logs import get_logger

_ATTEMPTS = 5  # ports tried when another program is quicker
_REVISIONS = 1_000_000  # a manager's start is further than any client has read before it


@dataclass(frozen=True, slots=True)
class Wish:
    """What someone wants a server to be: for which session, how large, and whether it waits at the gate."""

    session: str
    width: int = 1280
    height: int = 800
    gated: bool = True


class Servers:
    """All servers of this machine."""

    def __init__(
        self, tuning: Tuning, store: RecordStore, clock: Clock, cgroups: Cgroups | None = None
    ) -> None:
        self.tuning = tuning
        self.roster = Roster(store)
        self._store = store
        self._cgroups = cgroups or Cgroups()
        self._grouped = False
        self._starters = Starters()
        self._clock = clock
        self._locks: dict[str, asyncio.Lock] = {}
        self.accepting = True

    @property
    def settings(self) -> RdpSettings:
        """The settings as they are now."""
        return self.tuning.settings

    # -- the manager's own life ------------------------------------------------------------------------------

    async def open(self) -> list[Server]:
        """Take over: end what a manager that was killed left running. Gives those servers, now failed."""
        linux.become_subreaper()
        self._store.prepare()
        self.tuning.load()
        self._grouped = self._cgroups.prepare()
        left = []
        for record in self._store.load():
            server = record.server
            if server.state.live:
                ended = await self._end_leftover(record)
                self._ungroup(record.cgroup)
                reason = "the server manager ended" + ("; its processes were ended now" if ended else "")
                server = replace(
                    server,
                    state=State.FAILED,
                    reason=reason,
                    pid=None,
                    client_connected=False,
                    revision=server.revision + _REVISIONS,
                )
                await self.roster.clear(Record(server, record.secret))
                left.append(server)
                get_logger().warning(
                    "server.cleared", server_id=server.id, session_id=server.session, reason=reason
                )
            else:
                self.roster.put(record)
        self.roster.later(self._starters.refill())
        return left

    async def _end_leftover(self, record: Record) -> bool:
        if record.process is None:
            return False
        descriptor = processes.open_process(record.process)
        if descriptor is None:
            return False
        processes.kill(descriptor)
        await processes.ended(descriptor)
        return True

    async def close(self) -> None:
        """End every server, for the manager is about to end."""
        await asyncio.gather(
            *(each.stop("the server manager was stopped") for each in self.roster.instances())
        )
        await self.roster.close()
        await self._starters.close()

    # -- changing --------------------------------------------------------------------------------------------

    async def create(self, wish: Wish, key: str = "") -> tuple[Server, str]:
        """Make a server and its one-time password; returns when it answers a TLS handshake.

        Asked again with the same `key` before anyone has logged in, it gives the same server with a new
        password: the answer with the former one was lost.

        Raises
        ------
        ServiceStopped, SessionHasServer, PortsExhausted, ProgramsMissing, DesktopNotStarted
            And then nothing is left of it.
        """
        if not self.accepting:
            raise errors.ServiceStopped("No servers are started at present")
        for other in self.roster.all():
            if other.session == wish.session and other.state.live:
                if key and self.roster.record(other.id).key == key and not other.logins:
                    return await self._repeat(other.id)
                raise errors.SessionHasServer(
                    f"Session {wish.session} has server {other.id}", server=other.id
                )
        layout.check_programs(self.settings)
        password = passwords.new_password()
        server = Server(
            id=new_id("srv"), session=wish.session, host=self.settings.host, port=self._free_port(),
            username=passwords.new_username(), width=wish.width, height=wish.height, gated=wish.gated,
            created_ms=self._clock.now_ms(),
        )  # fmt: skip
        self.roster.put(Record(server, passwords.seal(password), key=key))
        async with self._lock(server.id):
            try:
                await self._launch(server.id)
            except BaseException:
                await self._discard(server.id)
                raise
        return self.roster.get(server.id), password

    async def _repeat(self, server_id: str) -> tuple[Server, str]:
        async with self._lock(server_id):
            password = passwords.new_password()
            secret = passwords.seal(password)
            self.roster.put(replace(self.roster.record(server_id), secret=secret))
            await self.roster.persist(server_id)
            self.roster.running(server_id).sealed = secret
        return self.roster.get(server_id), password

    def resize(self, server_id: str, width: int, height: int) -> Server:
        """The size in pixels a server has from its next start on; while it runs, its client decides.

        Raises
        ------
        StillRunning
            If it runs.
        """
        if self.roster.get(server_id).state.live:
            raise errors.StillRunning(f"Server {server_id} runs; its client decides on the size")
        changed = self.roster.get(server_id).changed(width=width, height=height)
        self.roster.reset(replace(self.roster.record(server_id), server=changed))
        return changed

    def admit(self, server_id: str) -> Server:
        """Open the gate: the desktop starts now. Again is no harm.

        Raises
        ------
        NotRunning
            If there is nothing to open.
        """
        self.roster.running(server_id).admit()
        return self.roster.get(server_id)

    def disconnect(self, server_id: str) -> int:
        """Send a server's clients away; its desktop stays. How many there were."""
        return self.roster.running(server_id).disconnect()

    async def start(self, server_id: str) -> Server:
        """Start a server that ended: on its port, for the same user and password, its gate closed again."""
        async with self._lock(server_id):
            if self.roster.get(server_id).state.live:
                raise errors.StillRunning(f"Server {server_id} runs")
            if not self.accepting:
                raise errors.ServiceStopped("No servers are started at present")
            await self._again(server_id)
        return self.roster.get(server_id)

    async def stop(self, server_id: str) -> Server:
        """End a server's processes; it can be started again. Again is no harm."""
        async with self._lock(server_id):
            await self._end(server_id, "stopped on request")
        return self.roster.get(server_id)

    async def restart(self, server_id: str) -> Server:
        """Stop and start."""
        async with self._lock(server_id):
            await self._end(server_id, "restarted on request")
            await self._again(server_id)
        return self.roster.get(server_id)

    async def stop_all(self, accepting: bool) -> None:
        """Stop every server; afterwards new ones are started only if `accepting`."""
        self.accepting = accepting
        await asyncio.gather(*(self.stop(each.id) for each in self.roster.all() if each.state.live))

    async def delete(self, server_id: str) -> None:
        """End a server and forget it. What is not there is deleted already."""
        with contextlib.suppress(errors.ServerUnknown):
            async with self._lock(server_id):
                self.roster.get(server_id)  # another may have deleted it while we waited
                await self._end(server_id, "deleted")
                await self._discard(server_id)

    # -- steps -----------------------------------------------------------------------------------------------

    async def _launch(self, server_id: str) -> None:
        for attempt in range(_ATTEMPTS):
            record = self.roster.record(server_id)
            group = self._group()
            cleared = partial(self._ungroup, group)
            instance = Instance(
                record.server, record.secret, self.settings, self.roster.note, self._starters, group, cleared
            )
            self.roster.run(instance)
            tls = certificates.new_certificate("lucid", self._clock.now_ms())
            try:
                await instance.begin(tls)
                # Ends here: the control socket closes, and with it the session's first process ends.
                fault.point("rdp-server-begun")
                await self.roster.persist(server_id)
                # Ends here: the same; and the next start finds the record and reports the server as failed.
                fault.point("rdp-server-recorded")
                await instance.until_ready()
            except PortTaken as error:
                await instance.stop(f"port {record.server.port} was taken: {error}", State.FAILED)
                if attempt == _ATTEMPTS - 1:
                    raise errors.DesktopNotStarted(f"Port after port was taken by others: {error}") from error
                moved = replace(record.server, port=self._free_port())
                self.roster.put(replace(record, server=moved))
            except BaseException as error:
                await instance.stop(f"could not be started: {error}", State.FAILED)
                raise
            else:
                self.roster.later(self._starters.refill())
                return

    async def _again(self, server_id: str) -> None:
        former = self.roster.get(server_id)
        fresh = replace(
            former, state=State.STARTING, reason="", admitted=False, pid=None, display=None,
            client_connected=False, logins=0, refused_logins=0, revision=former.revision + 1,
        )  # fmt: skip
        self.roster.reset(replace(self.roster.record(server_id), server=fresh))
        layout.check_programs(self.settings)
        await self._launch(server_id)

    async def _end(self, server_id: str, reason: str) -> None:
        instance = self.roster.instance(server_id)
        if instance is not None:
            await instance.stop(reason)
            await self.roster.persist(server_id)

    async def _discard(self, server_id: str) -> None:
        await self.roster.forget(server_id)
        self._locks.pop(server_id, None)

    def _group(self) -> str:
        if not self._grouped:
            return ""
        return str(self._cgroups.make(self.settings.memory_bytes, self.settings.processes))

    def _ungroup(self, group: str) -> None:
        if group:
            self._cgroups.remove(Path(group))

    def _free_port(self) -> int:
        taken = {server.port for server in self.roster.all()}
        return ports.free_port(self.settings.host, self.settings.first_port, self.settings.last_port, taken)

    def _lock(self, server_id: str) -> asyncio.Lock:
        self.roster.get(server_id)
        return self._locks.setdefault(server_id, asyncio.Lock())
