"""Composition root of the server manager: settings → store → service → routes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI

from lucid.rdp import api, layout, machine_api
from lucid.rdp.resources import Resources
from lucid.rdp.service import Servers
from lucid.rdp.settings import RdpSettings
from lucid.rdp.store import RecordStore
from lucid.rdp.tuning import Tuning
from lucid.version import release
from lucid_kit.clock import Clock, SystemClock
from lucid_kit.files import DirectoryLock, make_dirs
from lucid_kit.http import create_app
from lucid_kit.tokens import JwksVerifier


def build(settings: RdpSettings, clock: Clock | None = None) -> FastAPI:
    """The app. While it runs it holds its data directory; when it ends, so do all servers."""
    clock = clock or SystemClock()
    servers = Servers(Tuning(settings), RecordStore(settings.data / "servers"), clock)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        make_dirs(settings.data)
        with DirectoryLock(settings.data, "the RDP server manager"):
            await servers.open()
            measuring = asyncio.create_task(app.state.resources.run())
            try:
                yield
            finally:
                measuring.cancel()
                await asyncio.wait([measuring])
                await servers.close()

    async def programs() -> None:
        layout.check_programs(settings)

    app = create_app(
        "rdp",
        version=release(),
        routers=[api.routes, machine_api.routes],
        verifier=_verifier(settings, clock),
        ready={"programs": programs},
        lifespan=lifespan,
        clock=clock,
    )
    app.state.servers = servers
    app.state.resources = Resources(servers, app.state.metrics, clock)
    return app


def _verifier(settings: RdpSettings, clock: Clock) -> JwksVerifier | None:
    if not settings.jwks:
        return None
    source = settings.jwks if settings.jwks.startswith(("http://", "https://")) else Path(settings.jwks)
    return JwksVerifier(source, issuer=settings.issuer, audience=settings.audience, clock=clock)
