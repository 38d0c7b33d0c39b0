"""Composition root of the staking service: the only place that wires."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from fastapi import FastAPI

from lucid_kit.http import create_app
from lucid_kit.tokens import JwksVerifier
from lucid_tron.plane import VERSION, Plane, main_wallet, nodes_answer, open_plane, running
from lucid_tron.sending.orders import OrderBook
from lucid_tron.staking import api
from lucid_tron.staking.service import Staking
from lucid_tron.staking.settings import StakingSettings


def build(settings: StakingSettings) -> FastAPI:
    """The app. What it needs is opened when it starts to serve, and closed when it ends."""
    opened: list[Plane] = []

    async def nodes() -> None:
        await nodes_answer(opened[0] if opened else None)

    @contextlib.asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        async with open_plane(settings, "staking") as plane:
            await plane.documents.ensure(*OrderBook.collections)
            wallet = await main_wallet(settings, plane, "stake")
            staking = Staking(
                OrderBook(plane.documents, plane.clock), plane.wallets, plane.client, plane.usdt.token
            )
            app.state.staking, app.state.wallet_id = staking, wallet.id
            opened.append(plane)
            async with running({"staking": staking.orders.run_once}, plane, settings.tick_s):
                yield

    source = settings.jwks if settings.jwks.startswith(("http://", "https://")) else Path(settings.jwks)
    return create_app(
        "staking",
        version=VERSION,
        routers=[api.routes],
        verifier=JwksVerifier(source, issuer=settings.issuer, audience=settings.audience),
        ready={"nodes": nodes},
        lifespan=life,
    )
