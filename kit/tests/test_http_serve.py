"""serve() and Client, over real sockets and real processes."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from fastapi import APIRouter, FastAPI, Request

from lucid_kit.errors import SystemFault
from lucid_kit.http import AddressInUse, Client, RemoteProblem, RemoteUnavailable, create_app, serve
from lucid_kit.ids import is_id
from lucid_kit.tokens import JwksVerifier

from .example_app import build

Running = Callable[..., contextlib.AbstractAsyncContextManager[str]]


@asynccontextmanager
async def running(app: FastAPI, **options: object) -> AsyncIterator[str]:
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(serve(app, on_ready=ready.set_result, **options))  # type: ignore[arg-type]
    try:
        await asyncio.wait({task, asyncio.ensure_future(ready)}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
        yield ready.result()
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_the_bound_port_is_reported_and_freed_at_the_end(verifier: JwksVerifier) -> None:
    async with running(build(verifier)) as url, Client(url) as client:
        assert (await client.get("/health")).json()["name"] == "example"
    with pytest.raises(RemoteUnavailable, match="cannot be reached"):
        await Client(url).get("/health")


async def test_a_unix_socket_is_private_and_removed_and_a_dead_one_replaced(
    verifier: JwksVerifier, tmp_path: Path
) -> None:
    path = tmp_path / "api.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    async with running(build(verifier), uds=path) as url, Client(url) as client:
        assert path.stat().st_mode & 0o777 == 0o600
        assert (await client.get("/health")).status_code == 200
        with pytest.raises(AddressInUse, match="listens on"):
            await serve(build(verifier), uds=path, on_ready=print)
        assert path.exists()
    assert not path.exists()


async def test_a_taken_port_is_named(verifier: JwksVerifier) -> None:
    async with running(build(verifier)) as url:
        port = int(url.rsplit(":", 1)[1])
        with pytest.raises(AddressInUse, match=f"Port {port} of 127.0.0.1 is taken"):
            await serve(build(verifier), port=port, on_ready=print)


@pytest.mark.parametrize("options", [{"host": "192.0.2.1"}, {"uds": "/nowhere/at/all.sock"}])
async def test_an_address_that_cannot_be_had_is_an_error_in_words(
    verifier: JwksVerifier, options: dict[str, str]
) -> None:
    with pytest.raises(SystemFault, match="Cannot listen"):
        await serve(build(verifier), on_ready=print, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("error", [SystemFault("The spool is on fire"), RuntimeError("on fire")])
async def test_what_fails_at_start_reaches_the_caller(verifier: JwksVerifier, error: Exception) -> None:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        raise error
        yield

    ready: list[str] = []
    with pytest.raises(SystemFault, match="on fire"):
        await serve(build(verifier, lifespan=lifespan), on_ready=ready.append)
    assert ready == []


PROGRAM = """
import asyncio
from contextlib import asynccontextmanager
from fastapi import APIRouter
from lucid_kit import logs
from lucid_kit.http import create_app, serve
logs.configure('x', level='debug')
routes = APIRouter()
begun = asyncio.Event()
@routes.get("/slow")
async def slow() -> str:
    print("asked", flush=True)
    await asyncio.sleep(0.3)
    return "whole"
@asynccontextmanager
async def lifespan(app):
    yield
    print("closed", flush=True)
async def main():
    apps = [create_app("x", version="1", routers=[routes], verifier=None, lifespan=lifespan) for _ in "ab"]
    await asyncio.gather(*(serve(app, on_ready=lambda url: print(url, flush=True)) for app in apps))
asyncio.run(main())
print("ended", flush=True)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_every_server_after_the_requests_that_run(number: signal.Signals) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROGRAM, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert process.stdout is not None
    async with asyncio.timeout(30):
        urls = [(await process.stdout.readline()).decode().strip() for _ in range(2)]
        async with httpx.AsyncClient() as client:
            answer = asyncio.create_task(client.get(urls[1] + "/slow"))
            assert await process.stdout.readline() == b"asked\n"
            os.kill(process.pid, number)
            assert (await answer).json() == "whole"
        assert await process.stdout.read() == b"closed\nclosed\nended\n"
        assert await process.wait() == 0


class Echo:
    """A service that tells what it was sent."""

    def __init__(self) -> None:
        self.seen: list[httpx.Headers] = []
        routes = APIRouter()

        @routes.api_route("/echo", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
        async def echo(request: Request) -> dict[str, str]:
            self.seen.append(httpx.Headers(dict(request.headers)))
            return {"method": request.method}

        self.app = create_app("echo", version="1", routers=[routes], verifier=None)


async def test_every_write_carries_an_idempotency_key_and_the_token() -> None:
    echo, count = Echo(), iter(range(9))

    async def token() -> str:
        return f"t{next(count)}"

    async with Client("http://echo", token=token, transport=httpx.ASGITransport(echo.app)) as client:
        for call in (client.post, client.put, client.patch, client.delete):
            await call("/echo")
        await client.get("/echo")
        await client.post("/echo", idempotency_key="mine", timeout_s=1)
    assert all(is_id(seen["idempotency-key"], "idm") for seen in echo.seen[:4])
    assert "idempotency-key" not in echo.seen[4]
    assert echo.seen[5]["idempotency-key"] == "mine"
    assert [seen["authorization"] for seen in echo.seen] == [f"Bearer t{n}" for n in range(6)]


async def test_a_remote_problem_keeps_its_code_and_becomes_502_for_our_caller(verifier: JwksVerifier) -> None:
    async with Client("http://kit", token="x", transport=httpx.ASGITransport(build(verifier))) as client:
        with pytest.raises(RemoteProblem, match="GET /break/locked: The note is locked") as caught:
            await client.get("/break/locked")
    assert (caught.value.remote_status, caught.value.status) == (409, 502)
    assert caught.value.remote_code == "LUCID_ERR_4990"
    assert caught.value.facts["remote_facts"] == {"since_ms": 5}
    assert caught.value.facts["remote_advice"] == "Unlock it first."


@pytest.mark.parametrize("content", [b"<html>Bad gateway</html>", b"[]", b""])
async def test_an_answer_that_is_no_problem_document_is_still_an_error(content: bytes) -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(502, content=content))
    with pytest.raises(RemoteProblem, match="Bad Gateway") as caught:
        await Client("http://x", transport=transport, token=lambda: "t").get("/y")
    assert (caught.value.remote_status, caught.value.remote_code) == (502, "")


async def test_a_service_that_does_not_answer_in_time_is_unavailable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:  # takes the connection, and never reads
        async with Client(f"http://127.0.0.1:{deaf.getsockname()[1]}", timeout_s=0.05) as client:
            with pytest.raises(RemoteUnavailable, match="in time"):
                await client.get("/")
