"""Deposit addresses: derived from one HD wallet, reserved for one payment at a time.

An address is given to another payment only when nobody can be expected to pay the old one any more, it is
empty, and nothing is on its way. Everything is stored, so that no restart forgets an address.
"""

from __future__ import annotations

from dataclasses import dataclass

from lucid_kit import fault
from lucid_kit.documents import Collection, Documents, Index
from lucid_tron.codec.address import Address
from lucid_tron.keys.derivation import account_path
from lucid_tron.wallets.errors import AddressTaken, NameTaken
from lucid_tron.wallets.models import Cap, Wallet
from lucid_tron.wallets.service import Wallets

ADDRESSES = Collection("deposit_addresses", Index("state", "index"), Index("index", unique=True))
ACCOUNT = 1
"""Deposit addresses are m/44'/195'/1'/0/n; the hot wallet is m/44'/195'/0'/0/0."""


@dataclass(frozen=True, slots=True)
class Deposit:
    """An address, the wallet that signs for it, and the payment it is reserved for."""

    address: Address
    wallet: str
    payment: str | None


class AddressPool:
    """The deposit addresses of one HD wallet."""

    def __init__(self, documents: Documents, wallets: Wallets, parent: Wallet, token: Address) -> None:
        self._documents = documents
        self._wallets = wallets
        self._parent = parent
        # Deposit wallets spend the token alone, and only ever to the hot wallet.
        most = (1 << 53) - 1
        self._caps = {str(token): Cap(most, most)}
        self._watched: frozenset[str] = frozenset()

    async def load(self) -> None:
        """Read which addresses there are."""
        found = await self._documents.find(ADDRESSES.name)
        self._watched = frozenset(each["evm"] for each in found)

    @property
    def watched(self) -> frozenset[str]:
        """All addresses, as 40 hexadecimal digits (the 20 bytes that logs carry)."""
        return self._watched

    async def grow(self) -> None:
        """Derive the next address and store it as free."""
        newest = await self._documents.find(ADDRESSES.name, sort=[("index", -1)], limit=1)
        index = newest[0]["index"] + 1 if newest else 0
        name = f"deposit {index:07}"
        try:
            wallet = await self._wallets.derive(self._parent.id, name, ACCOUNT, index, caps=self._caps)
        except (NameTaken, AddressTaken):
            path = account_path(ACCOUNT, index)
            known = await self._wallets.list(archived=True)
            (wallet,) = [w for w in known if (w.parent, w.path) == (self._parent.id, path)]
        fault.point("address-derived")
        # Ends here: the wallet exists and the pool does not know it; the next call finds it by its path.
        await self._documents.insert(
            ADDRESSES.name,
            {
                "id": str(wallet.address),
                "evm": wallet.address.evm.hex(),
                "index": index,
                "wallet": wallet.id,
                "state": "free",
                "payment": None,
                "until_ms": 0,
            },
        )
        self._watched |= {wallet.address.evm.hex()}

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
