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
from lucid_tron.kyc import api as kyc_api
from lucid_tron.kyc.bringing import Bringing
from lucid_tron.kyc.desk import KycDesk
from lucid_tron.kyc.gate import AttestedRouterClient
from lucid_tron.kyc.router import KycRouter
from lucid_tron.kyc.service import Attestations, Issuer
from lucid_tron.payouts import api, books_api, schedule_api
from lucid_tron.payouts.book import Book
from lucid_tron.payouts.desk import PayoutDesk
from lucid_tron.payouts.errors import BooksNotNewest
from lucid_tron.payouts.evidence import RouterPayments, WalletPayments
from lucid_tron.payouts.gate import Gate, open_gate
from lucid_tron.payouts.guard import Guard
from lucid_tron.payouts.models import PayoutPolicy
from lucid_tron.payouts.payer import chain_id_of, require_router, require_same_digest
from lucid_tron.payouts.processor import PayoutProcessor
from lucid_tron.payouts.reconcile import Reconciliation
from lucid_tron.payouts.recovery import Recovery
from lucid_tron.payouts.router import RouterClient
from lucid_tron.payouts.schedule import Schedules
from lucid_tron.payouts.settings import PayoutsSettings
from lucid_tron.plane import VERSION, PlaneUnusable, connect, open_store, running, verifier
from lucid_tron.sending.orders import OrderBook
from lucid_tron.sending.trade import Orders
from lucid_tron.settlement.service import Settlements
from lucid_tron.wallets.remote import RemoteWallet, RemoteWallets


def build(settings: PayoutsSettings) -> FastAPI:
    """The app. Nothing is paid before the books were compared with the chain."""
    client, usdt = connect(settings)
    address, issuers = router_of(settings), issuers_of(settings)
    trusted, authorities, policy = chains(settings), rate_authorities(settings), policy_of(settings)

    gates: list[Gate] = []

    async def nodes() -> None:
        await client.solid_head_agreed()

    async def gateway_asked() -> None:
        for gate in gates:
            await gate.require_open()

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
            gates.append(gate := await stack.enter_async_context(open_gate(settings, book)))
            guard = stack.enter_context(Guard(settings.head)) if settings.head else None
            hot = await wallets.get(settings.wallet)
            kyc, router = None, None
            if address is not None:
                await require_router(client, address, settings.router_kind, usdt.token, hot.address)
                router = RouterClient(client, usdt, address)
                if settings.router_kind == "kyc":
                    kyc = await kyc_of(settings, issuers, client, address, book, wallets, hot, guard)
                    router = AttestedRouterClient(client, usdt, address, kyc)
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
            app.state.desk, app.state.gate, app.state.kyc = desk, gate, kyc
            works: dict[str, Callable[[], Awaitable[object]]] = {
                "payouts": gate.before(desk.pay),
                "recovery": recovery.run_once,
                "reconciliation": desk.reconcile_if_due,
            }
            if kyc is not None:
                works["attestations"] = kyc.run_once
            await stack.enter_async_context(running(works, desk, settings.tick_s))
            yield

    return create_app(
        "payouts",
        version=VERSION,
        routers=[
            kyc_api.routes,
            schedule_api.routes,
            books_api.routes,
            api.routes,
        ],  # what has a name before any id
        verifier=verifier(settings),
        ready={"nodes": nodes, "gateway": gateway_asked},
        lifespan=life,
    )


def router_of(settings: PayoutsSettings) -> Address | None:
    """The router that payments go through, not looked at yet; None if the hot wallet pays itself.

    Raises
    ------
    PlaneUnusable
        If its address is none, or a router is missing that asks for attestations.
    """
    if not settings.router:
        if settings.router_kind == "kyc":
            raise PlaneUnusable("router: a router of kind kyc needs its address")
        return None
    return _address(settings.router, "router")


def issuers_of(settings: PayoutsSettings) -> tuple[Issuer, ...]:
    """Who may attest payees.

    Raises
    ------
    PlaneUnusable
        If an address is none.
    """
    return tuple(Issuer(_address(text, "issuers"), level) for text, level in settings.issuers.items())


def _address(text: str, setting: str) -> Address:
    try:
        return Address.parse(text)
    except CodecError as error:
        raise PlaneUnusable(f"{setting}: {error.detail}") from error


async def kyc_of(
    settings: PayoutsSettings,
    issuers: tuple[Issuer, ...],
    client: TronClient,
    router: Address,
    book: Book,
    wallets: RemoteWallets,
    hot: RemoteWallet,
    guard: Guard | None,
) -> KycDesk:
    """The desk of a router that asks for attestations.

    Raises
    ------
    RouterRefused
        If the router does not take what issuers sign for it here.
    """
    documents, clock = book.documents, book.clock
    chain_id = await chain_id_of(client)
    kyc_router = KycRouter(client, router)
    await require_same_digest(kyc_router, chain_id)
    revoker = await wallets.get(settings.issuer_wallet) if settings.issuer_wallet else None
    if revoker is not None and revoker.address not in {issuer.address for issuer in issuers}:
        issuers = (*issuers, Issuer(revoker.address, -1))
    attestations = Attestations(documents, clock, router, chain_id, issuers)
    await attestations.prepare()
    await documents.ensure(*OrderBook.collections)
    orders = OrderBook(documents, clock)

    async def keep_head() -> None:
        if guard is not None:
            await guard.advance(book)

    trade = Bringing(orders, client, kyc_router, book.require_running, keep_head)
    return KycDesk(attestations, Orders(orders, trade, wallets, client), kyc_router, clock, hot, revoker)


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
