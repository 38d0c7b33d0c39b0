"""What it means to send an order, and what drives open orders on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Literal

from lucid_kit.errors import DomainError, LimitExceeded, Unavailable
from lucid_tron.client.client import TronClient
from lucid_tron.codec.transaction import RawTransaction
from lucid_tron.sending.orders import OPEN, Order, OrderBook
from lucid_tron.sending.transmitter import Arrival, Signer, Transmitter
from lucid_tron.usdt.errors import NotPaid, UnclearPayment

_LIFETIME_MS, _SPREAD_MS = 120_000, 30_000
_MOST_ATTEMPTS = 5


def lifetime_ms(order: Order) -> int:
    """How long the next transaction of an order lives.

    Equal operations of one moment would be one and the same transaction, since nothing else in it is
    theirs; a few seconds more or less, drawn from the order's id, make them two.
    """
    drawn = sha256(f"{order.id}/{len(order.attempts)}".encode()).digest()
    return _LIFETIME_MS + int.from_bytes(drawn[:8], "big") % _SPREAD_MS


class OrderTrade(ABC):
    """Orders of contracts of the system: success is what the receipt says."""

    def __init__(self, book: OrderBook, client: TronClient) -> None:
        self._book = book
        self._client = client
        self.move = book.move

    async def require_running(self) -> None:  # noqa: B027 -- nothing to do unless a kind of order says so
        """Orders move money between our own accounts only, so nothing stops them."""

    async def before_leaving(self) -> None:  # noqa: B027 -- likewise
        """Nothing: a book of orders that was set back finds what it sent on the chain."""

    def wallet_of(self, order: Order, /) -> str:
        """The wallet the order names."""
        return order.wallet

    @abstractmethod
    async def prepare(self, order: Order, /) -> RawTransaction:
        """A transaction that is expected to succeed; raise what forbids it."""

    async def arrival(self, _order: Order, /, txid: bytes) -> Arrival | None:
        """From the receipt, solid and agreed."""
        receipt = await self._client.receipt_agreed(txid)
        if receipt is None:
            return None
        if not receipt.succeeded:
            raise NotPaid(f"Transaction {txid.hex()} failed: {receipt.result or receipt.message}")
        facts = {"block": receipt.block_number, "fee_sun": receipt.fee}
        return Arrival(facts, {"result": facts})

    async def unclear(self, order: Order, /, error: UnclearPayment) -> None:
        """Kept with its reason; it is not sent again, for its bytes were mined."""
        await self._book.explain(order, error.detail)

    def expired(self, order: Order, /) -> Literal["approved", "failed"]:
        """Signed anew a few times; what no node ever takes is given up."""
        return "approved" if len(order.attempts) < _MOST_ATTEMPTS else "failed"

    def settlement(self, order: Order, /) -> Mapping[str, Any]:
        """What came of it."""
        return {"kind": order.kind, "result": dict(order.result)}


class Orders:
    """Drives the open orders of one kind of trade."""

    def __init__(self, book: OrderBook, trade: OrderTrade, signer: Signer, client: TronClient) -> None:
        self.book = book
        self._transmitter = Transmitter[Order](trade, signer, client)

    async def step(self, order: Order) -> Order:
        """Take one order one step further; it waits, with its reason, if it cannot."""
        try:
            return await self._transmitter.step(order)
        except (DomainError, LimitExceeded, Unavailable) as error:
            await self.book.explain(order, str(error))
            raise

    async def run_once(self, limit: int | None = None) -> dict[str, str]:
        """Take every open order one step further; id → its state, or why it waits."""
        result: dict[str, str] = {}
        for order in await self.book.having(OPEN, limit=limit):
            try:
                result[order.id] = (await self.step(order)).state
            except (DomainError, LimitExceeded, Unavailable) as error:
                result[order.id] = f"{order.state}: {error}"
        return result
