"""Composition root of the payout service: the books, the loop that pays, and the reconciliation before it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

from fastapi import FastAPI

from lucid_kit.clock import Clock, SystemClock
from lucid_kit.http import create_app
from lucid_proof.errors import ProofError
from lucid_proof.trust import TrustPolicy
from lucid_tron.client.client import TronClient
from lucid_tron.codec.address import Address
from lucid_tron.codec.errors import CodecError
from lucid_tron.payouts import api, books_api, schedule_api
from lucid_tron.payouts.book import Book
from lucid_tron.payouts.desk import PayoutDesk
from lucid_tron.payouts.errors import BooksNotNewest
from lucid_tron.payouts.guard import Guard
from lucid_tron.payouts.models import PayoutPolicy
from lucid_tron.payouts.payer import require_router
from lucid_tron.payouts.payments import RouterPayments, WalletPayments
from lucid_tron.payouts.processor import PayoutProcessor
from lucid_tron.payouts.reconcile import Reconciliation
from lucid_tron.payouts.recovery import Recovery
from lucid_tron.payouts.router import RouterClient
from lucid_tron.payouts.schedule import Schedules
from lucid_tron.payouts.settings import PayoutsSettings
from lucid_tron.plane import VERSION, PlaneUnusable, connect, open_store, running, verifier
from lucid_tron.settlement.service import Settlements
from lucid_tron.usdt.manager import UsdtManager
from lucid_tron.wallets.remote import RemoteWallets


def build(settings: PayoutsSettings) -> FastAPI:
    """The app. Nothing is paid before the books were compared with the chain."""
    client, usdt = connect(settings)
    router = router_of(settings, client, usdt)
    trusted, authorities, policy = chains(settings), rate_authorities(settings), policy_of(settings)

    async def nodes() -> None:
        await client.solid_head_agreed()

    @contextlib.asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        clock: Clock = SystemClock()
        async with contextlib.AsyncExitStack() as stack:
            await stack.enter_async_context(client)
            documents = await stack.enter_async_context(open_store(settings, "payouts"))
            wallets = RemoteWallets.at(settings.wallets_url, settings.token_file)
            stack.push_async_callback(wallets.close)
            await documents.ensure(*Book.collections, *Recovery.collections, *Schedules.collections)
            book = Book(documents, clock)
            guard = stack.enter_context(Guard(settings.head)) if settings.head else None
            hot = await wallets.get(settings.wallet)
            if router is not None:
                await require_router(client, router.address, settings.router_kind, usdt.token, hot.address)
            processor = PayoutProcessor(
                book, wallets, hot.id, hot.address, usdt, client, policy, router=router, guard=guard
            )
            payer = router.address if router else hot.address
            reconciliation = Reconciliation(book, payer, usdt, client)
            own = frozenset({hot.address, usdt.token, payer})
            settlements = Settlements(documents, clock, trusted, authorities, own)
            await settlements.prepare()
            payments = RouterPayments(client, payer) if router else WalletPayments(client, usdt.token, payer)
            recovery = Recovery(book, client, payments, settings.lifetime_ms, guard)
            desk = PayoutDesk(
                processor,
                reconciliation,
                settlements,
                recovery,
                Schedules(documents, clock),
                clock,
                settings.reconcile_s * 1000,
                settings.auto_approve,
                guard,
            )
            # Before anything is signed: a database from yesterday's backup is found out here.
            await reconciliation.claim()
            if guard is not None:
                with contextlib.suppress(BooksNotNewest):  # then payouts are stopped, and people can ask why
                    await guard.check(book)
            await reconciliation.enforce()
            app.state.desk = desk
            works: dict[str, Callable[[], Awaitable[object]]] = {
                "payouts": desk.pay,
                "recovery": recovery.run_once,
                "reconciliation": desk.reconcile_if_due,
            }
            await stack.enter_async_context(running(works, desk, settings.tick_s))
            yield

    return create_app(
        "payouts",
        version=VERSION,
        routers=[schedule_api.routes, books_api.routes, api.routes],  # what has a name before any id
        verifier=verifier(settings),
        ready={"nodes": nodes},
        lifespan=life,
    )


def router_of(settings: PayoutsSettings, client: TronClient, usdt: UsdtManager) -> RouterClient | None:
    """The router that payments go through, not looked at yet; None if the hot wallet pays itself.

    Raises
    ------
    PlaneUnusable
        If its address is none.
    """
    if not settings.router:
        return None
    try:
        return RouterClient(client, usdt, Address.parse(settings.router))
    except CodecError as error:
        raise PlaneUnusable(f"router: {error.detail}") from error


def policy_of(settings: PayoutsSettings) -> PayoutPolicy:
    """The limits the settings name.

    Raises
    ------
    PlaneUnusable
        If payouts that need two people would be approved by none.
    """
    if settings.auto_approve > settings.two_person_above:
        raise PlaneUnusable("auto_approve is above two_person_above: those payouts need two people")
    return PayoutPolicy(
        settings.per_payout, settings.per_epoch, settings.two_person_above, settings.lifetime_ms
    )


def chains(settings: PayoutsSettings) -> list[TrustPolicy]:
    """The chains whose operators are paid.

    Raises
    ------
    PlaneUnusable
        If a trust policy cannot be read.
    """
    try:
        return [TrustPolicy.load(path) for path in settings.trust]
    except (ProofError, OSError) as error:
        raise PlaneUnusable(f"trust: {error}") from error


def rate_authorities(settings: PayoutsSettings) -> frozenset[bytes]:
    """The keys that may set rates.

    Raises
    ------
    PlaneUnusable
        If one is not 32 bytes in hexadecimal.
    """
    try:
        keys = frozenset(bytes.fromhex(text) for text in settings.rate_authorities)
    except ValueError as error:
        raise PlaneUnusable("rate_authorities: a key is not hexadecimal") from error
    if any(len(key) != 32 for key in keys):
        raise PlaneUnusable("rate_authorities: an Ed25519 key has 32 bytes")
    return keys
