"""Orders: transactions of our own wallets that are no payouts. Staking, and what sweeps consist of.

An order is named by its id for ever; asking again with the same words gives the same order. Every change is
an entry of the hash-chained ledger, in the same transaction.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from lucid_kit.documents import Collection, Documents, Index
from lucid_kit.errors import DomainError, NotFound, ValidationFailed
from lucid_tron.payouts import ledger
from lucid_tron.sending.attempt import Attempt
from lucid_tron.sending.books import Books

ORDERS = Collection("orders", Index("state"), Index("subject", "state"))
TXIDS = Collection("order_transactions")
"""Which order each signed transaction stands for."""
OrderState = Literal["approved", "signed", "broadcast", "solid", "settled", "failed", "cancelled"]
OPEN: tuple[OrderState, ...] = ("approved", "signed", "broadcast", "solid")
_ID = re.compile(r"[A-Za-z0-9_.:-]{1,96}")


class InvalidOrder(ValidationFailed):
    """An order is not of the form it must have."""

    code = "LUCID_ERR_1780"
    advice = "Correct what `detail` names; an operation id has 1 to 96 of a–z, A–Z, 0–9, _ - . :"


class OrderNotFound(NotFound):
    """There is no order with that id."""

    code = "LUCID_ERR_1781"
    advice = "Check the operation id."


class OrderConflict(DomainError):
    """An order with this id exists and says something else."""

    code = "LUCID_ERR_4780"
    advice = "An operation id stands for one operation for ever: use a new id for a new one."


class OrderMoved(DomainError):
    """An order in this state does not allow that."""

    code = "LUCID_ERR_4781"
    advice = "Read the order again; what was sent cannot be cancelled."


class SameTransaction(DomainError):
    """Another order was signed as exactly this transaction; sent once, it could not stand for both."""

    code = "LUCID_ERR_4788"
    advice = "Nothing to do: the order is signed again in the next round, at another moment."


@dataclass(frozen=True, slots=True)
class Order:
    """One transaction to be made, and how far it is.

    `kind` says what `terms` mean (amounts in sun or units, addresses in base58); `subject` is what it is
    about, for finding orders of one account. `version` is what compare-and-swap compares.
    """

    id: str
    kind: str
    subject: str
    wallet: str
    terms: Mapping[str, Any]
    asked_by: str
    state: OrderState = "approved"
    version: int = 0
    attempts: tuple[Attempt, ...] = ()
    result: Mapping[str, Any] = field(default_factory=dict)
    reason: str | None = None

    @property
    def attempt(self) -> Attempt:
        """The newest attempt."""
        return self.attempts[-1]

    @property
    def txid(self) -> str | None:
        """The newest transaction's id, if anything was signed."""
        return self.attempts[-1].txid if self.attempts else None

    def without_bytes(self) -> Order:
        """The same with the newest attempt's bytes forgotten; its txID stays."""
        return replace(self, attempts=(*self.attempts[:-1], replace(self.attempt, envelope="")))

    def to_document(self) -> dict[str, Any]:
        """As it is stored."""
        document = asdict(self)
        document["attempts"] = [asdict(attempt) for attempt in self.attempts]
        return document

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Order:
        """As it was stored."""
        fields = {name: document[name] for name in cls.__dataclass_fields__}
        fields["attempts"] = tuple(Attempt(**attempt) for attempt in document["attempts"])
        return cls(**fields)


class OrderBook(Books[Order]):
    """Orders with their ledger. Every public method is one transaction."""

    collections = (ORDERS, TXIDS, ledger.LEDGER)
    kept = ORDERS
    moved = OrderMoved

    async def get(self, order_id: str) -> Order:
        """An order.

        Raises
        ------
        OrderNotFound
            If there is none with the id.
        """
        document = await self.documents.get(ORDERS.name, order_id)
        if document is None:
            raise OrderNotFound(f"There is no order {order_id[:96]!r}")
        return Order.from_document(document)

    async def having(
        self, states: Sequence[OrderState] = OPEN, *, subject: str | None = None, limit: int | None = None
    ) -> list[Order]:
        """Orders in these states, of one subject or of all, by id."""
        where: dict[str, Any] = {"state": {"$in": list(states)}}
        if subject is not None:
            where["subject"] = subject
        found = await self.documents.find(ORDERS.name, where, sort=[("id", 1)], limit=limit)
        return [Order.from_document(document) for document in found]

    async def about(self, subject: str) -> list[Order]:
        """All orders of a subject, whatever became of them, by id."""
        found = await self.documents.find(ORDERS.name, {"subject": subject}, sort=[("id", 1)])
        return [Order.from_document(document) for document in found]

    async def add(self, order: Order) -> Order:
        """Store a new order; give back the stored one if it exists.

        Raises
        ------
        InvalidOrder
            If its id is none.
        OrderConflict
            If one with this id says something else.
        """
        if not _ID.fullmatch(order.id):
            raise InvalidOrder(f"{order.id[:96]!r} is no operation id")

        async def change(inside: Documents) -> Order:
            stored = await inside.get(ORDERS.name, order.id)
            if stored is not None:
                known = Order.from_document(stored)
                if (known.kind, known.wallet, dict(known.terms)) != (
                    order.kind,
                    order.wallet,
                    dict(order.terms),
                ):
                    raise OrderConflict(f"Order {order.id} exists and is another {known.kind}")
                return known
            await inside.insert(ORDERS.name, order.to_document())
            facts = {"kind": order.kind, "subject": order.subject, "terms": dict(order.terms)}
            await self.tell(inside, "ordered", order.id, facts | {"by": order.asked_by})
            return order

        return await self.atomically(change)

    async def move(
        self, order: Order, /, state: OrderState, facts: Mapping[str, Any], **changes: Any
    ) -> Order:
        """Change an order and tell it in the ledger.

        Raises
        ------
        OrderMoved
            If it was changed since it was read: read it again.
        SameTransaction
            If it was signed as a transaction that stands for another order.
        """

        async def change(inside: Documents) -> Order:
            moved = await self.swap(inside, order, state, **changes)
            if state == "signed":
                known = await inside.get(TXIDS.name, moved.attempt.txid)
                if known is not None:
                    raise SameTransaction(f"Order {known['order']} is the same transaction as {order.id}")
                await inside.insert(TXIDS.name, {"id": moved.attempt.txid, "order": order.id})
            await self.tell(inside, f"order-{state}", moved.id, {"from": order.state, **facts})
            return moved

        return await self.atomically(change)

    async def cancel(self, order_id: str, who: str) -> Order:
        """Give an order up, as long as its bytes have not left this machine.

        Raises
        ------
        OrderMoved
            If they may have.
        """
        order = await self.get(order_id)
        if order.state not in ("approved", "signed"):
            raise OrderMoved(f"Order {order_id} is {order.state} and cannot be cancelled")
        kept = order.without_bytes() if order.attempts else order
        return await self.move(order, "cancelled", {"by": who}, attempts=kept.attempts)
