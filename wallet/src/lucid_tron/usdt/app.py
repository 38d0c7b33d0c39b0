"""Composition root of the USDT service."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from fastapi import FastAPI

from lucid_kit.http import create_app
from lucid_tron.plane import VERSION, connect, open_sender, running, verifier
from lucid_tron.sending.requests import Desk, UsdtOperations
from lucid_tron.sending.trade import Orders
from lucid_tron.usdt import api
from lucid_tron.usdt.settings import UsdtSettings


def build(settings: UsdtSettings) -> FastAPI:
    """The app. What it needs is opened when it starts to serve, and closed when it ends."""
    client, usdt = connect(settings)

    async def nodes() -> None:
        await client.solid_head_agreed()

    @contextlib.asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        async with (
            client,
            open_sender(settings, "usdt", settings.wallets_url, settings.token_file) as sender,
        ):
            orders = Orders(sender.book, UsdtOperations(sender.book, client, usdt), sender.wallets, client)
            app.state.client, app.state.usdt = client, usdt
            app.state.desk = Desk(sender.book, sender.wallets)
            async with running({"usdt": orders.run_once}, sender, settings.tick_s):
                yield

    return create_app(
        "usdt",
        version=VERSION,
        routers=[api.routes],
        verifier=verifier(settings),
        ready={"nodes": nodes},
        lifespan=life,
    )
