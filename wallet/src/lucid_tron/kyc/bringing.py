"""What it means to bring an attestation or a revocation to the router: an order like any other.

Both are safe to bring twice: the router takes a nonce once. So nothing but the bytes' own way matters here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from lucid_tron.client.client import TronClient
from lucid_tron.codec.address import Address
from lucid_tron.codec.transaction import RawTransaction
from lucid_tron.kyc.attestation import SignedAttestation
from lucid_tron.kyc.router import KycRouter
from lucid_tron.sending.orders import Order, OrderBook
from lucid_tron.sending.trade import OrderTrade, lifetime_ms

ATTEST: Final = "kyc-attest"
REVOKE: Final = "kyc-revoke"


class Bringing(OrderTrade):
    """Orders to the router, stopped when payouts are stopped.

    Parameters
    ----------
    require_running
        Raises while payouts are stopped: books that are not the newest must send nothing at all.
    keep_head
        Keeps the ledger's head outside of the database.
    """

    def __init__(
        self,
        orders: OrderBook,
        client: TronClient,
        router: KycRouter,
        require_running: Callable[[], Awaitable[None]],
        keep_head: Callable[[], Awaitable[None]],
    ) -> None:
        super().__init__(orders, client)
        self._router = router
        self._require_running = require_running
        self._keep_head = keep_head

    async def require_running(self) -> None:
        await self._require_running()

    async def before_leaving(self) -> None:
        await self._keep_head()

    async def prepare(self, order: Order, /) -> RawTransaction:
        """The call, if the router would take it now.

        Raises
        ------
        CallReverted, FeeTooHigh, InsufficientFunds
            If it would not, or costs too much.
        """
        sender = Address.parse(order.terms["sender"])
        if order.kind == ATTEST:
            signed = SignedAttestation.read(order.terms["file"].encode())
            return await self._router.prepare_attest(sender, signed, lifetime_ms(order))
        subject = Address.parse(order.subject)
        return await self._router.prepare_revoke(
            sender, subject, int(order.terms["nonce"]), lifetime_ms(order)
        )
