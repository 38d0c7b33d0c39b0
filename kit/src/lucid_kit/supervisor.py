"""Child processes that are started in order, started again when they die, and ended in reverse order.

    supervisor = Supervisor()
    ready = await supervisor.start(Process("chain", [sys.executable, "-m", "lucid_blocks", "run", …]))
    …
    await supervisor.stop_all()

Every child leads a process group of its own, so that what it started ends with it, and gets SIGKILL from the
kernel when the supervising process dies, however it dies (prctl(2), PR_SET_PDEATHSIG). Use it from the main
thread: the kernel ties that signal to the thread that made the child.

That signal goes to the child alone, and programs the child starts do not inherit it: when the supervising
process is killed, no one is left to end the child's group. So a child that starts programs gives them to a
Supervisor of its own, or asks for the signal in them itself; what it starts otherwise stays. Where systemd
runs the supervising process, KillMode=control-group ends that too.
"""

import asyncio
import contextlib
import ctypes
import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

import httpx

from lucid_kit.clock import Clock, SystemClock
from lucid_kit.errors import SystemFault
from lucid_kit.logs import get_logger

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


class ProcessNotReady(SystemFault):
    """A process ended, or said nothing in time, instead of becoming ready."""

    code = "LUCID_ERR_5015"
    advice = "Read the log file that is named: its last lines say what was wrong."


@dataclass(frozen=True, slots=True)
class Process:
    """What to run.

    Attributes
    ----------
    environment
        The child's whole environment.
    log
        File that its stderr, and whatever it prints after the ready line, is appended to; None: our stderr.
    ready
        What tells that it is ready: "line", its first line on stdout, a JSON object; "http", a 200 from
        `ready_url`; None, that it runs.
    ready_seconds
        How long that may take.
    restart
        Whether it is started again when it ends without having been asked to: "always" or "never".
    stop_signal, stop_timeout
        How it is asked to end, and how many seconds it may take before its process group gets SIGKILL.
    """

    name: str
    argv: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    log: Path | None = None
    ready: Literal["line", "http"] | None = "line"
    ready_url: str = ""
    ready_seconds: float = 30.0
    restart: Literal["always", "never"] = "always"
    stop_signal: signal.Signals = signal.SIGTERM
    stop_timeout: float = 20.0


class ProcessState(StrEnum):
    STARTING = "starting"
    READY = "ready"
    WAITING = "waiting"  # died; will be started again
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Status:
    """A process as it is now; `since_ms` is when it came into this state."""

    name: str
    state: ProcessState
    pid: int | None
    restarts: int
    since_ms: int


class Supervisor:
    """Starts, watches and ends processes.

    Parameters
    ----------
    on_death
        Called with a process's name and wait status each time one ends without having been asked to.
    first_wait_s, longest_wait_s
        Pause before a restart: the first, doubling up to the longest; a process that was ready for longer
        than `longest_wait_s` starts at the first again.
    """

    def __init__(
        self,
        clock: Clock | None = None,
        *,
        on_death: Callable[[str, int], None] | None = None,
        first_wait_s: float = 0.2,
        longest_wait_s: float = 10.0,
    ) -> None:
        self._clock = clock or SystemClock()
        self._on_death = on_death or (lambda _name, _status: None)
        self._waits = (first_wait_s, longest_wait_s)
        self._children: dict[str, _Child] = {}

    async def start(self, process: Process) -> dict[str, Any]:
        """Start a process and wait until it is ready; gives the JSON object it printed.

        Raises
        ------
        ProcessNotReady
            If it ends or says nothing in time; then it has been ended.
        ValueError
            If a process of that name was started already.
        """
        if process.name in self._children:
            raise ValueError(f"{process.name} was started already")
        child = _Child(process, self._clock, self._on_death, self._waits)
        self._children[process.name] = child
        try:
            return await child.first_start()
        except BaseException:
            self._children.pop(process.name, None)
            raise

    async def stop(self, name: str) -> None:
        """End one process, and what it started; returns when it is gone."""
        await self._children.pop(name).stop()

    async def stop_all(self) -> None:
        """End all, the last started first. One that resists does not keep the others alive."""
        while self._children:
            _, child = self._children.popitem()
            await child.stop()

    def status(self) -> list[Status]:
        """All processes in the order they were started."""
        return [child.status for child in self._children.values()]


