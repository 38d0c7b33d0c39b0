"""A service that sends from one wallet of its own, whose keys only the wallets service has.

Its books are those of that one wallet. A directory that was kept for another is refused, so that a wrong
setting never continues the books with other addresses; so is one that still holds a key.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field

from lucid_kit.clock import Clock
from lucid_kit.documents import Collection, Documents
from lucid_kit.errors import NotFound, SystemFault
from lucid_tron.client.client import TronClient
from lucid_tron.plane import NetworkSettings, connect, open_sender
from lucid_tron.sending.orders import ORDERS, OrderBook
from lucid_tron.usdt.manager import UsdtManager
from lucid_tron.wallets.models import Account
from lucid_tron.wallets.remote import RemoteWallets

BOOKS_OF = Collection("wallets")
"""The address of the wallet the books are of. Services that had keys kept their wallets under this name."""
_OLD_KEY = "wallet.key"


class OtherWallet(SystemFault):
    """The books in this database are another wallet's."""

    code = "LUCID_ERR_5782"
    advice = (
        "Name the wallet these books were kept for. If its keys were in this directory, import its backup"
        " phrase into the wallets service first (docs/payments.md, From a phrase of its own)."
    )


class KeyLeftBehind(SystemFault):
    """The directory of this service still holds a key."""

    code = "LUCID_ERR_5783"
    advice = (
        "The wallets service signs for this wallet now: destroy the key file (`shred -u`) and the phrase"
        " file, then start again."
    )


class NotOpen(NotFound):
    """The service has not opened its wallet yet."""

    code = "LUCID_ERR_1783"
    advice = "Wait until the service is ready."


class OwnWalletSettings(NetworkSettings):
    """Settings of a service that sends from a wallet of its own."""

    wallets_url: str = Field(description="Base URL of the wallets service, which signs.")
    token_file: Path = Field(description="File with the token that this service shows to it.")
    wallet: str = Field(description="Id of this service's wallet, as the wallets service knows it.")


@dataclass(frozen=True, slots=True)
class Plane:
    """What is open while such a service runs."""

    book: OrderBook
    client: TronClient
    usdt: UsdtManager
    wallets: RemoteWallets
    wallet: Account
    clock: Clock

    @property
    def documents(self) -> Documents:
        """The service's own database."""
        return self.book.documents


@contextlib.asynccontextmanager
async def open_plane(settings: OwnWalletSettings, name: str) -> AsyncIterator[Plane]:
    """The service's database, its wallet, and the nodes.

    Raises
    ------
    PlaneUnusable
        If the network's nodes or token are not known.
    AlreadyRunning
        If another process uses the directory.
    OtherWallet
        If the books here are of another wallet.
    """
    client, usdt = connect(settings)
    async with client, open_sender(settings, name, settings.wallets_url, settings.token_file) as sender:
        found = await sender.wallets.get(settings.wallet)
        wallet = Account(found.id, found.address)
        await require_same(sender.book.documents, wallet)
        yield Plane(sender.book, client, usdt, sender.wallets, wallet, sender.clock)


async def require_same(documents: Documents, wallet: Account) -> None:
    """Keep whose books these are, the first time, and refuse any other wallet from then on.

    Raises
    ------
    OtherWallet
        Naming both.
    """
    await documents.ensure(BOOKS_OF, ORDERS)
    # Of a service that had keys: its deposit addresses have a parent, its wallet has none.
    known = await documents.find(BOOKS_OF.name, {"parent": None})
    for each in known:
        if each["address"] != str(wallet.address):
            raise OtherWallet(f"The books here are those of {each['address']}, not of {wallet.address}")
        await hand_over(documents, each["id"], wallet.id)
    if not known:
        await documents.insert(BOOKS_OF.name, {"id": "own", "address": str(wallet.address)})


async def hand_over(documents: Documents, old: str, new: str) -> None:
    """Have all orders of a wallet that was known here under another id signed by the wallets service."""
    if old in ("own", new):
        return
    for order in await documents.find(ORDERS.name, {"wallet": old}):
        await documents.update(ORDERS.name, order["id"], {"wallet": new})


async def forget_old_keys(documents: Documents, data: Path) -> None:
    """Remove the wrapped keys of former times, once the wallets service is known to have them.

    Raises
    ------
    KeyLeftBehind
        While the file is there that unwraps them, also from a backup of the database.
    """
    for each in await documents.find(BOOKS_OF.name):
        if "secrets" in each:
            kept = {name: value for name, value in each.items() if name != "secrets"}
            await documents.replace(BOOKS_OF.name, kept)
    if (data / _OLD_KEY).exists():
        raise KeyLeftBehind(f"{data / _OLD_KEY} is a key, and this service needs none any more")


async def nodes_answer(plane: Plane | None) -> None:
    """A readiness check: a quorum of nodes says which block is solid.

    Raises
    ------
    LucidError
        If it does not.
    """
    if plane is None:
        raise NotOpen("Not open yet")
    await plane.client.solid_head_agreed()
