"""Desktops for tests: the HTTP contract of lucid.rdp over plain Xvfb displays. A fixture, never part of the
product.

Run as a program it prints its address. `/desks/{session}/…` is for the test: connect, disconnect, logout,
crash, gone.
"""

import asyncio
import json
import os
import secrets
import signal
import sys
from dataclasses import dataclass, field
from typing import Any

from fastapi import APIRouter, FastAPI, HTTPException, Request
from pydantic import BaseModel

from lucid_kit.http import serve

routes = APIRouter()
WORK = 'i=0; while :; do i=$((i+1)); echo "line $i"; sleep 0.1; done'


class Wish(BaseModel):
    session: str
    width: int
    height: int
    gated: bool


@dataclass
class Desk:
    id: str
    session: str
    display: str = ""
    revision: int = 1
    state: str = "ready"
    reason: str = ""
    admitted: bool = False
    connected: bool = False
    processes: list[asyncio.subprocess.Process] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def change(self, **values: Any) -> None:
        for name, value in values.items():
            setattr(self, name, value)
        self.revision += 1
        self.changed.set()
        self.changed = asyncio.Event()

    def out(self) -> dict[str, Any]:
        display = None
        if self.display and self.state not in ("stopped", "failed"):
            display = {
                "name": self.display,
                "socket": f"/tmp/.X11-unix/X{self.display[1:]}",
                "xauthority": "",
                "ipc_pid": os.getpid(),
                "uid": 0,
            }
        return {
            "id": self.id,
            "session": self.session,
            "revision": self.revision,
            "state": self.state,
            "reason": self.reason,
            "display": display,
            "admitted": self.admitted,
            "client_connected": self.connected,
            "pids": [process.pid for process in self.processes],
        }


class Desks:
    def __init__(self) -> None:
        self.all: dict[str, Desk] = {}
        self.port = 13389

    def of(self, session: str) -> Desk:
        for desk in self.all.values():
            if desk.session == session:
                return desk
        raise HTTPException(404)

    async def create(self, wish: Wish) -> Desk:
        desk = Desk(f"srv_{secrets.token_hex(8)}", wish.session)
        self.all[desk.id] = desk
        read, write = os.pipe()
        process = await asyncio.create_subprocess_exec(
            "Xvfb",
            "-displayfd",
            str(write),
            "-screen",
            "0",
            f"{wish.width}x{wish.height}x24",
            "-nolisten",
            "tcp",
            "-noreset",
            pass_fds=[write],
            stderr=asyncio.subprocess.DEVNULL,
        )
        os.close(write)
        desk.processes.append(process)
        with os.fdopen(read) as pipe:
            desk.display = ":" + (await asyncio.to_thread(pipe.readline)).strip()
        return desk

    async def end(self, desk: Desk) -> None:
        for process in reversed(desk.processes):
            if process.returncode is None:
                process.kill()
            await process.wait()
        desk.processes.clear()


def _desks(request: Request) -> Desks:
    desks: Desks = request.app.state.desks
    return desks


def _desk(request: Request, id_: str) -> Desk:
    desk = _desks(request).all.get(id_)
    if desk is None:
        raise HTTPException(404)
    return desk


@routes.post("/rdp/servers", status_code=201)
async def create(wish: Wish, request: Request) -> dict[str, Any]:
    desks = _desks(request)
    desk = await desks.create(wish)
    desk.change(connected=True, state="connected")
    desks.port += 1
    access = {"host": "127.0.0.1", "port": desks.port, "username": "lucid-test", "password": "one-time"}
    return {**desk.out(), **access}


@routes.get("/rdp/servers")
async def listing(request: Request) -> dict[str, Any]:
    return {"servers": [desk.out() for desk in _desks(request).all.values()]}


@routes.get("/rdp/servers/{id_}/status")
async def status(id_: str, request: Request, after: int = -1, wait_ms: int = 0) -> dict[str, Any]:
    desk = _desk(request, id_)
    try:
        async with asyncio.timeout(wait_ms / 1000):
            while desk.revision <= after:
                await desk.changed.wait()
    except TimeoutError:
        pass
    return _desk(request, id_).out()


@routes.post("/rdp/servers/{id_}/admit")
async def admit(id_: str, request: Request) -> dict[str, Any]:
    desk = _desk(request, id_)
    if not desk.admitted:
        painter = await asyncio.create_subprocess_exec(
            "xterm",
            "-geometry",
            "80x24",
            "-e",
            "sh",
            "-c",
            WORK,
            env={**os.environ, "DISPLAY": desk.display},
            stderr=asyncio.subprocess.DEVNULL,
        )
        desk.processes.append(painter)
        desk.change(admitted=True)
    return desk.out()


@routes.delete("/rdp/servers/{id_}", status_code=204)
async def remove(id_: str, request: Request) -> None:
    desks = _desks(request)
    desk = desks.all.pop(id_, None)
    if desk is not None:
        await desks.end(desk)
        desk.change(state="stopped", reason="removed")


@routes.post("/rdp/sessions/{session}/disconnect")
async def disconnect(session: str, request: Request) -> dict[str, Any]:
    desk = _desks(request).of(session)
    desk.change(connected=False, state="disconnected")
    return desk.out()


@routes.post("/desks/{session}/{what}")
async def happen(session: str, what: str, request: Request) -> dict[str, Any]:
    desks = _desks(request)
    desk = desks.of(session)
    if what in ("connect", "disconnect"):
        desk.change(connected=what == "connect", state=f"{what}ed")
    elif what == "logout":
        await desks.end(desk)
        desk.change(state="stopped", reason="logged out", connected=False)
    elif what == "crash":
        await desks.end(desk)
        desk.change(state="failed", reason="xorg-died", connected=False)
    elif what == "gone":
        desks.all.pop(desk.id)
        await desks.end(desk)
        desk.change(state="stopped")
    return desk.out()


async def main() -> None:
    app = FastAPI()
    desks = app.state.desks = Desks()
    app.include_router(routes)
    try:
        await serve(app, on_ready=lambda url: print(json.dumps({"url": url}), flush=True))
    finally:
        for desk in desks.all.values():
            await desks.end(desk)


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    asyncio.run(main())
    sys.exit(0)
