"""Bringing an older copy of the books up to what the chain says was paid.

The chain is a second copy of the payments, though not of what was asked for. Order of the runbook: restore;
hand in again what came since (rates, bindings, statements, deposits: ids follow from them); recover;
reconcile; accept the books; resume.

A recovery looks through all blocks from one that the books still know up to one that is so late that nothing
signed before it began can be mined any more. It is a document, so a service that dies goes on with it.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any, Final

from lucid_kit import fault
from lucid_kit.documents import Documents
from lucid_tron.client.client import TronClient
from lucid_tron.payouts import ledger
from lucid_tron.payouts.book import Book
from lucid_tron.payouts.errors import NothingToBeginWith, NotStopped, RecoveryNotFound
from lucid_tron.payouts.evidence import Payment, Payments
from lucid_tron.payouts.guard import Guard
from lucid_tron.payouts.models import Payout, State
from lucid_tron.payouts.progress import ID, RECOVERY, Adopted, Progress
from lucid_tron.sending.attempt import Attempt

_BEHIND: Final[tuple[State, ...]] = ("intent", "approved", "failed", "cancelled")
_SENT: Final[tuple[State, ...]] = ("signed", "broadcast", "solid")
_ALL: Final[tuple[State, ...]] = (*_BEHIND, *_SENT, "settled")
_BLOCKS_AT_ONCE, _ROUND = 4, 100
_SAME_MS: Final = 7 * 24 * 3_600_000


class Recovery:
    """Settles payouts that the payer has paid and the books do not know of. Sends nothing."""

    collections = (RECOVERY,)

    def __init__(
        self,
        book: Book,
        client: TronClient,
        payments: Payments,
        lifetime_ms: int,
        guard: Guard | None = None,
    ) -> None:
        self._guard = guard
        self._book = book
        self._client = client
        self._payments = payments
        self._lifetime_ms = lifetime_ms

    # --- what people ask ---

    async def begin(self, who: str, first_block: int | None = None) -> Progress:
        """Begin to look through the chain, anew if there was a recovery before.

        `first_block` need not be given if the books know of a payment or deposit: what they do not know left
        after that.

        Raises
        ------
        NotStopped
            If payouts are not stopped: what is sent meanwhile could be missed.
        NothingToBeginWith
            If the books know of nothing.
        """
        if await self._book.halted() is None:
            raise NotStopped("Payouts are running")
        first = await self._first() if first_block is None else first_block
        head = await self._client.head()
        # Bytes that were signed before now live so long from the chain's time; either clock may be behind.
        until_ms = max(self._book.clock.now_ms(), head.timestamp_ms) + self._lifetime_ms
        progress = Progress(first, first, until_ms, who)

        async def change(inside: Documents) -> None:
            if await inside.get(RECOVERY.name, ID) is None:
                await inside.insert(RECOVERY.name, progress.to_document())
            else:
                await inside.replace(RECOVERY.name, progress.to_document())

        await self._book.atomically(change)
        return progress

    async def progress(self) -> Progress:
        """How far the newest recovery is.

        Raises
        ------
        RecoveryNotFound
            If none was begun.
        """
        found = await self._book.documents.get(RECOVERY.name, ID)
        if found is None:
            raise RecoveryNotFound("No recovery was begun on these books")
        return Progress.from_document(found)

    async def vouches(self) -> bool:
        """Whether a recovery has brought the books up to the chain since something was last sent.

        It names the head outside of the database, which moves before anything is sent: so no recovery that an
        older copy tells of is taken for this one.
        """
        where = {"kind": "recovered"}
        found = await self._book.documents.find(ledger.LEDGER.name, where, sort=[("id", -1)], limit=1)
        return bool(found) and found[0]["facts"]["kept"] == self._kept()

    def _kept(self) -> list[Any] | None:
        return [self._guard.head.count, self._guard.head.hash] if self._guard else None

    async def _first(self) -> int:
        """Where to begin: soon after the last time, where that began; what was left open then lies there."""
        known = await self._known()
        found = await self._book.documents.get(RECOVERY.name, ID)
        if found is None or found["until_ms"] + _SAME_MS < self._book.clock.now_ms():
            return known
        return min(known, int(found["first"]))

    async def _known(self) -> int:
        """The first block that may hold a payment which the books do not know of."""
        blocks = [payout.block_number or 0 for payout in await self._book.having(("settled",))]
        if any(blocks):
            # Books that know a block to be solid lack only what was sent later.
            return max(blocks) + 1
        where = {"kind": "funded"}
        for entry in await self._book.documents.find(ledger.LEDGER.name, where, sort=[("id", 1)], limit=1):
            receipt = await self._client.receipt_agreed(bytes.fromhex(entry["facts"]["txid"]))
            if receipt is not None:
                return receipt.block_number
        raise NothingToBeginWith("These books know of no payment and no deposit")

    # --- what drives it on ---

    async def run_once(self) -> Progress | None:
        """Look through some more blocks; None if there is nothing to recover.

        Raises
        ------
        NodesDisagree, TooFewNodes, NoHealthyNode
            If it cannot be said what the chain holds. It goes on there.
        """
        found = await self._book.documents.get(RECOVERY.name, ID)
        if found is None or found["finished"]:
            return None
        progress = Progress.from_document(found)
        head = await self._client.solid_head_agreed()
        last = min(head.number, progress.next + _ROUND - 1)
        adopted = await self.adopt(progress.next, last, progress.by)
        fault.point("recovery-looked")
        # Ends here: what these blocks hold is entered; looked through again, they enter nothing twice.
        done = last == head.number and head.timestamp_ms > progress.until_ms
        moved = replace(
            progress,
            next=last + 1,
            entered=progress.entered + len(adopted.payouts),
            found=progress.found + replace(adopted, payouts=()),
            finished=done,
            version=progress.version + 1,
        )

        async def change(inside: Documents) -> None:
            expect = {"version": progress.version, "until_ms": progress.until_ms}
            if await inside.replace(RECOVERY.name, moved.to_document(), expect=expect) and self._is_clean(
                moved
            ):
                facts = {"by": moved.by, "first": moved.first, "last": last, "entered": moved.entered}
                facts["kept"] = self._kept()
                await ledger.append(inside, "recovered", None, facts, self._book.clock.now_ms())

        await self._book.atomically(change)
        return moved

    def _is_clean(self, progress: Progress) -> bool:
        """Whether the books know all that the chain paid, as far as paying on could pay somebody twice."""
        found = progress.found
        lacking = bool(found.unknown) and not self._payments.guarded
        return progress.finished and not (found.contradictions or found.again or lacking)

    async def adopt(self, first_block: int, last_block: int, who: str) -> Adopted:
        """Look through these blocks (both included, all solid) and enter what was paid; again does no harm.

        What is signed or sent in these books, in that very transaction, is left to the processor, which
        follows it as ever.

        Raises
        ------
        NodesDisagree, TooFewNodes, NoHealthyNode
            If it cannot be said what the chain holds.
        """
        found: list[Payment] = []
        for first in range(first_block, last_block + 1, _BLOCKS_AT_ONCE):
            numbers = range(first, min(first + _BLOCKS_AT_ONCE, last_block + 1))
            for held in await asyncio.gather(*(self._payments.in_block(number) for number in numbers)):
                found += held
        adopted = Adopted()
        if found:
            payouts = {self._payments.name(each.id): each for each in await self._book.having(_ALL)}
            for payment in found:
                adopted += await self._take(payouts, payment, who)
        return adopted

    async def _take(self, payouts: dict[str, Payout], payment: Payment, who: str) -> Adopted:
        payout = payouts.get(payment.name)
        if payout is None:
            return Adopted(unknown=(payment.name[:64],))
        if (
            payment.txid.hex() in {attempt.txid for attempt in payout.attempts}
            and payout.state not in _BEHIND
        ):
            return Adopted()
        if payout.state == "settled":
            return Adopted(again=(payout.id,))
        if payout.in_batch:
            # The router spends an id once: the processor finds out that it is paid and stops, and the next
            # recovery enters it.
            return Adopted()
        fits = (payout.recipient, payout.amount) == (payment.recipient, payment.amount)
        if payout.state != "cancelled" and not fits:
            return Adopted(contradictions=(payout.id,))
        payouts[payment.name] = await self._enter(payout, payment, who)
        return Adopted(payouts=(payout.id,))

    async def _enter(self, payout: Payout, payment: Payment, who: str) -> Payout:
        """Settle a payout as the chain paid it. A cancelled one takes the chain's words for its own."""
        attempts = [replace(attempt, envelope="") for attempt in payout.attempts]
        if payment.txid.hex() not in {attempt.txid for attempt in attempts}:
            attempts.append(Attempt(payment.txid.hex(), "", 0))
        changes: dict[str, Any] = {
            "recipient": payment.recipient,
            "amount": payment.amount,
            "credited": payment.credited,
            "block_number": payment.block,
            "attempts": tuple(attempts),
        }
        facts = {
            "txid": payment.txid.hex(),
            "recipient": str(payment.recipient),
            "amount": payment.amount,
            "credited": payment.credited,
            "adopted_by": who,
        }

        return await self._book.move(payout, "settled", facts, **changes)
