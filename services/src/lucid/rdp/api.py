"""HTTP: parse, authorise, call the service, shape the answer."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from lucid.rdp.models import Server
from lucid.rdp.service import Servers, Wish
from lucid_kit.clock import rfc3339
from lucid_kit.http import id_path, needs

SESSION = r"^ses_[0-9a-z]{1,40}$"
State = Literal["starting", "ready", "connecting", "connected", "disconnected", "stopped", "failed"]
ServerId = Annotated[str, id_path("srv", "the server's id")]
READ = [needs("rdp:read")]
WRITE = [needs("rdp:write")]

routes = APIRouter(tags=["remote desktops"])


class Size(BaseModel):
    """The size of a desktop, until a client asks for another."""

    model_config = ConfigDict(extra="forbid")

    width: int = Field(default=1280, ge=320, le=7680, description="pixels")
    height: int = Field(default=800, ge=200, le=4320, description="pixels")


class NewServer(Size):
    """A server someone wants."""

    session: str = Field(pattern=SESSION, description="the session it is for")
    gated: bool = Field(default=True, description="whether the desktop waits for POST …/admit")


class DisplayOut(BaseModel):
    """How root on this machine reaches the display."""

    name: str
    socket: str
    xauthority: str
    ipc_pid: int
    uid: int


class ServerOut(BaseModel):
    """A server as it is now."""

    id: str
    session: str
    host: str
    port: int
    username: str
    width: int
    height: int
    gated: bool
    fingerprint: str = Field(description="SHA-256 of the server's TLS certificate, hexadecimal")
    state: State
    reason: str
    revision: int
    admitted: bool
    client_connected: bool
    logins: int
    refused_logins: int
    created_at: str

    @classmethod
    def of(cls, server: Server) -> ServerOut:
        """The answer for one server."""
        return cls(**_shown(server))


class CreatedServer(ServerOut):
    """A new server, with the only copy of its password."""

    password: str


class StatusOut(ServerOut):
    """A server with what its recorder needs."""

    display: DisplayOut | None
    pids: list[int]


class ServerList(BaseModel):
    """Servers, oldest first."""

    servers: list[ServerOut]


def service_of(request: Request) -> Servers:
    """The service that answers this request."""
    service: Servers = request.app.state.servers
    return service


def _shown(server: Server) -> dict[str, object]:
    names = set(ServerOut.model_fields) - {"created_at"}
    return {name: getattr(server, name) for name in names} | {"created_at": rfc3339(server.created_ms)}


def _status(service: Servers, server: Server) -> StatusOut:
    shown = server.display
    display = (
        DisplayOut(**{name: getattr(shown, name) for name in DisplayOut.model_fields}) if shown else None
    )
    return StatusOut(**_shown(server), display=display, pids=service.roster.processes(server.id))


@routes.post("/rdp/servers", dependencies=WRITE, status_code=201)
async def create_server(
    body: NewServer,
    request: Request,
    key: Annotated[str, Header(alias="Idempotency-Key", max_length=200)] = "",
) -> CreatedServer:
    """Start a server; answers when a TLS handshake with it succeeded.

    The password is told only here. Repeated with the same Idempotency-Key before anyone has logged in, the
    answer is the same server with a new password.
    """
    wish = Wish(body.session, body.width, body.height, body.gated)
    server, password = await service_of(request).create(wish, key)
    return CreatedServer(**_shown(server), password=password)


@routes.get("/rdp/servers", dependencies=READ)
async def list_servers(request: Request) -> ServerList:
    """Every server, those that ended included until they are deleted."""
    return ServerList(servers=[ServerOut.of(each) for each in service_of(request).roster.all()])


@routes.get("/rdp/servers/{server_id}", dependencies=READ)
async def get_server(server_id: ServerId, request: Request) -> ServerOut:
    """One server."""
    return ServerOut.of(service_of(request).roster.get(server_id))


@routes.put("/rdp/servers/{server_id}", dependencies=WRITE)
async def put_server(server_id: ServerId, body: Size, request: Request) -> ServerOut:
    """Set the size a stopped server starts with."""
    return ServerOut.of(service_of(request).resize(server_id, body.width, body.height))


@routes.get("/rdp/servers/{server_id}/status", dependencies=READ)
async def server_status(
    server_id: ServerId,
    request: Request,
    after: Annotated[int, Query(ge=0, le=1 << 53, description="answer once the revision is above this")] = 0,
    wait_ms: Annotated[int, Query(ge=0, le=30_000, description="but no later than this")] = 0,
) -> StatusOut:
    """A server's state, display and processes; waits for a change when asked to."""
    service = service_of(request)
    return _status(service, await service.roster.wait(server_id, after, wait_ms))


@routes.post("/rdp/servers/{server_id}/admit", dependencies=WRITE)
async def admit(server_id: ServerId, request: Request) -> StatusOut:
    """Open the gate: the desktop starts now, for its recorder is attached."""
    service = service_of(request)
    return _status(service, service.admit(server_id))


@routes.post("/rdp/servers/{server_id}/start", dependencies=WRITE)
async def start_server(server_id: ServerId, request: Request) -> StatusOut:
    """Start a server that ended, on its port and with its password."""
    service = service_of(request)
    return _status(service, await service.start(server_id))


@routes.post("/rdp/servers/{server_id}/stop", dependencies=WRITE)
async def stop_server(server_id: ServerId, request: Request) -> StatusOut:
    """End a server's processes; it can be started again."""
    service = service_of(request)
    return _status(service, await service.stop(server_id))


@routes.post("/rdp/servers/{server_id}/restart", dependencies=WRITE)
async def restart_server(server_id: ServerId, request: Request) -> StatusOut:
    """Stop and start."""
    service = service_of(request)
    return _status(service, await service.restart(server_id))


@routes.delete("/rdp/servers/{server_id}", dependencies=WRITE, status_code=204, response_class=Response)
async def delete_server(server_id: ServerId, request: Request) -> None:
    """End a server and forget it; nothing is left. Deleting what is not there is no error."""
    await service_of(request).delete(server_id)
