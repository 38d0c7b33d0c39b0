"""One running server: its container, its doorman, its clients, and what has become of them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Any

from lucid.rdp import layout, passwords, probe, processes
from lucid.rdp.certificates import Certificate
from lucid.rdp.container import Container, Starters
from lucid.rdp.doorman import Doorman, Login, Seat
from lucid.rdp.errors import DesktopNotStarted
from lucid.rdp.layout import Place
from lucid.rdp.models import Display, Identity, Server, State
from lucid.rdp.settings import RdpSettings
from lucid_kit.logs import get_logger

_PROBE_PAUSE = 0.01  # seconds between two attempts at a port on which nobody listens yet
_SWEEP_PAUSE = 2.0  # seconds between two looks for clients that say nothing
_STRANGERS = 8  # clients that have not logged in, at most, at a time


class PortTaken(Exception):
    """Someone else listens on the port that was thought to be free."""


class Instance:
    """A server's processes and its present state.

    Parameters
    ----------
    server
        As stored; its state is `starting`.
    sealed
        The one-time password's hash; can be replaced while the server runs.
    changed
        Called after each change of `server`.
    starters
        Where its first process comes from.
    cgroup
        The control group its processes are in; empty for none.
    cleared
        Called when all of them have ended.
    """

    def __init__(
        self,
        server: Server,
        sealed: str,
        settings: RdpSettings,
        changed: Callable[[Server], None],
        starters: Starters,
        cgroup: str = "",
        cleared: Callable[[], None] = lambda: None,
    ) -> None:
        self.server = server
        self.sealed = sealed
        self._settings = settings
        self._changed = changed
        self._starters = starters
        self.cgroup = cgroup
        self._cleared = cleared
        self._place = Place.of(server.port, settings)
        self._container = Container(self._hear)
        self._doorman = Doorman(self._place.display_uid, self._judge)
        self._clients: dict[int, int] = {}  # pid of a client's xrdp → pidfd
        self._guests: set[int] = set()  # of those, the ones that have reached the display
        self._strangers: dict[int, float] = {}  # pid of an xrdp whose client has not logged in → since when
        self._tasks: set[asyncio.Task[None]] = set()
        self._display_up = asyncio.Event()
        self._began = asyncio.Event()
        self._over = asyncio.Event()
        self._one_login = asyncio.Lock()
        self._log = get_logger().bind(server_id=server.id, session_id=server.session)

    @property
    def process(self) -> Identity | None:
        """The session's first process."""
        return self._container.identity

    # -- coming up -------------------------------------------------------------------------------------------

    async def begin(self, tls: Certificate) -> None:
        """Start the processes; returns when the first one exists.

        Raises
        ------
        DesktopNotStarted
            If the kernel refuses the namespaces.
        """
        self._update(fingerprint=tls.fingerprint)
        size = self.server.width, self.server.height
        port = await self._doorman.open()
        plan = layout.plan(self._place, self.server.username, size, port, tls, self._settings, self.cgroup)
        await self._container.start(plan, self._starters)
        await self._began.wait()
        self._raise_if_over()

    async def until_ready(self) -> None:
        """Wait for a TLS handshake with this server's own certificate.

        Raises
        ------
        DesktopNotStarted
            If a program ended, or nothing answered in time.
        PortTaken
            If another program answers on the port, or xrdp could not have it.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._settings.start_timeout
        while True:
            self._raise_if_over()
            try:
                seen = await probe.handshake(self.server.host, self.server.port, deadline - loop.time())
            except (ConnectionRefusedError, ConnectionResetError):
                await asyncio.sleep(_PROBE_PAUSE)
            except probe.NotRdp as error:
                raise PortTaken(str(error)) from error
            except (TimeoutError, OSError) as error:
                self._raise_if_over()
                raise DesktopNotStarted(
                    f"xrdp did not answer on {self.server.host}:{self.server.port} "
                    f"within {self._settings.start_timeout:g} s: {error}"
                ) from error
            else:
                if seen != self.server.fingerprint:
                    raise PortTaken("another RDP server answers there")
                break
        self._raise_if_over()
        if self.server.state is State.STARTING:
            self._update(state=State.READY)
        self._run(self._sweep())

    def _raise_if_over(self) -> None:
        if not self.server.state.live:
            if "xrdp ended" in self.server.reason and "trans_listen_address failed" in self.server.reason:
                raise PortTaken(self.server.reason)
            raise DesktopNotStarted(self.server.reason)

    # -- being used ------------------------------------------------------------------------------------------

    def admit(self) -> None:
        """Open the gate: the desktop starts, once."""
        if not self.server.admitted:
            self._container.admit()
            self._update(admitted=True)

    def disconnect(self) -> int:
        """Send every client away; the desktop stays. How many there were."""
        for descriptor in self._clients.values():
            processes.kill(descriptor)
        return len(self._clients)

    async def stop(self, reason: str, state: State = State.STOPPED) -> None:
        """End everything and wait until nothing is left."""
        if self.server.state.live:
            self._update(state=state, reason=reason, display=None, client_connected=False)
        self._over.set()
        await self._container.end()
        await self._doorman.close()
        for task in tuple(self._tasks):
            if task is not asyncio.current_task():
                task.cancel()
                await asyncio.wait([task])
        for pid in tuple(self._clients):
            self._forget(pid)
        self._cleared()

    # -- news from inside ------------------------------------------------------------------------------------

    def _hear(self, message: dict[str, Any]) -> None:
        match message["is"]:
            case "begun":
                self._update(pid=message["pid"])
                self._began.set()
            case "ready" if message["program"] == "xorg":
                self._show()
            case "ended":
                self._mourn(message["program"], message["how"], message["log"])
            case "refused":
                self._fail(f"the session's first process was refused: {message['detail']}")
            case "gone":
                self._fail("the session's first process ended")
                self._began.set()
                self._over.set()

    def _show(self) -> None:
        pid = self.server.pid
        assert pid is not None
        root = f"/proc/{pid}/root"
        number = self._place.display
        shown = Display(
            name=f":{number}",
            socket=f"{root}/tmp/.X11-unix/X{number}",  # noqa: S108 — the session's own
            xauthority=f"{root}{layout.XAUTHORITY}",
            ipc_pid=pid,
            uid=self._place.display_uid,
        )
        self._update(display=shown)
        self._display_up.set()
        if not self.server.gated:
            self.admit()

    def _mourn(self, program: str, how: str, log: str) -> None:
        if program == "desktop":
            left = how == "exit status 0"
            self._end("the desktop was left" if left else f"the desktop ended: {how}", State.STOPPED)
        else:
            last = log.strip().splitlines()[-3:]
            self._fail(f"{program} ended: {how}" + (f"; it wrote last: {' | '.join(last)}" if last else ""))

    def _fail(self, reason: str) -> None:
        self._end(reason, State.FAILED)

    def _end(self, reason: str, state: State) -> None:
        if self.server.state.live:
            self._log.warning("server.ended", state=str(state), reason=reason)
            self._update(state=state, reason=reason, display=None, client_connected=False)
            self._run(self.stop(reason, state))

    # -- clients ---------------------------------------------------------------------------------------------

    async def _judge(self, login: Login, inode: int) -> Seat | None:
        async with self._one_login:
            right = login.username == self.server.username and passwords.opens(self.sealed, login.password)
            if self.server.refused_logins >= self._settings.wrong_passwords or not self.server.state.live:
                return None
            if not right:
                await self._refuse(login)
                return None
        assert self.server.pid is not None
        pid = processes.holder(inode, processes.tree(self.server.pid))
        if pid is None:
            return None
        self._accompany(pid)
        self._log.info("login.accepted", client=login.client)
        state = self.server.state if self._guests else State.CONNECTING
        self._update(state=state, logins=self.server.logins + 1)
        if self.server.gated and self.server.logins == 1:
            self._run(self._gate_closes())
        await self._display_up.wait()

        async def arrived() -> None:
            # Closed by xrdp: either the client has its display, or xrdp gave up on it.
            if pid in self._clients and processes.connections(self._place.connection_socket):
                self._guests.add(pid)
                self._update(state=State.CONNECTED, client_connected=True)

        return Seat(self._place.display, arrived)

    async def _refuse(self, login: Login) -> None:
        refused = self.server.refused_logins + 1
        self._log.warning("login.refused", client=login.client, refused=refused)
        self._update(refused_logins=refused, reason=f"wrong password or name, {refused} times")
        await asyncio.sleep(self._settings.refusal_delay)
        if refused >= self._settings.wrong_passwords and not self._clients:
            self._fail(f"locked: {refused} logins with a wrong password or name")

    def _accompany(self, pid: int) -> None:
        """Notice when the xrdp process `pid` ends: then its client is gone."""
        try:
            descriptor = os.pidfd_open(pid)
        except OSError:
            return
        self._strangers.pop(pid, None)
        self._clients[pid] = descriptor
        asyncio.get_running_loop().add_reader(descriptor, self._farewell, pid)

    def _farewell(self, pid: int) -> None:
        self._forget(pid)
        if self.server.state.live and not self._clients:
            self._update(state=State.DISCONNECTED, client_connected=False)
            if self._settings.linger_ms:
                self._run(self._linger(self.server.logins))

    def _forget(self, pid: int) -> None:
        descriptor = self._clients.pop(pid)
        self._guests.discard(pid)
        asyncio.get_running_loop().remove_reader(descriptor)
        os.close(descriptor)

    async def _linger(self, logins: int) -> None:
        await asyncio.sleep(self._settings.linger_ms / 1000)
        if self.server.state is State.DISCONNECTED and self.server.logins == logins:
            self._end(f"no client for {self._settings.linger_ms / 1000:g} s", State.STOPPED)

    async def _gate_closes(self) -> None:
        await asyncio.sleep(self._settings.gate_timeout)
        if not self.server.admitted:
            self._fail(f"the gate was not opened within {self._settings.gate_timeout:g} s of the login")

    async def _sweep(self) -> None:
        """Send away clients that connect and say nothing: each holds a process of xrdp."""
        loop = asyncio.get_running_loop()
        while not self._over.is_set():
            await asyncio.sleep(_SWEEP_PAUSE)
            assert self.server.pid is not None
            servers = [pid for pid in processes.children(self.server.pid) if processes.name(pid) == "xrdp"]
            here = [
                pid for server in servers for pid in processes.children(server) if pid not in self._clients
            ]
            self._strangers = {pid: self._strangers.get(pid, loop.time()) for pid in here}
            latest = loop.time() - self._settings.handshake_timeout
            by_age = sorted(self._strangers, key=self._strangers.__getitem__)
            too_many = by_age[: max(0, len(by_age) - _STRANGERS)]
            for pid in {*too_many, *(pid for pid, since in self._strangers.items() if since <= latest)}:
                self._send_away(pid)

    def _send_away(self, pid: int) -> None:
        identity = processes.identify(pid)
        descriptor = processes.open_process(identity) if identity else None
        if descriptor is not None:
            processes.kill(descriptor)
            os.close(descriptor)
            self._log.info("client.sent_away", reason="did not log in")

    # -- changes ---------------------------------------------------------------------------------------------

    def _update(self, **changes: Any) -> None:
        self.server = self.server.changed(**changes)
        self._changed(self.server)

    def _run(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
