"""Composition root of the staking service: the only place that wires."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from fastapi import FastAPI

from lucid_kit.http import create_app
from lucid_tron.own_wallet import Plane, forget_old_keys, nodes_answer, open_plane
from lucid_tron.plane import VERSION, running, verifier
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
            await forget_old_keys(plane.documents, settings.data)
            staking = Staking(plane.book, plane.wallets, plane.client, plane.usdt.token)
            app.state.staking, app.state.wallet_id = staking, plane.wallet.id
            opened.append(plane)
            async with running({"staking": staking.orders.run_once}, plane, settings.tick_s):
                yield

    return create_app(
        "staking",
        version=VERSION,
        routers=[api.routes],
        verifier=verifier(settings),
        ready={"nodes": nodes},
        lifespan=life,
    )
