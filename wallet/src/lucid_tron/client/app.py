"""Composition root of the client service: what the network says, and transfers of TRX."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from fastapi import FastAPI

from lucid_kit.http import create_app
from lucid_tron.client import api
from lucid_tron.client.settings import ClientSettings
from lucid_tron.plane import VERSION, connect, open_sender, running, verifier
from lucid_tron.sending.requests import Desk, TrxTransfers
from lucid_tron.sending.trade import Orders


def build(settings: ClientSettings) -> FastAPI:
    """The app. What it needs is opened when it starts to serve, and closed when it ends."""
    client, usdt = connect(settings)

    async def nodes() -> None:
        await client.solid_head_agreed()

    @contextlib.asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        async with (
            client,
            open_sender(settings, "client", settings.wallets_url, settings.token_file) as sender,
        ):
            transfers = Orders(sender.book, TrxTransfers(sender.book, client), sender.wallets, client)
            app.state.client, app.state.desk = client, Desk(sender.book, sender.wallets)
            async with running({"transfers": transfers.run_once}, sender, settings.tick_s):
                yield

    app = create_app(
        "client",
        version=VERSION,
        routers=[api.routes],
        verifier=verifier(settings),
        ready={"nodes": nodes},
        lifespan=life,
    )
    app.state.token = usdt.token
    return app
