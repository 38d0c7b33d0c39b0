"""The payout processor: takes each payout one step further, as often as it is asked.

It may be killed between any two lines and started again; it may run twice at once. What it does next follows
from what is stored and from the chain, never from memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

from lucid_kit.errors import DomainError, LimitExceeded, Unavailable
from lucid_tron.client.client import TronClient
from lucid_tron.codec.address import Address
from lucid_tron.payouts.batch import Batch
from lucid_tron.payouts.batching import Batching
from lucid_tron.payouts.book import Book
from lucid_tron.payouts.errors import InvalidPayout, PayoutsHalted, SecondPersonNeeded, WrongState
from lucid_tron.payouts.guard import Guard
from lucid_tron.payouts.models import OPEN, Payout, PayoutPolicy, State
from lucid_tron.payouts.payments import BatchPayments, SinglePayments
from lucid_tron.payouts.router import RouterClient
from lucid_tron.sending.transmitter import Signer, Transmitter
from lucid_tron.usdt.manager import UsdtManager

_CHUNK = 200


class PayoutProcessor:
    """Pays from one hot wallet, or from a router whose operator that wallet is.

    With a `router` every payment goes through it, in batches. With a `guard` (which the caller has opened)
    nothing is sent unless the ledger's head is kept outside of the database.
    """

    def __init__(
        self,
        book: Book,
        wallets: Signer,
        wallet_id: str,
        hot: Address,
        usdt: UsdtManager,
        client: TronClient,
        policy: PayoutPolicy,
        *,
        router: RouterClient | None = None,
        guard: Guard | None = None,
        rehearse: Literal["all", "first"] = "all",
    ) -> None:
        self.book = book
        self._hot = hot
        self._usdt = usdt
        self._policy = policy
        self._guard = guard
        self._router = router
        self._batching: Batching | None = None
        if router is not None:
            batches = BatchPayments(book, wallet_id, hot, policy, guard, router)
            transmitter = Transmitter[Batch](batches, wallets, client)
            self._batching = Batching(batches, transmitter, rehearse=rehearse)
        payments = SinglePayments(book, wallet_id, hot, policy, guard, usdt)
        self._transmitter = Transmitter[Payout](payments, wallets, client)

    # --- what people and services ask ---

    async def submit(self, id_: str, epoch: int, recipient: str, amount: int, who: str) -> Payout:
        """Ask for a payment. Asking again with the same words gives the same payout.

        Raises
        ------
        InvalidPayout, PayoutConflict, OverEpochCap
            If it is malformed, contradicts a payout of this id, or is above a cap.
        """
        payout = Payout.read(id_, epoch, recipient, amount, who)
        self._require_fit(payout)
        return await self.book.add(payout, self._policy)

    async def submit_all(self, asked: Iterable[tuple[str, int, str, int]], who: str) -> int:
        """Ask for many payments (id, epoch, recipient, amount), in a few transactions; how many there are.

        All are checked before any is stored; interrupted, asking again asks for those that lack.

        Raises
        ------
        InvalidPayout, PayoutConflict, OverEpochCap
            As `submit` does.
        """
        payouts = [Payout.read(*each, who) for each in asked]
        for payout in payouts:
            self._require_fit(payout)
        for first in range(0, len(payouts), _CHUNK):
            await self.book.add_all(payouts[first : first + _CHUNK], self._policy)
        return len(payouts)

    def _require_fit(self, payout: Payout) -> None:
        ours = [self._hot, self._usdt.token, *([self._router.address] if self._router else [])]
        if payout.recipient in ours:
            raise InvalidPayout(f"{payout.recipient} cannot be paid: it is the payer or the token itself")

    async def approve(self, payout_id: str, who: str) -> Payout:
        """Approve a payment; large ones need two people who did not submit it.

        Raises
        ------
        SecondPersonNeeded
            If this person approved already, or submitted a large payout.
        WrongState
            If it is no longer an intent.
        """
        payout = await self.book.get(payout_id)
        state, changes = self._approved(payout, who)
        return await self.book.move(payout, state, {"approved_by": who}, **changes)

    async def approve_all(self, payout_ids: Sequence[str], who: str) -> int:
        """Approve many payments, such as those of a settlement, by the rules of `approve`; how many.

        Raises
        ------
        SecondPersonNeeded, WrongState
            As `approve` does; what was approved before in the same call stays approved.
        """
        for first in range(0, len(payout_ids), _CHUNK):
            payouts = await self.book.get_all(payout_ids[first : first + _CHUNK])
            moves = [(payout, *self._approved(payout, who)) for payout in payouts]
            await self.book.move_all(moves, {"approved_by": who})
        return len(payout_ids)

    def _approved(self, payout: Payout, who: str) -> tuple[State, dict[str, Any]]:
        """What an approval makes of a payout."""
        if payout.state != "intent":
            raise WrongState(f"Payout {payout.id} is {payout.state}")
        large = payout.amount > self._policy.two_person_above
        if who in payout.approvals or (large and who == payout.submitted_by):
            raise SecondPersonNeeded(f"{who!r} cannot approve {payout.id} (again)")
        approvals = (*payout.approvals, who)
        state: State = "approved" if len(approvals) >= (2 if large else 1) else "intent"
        return state, {"approvals": approvals}

    async def cancel(self, payout_id: str, who: str) -> Payout:
        """Give a payment up, as long as its bytes have not left this machine.

        Raises
        ------
        WrongState
            If they may have.
        """
        payout = await self.book.get(payout_id)
        if payout.state not in ("intent", "approved", "signed", "failed"):
            raise WrongState(f"Payout {payout_id} is {payout.state} and cannot be cancelled")
        kept = payout.without_bytes() if payout.attempts else payout
        return await self.book.move(payout, "cancelled", {"by": who}, attempts=kept.attempts)

    async def retry(self, payout_id: str, who: str) -> Payout:
        """Let a failed payment be tried anew: it was mined, moved nothing, and can move nothing later.

        Raises
        ------
        WrongState
            If it has not failed.
        """
        payout = await self.book.get(payout_id)
        if payout.state != "failed":
            raise WrongState(f"Payout {payout_id} is {payout.state}, not failed")
        return await self.book.move(payout, "approved", {"retried_by": who}, batch_limit=1)

    # --- what drives it on ---

    async def run_once(self, limit: int | None = None, *, start: bool = True) -> dict[str, str]:
        """Take every open payout one step further; id → the state it is in, or why it waits.

        Without `start` only what was signed goes on, and nothing that is merely approved is begun.

        Raises
        ------
        PayoutsHalted
            If payouts are stopped.
        BooksNotNewest
            If the guard has another ledger's head: then they are stopped from now on.
        """
        await self.book.require_running()
        if self._guard is not None:
            await self._guard.require(self.book)
        result = await self._batching.run_once(limit, start=start) if self._batching else dict[str, str]()
        states = tuple(state for state in OPEN if state != "approved" or (start and not self._batching))
        for payout in await self.book.having(states, limit):
            if payout.in_batch:
                continue
            try:
                result[payout.id] = (await self.step(payout)).state
            except PayoutsHalted:
                raise
            except (DomainError, LimitExceeded, Unavailable) as error:
                # Expected: no funds, paused, over a cap, nodes away or at odds. It waits, with its reason.
                await self.book.explain(payout, str(error))
                result[payout.id] = f"{payout.state}: {error}"
        return result

    async def step(self, payout: Payout) -> Payout:
        """Take one payout one step further.

        Raises
        ------
        LucidError
            If it cannot go on now; nothing has changed then.
        """
        if payout.in_batch or (self._batching and payout.state == "approved"):
            raise WrongState(f"Payout {payout.id} is paid in a batch")
        return await self._transmitter.step(payout)
