"""What it means to send a payout: alone, as a transfer of USDT, or with others, as a batch of the router."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
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


@dataclass
class Payments(Generic[T]):
    """What holds for both: the payer's wallet signs, and books that may be old ones send nothing."""

    book: Book
    wallet_id: str
    payer: Address
    policy: PayoutPolicy
    guard: Guard | None
    noun: ClassVar[str]

    async def require_running(self) -> None:
        await self.book.require_running()

    def wallet_of(self, _item: T, /) -> str:
        return self.wallet_id

    async def before_leaving(self) -> None:
        """Bytes leave only after the ledger's head with them is kept outside of the database."""
        if self.guard is not None:
            await self.guard.advance(self.book)

    async def unclear(self, item: T, /, error: UnclearPayment) -> None:
        await self.book.halt(f"{self.noun} {item.id}: {error.detail}", {"txid": item.attempt.txid})

    def expired(self, _item: T, /) -> Literal["approved", "failed"]:
        return "approved"


@dataclass
class SinglePayments(Payments[Payout]):
    """A transfer of USDT from the hot wallet, whose memo is the payout's id."""

    noun = "Payout"
    usdt: UsdtManager

    def __post_init__(self) -> None:
        self.move = self.book.move

    async def prepare(self, payout: Payout, /) -> RawTransaction:
        prepared = await self.usdt.prepare_transfer(
            self.payer,
            payout.recipient,
            payout.amount,
            memo=payout.id.encode(),
            lifetime_ms=self.policy.lifetime_ms,
        )
        return prepared.raw

    async def arrival(self, payout: Payout, /, txid: bytes) -> Arrival | None:
        transfer = await self.usdt.paid(txid, self.payer, payout.recipient, payout.amount)
        if transfer is None:
            return None
        return Arrival(
            {"block": transfer.block_number, "credited": transfer.amount},
            {"credited": transfer.amount, "block_number": transfer.block_number},
        )

    def settlement(self, payout: Payout, /) -> dict[str, Any]:
        return {"amount": payout.amount, "credited": payout.credited}


@dataclass
class BatchPayments(Payments[Batch]):
    """A call of the router by the payer, who is its operator."""

    noun = "Batch"
    router: RouterClient

    def __post_init__(self) -> None:
        self.batches = BatchBook(self.book)
        self.move = self.batches.move
        self.look_anew()
        self._looking = asyncio.Lock()

    async def prepare(self, batch: Batch, /) -> RawTransaction:
        payouts = await self.batches.payouts(batch)
        return await self.router.prepare(await self._look(), payouts, batch.energy, self.policy.lifetime_ms)

    async def arrival(self, batch: Batch, /, txid: bytes) -> Arrival | None:
        receipt = await self.router.judge(txid, await self.batches.payouts(batch))
        if receipt is None:
            return None
        return Arrival({"block": receipt.block_number}, {"block_number": receipt.block_number})

    def settlement(self, _batch: Batch, /) -> dict[str, Any]:
        return {}

    def look_anew(self) -> None:
        """Ask again what a batch is prepared from, before the next one."""
        self._outlook: tuple[int, Outlook] | None = None

    async def _look(self) -> Outlook:
        async with self._looking:
            now_ms = self.book.clock.monotonic_ms()
            if self._outlook is None or now_ms - self._outlook[0] >= _FRESH_MS:
                self._outlook = now_ms, await self.router.look(self.payer)
            return self._outlook[1]
