"""HTTP for operators: sessions as xrdp sees them, the service as a whole, what it uses and may use."""

from __future__ import annotations

import asyncio
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, Field

from lucid.rdp.api import READ, SESSION, WRITE, State, service_of
from lucid.rdp.models import Server
from lucid.rdp.resources import Resources
from lucid.rdp.service import Servers
from lucid.rdp.tuning import Limits, XrdpConfig
from lucid_kit.clock import rfc3339

SessionId = Annotated[str, Path(pattern=SESSION, description="the session's id")]

routes = APIRouter()


class SessionOut(BaseModel):
    """A session's desktop."""

    session: str
    server: str
    state: State
    client_connected: bool
    logins: int
    refused_logins: int

    @classmethod
    def of(cls, server: Server) -> SessionOut:
        """The session of a server."""
        return cls(
            session=server.session,
            server=server.id,
            state=server.state,
            client_connected=server.client_connected,
            logins=server.logins,
            refused_logins=server.refused_logins,
        )


class SessionList(BaseModel):
    """Desktops of sessions, oldest first."""

    sessions: list[SessionOut]


class Connection(BaseModel):
    """Where a client connects, and the certificate it must find there."""

    host: str
    port: int
    username: str
    fingerprint: str


class Disconnected(BaseModel):
    """How many clients were sent away."""

    clients: int


class UsageOut(BaseModel):
    """What a server uses; CPU time since its start, memory now."""

    server: str
    session: str
    cpu_seconds: float
    rss_bytes: int
    processes: int


class UsageList(BaseModel):
    """What all running servers use at one moment."""

    at: str
    servers: list[UsageOut]


class AlertOut(BaseModel):
    """Something an operator should know."""

    subject: str = Field(description="a server's id, or `ports`")
    what: str


class AlertList(BaseModel):
    """Everything an operator should know now."""

    alerts: list[AlertOut]


class ServiceOut(BaseModel):
    """The service as a whole."""

    state: Literal["running", "stopped"]
    servers: int = Field(description="servers that run")
    first_port: int
    last_port: int
    ports_in_use: int


def _resources(request: Request) -> Resources:
    resources: Resources = request.app.state.resources
    return resources


def _shown(servers: Servers) -> ServiceOut:
    known = servers.roster.all()
    return ServiceOut(
        state="running" if servers.accepting else "stopped",
        servers=sum(1 for each in known if each.state.live),
        first_port=servers.settings.first_port,
        last_port=servers.settings.last_port,
        ports_in_use=len(known),
    )


@routes.get("/rdp/sessions", dependencies=READ, tags=["remote desktops"])
async def list_sessions(request: Request) -> SessionList:
    """Every session that has a server."""
    return SessionList(sessions=[SessionOut.of(each) for each in service_of(request).roster.all()])


@routes.get("/rdp/sessions/{session_id}", dependencies=READ, tags=["remote desktops"])
async def get_session(session_id: SessionId, request: Request) -> SessionOut:
    """A session's newest server."""
    return SessionOut.of(service_of(request).roster.of_session(session_id))


@routes.post("/rdp/sessions/{session_id}/connect", dependencies=READ, tags=["remote desktops"])
async def connect(session_id: SessionId, request: Request) -> Connection:
    """Where to connect; the password was told when the server was made."""
    servers = service_of(request)
    server = servers.roster.running(servers.roster.of_session(session_id).id).server
    return Connection(**{name: getattr(server, name) for name in Connection.model_fields})


@routes.post("/rdp/sessions/{session_id}/disconnect", dependencies=WRITE, tags=["remote desktops"])
async def disconnect(session_id: SessionId, request: Request) -> Disconnected:
    """Send the clients away; the desktop stays."""
    servers = service_of(request)
    return Disconnected(clients=servers.disconnect(servers.roster.of_session(session_id).id))


@routes.get("/resources/usage", dependencies=READ, tags=["resources"])
async def usage(request: Request) -> UsageList:
    """What each running server uses now."""
    servers = service_of(request)
    used = await _resources(request).measure()
    rows = [
        UsageOut(
            server=each.id,
            session=each.session,
            cpu_seconds=used[each.id].cpu_seconds,
            rss_bytes=used[each.id].rss_bytes,
            processes=used[each.id].processes,
        )
        for each in servers.roster.all()
        if each.id in used
    ]
    return UsageList(at=rfc3339(request.app.state.clock.now_ms()), servers=rows)


@routes.get("/resources/limits", dependencies=READ, tags=["resources"])
async def get_limits(request: Request) -> Limits:
    """What a server started now may use."""
    return service_of(request).tuning.limits


@routes.put("/resources/limits", dependencies=WRITE, tags=["resources"])
async def put_limits(body: Limits, request: Request) -> Limits:
    """Set what servers started from now on may use."""
    tuning = service_of(request).tuning
    await asyncio.to_thread(tuning.change, body)
    return tuning.limits


@routes.get("/resources/alerts", dependencies=READ, tags=["resources"])
async def alerts(request: Request) -> AlertList:
    """What is close to a limit, or locked."""
    found = await _resources(request).alerts()
    return AlertList(alerts=[AlertOut(subject=each.subject, what=each.what) for each in found])


@routes.get("/xrdp/config", dependencies=READ, tags=["xrdp"])
async def get_config(request: Request) -> XrdpConfig:
    """How a server started now treats its clients."""
    return service_of(request).tuning.xrdp


@routes.put("/xrdp/config", dependencies=WRITE, tags=["xrdp"])
async def put_config(body: XrdpConfig, request: Request) -> XrdpConfig:
    """Set how servers started from now on treat their clients."""
    tuning = service_of(request).tuning
    await asyncio.to_thread(tuning.change, body)
    return tuning.xrdp


@routes.get("/xrdp/service/status", dependencies=READ, tags=["xrdp"])
async def service_status(request: Request) -> ServiceOut:
    """Whether servers are started, and how many there are."""
    return _shown(service_of(request))


@routes.post("/xrdp/service/start", dependencies=WRITE, tags=["xrdp"])
async def start_service(request: Request) -> ServiceOut:
    """Start servers again when asked to."""
    servers = service_of(request)
    servers.accepting = True
    return _shown(servers)


@routes.post("/xrdp/service/stop", dependencies=WRITE, tags=["xrdp"])
async def stop_service(request: Request) -> ServiceOut:
    """Stop every server and start no more until told."""
    servers = service_of(request)
    await servers.stop_all(accepting=False)
    return _shown(servers)


@routes.post("/xrdp/service/restart", dependencies=WRITE, tags=["xrdp"])
async def restart_service(request: Request) -> ServiceOut:
    """Stop every server; new ones are started again when asked for."""
    servers = service_of(request)
    await servers.stop_all(accepting=True)
    return _shown(servers)
