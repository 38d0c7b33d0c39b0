"""Which servers there are: their records, on disk and here, the running ones, and who waits for a change."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

from lucid.rdp import errors, processes
from lucid.rdp.instance import Instance
from lucid.rdp.models import Record, Server
from lucid.rdp.store import RecordStore


class Roster:
    """All servers of this machine. It knows what is; `Servers` knows what may become of it."""

    def __init__(self, store: RecordStore) -> None:
        self._store = store
        self._records: dict[str, Record] = {}
        self._instances: dict[str, Instance] = {}
        self._changed = asyncio.Condition()
        self._writing = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

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

    def record(self, server_id: str) -> Record:
        """What is kept of a server."""
        return self._records[server_id]

    def instance(self, server_id: str) -> Instance | None:
        """The instance that runs a server, or ran it last."""
        return self._instances.get(server_id)

    def instances(self) -> list[Instance]:
        """All of them."""
        return list(self._instances.values())

    def put(self, record: Record) -> None:
        """Keep a record here; `persist` makes it durable once its server runs."""
        self._records[record.server.id] = record

    def run(self, instance: Instance) -> None:
        """From now on this instance speaks for its server."""
        self._instances[instance.server.id] = instance

    def reset(self, record: Record) -> None:
        """Keep a record of a server that does not run, in place of what its last instance said."""
        self._instances.pop(record.server.id, None)
        self.put(record)

    async def clear(self, record: Record) -> None:
        """Keep a record of a server that was found dead; durable once it returns."""
        await self._store.save(record)
        self.put(record)

    async def persist(self, server_id: str) -> None:
        """Make durable what a server's instance says of it."""
        async with self._writing:  # else an older state could be written over a newer one
            record, instance = self._records.get(server_id), self._instances.get(server_id)
            if record is None or instance is None:
                return
            live = instance.server.state.live
            process, group = (instance.process, instance.cgroup) if live else (None, "")
            self._records[server_id] = replace(record, server=instance.server, process=process, cgroup=group)
            await self._store.save(self._records[server_id])

    async def forget(self, server_id: str) -> None:
        """Keep nothing of a server."""
        async with self._writing:
            await self._store.remove(server_id)
            self._instances.pop(server_id, None)
            self._records.pop(server_id, None)
        await self._wake()

    def note(self, server: Server) -> None:
        """A change of an instance: wake those who wait, and keep the end on record."""
        self.later(self._wake())
        if not server.state.live:
            self.later(self.persist(server.id))

    def later(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something soon; `close` waits for it."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Wait for what is under way."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _wake(self) -> None:
        async with self._changed:
            self._changed.notify_all()
