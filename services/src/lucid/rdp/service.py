"""What one can do with remote desktop servers. Knows rules and processes; knows nothing of HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from lucid.rdp import certificates, errors, layout, passwords, ports, processes
from lucid.rdp.cgroups import Cgroups
from lucid.rdp.container import Starters
from lucid.rdp.inside import linux
from lucid.rdp.instance import Instance, PortTaken
from lucid.rdp.models import Record, Server, State
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
        self._store = store
        self._cgroups = cgroups or Cgroups()
        self._grouped = False
        self._starters = Starters()
        self._clock = clock
        self._records: dict[str, Record] = {}
        self._instances: dict[str, Instance] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._changed = asyncio.Condition()
        self._writing = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
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
                record = Record(server, record.secret)
                await self._store.save(record)
                left.append(server)
                get_logger().warning(
                    "server.cleared", server_id=server.id, session_id=server.session, reason=reason
                )
            self._records[server.id] = record
        self._later(self._starters.refill())
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
            *(each.stop("the server manager was stopped") for each in self._instances.values())
        )
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._starters.close()

    # -- reading ---------------------------------------------------------------------------------------------

    def all(self) -> list[Server]:
        """Every server, oldest first."""
        return sorted((self._present(each) for each in self._records), key=lambda server: server.id)

    def get(self, server_id: str) -> Server:
        """One server.

        Raises
        ------
        ServerUnknown
            If it was never made, or deleted.
        """
        if server_id not in self._records:
            raise errors.ServerUnknown(f"There is no server {server_id}", server=server_id)
        return self._present(server_id)

    def processes(self, server_id: str) -> list[int]:
        """The ids of a server's processes as the host sees them; none when it does not run."""
        pid = self.get(server_id).pid
        return processes.tree(pid) if pid is not None else []

    async def wait(self, server_id: str, after: int, wait_ms: int) -> Server:
        """The server once its revision is above `after`, or as it is when `wait_ms` have passed."""
        try:
            async with asyncio.timeout(wait_ms / 1000), self._changed:
                while self.get(server_id).revision <= after:
                    await self._changed.wait()
        except TimeoutError:
            pass
        return self.get(server_id)

    def _present(self, server_id: str) -> Server:
        instance = self._instances.get(server_id)
        return instance.server if instance is not None else self._records[server_id].server

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
        for other in self.all():
            if other.session == wish.session and other.state.live:
                if key and self._records[other.id].key == key and not other.logins:
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
        self._records[server.id] = Record(server, passwords.seal(password), key=key)
        async with self._lock(server.id):
            try:
                await self._launch(server.id)
            except BaseException:
                await self._discard(server.id)
                raise
        return self.get(server.id), password

    async def _repeat(self, server_id: str) -> tuple[Server, str]:
        async with self._lock(server_id):
            password = passwords.new_password()
            record = self._records[server_id]
            self._records[server_id] = replace(record, secret=passwords.seal(password))
            await self._persist(server_id)
            self.running(server_id).sealed = self._records[server_id].secret
        return self.get(server_id), password

    def resize(self, server_id: str, width: int, height: int) -> Server:
        """The size in pixels a server has from its next start on; while it runs, its client decides.

        Raises
        ------
        StillRunning
            If it runs.
        """
        if self.get(server_id).state.live:
            raise errors.StillRunning(f"Server {server_id} runs; its client decides on the size")
        record = self._records[server_id]
        changed = self.get(server_id).changed(width=width, height=height)
        self._instances.pop(server_id, None)
        self._records[server_id] = replace(record, server=changed)
        return changed

    def admit(self, server_id: str) -> Server:
        """Open the gate: the desktop starts now. Again is no harm.

        Raises
        ------
        NotRunning
            If there is nothing to open.
        """
        self.running(server_id).admit()
        return self.get(server_id)

    def disconnect(self, server_id: str) -> int:
        """Send a server's clients away; its desktop stays. How many there were."""
        return self.running(server_id).disconnect()

    async def start(self, server_id: str) -> Server:
        """Start a server that ended, on its port, for the same user and password;

        its gate is closed again.
        """
        async with self._lock(server_id):
            if self.get(server_id).state.live:
                raise errors.StillRunning(f"Server {server_id} runs")
            if not self.accepting:
                raise errors.ServiceStopped("No servers are started at present")
            await self._again(server_id)
        return self.get(server_id)

    async def stop(self, server_id: str) -> Server:
        """End a server's processes; it can be started again. Again is no harm."""
        async with self._lock(server_id):
            await self._end(server_id, "stopped on request")
        return self.get(server_id)

    async def restart(self, server_id: str) -> Server:
        """Stop and start."""
        async with self._lock(server_id):
            await self._end(server_id, "restarted on request")
            await self._again(server_id)
        return self.get(server_id)

    async def stop_all(self, accepting: bool) -> None:
        """Stop every server; afterwards new ones are started only if `accepting`."""
        self.accepting = accepting
        await asyncio.gather(*(self.stop(each.id) for each in self.all() if each.state.live))

    def of_session(self, session: str) -> Server:
        """The newest server of a session.

        Raises
        ------
        ServerUnknown
            If it has none.
        """
        found = [server for server in self.all() if server.session == session]
        if not found:
            raise errors.ServerUnknown(f"Session {session} has no server", session=session)
        return found[-1]

    async def delete(self, server_id: str) -> None:
        """End a server and forget it. What is not there is deleted already."""
        if server_id not in self._records:
            return
        async with self._lock(server_id):
            if server_id in self._records:
                await self._end(server_id, "deleted")
                await self._discard(server_id)

    # -- steps -----------------------------------------------------------------------------------------------

    async def _launch(self, server_id: str) -> None:
        for attempt in range(_ATTEMPTS):
            record = self._records[server_id]
            group = self._group()
            cleared = partial(self._ungroup, group)
            instance = Instance(
                record.server, record.secret, self.settings, self._note, self._starters, group, cleared
            )
            self._instances[server_id] = instance
            tls = certificates.new_certificate("lucid", self._clock.now_ms())
            try:
                await instance.begin(tls)
                # Ends here: the control socket closes, and with it the session's first process ends.
                fault.point("rdp-server-begun")
                await self._persist(server_id)
                # Ends here: the same; and the next start finds the record and reports the server as failed.
                fault.point("rdp-server-recorded")
                await instance.until_ready()
            except PortTaken as error:
                await instance.stop(f"port {record.server.port} was taken: {error}", State.FAILED)
                if attempt == _ATTEMPTS - 1:
                    raise errors.DesktopNotStarted(f"Port after port was taken by others: {error}") from error
                moved = replace(record.server, port=self._free_port())
                self._records[server_id] = replace(record, server=moved)
            except BaseException as error:
                await instance.stop(f"could not be started: {error}", State.FAILED)
                raise
            else:
                self._later(self._starters.refill())
                return

    async def _again(self, server_id: str) -> None:
        record = self._records[server_id]
        former = self.get(server_id)
        fresh = replace(
            former, state=State.STARTING, reason="", admitted=False, pid=None, display=None,
            client_connected=False, logins=0, refused_logins=0, revision=former.revision + 1,
        )  # fmt: skip
        self._instances.pop(server_id, None)
        self._records[server_id] = replace(record, server=fresh)
        layout.check_programs(self.settings)
        await self._launch(server_id)

    async def _end(self, server_id: str, reason: str) -> None:
        instance = self._instances.get(server_id)
        if instance is not None:
            await instance.stop(reason)
            await self._persist(server_id)

    async def _discard(self, server_id: str) -> None:
        async with self._writing:
            await self._store.remove(server_id)
            self._instances.pop(server_id, None)
            self._records.pop(server_id, None)
        self._locks.pop(server_id, None)
        await self._wake()

    def _note(self, server: Server) -> None:
        """A change of an instance: wake those who wait, and keep the end on record."""
        self._later(self._wake())
        if not server.state.live:
            self._later(self._persist(server.id))

    async def _wake(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def _persist(self, server_id: str) -> None:
        async with self._writing:  # else an older state could be written over a newer one
            record, instance = self._records.get(server_id), self._instances.get(server_id)
            if record is None or instance is None:
                return
            live = instance.server.state.live
            process, group = (instance.process, instance.cgroup) if live else (None, "")
            self._records[server_id] = replace(record, server=instance.server, process=process, cgroup=group)
            await self._store.save(self._records[server_id])

    def running(self, server_id: str) -> Instance:
        """A running server.

        Raises
        ------
        ServerUnknown, NotRunning
            If there is none, or it has ended.
        """
        server = self.get(server_id)
        instance = self._instances.get(server_id)
        if instance is None or not server.state.live:
            raise errors.NotRunning(
                f"Server {server_id} is {server.state}: {server.reason}", state=str(server.state)
            )
        return instance

    def _group(self) -> str:
        if not self._grouped:
            return ""
        return str(self._cgroups.make(self.settings.memory_bytes, self.settings.processes))

    def _ungroup(self, group: str) -> None:
        if group:
            self._cgroups.remove(Path(group))

    def _free_port(self) -> int:
        taken = {record.server.port for record in self._records.values()}
        return ports.free_port(self.settings.host, self.settings.first_port, self.settings.last_port, taken)

    def _lock(self, server_id: str) -> asyncio.Lock:
        self.get(server_id)
        return self._locks.setdefault(server_id, asyncio.Lock())

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
