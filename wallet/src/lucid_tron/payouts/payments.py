"""What it means to send a payout: alone, as a transfer of USDT, or with others, as a batch of the router."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar, Generic, Literal, TypeVar

from lucid_tron.codec.address import Address
from lucid_tron.codec.transaction import RawTransaction
from lucid_tron.payouts.batch import Batch
from lucid_tron.payouts.batchbook import BatchBook
from lucid_tron.payouts.book import Book
from lucid_tron.payouts.guard import Guard
from lucid_tron.payouts.models import Payout, PayoutPolicy
from lucid_tron.payouts.router import Outlook, RouterClient
from lucid_tron.sending.transmitter import Arrival, Sent
from lucid_tron.usdt.errors import UnclearPayment
from lucid_tron.usdt.manager import UsdtManager

_FRESH_MS = 3_000
"""For how long prices and balances that were read do for further batches: one block."""
T = TypeVar("T", bound=Sent)


class Payments(Generic[T]):
    """What holds for both: one wallet signs, and books that may be old ones send nothing."""

    noun: ClassVar[str]

    def __init__(self, book: Book, wallet_id: str, policy: PayoutPolicy, guard: Guard | None) -> None:
        self._book = book
        self._guard = guard
        self._wallet_id = wallet_id
        self._policy = policy
        self.require_running = book.require_running

    def wallet_of(self, _item: T, /) -> str:
        return self._wallet_id

    async def before_leaving(self) -> None:
        """Bytes leave only after the ledger's head with them is kept outside of the database."""
        if self._guard is not None:
            await self._guard.advance(self._book)

    async def unclear(self, item: T, /, error: UnclearPayment) -> None:
        await self._book.halt(f"{self.noun} {item.id}: {error.detail}", {"txid": item.attempt.txid})

    def expired(self, _item: T, /) -> Literal["approved", "failed"]:
        return "approved"


class SinglePayments(Payments[Payout]):
    """A transfer of USDT from the hot wallet, whose memo is the payout's id."""

    noun = "Payout"

    def __init__(
        self,
        book: Book,
        wallet_id: str,
        policy: PayoutPolicy,
        guard: Guard | None,
        hot: Address,
        usdt: UsdtManager,
    ) -> None:
        super().__init__(book, wallet_id, policy, guard)
        self._hot = hot
        self._usdt = usdt
        self.move = book.move

    async def prepare(self, payout: Payout, /) -> RawTransaction:
        prepared = await self._usdt.prepare_transfer(
            self._hot,
            payout.recipient,
            payout.amount,
            memo=payout.id.encode(),
            lifetime_ms=self._policy.lifetime_ms,
        )
        return prepared.raw

    async def arrival(self, payout: Payout, /, txid: bytes) -> Arrival | None:
        transfer = await self._usdt.paid(txid, self._hot, payout.recipient, payout.amount)
        if transfer is None:
            return None
        return Arrival(
            {"block": transfer.block_number, "credited": transfer.amount},
            {"credited": transfer.amount, "block_number": transfer.block_number},
        )

    def settlement(self, payout: Payout, /) -> dict[str, Any]:
        return {"amount": payout.amount, "credited": payout.credited}


class BatchPayments(Payments[Batch]):
    """A call of the router by its operator."""

    noun = "Batch"

    def __init__(
        self,
        book: Book,
        wallet_id: str,
        policy: PayoutPolicy,
        guard: Guard | None,
        operator: Address,
        router: RouterClient,
    ) -> None:
        super().__init__(book, wallet_id, policy, guard)
        self.batches = BatchBook(book)
        self._operator = operator
        self._router = router
        self._looking = asyncio.Lock()
        self._looked_ms = -_FRESH_MS
        self._outlook: Outlook | None = None
        self.move = self.batches.move

    async def prepare(self, batch: Batch, /) -> RawTransaction:
        payouts = await self.batches.payouts(batch)
        outlook = await self._look()
        return self._router.prepare(outlook, payouts, batch.energy, self._policy.lifetime_ms)

    async def arrival(self, batch: Batch, /, txid: bytes) -> Arrival | None:
        receipt = await self._router.judge(txid, await self.batches.payouts(batch))
        if receipt is None:
            return None
        return Arrival({"block": receipt.block_number}, {"block_number": receipt.block_number})

    def settlement(self, _batch: Batch, /) -> dict[str, Any]:
        return {}

    def forget(self) -> None:
        """Look anew for what is prepared from now on."""
        self._outlook = None

    async def _look(self) -> Outlook:
        async with self._looking:
            now_ms = self._book.clock.monotonic_ms()
            if self._outlook is None or now_ms - self._looked_ms >= _FRESH_MS:
                self._outlook = await self._router.look(self._operator)
                self._looked_ms = now_ms
            return self._outlook
