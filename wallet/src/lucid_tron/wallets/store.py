"""Where wallets are kept: what is known of each, and its secrets, wrapped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from lucid_kit.custody import KeyCustody, WrappedKey
from lucid_kit.documents import Collection, Documents, DuplicateKey, Index
from lucid_tron.wallets.errors import AddressTaken, CannotSign, NameTaken, WalletNotFound
from lucid_tron.wallets.models import Kind, Wallet

WALLETS = Collection(
    "wallets",
    Index("name", unique=True),
    Index("address", "permission_id", unique=True),
    Index("parent", "path"),
    Index("kind"),
)
_LISTED: tuple[Kind, ...] = ("hd", "key", "watch", "multisig")


class WalletStore:
    """Wallets in a database. A secret is unwrapped for whoever asks for it here, and nowhere else."""

    def __init__(self, documents: Documents, custody: KeyCustody) -> None:
        self._documents = documents
        self._custody = custody

    async def get(self, wallet_id: str) -> Wallet:
        """A wallet.

        Raises
        ------
        WalletNotFound
            If there is none with the id.
        """
        document = await self._documents.get(WALLETS.name, wallet_id)
        if document is None:
            raise WalletNotFound(f"There is no wallet {wallet_id[:64]!r}")
        return Wallet.from_document(document)

    async def list(self, *, archived: bool) -> list[Wallet]:
        """Wallets in the order they were made, with the archived ones or without; no deposit addresses."""
        where: dict[str, Any] = {"kind": {"$in": list(_LISTED)}} | ({} if archived else {"archived": False})
        found = await self._documents.find(WALLETS.name, where, sort=[("id", 1)])
        return [Wallet.from_document(document) for document in found]

    async def insert(self, wallet: Wallet, document: dict[str, Any]) -> Wallet:
        """Keep a new wallet, as `sealed` makes it.

        Raises
        ------
        NameTaken, AddressTaken
            If there is such a wallet.
        """
        try:
            await self._documents.insert(WALLETS.name, document)
        except DuplicateKey as error:
            if await self._documents.find(WALLETS.name, {"name": wallet.name}, limit=1):
                raise NameTaken(f"There is a wallet named {wallet.name!r}") from error
            raise AddressTaken(f"There is a wallet with the address {wallet.address}") from error
        return wallet

    async def change(self, wallet_id: str, **changes: Any) -> Wallet:
        """Change members of a wallet.

        Raises
        ------
        WalletNotFound, NameTaken
            If there is no such wallet; if another has the name.
        """
        changed = replace(await self.get(wallet_id), **changes)
        document = changed.to_document()
        try:
            await self._documents.update(WALLETS.name, wallet_id, {name: document[name] for name in changes})
        except DuplicateKey as error:
            raise NameTaken(f"There is a wallet named {changed.name!r}") from error
        return changed

    async def sealed(self, wallet: Wallet, secrets: Mapping[str, bytes]) -> dict[str, Any]:
        """A wallet with its secrets as it is stored: wrapped, each bound to this wallet and its label."""
        wrapped = {}
        for label, secret in secrets.items():
            key = await self._custody.wrap(secret, _context(wallet.id, label))
            wrapped[label] = {"bytes": key.bytes.hex(), "key_id": key.key_id}
        return wallet.to_document() | {"secrets": wrapped}

    async def secret(self, wallet: Wallet, label: str) -> bytes:
        """A secret of a wallet.

        Raises
        ------
        CannotSign
            If it has none of that label.
        """
        document = await self._documents.get(WALLETS.name, wallet.id)
        wrapped = (document or {}).get("secrets", {}).get(label)
        if wrapped is None:
            raise CannotSign(f"{wallet.name!r} ({wallet.kind}) has no {label}")
        key = WrappedKey(bytes.fromhex(wrapped["bytes"]), wrapped["key_id"])
        return await self._custody.unwrap(key, _context(wallet.id, label))


def _context(wallet_id: str, label: str) -> dict[str, str]:
    return {"plane": "wallet", "wallet": wallet_id, "secret": label}
