"""What servers use, measured every 30 seconds and when asked, and what deserves an operator's eye."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from lucid.rdp import processes
from lucid.rdp.models import Server
from lucid.rdp.processes import Usage
from lucid.rdp.service import Servers
from lucid_kit.clock import Clock
from lucid_kit.metrics import Metrics

_HIGH = 0.9  # of a limit, from which on it is worth a word


@dataclass(frozen=True, slots=True)
class Alert:
    """Something that will soon be, or is, in somebody's way."""

    subject: str  # a server's id, or "ports"
    what: str


class Resources:
    """Measures servers and keeps the figures for Prometheus.

    Series are labelled by port, of which there is a fixed number, not by server.
    """

    def __init__(self, servers: Servers, metrics: Metrics, clock: Clock) -> None:
        self._servers = servers
        self._clock = clock
        self._states = metrics.gauge("lucid_rdp_servers", "Servers by state.", ["state"])
        self._cpu = metrics.gauge("lucid_rdp_server_cpu_seconds", "CPU time a server has used.", ["port"])
        self._rss = metrics.gauge("lucid_rdp_server_rss_bytes", "Resident memory of a server.", ["port"])
        self._count = metrics.gauge("lucid_rdp_server_processes", "Processes of a server.", ["port"])
        self._ports: set[str] = set()

    async def run(self) -> None:
        """Measure until cancelled."""
        while True:
            await self.measure()
            await self._clock.sleep(self._servers.settings.usage_interval)

    async def measure(self) -> dict[str, Usage]:
        """What each running server uses now, by id."""
        servers = self._servers.roster.all()
        running = [(each, each.pid) for each in servers if each.pid is not None and each.state.live]
        used = {each.id: await asyncio.to_thread(processes.usage, pid) for each, pid in running}
        self._export(servers, used)
        return used

    async def alerts(self) -> list[Alert]:
        """What is close to a limit, or locked."""
        settings = self._servers.settings
        found = []
        used = await self.measure()
        for server in self._servers.roster.all():
            usage = used.get(server.id)
            if usage is not None and usage.rss_bytes > _HIGH * settings.memory_bytes:
                found.append(
                    Alert(server.id, f"uses {usage.rss_bytes} of {settings.memory_bytes} bytes of memory")
                )
            if usage is not None and usage.processes > _HIGH * settings.processes:
                found.append(Alert(server.id, f"runs {usage.processes} of {settings.processes} processes"))
            if server.refused_logins >= settings.wrong_passwords:
                found.append(Alert(server.id, f"locked after {server.refused_logins} refused logins"))
        ports = settings.last_port - settings.first_port + 1
        if len(self._servers.roster.all()) > _HIGH * ports:
            found.append(Alert("ports", f"{len(self._servers.roster.all())} of {ports} ports are in use"))
        return found

    def _export(self, servers: list[Server], used: dict[str, Usage]) -> None:
        states = [server.state for server in servers]
        for state in type(states[0]) if states else ():
            self._states.labels(state=str(state)).set(states.count(state))
        now = {str(server.port): used[server.id] for server in servers if server.id in used}
        for port in self._ports - now.keys():
            for gauge in (self._cpu, self._rss, self._count):
                gauge.remove(port)
        for port, usage in now.items():
            self._cpu.labels(port=port).set(usage.cpu_seconds)
            self._rss.labels(port=port).set(usage.rss_bytes)
            self._count.labels(port=port).set(usage.processes)
        self._ports = set(now)
