"""Which payouts go together into a batch of the router, and who waits because a batch with him would revert.

A batch leaves as everything leaves (`sending.transmitter`). Besides, ids are spent on chain, and a batch is
paid wholly or not at all: so a batch that reverted paid nobody, its payouts may go into new ones, and halving
finds the payout that makes it revert, without paying anyone twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Literal

from lucid_kit.errors import DomainError, LimitExceeded, LucidError, Unavailable
from lucid_tron.payouts.batch import Batch
from lucid_tron.payouts.errors import BatchReverts, PayoutsHalted, WrongState
from lucid_tron.payouts.models import MAX_BATCH, Payout
from lucid_tron.payouts.payments import BatchPayments
from lucid_tron.sending.transmitter import Transmitter
from lucid_tron.usdt.errors import InsufficientFunds

_AT_ONCE = 4
_UNREHEARSED = 2
"""An energy estimate from other payouts is doubled: a recipient who holds no USDT yet costs twice as much."""
_OF_ALL = ("IsPaused", "NotOperator", "OverEpochCap", "BatchSize", "Reentered")
_WAITS = (DomainError, LimitExceeded, Unavailable)


class Batching:
    """Pays approved payouts of a book through one router.

    `rehearse` says which batches are tried on a node first: "all", or the "first" of a run and those that
    hold payouts of a batch that reverted.
    """

    def __init__(
        self,
        payments: BatchPayments,
        transmitter: Transmitter[Batch],
        *,
        rehearse: Literal["all", "first"] = "all",
    ) -> None:
        self._payments = payments
        self._transmitter = transmitter
        self._book = payments.book
        self._batches = payments.batches
        self._router = payments.router
        self._rehearse_all = rehearse == "all"
        self._energy_each = 0

    async def run_once(self, limit: int | None = None, *, start: bool = True) -> dict[str, str]:
        """Follow what was sent, send what was signed, sign what is approved.

        Payout id → the state of its batch, or why it waits.

        Raises
        ------
        PayoutsHalted
            If payouts are stopped.
        """
        await self._book.require_running()
        said: dict[str, str] = {}
        self._payments.look_anew()
        await _in_turns([self._go_on(batch, said) for batch in await self._batches.having()])
        approved = await self._book.having(("approved",), limit) if start else []
        if approved:
            await self._start(approved, said)
        return said

    async def _start(self, approved: Sequence[Payout], said: dict[str, str]) -> None:
        try:
            left = await self._router.available() - await self._in_flight()
        except _WAITS as error:
            await self._explain(approved, error, said)
            return
        ready = []
        for group in groups(approved):
            total = sum(payout.amount for payout in group)
            if total > left:
                lacking = InsufficientFunds(
                    f"The router {self._router.address} lacks {total - left} units",
                    missing_units=total - left,
                )
                await self._explain(group, lacking, said)
                continue
            left -= total
            ready.append(group)
        if ready and not self._energy_each:
            await self._pay(ready.pop(0), said)
        await _in_turns([self._pay(group, said) for group in ready])

    async def _in_flight(self) -> int:
        """Units that may leave the router and are in its solid balance still."""
        payouts = await self._book.having(("signed", "broadcast"))
        return sum(payout.amount for payout in payouts)

    async def _go_on(self, batch: Batch, said: dict[str, str]) -> None:
        try:
            moved = await self._step(batch)
            if moved.state == "solid":
                moved = await self._step(moved)
            state = moved.state if moved.state in ("broadcast", "settled") else f"batch {moved.state}"
            said.update(dict.fromkeys(batch.payouts, state))
        except PayoutsHalted:
            raise
        except _WAITS as error:
            await self._explain(await self._batches.payouts(batch), error, said)

    async def _pay(self, payouts: Sequence[Payout], said: dict[str, str]) -> None:
        """Rehearse, sign and send one group; those that a rehearsal finds unpayable wait with the reason."""
        try:
            for part, energy in await self._payable(payouts, said):
                batch = Batch(tuple(payout.id for payout in part), energy=energy)
                await self._go_on(await self._step(batch), said)
        except PayoutsHalted:
            raise
        except _WAITS as error:
            await self._explain(payouts, error, said)

    async def _payable(
        self, payouts: Sequence[Payout], said: dict[str, str]
    ) -> list[tuple[Sequence[Payout], int]]:
        """Parts of a group that do not revert in rehearsal, with the energy each needs."""
        suspect = any(payout.batch_limit < MAX_BATCH for payout in payouts)
        if self._energy_each and not (self._rehearse_all or suspect):
            return [(payouts, _UNREHEARSED * self._energy_each * len(payouts))]
        if not payouts:
            return []
        try:
            energy = await self._router.rehearse(self._payments.payer, payouts)
        except BatchReverts as error:
            return await self._without_the_guilty(payouts, error, said)
        self._energy_each = max(self._energy_each, -(-energy // len(payouts)))
        return [(payouts, energy)]

    async def _without_the_guilty(
        self, payouts: Sequence[Payout], error: BatchReverts, said: dict[str, str]
    ) -> list[tuple[Sequence[Payout], int]]:
        guilty = [payout for payout in payouts if payout.id == error.payout]
        if error.reason == "AlreadyPaid" and guilty:
            await self._require_unpaid(guilty[0])
        if guilty:
            await self._explain(guilty, error, said)
            return await self._payable([payout for payout in payouts if payout not in guilty], said)
        if len(payouts) == 1 or error.reason in _OF_ALL:
            await self._explain(payouts, error, said)
            return []
        half = len(payouts) // 2
        return [
            *await self._payable(payouts[:half], said),
            *await self._payable(payouts[half:], said),
        ]

    async def _require_unpaid(self, payout: Payout) -> None:
        """Stop all if the chain has paid what the books call unpaid: these books are not the newest."""
        if await self._router.is_paid(payout.id):
            reason = f"The router has paid {payout.id}, which is {payout.state} in these books"
            await self._book.halt(reason, {"payout": payout.id})
            raise PayoutsHalted(reason)

    async def _step(self, batch: Batch) -> Batch:
        try:
            return await self._transmitter.step(batch)
        except WrongState:
            if batch.state != "signed":
                raise
            # A payout of it was cancelled in time.
            return await self._batches.void(batch)

    async def _explain(self, payouts: Sequence[Payout], error: LucidError, said: dict[str, str]) -> None:
        for payout in payouts:
            await self._book.explain(payout, str(error))
            said[payout.id] = f"{payout.state}: {error}"


def groups(payouts: Sequence[Payout]) -> list[list[Payout]]:
    """Payouts as batches: in the order of their ids among those of one limit, each batch within it."""
    found: list[list[Payout]] = []
    for payout in sorted(payouts, key=lambda each: (each.batch_limit, each.id)):
        newest = found[-1] if found else []
        if newest and newest[0].batch_limit == payout.batch_limit and len(newest) < payout.batch_limit:
            newest.append(payout)
        else:
            found.append([payout])
    return found


async def _in_turns(work: Sequence[Awaitable[None]]) -> None:
    """Do all of it, a few at once; the first error is raised when all have come to their end."""
    gate = asyncio.Semaphore(_AT_ONCE)

    async def one(each: Awaitable[None]) -> None:
        async with gate:
            await each

    ended = await asyncio.gather(*(one(each) for each in work), return_exceptions=True)
    for outcome in ended:
        if isinstance(outcome, BaseException):
            raise outcome
