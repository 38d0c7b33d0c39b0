"""Deposit addresses: reserved one after the other from an HD wallet, whose alone is what they take.

Whoever needs one names it by an id of its own; the same id is the same address for ever, so that neither a
lost answer nor a process that died in between loses an address or gives one twice.
"""

from __future__ import annotations

from dataclasses import dataclass

from lucid_kit.documents import Collection, Documents, DuplicateKey, Index, TransactionConflict
from lucid_tron.codec.address import Address
from lucid_tron.keys.derivation import account_path
from lucid_tron.wallets.errors import NoDeposits
from lucid_tron.wallets.models import TRX, Cap, Wallet
from lucid_tron.wallets.service import Wallets
from lucid_tron.wallets.store import WALLETS

ACCOUNT = 1
"""Deposit addresses are m/44'/195'/1'/0/n of their wallet, itself m/44'/195'/0'/0/0."""
RESERVED = Collection("deposit_reservations", Index("parent", "index", unique=True))
_NO_LIMIT = (1 << 53) - 1
_ATTEMPTS = 50


@dataclass(frozen=True, slots=True)
class Reserved:
    """An address that belongs to a reservation, the wallet that signs for it, and its place on the path."""

    reservation: str
    wallet: str
    address: Address
    index: int


class Deposits:
    """Reserves deposit addresses. Usable concurrently, by several processes too."""

    collections = (RESERVED,)

    def __init__(self, documents: Documents, wallets: Wallets) -> None:
        self._documents = documents
        self._wallets = wallets

    async def reserve(self, parent: Wallet, reservation: str) -> Reserved:
        """The address of a reservation: the next one of this wallet, or the one it was given before.

        Raises
        ------
        NoDeposits
            If the wallet has no seed, or no cap for a token.
        """
        tokens = [asset for asset in parent.caps if asset != TRX]
        if parent.kind != "hd" or not tokens:
            raise NoDeposits(f"{parent.name!r} has no seed, or no cap for a token")
        caps = {token: Cap(_NO_LIMIT, _NO_LIMIT, family=True) for token in tokens}
        key = f"{parent.id}:{reservation}"
        for _ in range(_ATTEMPTS):
            known = await self._documents.get(RESERVED.name, key)
            if known is not None:
                return _read(known)
            index = await self._next(parent)
            try:
                await self._store(parent, reservation, index, caps)
            except (DuplicateKey, TransactionConflict):
                await self._skip_if_taken(parent, index)
        raise NoDeposits(f"Too many ask for addresses of {parent.name!r} at once; ask again")

    async def _next(self, parent: Wallet) -> int:
        newest = await self._documents.find(
            RESERVED.name, {"parent": parent.id}, sort=[("index", -1)], limit=1
        )
        return int(newest[0]["index"]) + 1 if newest else 0

    async def _store(self, parent: Wallet, reservation: str, index: int, caps: dict[str, Cap]) -> None:
        """All or nothing: an address without its reservation could be given again."""
        name = f"deposit {parent.id} {index}"
        document = await self._wallets.derived(parent, name, ACCOUNT, index, "deposit", caps)
        reserved = {
            "id": f"{parent.id}:{reservation}",
            "reservation": reservation,
            "parent": parent.id,
            "index": index,
            "wallet": document["id"],
            "address": document["address"],
        }
        async with self._documents.transaction() as inside:
            await inside.insert(RESERVED.name, reserved)
            await inside.insert(WALLETS.name, document)

    async def _skip_if_taken(self, parent: Wallet, index: int) -> None:
        """Pass over a path from which somebody has derived a wallet of another kind by hand."""
        where = {"parent": parent.id, "path": account_path(ACCOUNT, index)}
        taken = [w for w in await self._documents.find(WALLETS.name, where) if w["kind"] != "deposit"]
        if taken:
            skipped = {"id": f"{parent.id}#{index}", "parent": parent.id, "index": index, "wallet": None}
            try:
                await self._documents.insert(RESERVED.name, skipped)
            except DuplicateKey:
                return  # somebody else has skipped it

    async def list(self, parent: Wallet, after: int, limit: int) -> list[Reserved]:
        """Addresses of a wallet in the order they were reserved, from behind the index `after`."""
        where = {"parent": parent.id, "index": {"$gt": after}, "wallet": {"$gt": ""}}
        found = await self._documents.find(RESERVED.name, where, sort=[("index", 1)], limit=limit)
        return [_read(each) for each in found]


def _read(document: dict[str, object]) -> Reserved:
    index = document["index"]
    assert isinstance(index, int)
    address = Address.parse(str(document["address"]))
    return Reserved(str(document["reservation"]), str(document["wallet"]), address, index)
