"""The one way from `approved` to `settled`, for whatever is sent.

    approved ─ sign, store ─▶ signed ─ store "may have left", send ─▶ broadcast ─▶ solid ─▶ settled
        ▲                                                               │  └─▶ failed (mined, moved nothing)
        └────────── only when these bytes can never be mined any more ──┘

It may be killed between any two lines and started again; it may run twice at once. What it does next follows
from what is stored and from the chain, never from memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, Protocol, Self, TypeVar

from lucid_kit import fault
from lucid_tron.client.client import TronClient
from lucid_tron.codec.transaction import RawTransaction, SignedTransaction
from lucid_tron.sending.attempt import Attempt
from lucid_tron.usdt.errors import NotPaid, UnclearPayment

Stage = Literal["approved", "signed", "broadcast", "solid", "settled", "failed"]
"""
approved   may be signed
signed     the bytes are stored and have not left this machine
broadcast  the bytes may have left this machine: from here on only the chain says what became of them
solid      mined successfully in a solid block
settled    in the books; final
failed     mined without effect (the fee is lost), or given up unsent
"""


class Sent(Protocol):
    """What is sent: a payout, an order."""

    @property
    def id(self) -> str:
        """Names it for ever."""
        ...

    @property
    def state(self) -> str:
        """A `Stage`, or a state before or after them in which nothing is done here."""
        ...

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """What was signed for it, oldest first."""
        ...

    @property
    def attempt(self) -> Attempt:
        """The newest attempt."""
        ...

    def without_bytes(self) -> Self:
        """The same with the newest attempt's bytes forgotten; its txID stays."""
        ...


T = TypeVar("T", bound=Sent)


@dataclass(frozen=True, slots=True)
class Arrival:
    """What a solid block says became of it: facts for the ledger, and fields that change with it."""

    facts: Mapping[str, Any]
    changes: Mapping[str, Any] = field(default_factory=dict)


class Signer(Protocol):
    """Signs within a wallet's caps: `Wallets`, here or behind HTTP."""

    async def sign(
        self, wallet_id: str, raw: RawTransaction, *, now_ms: int | None = None
    ) -> SignedTransaction:
        """Sign, counting for the UTC day of `now_ms`."""
        ...


class Trade(Protocol[T]):
    """What one kind of sent thing means."""

    async def require_running(self) -> None:
        """Raise if nothing may be signed or sent now."""
        ...

    def wallet_of(self, item: T, /) -> str:
        """The id of the wallet that signs."""
        ...

    async def prepare(self, item: T, /) -> RawTransaction:
        """A transaction that is expected to succeed; raise what forbids it."""
        ...

    async def before_leaving(self) -> None:
        """What must be done before bytes that are stored leave this machine; raise to keep them here."""
        ...

    async def arrival(self, item: T, /, txid: bytes) -> Arrival | None:
        """What solid blocks say, by a quorum; None while there is nothing.

        Raises
        ------
        NotPaid
            If it was mined without effect; UnclearPayment if it did something else.
        """
        ...

    async def unclear(self, item: T, /, error: UnclearPayment) -> None:
        """It did something else than it was meant to: a person must look."""
        ...

    def expired(self, item: T, /) -> Literal["approved", "failed"]:
        """Where to go when its bytes can never be mined any more."""
        ...

    def settlement(self, item: T, /) -> Mapping[str, Any]:
        """What the ledger says of it when it is settled."""
        ...

    async def move(self, item: T, /, state: Stage, facts: Mapping[str, Any], **changes: Any) -> T:
        """Store the new state by compare-and-swap, durable once it returns."""
        ...


class Transmitter(Generic[T]):
    """Takes what must arrive at most once a step further, as often as it is asked."""

    def __init__(self, trade: Trade[T], signer: Signer, client: TronClient) -> None:
        self._trade = trade
        self._signer = signer
        self._client = client

    async def step(self, item: T) -> T:
        """Take one a step further.

        Raises
        ------
        LucidError
            If it cannot go on now; nothing has changed then.
        """
        match item.state:
            case "approved":
                return await self._sign(item)
            case "signed":
                return await self._release(item)
            case "broadcast":
                return await self._follow(item)
            case "solid":
                return await self._settle(item)
        return item

    async def _sign(self, item: T) -> T:
        await self._trade.require_running()
        raw = await self._trade.prepare(item)
        signed = await self._signer.sign(self._trade.wallet_of(item), raw, now_ms=raw.timestamp)
        fault.point("transaction-signed")
        # Ends here: the bytes are nowhere but in lost memory. It is approved still and will be signed anew.
        attempt = Attempt.of(signed, raw.expiration)
        facts = {"txid": attempt.txid, "expiration_ms": attempt.expiration_ms, "fee_limit": raw.fee_limit}
        return await self._trade.move(item, "signed", facts, attempts=(*item.attempts, attempt))

    async def _release(self, item: T) -> T:
        await self._trade.require_running()
        fault.point("transaction-stored")
        # Ends here: the bytes are stored and were not sent; the next run sends them.
        released = await self._trade.move(item, "broadcast", {"txid": item.attempt.txid})
        fault.point("transaction-released")
        # Ends here: it is `broadcast` though nothing was sent; the next run sends the same bytes.
        await self._trade.before_leaving()
        await self._client.broadcast(released.attempt.signed)
        fault.point("transaction-sent")
        # Ends here: it was sent; the next run finds it on the chain, or sends the same bytes again.
        return released

    async def _follow(self, item: T) -> T:
        attempt = item.attempt
        txid = bytes.fromhex(attempt.txid)
        told: dict[str, Any] = {"txid": attempt.txid}
        try:
            arrival = await self._trade.arrival(item, txid)
        except UnclearPayment as error:
            await self._trade.unclear(item, error)
            raise
        except NotPaid as error:
            told["why"] = error.detail
            return await self._trade.move(item.without_bytes(), "failed", told, reason=error.detail)
        if arrival is not None:
            return await self._trade.move(item, "solid", told | dict(arrival.facts), **arrival.changes)
        if await self._client.gone(txid, attempt.expiration_ms):
            # These bytes can never be mined: every later block is newer than they may be.
            told["expired"] = True
            return await self._trade.move(item.without_bytes(), self._trade.expired(item), told)
        await self._trade.before_leaving()
        await self._client.broadcast(attempt.signed)
        return item

    async def _settle(self, item: T) -> T:
        fault.point("transaction-solid")
        # Ends here: it is solid and not in the books; the next run settles it.
        facts = {"txid": item.attempt.txid, **self._trade.settlement(item)}
        return await self._trade.move(item.without_bytes(), "settled", facts)
