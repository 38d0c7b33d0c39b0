"""What people and other services ask of payouts, beyond one payout: statements, batches, the balance."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from lucid_kit import fault
from lucid_kit.clock import Clock, rfc3339
from lucid_kit.errors import LucidError, SystemFault
from lucid_tron.payouts import ledger
from lucid_tron.payouts.errors import (
    InvalidPayout,
    NotRecovered,
    OverEpochCap,
    PayoutConflict,
    ScheduleNotFound,
    StatementWaits,
    WrongState,
)
from lucid_tron.payouts.guard import Guard
from lucid_tron.payouts.models import OPEN, Payout
from lucid_tron.payouts.processor import PayoutProcessor
from lucid_tron.payouts.reconcile import Balance, Reconciliation
from lucid_tron.payouts.recovery import Recovery
from lucid_tron.payouts.schedule import Plan, Schedule, Schedules
from lucid_tron.settlement.service import Settlements
from lucid_tron.settlement.settle import Settlement

STATEMENT = "statement"
"""Who submits what a statement entitles: no person, so any one person may approve it."""
SCHEDULE = "payouts"
"""The name of the one schedule there is."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A payout as it is asked for."""

    payout_id: str
    epoch: int
    recipient: str
    amount: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one of several: the payout, or why there is none."""

    payout_id: str
    payout: Payout | None
    error: LucidError | None


class PayoutDesk:
    """The payout service's use cases.

    Parameters
    ----------
    every_ms
        Milliseconds between two strict reconciliations.
    auto_approve
        A statement's payouts up to so many units are approved by the statement itself.
    guard
        Keeps the ledger's head outside of the database; opened by the caller.
    """

    def __init__(
        self,
        processor: PayoutProcessor,
        reconciliation: Reconciliation,
        settlements: Settlements,
        recovery: Recovery,
        schedules: Schedules,
        clock: Clock,
        every_ms: int,
        auto_approve: int,
        guard: Guard | None = None,
    ) -> None:
        self.processor = processor
        self.book = processor.book
        self.reconciliation = reconciliation
        self.settlements = settlements
        self.recovery = recovery
        self.schedules = schedules
        self.clock = clock
        self._every_ms = every_ms
        self._auto_approve = auto_approve
        self._guard = guard
        self._reconciled_ms = clock.monotonic_ms()
        self._one_at_a_time = asyncio.Lock()

    async def batch(self, wanted: Sequence[Wanted], who: str) -> list[Outcome]:
        """Ask for several payouts; each stands for itself, so asking again completes what lacks."""
        return [await self._one(each, who) for each in wanted]

    async def _one(self, wanted: Wanted, who: str) -> Outcome:
        try:
            payout = await self.processor.submit(
                wanted.payout_id, wanted.epoch, wanted.recipient, wanted.amount, who
            )
        except SystemFault:
            raise
        except LucidError as error:
            return Outcome(wanted.payout_id, None, error)
        return Outcome(wanted.payout_id, payout, None)

    async def accept(self, data: bytes) -> tuple[Settlement, int]:
        """Prove and price a statement and ask for its payouts; the settlement, and how many were approved.

        Raises
        ------
        LucidError
            As `Settlements.accept` says; nothing is stored then. As `resubmit` says: then the statement is
            stored, and its payouts are asked for again with `resubmit`.
        """
        settlement = await self.settlements.accept(data)
        # Ends here: the statement is stored without its payouts; `resubmit` asks for them.
        fault.point("statement-stored")
        _, approved = await self.resubmit(settlement.origin, settlement.epoch)
        return settlement, approved

    async def resubmit(self, origin: str, epoch: int) -> tuple[int, int]:
        """Ask again for an accepted statement's payouts; how many there are and were approved now.

        Raises
        ------
        SettlementNotFound
            If no such statement was accepted.
        StatementWaits
            If its payouts are above a cap, or cannot be asked for: the statement stays accepted.
        """
        try:
            intents = await self.settlements.submit(origin, epoch, self.processor, STATEMENT)
        except (OverEpochCap, InvalidPayout, PayoutConflict) as error:
            raise StatementWaits(
                f"The statement of epoch {epoch} of {origin!r} is accepted, and not all of its payouts could"
                f" be asked for: {error.detail}",
                chain=origin,
                epoch=epoch,
                cause=error.code,
            ) from error
        fault.point("statement-asked")
        # Ends here: its payouts are asked for and not approved; `resubmit` approves what is small.
        return len(intents), await self._approve([intent.id for intent in intents])

    async def _approve(self, ids: Sequence[str]) -> int:
        """Approve what is small and was approved by nobody, in the statement's name; how many."""
        small = [
            payout.id
            for payout in await self.book.get_all(ids)
            if payout.state == "intent" and payout.amount <= self._auto_approve and not payout.approvals
        ]
        return await self.processor.approve_all(small, STATEMENT)

    # --- when it is paid ---

    async def pay(self) -> dict[str, str]:
        """One round: at once, or as the schedule says."""
        if await self.schedules.plan(SCHEDULE) is None:
            return await self.processor.run_once()
        return await self.schedules.drive(SCHEDULE, self)

    async def run_once(self, *, start: bool) -> dict[str, str]:
        """One round of the processor, for the schedule."""
        return await self.processor.run_once(start=start)

    async def is_done(self) -> bool:
        """Whether nothing is approved or under way."""
        return not await self.book.having(OPEN, 1)

    async def plan(self) -> Plan | None:
        """When payouts run; None if at once."""
        return await self.schedules.plan(SCHEDULE)

    async def waits(self) -> str | None:
        """What approved payouts wait for besides their own reasons: the next run."""
        plan = await self.plan()
        return None if plan is None or plan.open else f"Waits for the run of {rfc3339(plan.next_ms)}"

    async def set_schedule(self, schedule: Schedule, who: str) -> Plan:
        """Let payouts run at set times from now on."""
        await self.schedules.set(SCHEDULE, schedule)
        # Ends here: it holds, and the ledger does not tell who set it; whoever had no answer asks again.
        fault.point("schedule-set")
        await self.book.record("schedule-set", {"by": who, **asdict(schedule)})
        plan = await self.plan()
        if plan is None:
            raise ScheduleNotFound("The schedule was removed meanwhile")
        return plan

    async def remove_schedule(self, who: str) -> bool:
        """Pay at once again; whether there was a schedule."""
        removed = await self.schedules.remove(SCHEDULE)
        if removed:
            await self.book.record("schedule-removed", {"by": who})
        return removed

    # --- the books ---

    async def standing(self) -> tuple[Balance, ledger.Head, str | None]:
        """The books against the chain, the ledger's head, and why payouts are stopped."""
        async with self._one_at_a_time:
            balance = await self.reconciliation.check()
            return balance, await ledger.verify(self.book.documents), await self.book.halted()

    async def reconcile(self) -> Balance:
        """Compare strictly, and stop payouts if anything is off."""
        async with self._one_at_a_time:
            self._reconciled_ms = self.clock.monotonic_ms()
            return await self.reconciliation.enforce(strict=True)

    async def accept_books(self, who: str, why: str) -> ledger.Head:
        """Take the books as they are for the newest, on a person's word; their head. Payouts stay stopped.

        Raises
        ------
        WrongState
            If no head is kept outside of the database.
        NotRecovered
            If they were not brought up to the chain since something was last sent.
        LedgerBroken
            If the ledger was altered.
        """
        if self._guard is None:
            raise WrongState("No head of the ledger is kept outside of the database")
        if not await self.recovery.vouches():
            raise NotRecovered("No recovery has brought these books up to the chain")
        return await self._guard.accept(self.book, who, why)

    async def reconcile_if_due(self) -> None:
        """Reconcile strictly once in the configured time."""
        if self.clock.monotonic_ms() - self._reconciled_ms >= self._every_ms:
            await self.reconcile()