class _Child:
    def __init__(
        self,
        process: Process,
        clock: Clock,
        on_death: Callable[[str, int], None],
        waits: tuple[float, float],
    ) -> None:
        self._process = process
        self._clock = clock
        self._on_death = on_death
        self._first_wait, self._longest_wait = waits
        self._running: asyncio.subprocess.Process | None = None
        self._watch: asyncio.Task[None] | None = None
        self._drain: asyncio.Task[None] | None = None
        self._restarts = 0
        self._stopping = False
        self._state = ProcessState.STARTING
        self._since_ms = clock.now_ms()

    @property
    def status(self) -> Status:
        pid = self._running.pid if self._running and self._running.returncode is None else None
        return Status(self._process.name, self._state, pid, self._restarts, self._since_ms)

    async def first_start(self) -> dict[str, Any]:
        ready = await self._start()
        self._watch = asyncio.create_task(self._keep(), name=f"supervise {self._process.name}")
        return ready

    async def stop(self) -> None:
        self._stopping = True
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
        await self._end()
        self._enter(ProcessState.ENDED)

    async def _keep(self) -> None:
        """Start the process again each time it dies."""
        wait = self._first_wait
        while True:
            assert self._running is not None
            ready_at = self._clock.monotonic_ms()
            status = await self._running.wait()
            self._sweep()
            self._on_death(self._process.name, status)
            get_logger().warning("process.died", process=self._process.name, status=status)
            if self._process.restart == "never":
                self._enter(ProcessState.ENDED)
                return
            self._enter(ProcessState.WAITING)
            if self._clock.monotonic_ms() - ready_at > self._longest_wait * 1000:
                wait = self._first_wait
            while True:
                await self._clock.sleep(wait)
                wait = min(2 * wait, self._longest_wait)
                self._restarts += 1
                try:
                    await self._start()
                    break
                except ProcessNotReady as error:
                    get_logger().error("process.not-ready", process=self._process.name, error=str(error))
                    self._enter(ProcessState.WAITING)

    async def _start(self) -> dict[str, Any]:
        self._enter(ProcessState.STARTING)
        process = self._process
        with self._refusals(), contextlib.ExitStack() as stack:
            log = stack.enter_context(process.log.open("ab")) if process.log else None
            self._running = await asyncio.create_subprocess_exec(
                *process.argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                env=dict(process.environment),
                start_new_session=True,
                preexec_fn=_die_with(os.getpid()),
            )
        try:
            async with asyncio.timeout(process.ready_seconds):
                ready = await self._ready()
        except (TimeoutError, ValueError) as error:
            await self._end()
            raise ProcessNotReady(self._why(error), process=process.name, log=process.log) from None
        except BaseException:
            await self._end()
            raise
        self._drain = asyncio.create_task(self._forward(), name=f"drain {process.name}")
        self._enter(ProcessState.READY)
        return ready

    @contextlib.contextmanager
    def _refusals(self) -> Iterator[None]:
        try:
            yield
        except (OSError, subprocess.SubprocessError) as error:
            raise ProcessNotReady(
                f"{self._process.name} cannot be started: {error}", process=self._process.name
            ) from error

    async def _ready(self) -> dict[str, Any]:
        if self._process.ready == "line":
            return await self._ready_line()
        if self._process.ready == "http":
            await self._ready_http()
        return {}

    async def _ready_http(self) -> None:
        assert self._running is not None
        async with httpx.AsyncClient(timeout=2.0, trust_env=False) as client:
            while True:
                if self._running.returncode is not None:
                    raise ValueError("ended")
                with contextlib.suppress(httpx.HTTPError):
                    if (await client.get(self._process.ready_url)).status_code == 200:
                        return
                await self._clock.sleep(0.02)

    async def _ready_line(self) -> dict[str, Any]:
        assert self._running is not None
        assert self._running.stdout is not None
        line = await self._running.stdout.readline()
        ready = None
        with contextlib.suppress(ValueError):
            ready = json.loads(line)
        if not isinstance(ready, dict):
            raise ValueError("ended" if not line else f"printed {line[:200]!r} instead of its ready line")
        return ready

    async def _forward(self) -> None:
        """Keep the pipe empty: a child that prints more must not block on it."""
        assert self._running is not None
        assert self._running.stdout is not None
        # By blocks, not lines: a line longer than the reader's buffer would end the reading.
        while said := await self._running.stdout.read(8192):
            for line in said.decode("utf-8", "replace").splitlines():
                get_logger().info("process.said", process=self._process.name, text=line)

    def _why(self, error: Exception) -> str:
        name, log = self._process.name, self._process.log
        what = (
            f"said nothing for {self._process.ready_seconds:g} s"
            if isinstance(error, TimeoutError)
            else str(error)
        )
        said = f"; its log is {log} and ends: {_tail(log)}" if log else ""
        return f"{name} did not become ready: it {what}{said}"

    async def _end(self) -> None:
        """The stop signal to the child, SIGKILL to its group after a while; returns when it is gone."""
        running = self._running
        if running is not None and running.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                running.send_signal(self._process.stop_signal)
            try:
                async with asyncio.timeout(self._process.stop_timeout):
                    await running.wait()
            except TimeoutError:
                get_logger().warning("process.resisted", process=self._process.name)
        self._sweep()
        if running is not None:
            await running.wait()
        if self._drain is not None:
            self._drain.cancel()
            await asyncio.gather(self._drain, return_exceptions=True)
            self._drain = None

    def _sweep(self) -> None:
        """Kill what is left of the child's process group."""
        if self._running is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._running.pid, signal.SIGKILL)

    def _enter(self, state: ProcessState) -> None:
        self._state = state
        self._since_ms = self._clock.now_ms()


def _die_with(parent: int) -> Callable[[], None]:
    def run_in_child() -> None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before we asked to be told
            os._exit(1)

    return run_in_child


def _tail(log: Path, size: int = 500) -> str:
    try:
        return log.read_bytes()[-size:].decode("utf-8", "replace").strip()
    except OSError:
        return ""
