"""Composition root of the payment gateway: the only place that wires."""

from __future__ import annotations

import base64
import contextlib
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
from fastapi import FastAPI

from lucid_kit.files import make_dirs, write_atomic
from lucid_kit.http import Client, create_app
from lucid_tron.gateway import api
from lucid_tron.gateway.service import Gateway, GatewayPolicy
from lucid_tron.gateway.settings import GatewaySettings
from lucid_tron.gateway.signature import secret_from
from lucid_tron.own_wallet import Plane, forget_old_keys, nodes_answer, open_plane
from lucid_tron.payouts.models import PayoutPolicy
from lucid_tron.plane import VERSION, PlaneUnusable, running, secret_in, verifier
from lucid_tron.wallets.remote import token_from


def build(settings: GatewaySettings) -> FastAPI:
    """The app. What it needs is opened when it starts to serve, and closed when it ends."""
    opened: list[Plane] = []
    running_gateway: list[Gateway] = []

    async def nodes() -> None:
        await nodes_answer(opened[0] if opened else None)

    async def payouts_told() -> None:
        for gateway in running_gateway:
            await gateway.halting.require_told()

    @contextlib.asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        async with (
            open_plane(settings, "gateway") as plane,
            httpx.AsyncClient(follow_redirects=False, trust_env=False) as http,
            payout_service(settings) as payouts,
        ):
            gateway = Gateway(
                plane.documents,
                plane.wallets,
                plane.wallet,
                plane.client,
                plane.usdt,
                policy_of(settings),
                webhook_secret(settings.webhook_secret_file),
                http,
                plane.clock,
                payouts,
            )
            await gateway.prepare()
            await forget_old_keys(plane.documents, settings.data)
            # Before anything is signed: a database from yesterday's backup is found out here.
            await gateway.reconciliation.enforce()
            app.state.gateway = gateway
            opened.append(plane)
            running_gateway.append(gateway)
            works = {
                "halt": gateway.halting.tell,
                "scanner": gateway.scan,
                "sweeps": gateway.sweeps.run_once,
                "refunds": gateway.refunds.run_once,
                "webhooks": gateway.webhooks.run_once,
                "reconciliation": gateway.reconcile_if_due,
                "addresses": gateway.release,
            }
            async with running(works, plane, settings.tick_s):
                yield

    return create_app(
        "gateway",
        version=VERSION,
        routers=[api.routes],
        verifier=verifier(settings),
        ready={"nodes": nodes, "payouts-told": payouts_told},
        lifespan=life,
    )


@contextlib.asynccontextmanager
async def payout_service(settings: GatewaySettings) -> AsyncIterator[Client | None]:
    """What books that do not balance are to stop, if there is one.

    Raises
    ------
    PlaneUnusable
        If it is named without a token for it.
    """
    if not settings.payouts_url:
        yield None
        return
    if settings.halt_token_file is None:
        raise PlaneUnusable("halt_token_file: the payout service is named, and no token to stop it with")
    async with Client(settings.payouts_url, token=token_from(settings.halt_token_file)) as client:
        yield client


def policy_of(settings: GatewaySettings) -> GatewayPolicy:
    """The limits the settings name."""
    return GatewayPolicy(
        payouts=PayoutPolicy(settings.refund_most, settings.refund_day, settings.refund_two_person),
        sweep_least=settings.sweep_least,
        reuse_after_ms=settings.reuse_after_s * 1000,
        reconcile_ms=settings.reconcile_s * 1000,
        full_ms=settings.reconcile_full_s * 1000,
        memory=settings.memory,
    )


def webhook_secret(path: Path) -> bytes:
    """The secret in a file; made, readable by its owner alone, when there is none.

    Raises
    ------
    PlaneUnusable
        If others can read it, or it is no secret.
    """
    if not path.exists():
        make_dirs(path.parent)
        text = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
        write_atomic(path, text.encode() + b"\n", 0o600)
    try:
        return secret_from(secret_in(path, "webhook_secret_file"))
    except ValueError as error:
        raise PlaneUnusable(f"webhook_secret_file: {error}") from error
