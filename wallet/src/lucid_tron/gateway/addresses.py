"""Deposit addresses: reserved at the wallets service one by one, and used for one payment at a time.

An address is given to another payment only when nobody can be expected to pay the old one any more, it is
empty, and nothing is on its way. Everything is stored, so that no restart forgets an address. What the
wallets service has reserved for us and our books do not know (they are an older copy) is watched and swept,
and never given to anybody: who pays it paid for something these books have forgotten.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Protocol

from lucid_kit import fault
from lucid_kit.documents import Collection, Documents, Index
from lucid_kit.ids import new_id
from lucid_kit.logs import get_logger
from lucid_tron.codec.address import Address
from lucid_tron.sending.transmitter import Signer
from lucid_tron.wallets.deposits import Reserved
from lucid_tron.wallets.models import Account

ADDRESSES = Collection("deposit_addresses", Index("state", "index"), Index("index", unique=True))
"""`state` is free, reserved (for `payment`, until `until_ms`), or withheld: never to be given."""
WANTED = Collection("wanted_addresses")
"""Ids of reservations that the wallets service was or will be asked for, until their address is stored."""


class DepositSigner(Signer, Protocol):
    """Where deposit addresses are reserved and sign: the wallets service."""

    async def reserve(self, wallet_id: str, reservation: str, /) -> Reserved:
        """The address of a reservation, the same one each time."""
        ...

    async def reserved(self, wallet_id: str, after: int = -1, /) -> list[Reserved]:
        """All addresses behind an index, in order."""
        ...


@dataclass(frozen=True, slots=True)
class Deposit:
    """An address, the wallet that signs for it, and the payment it is reserved for."""

    address: Address
    wallet: str
    payment: str | None


class AddressPool:
    """The deposit addresses of one treasury."""

    def __init__(self, documents: Documents, wallets: DepositSigner, treasury: Account) -> None:
        self._documents = documents
        self._wallets = wallets
        self._treasury = treasury
        self._watched: frozenset[str] = frozenset()
        self._one = asyncio.Lock()

    async def load(self) -> None:
        """Read which addresses there are, here and at the wallets service."""
        while await self._documents.find(WANTED.name, limit=1):
            await self.grow()
        found = await self._documents.find(ADDRESSES.name)
        self._watched = frozenset(each["evm"] for each in found)
        newest = max((each["index"] for each in found), default=-1)
        for each in await self._wallets.reserved(self._treasury.id, newest):
            get_logger().warning("address.withheld", address=str(each.address), index=each.index)
            await self._store(self._documents, each, "withheld")

    @property
    def watched(self) -> frozenset[str]:
        """All addresses, as 40 hexadecimal digits (the 20 bytes that logs carry)."""
        return self._watched

    async def grow(self) -> None:
        """Reserve one more address and store it as free."""
        async with self._one:
            wanted = await self._documents.find(WANTED.name, limit=1)
            if not wanted:
                # Never drawn from a number of ours: an older copy of the books would count it again.
                wanted = [{"id": new_id("dep")}]
                await self._documents.insert(WANTED.name, wanted[0])
            fault.point("address-wanted")
            # Ends here: nothing is reserved; the next call, or the next start, asks under this id.
            reserved = await self._wallets.reserve(self._treasury.id, wanted[0]["id"])
            fault.point("address-reserved")
            # Ends here: it is reserved and we do not know; asking again under the same id gives it.
            async with self._documents.transaction() as inside:
                await self._store(inside, reserved, "free")
                await inside.delete(WANTED.name, wanted[0]["id"])

    async def _store(self, inside: Documents, reserved: Reserved, state: str) -> None:
        await inside.insert(
            ADDRESSES.name,
            {
                "id": str(reserved.address),
                "evm": reserved.address.evm.hex(),
                "index": reserved.index,
                "wallet": reserved.wallet,
                "reservation": reserved.reservation,
                "state": state,
                "payment": None,
                "until_ms": 0,
            },
        )
        self._watched |= {reserved.address.evm.hex()}

    async def reserve(self, inside: Documents, payment_id: str, until_ms: int) -> Address | None:
        """Take a free address for a payment, inside the transaction that stores it; None if there is none."""
        free = await inside.find(ADDRESSES.name, {"state": "free"}, sort=[("index", 1)], limit=1)
        if not free:
            return None
        change = {"state": "reserved", "payment": payment_id, "until_ms": until_ms}
        await inside.update(ADDRESSES.name, free[0]["id"], change)
        return Address.parse(free[0]["id"])

    async def deposits(self) -> list[Deposit]:
        """All addresses in the order they were derived."""
        found = await self._documents.find(ADDRESSES.name, sort=[("index", 1)])
        return [Deposit(Address.parse(each["id"]), each["wallet"], each["payment"]) for each in found]

    async def overdue(self, now_ms: int) -> list[Deposit]:
        """Reserved addresses whose payment nobody can be expected to pay any more."""
        where = {"state": "reserved", "until_ms": {"$lt": now_ms}}
        found = await self._documents.find(ADDRESSES.name, where, sort=[("index", 1)])
        return [Deposit(Address.parse(each["id"]), each["wallet"], each["payment"]) for each in found]

    async def release(self, deposit: Deposit) -> bool:
        """Free an address, if it is still reserved for the same payment."""
        expect = {"state": "reserved", "payment": deposit.payment}
        change = {"state": "free", "payment": None, "until_ms": 0}
        done = await self._documents.update(ADDRESSES.name, str(deposit.address), change, expect=expect)
        return done is not None
