"""Refunds: reserved on the payment first, then paid by the payout processor under an id of their own."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

from lucid_kit import fault
from lucid_kit.clock import Clock
from lucid_kit.documents import Documents
from lucid_kit.errors import DomainError, LimitExceeded
from lucid_tron.codec.address import Address
from lucid_tron.codec.errors import CodecError
from lucid_tron.gateway.errors import InvalidPayment, PaymentNotFound, RefundConflict, RefundTooLarge
from lucid_tron.gateway.events import tell
from lucid_tron.gateway.models import PAYMENTS, Payment, Refund
from lucid_tron.payouts.errors import InvalidPayout, PayoutNotFound, SecondPersonNeeded, WrongState
from lucid_tron.payouts.models import Payout
from lucid_tron.payouts.processor import PayoutProcessor
from lucid_tron.sending.atomic import atomically

_DAY_MS = 86_400_000


class Refunds:
    """Gives money back."""

    def __init__(self, documents: Documents, processor: PayoutProcessor, clock: Clock) -> None:
        self._documents = documents
        self._processor = processor
        self._clock = clock

    async def ask(self, payment_id: str, refund_id: str, recipient: str, amount: int, who: str) -> Payment:
        """Ask for a refund, or, as another person, approve one that was asked for in the same words.

        The recipient is named by whoever asks: the sender of a payment is often an exchange, where money
        sent back would be lost.

        Raises
        ------
        PaymentNotFound, InvalidPayment
            If there is no such payment, or a value is malformed.
        RefundTooLarge, RefundConflict
            If more is asked for than is left, or another refund has this id.
        """
        try:
            address = str(Address.parse(recipient))
        except CodecError as error:
            raise InvalidPayment(f"recipient: {error.detail}") from error
        if amount <= 0:
            raise InvalidPayment("amount is a positive integer of units")
        payout = "refund." + sha256(f"{payment_id}/{refund_id}".encode()).hexdigest()[:40]
        wanted = Refund(refund_id, address, amount, payout, who)

        async def reserve(inside: Documents) -> tuple[Payment, Refund]:
            stored = await inside.get(PAYMENTS.name, payment_id)
            if stored is None:
                raise PaymentNotFound(f"There is no payment {payment_id[:80]!r}")
            payment = Payment.from_document(stored)
            for known in payment.refunds:
                if known.id == refund_id:
                    if (known.recipient, known.amount) != (address, amount):
                        raise RefundConflict(f"Refund {refund_id} is {known.amount} to {known.recipient}")
                    return payment, known
            if amount > payment.refundable:
                raise RefundTooLarge(f"{payment.refundable} units can be given back, not {amount}")
            refunds = (*payment.refunds, wanted)
            changed = replace(payment, refunds=refunds, refunding=True, version=payment.version + 1)
            await inside.replace(PAYMENTS.name, changed.to_document())
            return changed, wanted

        payment, refund = await atomically(self._documents, reserve)
        fault.point("refund-reserved")
        # Ends here: the units are reserved and no payout is asked for; the next round asks for it.
        await self._submit(refund, who)
        return payment

    async def _submit(self, refund: Refund, who: str) -> None:
        """Ask for the payout, the same one each time, and approve it as this person."""
        epoch = self._clock.now_ms() // _DAY_MS
        try:
            payout = await self._processor.book.get(refund.payout)
        except PayoutNotFound:
            payout = await self._processor.submit(
                refund.payout, epoch, refund.recipient, refund.amount, refund.asked_by
            )
            fault.point("refund-submitted")
            # Ends here: the payout is an intent; asking for the same refund again approves it.
        if payout.state == "intent" and who not in payout.approvals:
            try:
                await self._processor.approve(payout.id, who)
            except SecondPersonNeeded:
                return  # large: it waits for others, who ask for the same refund
            except WrongState:
                return  # the round that runs beside us has approved it in between

    async def run_once(self) -> dict[str, str]:
        """Ask for payouts that a crash left out, pay what is open, and note what is done.

        Raises
        ------
        PayoutsHalted
            If the books do not balance.
        """
        for stored in await self._documents.find(PAYMENTS.name, {"refunding": True}):
            for refund in Payment.from_document(stored).refunds:
                if not refund.done:
                    await self._resume(stored["id"], refund)
        return await self._processor.run_once()

    async def _resume(self, payment_id: str, refund: Refund) -> None:
        try:
            payout = await self._processor.book.get(refund.payout)
        except PayoutNotFound:
            payout = None
        if payout is None or (payout.state == "intent" and not payout.approvals):
            try:
                await self._submit(refund, refund.asked_by)
            except (InvalidPayout, DomainError, LimitExceeded):
                return  # over the day's cap: it stays reserved and is asked for again
        elif payout.state == "settled":
            await self._done(payment_id, refund, payout)

    async def _done(self, payment_id: str, refund: Refund, payout: Payout) -> None:
        async def note(inside: Documents) -> None:
            stored = await inside.get(PAYMENTS.name, payment_id)
            assert stored is not None
            payment = Payment.from_document(stored)
            refunds = tuple(replace(r, done=True) if r.id == refund.id else r for r in payment.refunds)
            changed = replace(
                payment,
                refunds=refunds,
                refunding=not all(r.done for r in refunds),
                version=payment.version + 1,
            )
            await inside.replace(PAYMENTS.name, changed.to_document())
            await tell(inside, changed, "payment.refunded", payout.id, self._clock.now_ms())

        await atomically(self._documents, note)
