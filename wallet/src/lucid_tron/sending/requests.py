"""Transfers and approvals that somebody asks for by HTTP: how they are named, shown and sent."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from lucid_tron.client.client import TronClient
from lucid_tron.client.errors import CallReverted
from lucid_tron.codec.address import Address
from lucid_tron.codec.contracts import TransferContract
from lucid_tron.codec.transaction import RawTransaction
from lucid_tron.sending.orders import InvalidOrder, Order, OrderBook
from lucid_tron.sending.trade import OrderTrade, lifetime_ms
from lucid_tron.sending.transmitter import Arrival
from lucid_tron.usdt.errors import InsufficientFunds
from lucid_tron.usdt.fees import bandwidth_of
from lucid_tron.usdt.manager import UsdtManager
from lucid_tron.wallets.remote import RemoteWallets

MAX = (1 << 53) - 1
Units = Annotated[int, Field(ge=1, le=MAX)]


class Asked(BaseModel):
    """What every request to send says: its id names it for ever; sending it again does nothing twice."""

    model_config = ConfigDict(extra="forbid")

    operation_id: str = Field(pattern=r"^[A-Za-z0-9_.:-]{1,96}$")
    wallet_id: str = Field(pattern=r"^wal_[0-9A-Za-z_-]{1,60}$")


class OperationOut(BaseModel):
    """`approved`, `signed`, `broadcast`, `solid`, `settled`, `failed` or `cancelled`; why it waits."""

    operation_id: str
    kind: str
    address: str
    wallet_id: str
    terms: dict[str, Any]
    state: str
    txid: str | None
    reason: str | None
    result: dict[str, Any]


class Operations(BaseModel):
    operations: list[OperationOut]


def shown(order: Order) -> OperationOut:
    """An order as it is answered."""
    return OperationOut(
        operation_id=order.id,
        kind=order.kind,
        address=order.subject,
        wallet_id=order.wallet,
        terms=dict(order.terms),
        state=order.state,
        txid=order.txid,
        reason=order.reason,
        result=dict(order.result),
    )


class Desk:
    """Takes requests and stores them as orders of the wallet's account."""

    def __init__(self, book: OrderBook, wallets: RemoteWallets) -> None:
        self.book = book
        self._wallets = wallets

    async def ask(self, kind: str, asked: Asked, who: str, to: str, amount: int) -> Order:
        """Store a request; the same one gives the stored order.

        Raises
        ------
        CodecError, InvalidOrder
            If the address is none, or the wallet's own.
        OrderConflict
            If the id stands for something else.
        SignatureRefused
            If there is no such wallet.
        """
        wallet = await self._wallets.get(asked.wallet_id)
        recipient = Address.parse(to)
        if recipient == wallet.address:
            raise InvalidOrder(f"{recipient} is the wallet itself")
        terms = {"to": str(recipient), "amount": amount}
        return await self.book.add(
            Order(asked.operation_id, kind, str(wallet.address), wallet.id, terms, who)
        )


def _terms(order: Order) -> tuple[Address, Address, int]:
    return Address.parse(order.subject), Address.parse(order.terms["to"]), int(order.terms["amount"])


class TrxTransfers(OrderTrade):
    """Sends TRX. Built here from the request: no node has a say in what is signed."""

    async def prepare(self, order: Order, /) -> RawTransaction:
        """A transfer that the account can pay for.

        Raises
        ------
        InsufficientFunds
            If it cannot.
        """
        sender, recipient, amount = _terms(order)
        raw = await self._client.prepare(
            TransferContract(sender, recipient, amount), lifetime_ms=lifetime_ms(order)
        )
        prices = await self._client.parameters_agreed()
        free = (await self._client.resources(sender)).bandwidth
        # An account that does not exist yet is opened by its first transfer, for a fee.
        new = not await self._client.account(recipient)
        opening = prices.raw.get("getCreateNewAccountFeeInSystemContract", 0) if new else 0
        opening += prices.raw.get("getCreateAccountFee", 0) if new else 0
        size = bandwidth_of(raw)
        needed = amount + opening + (size * prices.bandwidth_price if size > free else 0)
        held = await self._client.balance_agreed(sender)
        if held < needed:
            raise InsufficientFunds(
                f"{sender} lacks {needed - held} sun", missing_sun=needed - held, held_sun=held
            )
        return raw


class UsdtOperations(OrderTrade):
    """Sends USDT and gives allowances."""

    def __init__(self, book: OrderBook, client: TronClient, usdt: UsdtManager) -> None:
        super().__init__(book, client)
        self._usdt = usdt

    async def prepare(self, order: Order, /) -> RawTransaction:
        """A call that is expected to succeed.

        Raises
        ------
        DomainError
            As `UsdtManager.prepare_transfer` and `prepare_approve` say.
        """
        sender, to, amount = _terms(order)
        if order.kind == "usdt-approve":
            try:
                prepared = await self._usdt.prepare_approve(
                    sender, to, amount, lifetime_ms=lifetime_ms(order)
                )
            except CallReverted as error:
                raise InvalidOrder(f"{error.detail}; set the allowance to 0 first") from error
            return prepared.raw
        return (await self._usdt.prepare_transfer(sender, to, amount, lifetime_ms=lifetime_ms(order))).raw

    async def arrival(self, order: Order, /, txid: bytes) -> Arrival | None:
        """A transfer arrived when the token logged it; an approval when its call succeeded."""
        sender, to, amount = _terms(order)
        if order.kind == "usdt-approve":
            found = await super().arrival(order, txid)
            return found and Arrival({**found.facts, "allowed": amount}, found.changes)
        transfer = await self._usdt.paid(txid, sender, to, amount)
        if transfer is None:
            return None
        facts = {"block": transfer.block_number, "credited": transfer.amount}
        return Arrival(facts, {"result": facts})
