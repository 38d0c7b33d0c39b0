"""The use cases of the payment gateway, and everything it consists of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from lucid_kit import fault
from lucid_kit.clock import Clock
from lucid_kit.documents import Documents
from lucid_kit.http import Client
from lucid_kit.ids import new_id
from lucid_tron.client.client import TronClient
from lucid_tron.gateway.addresses import ADDRESSES, WANTED, AddressPool, DepositSigner
from lucid_tron.gateway.blocks import Blocks
from lucid_tron.gateway.comparison import Comparison
from lucid_tron.gateway.detection import SIGHTINGS, Detection
from lucid_tron.gateway.errors import PaymentConflict, PaymentNotFound
from lucid_tron.gateway.events import EVENTS
from lucid_tron.gateway.halting import ACCEPTED, Halting
from lucid_tron.gateway.models import PAYMENTS, Payment, check_request
from lucid_tron.gateway.movements import MOVEMENTS, net
from lucid_tron.gateway.moving import announce_addresses
from lucid_tron.gateway.reconciliation import REPORTS, GatewayReconciliation
from lucid_tron.gateway.refunds import Refunds
from lucid_tron.gateway.scanner import CURSOR, Scanner
from lucid_tron.gateway.sweeps import Sweeps
from lucid_tron.gateway.webhooks import Webhooks
from lucid_tron.payouts.book import Book
from lucid_tron.payouts.models import PayoutPolicy
from lucid_tron.payouts.processor import PayoutProcessor
from lucid_tron.sending.atomic import atomically
from lucid_tron.sending.orders import OPEN, OrderBook
from lucid_tron.usdt.manager import UsdtManager
from lucid_tron.wallets.models import Account


@dataclass(frozen=True, slots=True)
class GatewayPolicy:
    """Units of USDT and milliseconds; `memory` in blocks.

    sweep_least       what an address must hold to be swept: less costs more in fees than it is worth
    reconcile_ms      between two reconciliations; those of every address are `full_ms` apart
    reuse_after_ms    how long after a payment's end its address stays its own
    """

    payouts: PayoutPolicy
    sweep_least: int = 10_000_000
    reuse_after_ms: int = 90 * 86_400_000
    reconcile_ms: int = 3_600_000
    full_ms: int = 86_400_000
    memory: int = 64


class Gateway:
    """Payments and what moves them on. One process at a time works on one database."""

    collections = (
        PAYMENTS,
        ADDRESSES,
        WANTED,
        MOVEMENTS,
        SIGHTINGS,
        CURSOR,
        EVENTS,
        REPORTS,
        ACCEPTED,
        *Book.collections,
        *OrderBook.collections,
    )

    def __init__(
        self,
        documents: Documents,
        wallets: DepositSigner,
        treasury: Account,
        client: TronClient,
        usdt: UsdtManager,
        policy: GatewayPolicy,
        secret: bytes,
        http: httpx.AsyncClient,
        clock: Clock,
        payouts: Client | None = None,
    ) -> None:
        self._documents = documents
        self._wallets = wallets
        self._treasury = treasury
        self._policy = policy
        self._clock = clock
        self.book = Book(documents, clock)
        self.orders = OrderBook(documents, clock)
        self.halting = Halting(documents, self.book, payouts)
        self.pool = AddressPool(documents, wallets, treasury)
        blocks = Blocks(client, usdt.token)
        self.scanner = Scanner(documents, blocks, self.pool, treasury.address, self.book, clock)
        self.detection = Detection(documents, blocks, self.pool, self.scanner, clock, memory=policy.memory)
        self.sweeps = Sweeps(
            documents,
            self.orders,
            self.pool,
            wallets,
            client,
            usdt,
            treasury,
            self.book,
            least=policy.sweep_least,
        )
        processor = PayoutProcessor(
            self.book, wallets, treasury.id, treasury.address, usdt, client, policy.payouts
        )
        self.refunds = Refunds(documents, processor, clock)
        self.webhooks = Webhooks(documents, secret, clock, http)
        self.reconciliation = GatewayReconciliation(
            documents,
            Comparison(documents, blocks, self.scanner, usdt),
            self.scanner,
            self.pool,
            treasury.address,
            self.book,
            self.halting,
            clock,
            policy.full_ms,
        )

    async def prepare(self) -> None:
        """Make the collections, read the addresses, set the cursor before the first payment can come.

        Raises
        ------
        OtherWallet
            If addresses were given out that are not the treasury's.
        """
        await self._documents.ensure(*self.collections)
        await announce_addresses(self._documents, self._wallets, self._treasury)
        await self.pool.load()
        await self.scanner.cursor()

    async def create(
        self,
        amount: int,
        expires_in_ms: int,
        who: str,
        *,
        reference: str | None = None,
        webhook_url: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Payment:
        """A payment with an address of its own. Asking again with the same reference gives the same one.

        Raises
        ------
        InvalidPayment, InvalidWebhookUrl
            If a value is malformed.
        PaymentConflict
            If a payment with this reference says something else.
        """
        id_ = new_id("pay")
        known_as = reference or id_
        check_request(amount, expires_in_ms, known_as, webhook_url, metadata or {})
        now_ms = max(self._clock.now_ms(), await self.scanner.time_ms())

        async def store(inside: Documents) -> Payment | None:
            known = await inside.find(PAYMENTS.name, {"reference": known_as}, limit=1)
            if known:
                payment = Payment.from_document(known[0])
                said = (payment.amount, payment.webhook_url, dict(payment.metadata))
                if said != (amount, webhook_url, dict(metadata or {})):
                    raise PaymentConflict(f"Payment {payment.id} has the reference {known_as}")
                return payment
            until_ms = now_ms + expires_in_ms + self._policy.reuse_after_ms
            address = await self.pool.reserve(inside, id_, until_ms)
            if address is None:
                return None
            made = Payment(
                id_,
                known_as,
                address,
                amount,
                now_ms,
                now_ms + expires_in_ms,
                who,
                webhook_url,
                dict(metadata or {}),
            )
            await inside.insert(PAYMENTS.name, made.to_document())
            return made

        while (payment := await atomically(self._documents, store)) is None:
            await self.pool.grow()
        fault.point("payment-stored")
        # Ends here: nobody was told; asking again with the same reference gives it.
        return payment

    async def get(self, payment_id: str) -> Payment:
        """A payment.

        Raises
        ------
        PaymentNotFound
            If there is none with the id.
        """
        document = await self._documents.get(PAYMENTS.name, payment_id)
        if document is None:
            raise PaymentNotFound(f"There is no payment {payment_id[:80]!r}")
        return Payment.from_document(document)

    async def scan(self) -> None:
        """Count what is solid, then look at what is not."""
        await self.scanner.run_once()
        await self.detection.run_once()

    async def reconcile_if_due(self) -> None:
        """The reconciliation, hourly and daily; the first one at the start, before anything is paid."""
        latest = await self.reconciliation.latest()
        if latest is None or self._clock.now_ms() - latest["at_ms"] >= self._policy.reconcile_ms:
            await self.reconciliation.enforce()

    async def release(self) -> int:
        """Free addresses that nobody can be expected to pay any more and that are empty; how many."""
        freed = 0
        for deposit in await self.pool.overdue(await self.scanner.time_ms()):
            moving = await self.orders.having(OPEN, subject=str(deposit.address))
            if not moving and await net(self._documents, deposit.address) == 0:
                freed += await self.pool.release(deposit)
        return freed
