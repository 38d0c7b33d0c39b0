"""Serving an app: one process, one socket, an orderly end."""

import asyncio
import contextlib
import errno
import os
import signal
import socket
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import uvicorn
from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from lucid_kit.errors import LucidError, SystemFault

_GRACE_SECONDS = 10
_running: set[uvicorn.Server] = set()


class AddressInUse(SystemFault):
    """Another process listens at this address."""

    code = "LUCID_ERR_5002"
    advice = "Stop the process that listens there, or choose another port."


class NotStarted(SystemFault):
    """The service could not start."""

    code = "LUCID_ERR_5005"
    advice = "Read the log above this message; it says what failed at start."


async def serve(
    app: FastAPI,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    uds: Path | str | None = None,
    on_ready: Callable[[str], None],
) -> None:
    """Answer requests until SIGTERM or SIGINT, or until this task is cancelled.

    Then no new connection is accepted, requests that run get ten seconds to end, and the app's lifespan is
    left. A second signal ends it at once. Several calls may run in one event loop; a signal ends them all.

    Parameters
    ----------
    port
        0 lets the system choose.
    uds
        A Unix socket instead of a port: made with mode 0600, removed at the end.
    on_ready
        Called once with the base URL when requests are answered: `http://127.0.0.1:40123`, or
        `http+unix://%2Frun%2Flucid.sock`, which `Client` understands.

    Raises
    ------
    AddressInUse
        If something listens there already.
    LucidError
        What the app's lifespan raised at start; NotStarted if it was something else.
    """
    listener, url = _unix_listener(Path(uds)) if uds is not None else _tcp_listener(host, port)
    failed: list[BaseException] = []

    async def watched(scope: Scope, receive: Receive, send: Send) -> None:
        # uvicorn logs what a lifespan raises and forgets it; whoever called serve() must get it.
        try:
            await app(scope, receive, send)
        except BaseException as error:
            if scope["type"] == "lifespan":
                failed.append(error)
            raise

    config = uvicorn.Config(
        watched,
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
        h11_max_incomplete_event_size=64 << 10,
    )
    server = _Server(config, lambda: on_ready(url))
    try:
        with _stopped_by_signals(server):
            await _until_ended(server, listener)
    except NotStarted:
        raise _why(failed) from None
    finally:
        listener.close()
        if uds is not None:
            _remove(Path(uds))


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        # uvicorn's own version raises the signal again at the end, which would turn a clean end into a death.
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        try:
            await super().startup(sockets)
        except SystemExit:
            # uvicorn would end the process; the caller decides that.
            raise NotStarted("The service did not start: its lifespan failed") from None
        if self.started and not self.should_exit:
            self._ready()


async def _until_ended(server: uvicorn.Server, listener: socket.socket) -> None:
    task = asyncio.ensure_future(server.serve(sockets=[listener]))
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        server.should_exit = True
        await task
        raise


@contextlib.contextmanager
def _stopped_by_signals(server: uvicorn.Server) -> Iterator[None]:
    """While any server runs, SIGTERM and SIGINT ask all of them to end."""
    loop = asyncio.get_running_loop()
    signals = (signal.SIGTERM, signal.SIGINT) if threading.current_thread() is threading.main_thread() else ()
    before: dict[signal.Signals, Any] = {}
    if not _running:
        before = {number: signal.getsignal(number) for number in signals}
    for number in signals:
        loop.add_signal_handler(number, _stop_all)
    _running.add(server)
    try:
        yield
    finally:
        _running.discard(server)
        if not _running:
            for number in signals:
                loop.remove_signal_handler(number)
                if before.get(number) is not None:
                    signal.signal(number, before[number])


def _stop_all() -> None:
    for server in _running:
        server.force_exit = server.should_exit
        server.should_exit = True


def _why(failed: list[BaseException]) -> BaseException:
    if failed and isinstance(failed[0], LucidError):
        return failed[0]
    error = NotStarted(f"The service did not start: {failed[0] if failed else 'see the log'}")
    error.__cause__ = failed[0] if failed else None
    return error


def _tcp_listener(host: str, port: int) -> tuple[socket.socket, str]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(socket.SOMAXCONN)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise AddressInUse(f"Port {port} of {host} is taken", host=host, port=port) from error
        raise NotStarted(f"Cannot listen on {host}:{port}: {error.strerror}") from error
    shown = f"[{host}]" if ":" in host else host
    return listener, f"http://{shown}:{listener.getsockname()[1]}"


def _unix_listener(path: Path) -> tuple[socket.socket, str]:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if path.exists() and stat.S_ISSOCK(path.stat().st_mode):
            if _answers(path):
                raise AddressInUse(f"Something listens on {path}", path=path)
            path.unlink()  # left by a process that was killed
        listener.bind(str(path))
        path.chmod(0o600)
        listener.listen(socket.SOMAXCONN)
    except OSError as error:
        listener.close()
        raise NotStarted(f"Cannot listen on {path}: {error.strerror or error}") from error
    except LucidError:
        listener.close()
        raise
    return listener, f"http+unix://{quote(os.fspath(path.absolute()), safe='')}"


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        return probe.connect_ex(str(path)) == 0
