"""Run an instance until it is told to end."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Iterator

from lucid.auth.issuer import TOKEN_LIFE_S, Issuer
from lucid.instance import Layout, Running
from lucid.up.prepare import mint_tokens, prepare
from lucid.up.processes import WALLET, Addresses, choose_addresses, describe, describe_wallet_plane
from lucid_kit.clock import Clock, SystemClock
from lucid_kit.files import DirectoryLock, make_dirs
from lucid_kit.logs import get_logger
from lucid_kit.supervisor import Supervisor

Announce = Callable[[str], None]


class Up:
    """One instance, from its start to its end.

    Parameters
    ----------
    name
        First part of the chain's id; used only when the chain is made.
    api_port
        Port of the API; 0 lets the system choose.
    with_wallet
        Whether the wallet plane runs too.
    progress
        Told what is being done, as a line for a person.
    """

    def __init__(
        self,
        layout: Layout,
        *,
        name: str,
        api_port: int,
        version: str,
        progress: Announce,
        with_wallet: bool = False,
    ) -> None:
        self._layout = layout
        self._with_wallet = with_wallet
        self._wallet_services: dict[str, str] = {}
        self._name = name
        self._api_port = api_port
        self._version = version
        self._progress = progress
        self._clock: Clock = SystemClock()

    async def run(self, on_ready: Callable[[Running], None]) -> None:
        """Start everything, call `on_ready`, go on until SIGTERM or SIGINT, end everything.

        Raises
        ------
        AlreadyRunning
            If another `lucid up` holds this data directory; it is named.
        ProcessNotReady
            If a process doesn't start. What was started by then is ended.
        """
        make_dirs(self._layout.data)
        with DirectoryLock(self._layout.data, "lucid up"), _stop_signals() as stopped:
            # A file left by an instance that was killed would name a dead process as running.
            self._layout.running.unlink(missing_ok=True)
            self._progress("preparing keys and chain …")
            issuer = await asyncio.to_thread(prepare, self._layout, self._name, self._clock)
            supervisor = Supervisor(self._clock, on_death=self._died)
            starting = asyncio.create_task(self._start(supervisor))
            try:
                await _first(starting, stopped)
                if starting.done():
                    running = self._running(starting.result())
                    running.write(self._layout)
                    on_ready(running)
                    await self._until(stopped, issuer)
            finally:
                self._layout.running.unlink(missing_ok=True)
                starting.cancel()
                await asyncio.gather(starting, return_exceptions=True)
                self._progress("ending …")
                await supervisor.stop_all()

    async def _start(self, supervisor: Supervisor) -> Addresses:
        addresses = choose_addresses(self._api_port)
        for process in describe(self._layout, addresses):
            self._progress(f"starting {process.name} …")
            await supervisor.start(process)
        if self._with_wallet:
            self._progress("starting the wallet plane …")
            said = await supervisor.start(describe_wallet_plane(self._layout))
            self._wallet_services = {f"{WALLET}/{name}": url for name, url in said["services"].items()}
        return addresses

    async def _until(self, stopped: asyncio.Event, issuer: Issuer) -> None:
        """Wait for the end; renew tokens at half of their life meanwhile."""
        while not stopped.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TOKEN_LIFE_S / 2):
                    await stopped.wait()
                    return
            await asyncio.to_thread(mint_tokens, self._layout, issuer)

    def _running(self, addresses: Addresses) -> Running:
        urls = addresses.urls()
        services = urls | self._wallet_services
        return Running(os.getpid(), urls["sessions"], services, self._clock.now_ms(), self._version)

    def _died(self, name: str, status: int) -> None:
        how = f"was killed by signal {-status}" if status < 0 else f"ended with {status}"
        get_logger().error("process.died", process=name, status=status)
        self._progress(f"{name} {how}; starting it again")


async def _first(task: asyncio.Task[Addresses], stopped: asyncio.Event) -> None:
    """Wait until `task` is done or the end was asked for."""
    waiting = asyncio.create_task(stopped.wait())
    await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()


@contextlib.contextmanager
def _stop_signals() -> Iterator[asyncio.Event]:
    """An event that SIGTERM and SIGINT set."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    try:
        yield stopped
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
