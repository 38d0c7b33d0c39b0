"""The use cases of wallets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from lucid_kit.clock import Clock
from lucid_kit.custody import KeyCustody, WrappedKey
from lucid_kit.documents import Collection, Documents, DuplicateKey, Index
from lucid_kit.ids import new_id
from lucid_kit.tokens import Principal
from lucid_tron.codec import transaction
from lucid_tron.codec.address import Address
from lucid_tron.codec.transaction import RawTransaction, SignedTransaction
from lucid_tron.keys import mnemonic
from lucid_tron.keys.derivation import account_path, derive
from lucid_tron.keys.signing import PrivateKey
from lucid_tron.wallets.errors import (
    AddressTaken,
    CannotSign,
    ClockWentBack,
    InvalidName,
    NameTaken,
    WalletNotFound,
)
from lucid_tron.wallets.models import BackupPhrase, Cap, Kind, Wallet
from lucid_tron.wallets.reading import read, spends
from lucid_tron.wallets.rules import Rules, require_fit, require_signer
from lucid_tron.wallets.spending import Spending

Caps = Mapping[str, Cap]
WALLETS = Collection(
    "wallets",
    Index("name", unique=True),
    Index("address", "permission_id", unique=True),
    Index("parent", "path"),
    Index("kind"),
)
_LISTED: tuple[Kind, ...] = ("hd", "key", "watch", "multisig")
_DAY_MS = 86_400_000


class Wallets:
    """Wallets and their keys. Secrets enter and leave only wrapped, but for the moment of a signature."""

    collections = (WALLETS, *Spending.collections)

    def __init__(self, documents: Documents, custody: KeyCustody, clock: Clock) -> None:
        self._documents = documents
        self._custody = custody
        self._clock = clock
        self._spending = Spending(documents)
        self._rules = Rules(documents, WALLETS.name)

    async def prepare(self) -> None:
        """Make the collections and indexes."""
        await self._documents.ensure(*self.collections)

    # --- making ---

    async def create(
        self, name: str, *, words: int = 24, caps: Caps | None = None
    ) -> tuple[Wallet, BackupPhrase]:
        """A new HD wallet and the only sight of its backup phrase.

        Raises
        ------
        NameTaken
            If another wallet has the name.
        InvalidMnemonic
            If the number of words is not one of BIP 39.
        """
        phrase = mnemonic.generate(words)
        return await self._add_seed(name, mnemonic.seed(phrase), caps), BackupPhrase(phrase)

    async def import_phrase(
        self, name: str, phrase: str, *, passphrase: str = "", caps: Caps | None = None
    ) -> Wallet:
        """An HD wallet from a backup phrase.

        Raises
        ------
        InvalidMnemonic
            If the phrase is not valid.
        NameTaken, AddressTaken
            If there is such a wallet.
        """
        return await self._add_seed(name, mnemonic.seed(phrase, passphrase), caps)

    async def _add_seed(self, name: str, seed: bytes, caps: Caps | None) -> Wallet:
        key = derive(seed)
        return await self._add(
            name, "hd", key.address, caps, secrets={"seed": seed, "key": key.reveal()}, path=account_path(0)
        )

    async def import_key(self, name: str, key: PrivateKey, *, caps: Caps | None = None) -> Wallet:
        """A wallet of one key.

        Raises
        ------
        NameTaken, AddressTaken
            If there is such a wallet.
        """
        return await self._add(name, "key", key.address, caps, secrets={"key": key.reveal()})

    async def watch(self, name: str, address: Address) -> Wallet:
        """A wallet without a key: its balance is known, it signs nothing.

        Raises
        ------
        NameTaken, AddressTaken
            If there is such a wallet.
        """
        return await self._add(name, "watch", address, None)

    async def share(
        self,
        name: str,
        address: Address,
        permission_id: int,
        key: PrivateKey,
        *,
        caps: Caps | None = None,
    ) -> Wallet:
        """Our share in a multi-signature permission of `address`: this key signs, others must too.

        Raises
        ------
        NameTaken, AddressTaken
            If there is such a wallet.
        """
        secrets = {"key": key.reveal()}
        return await self._add(name, "multisig", address, caps, secrets=secrets, permission_id=permission_id)

    async def derive(
        self,
        parent_id: str,
        name: str,
        account: int,
        index: int = 0,
        *,
        caps: Caps | None = None,
    ) -> Wallet:
        """The wallet at m/44'/195'/account'/0/index of an HD wallet.

        Raises
        ------
        CannotSign
            If the parent has no seed.
        InvalidPath, NameTaken, AddressTaken
            If the path is out of range or there is such a wallet.
        """
        parent = await self.get(parent_id)
        document = await self.derived(parent, name, account, index, "key", caps)
        return await self._insert(Wallet.from_document(document), document)

    async def derived(
        self, parent: Wallet, name: str, account: int, index: int, kind: Kind, caps: Caps | None
    ) -> dict[str, Any]:
        """A wallet derived from another, as it is to be stored: nothing is stored yet.

        Raises
        ------
        CannotSign, InvalidPath
            As `derive` says.
        """
        key = derive(await self._secret(parent, "seed"), account, index)
        path = account_path(account, index)
        wallet = self._made(name, kind, key.address, caps, parent=parent.id, path=path)
        return await self._document(wallet, {"key": key.reveal()})

    async def _add(
        self,
        name: str,
        kind: Kind,
        address: Address,
        caps: Caps | None,
        *,
        secrets: Mapping[str, bytes] | None = None,
        permission_id: int = 0,
        path: str | None = None,
    ) -> Wallet:
        wallet = self._made(name, kind, address, caps, permission_id=permission_id, path=path)
        return await self._insert(wallet, await self._document(wallet, secrets or {}))

    def _made(self, name: str, kind: Kind, address: Address, caps: Caps | None, **more: Any) -> Wallet:
        now_ms = self._clock.now_ms()
        return Wallet(new_id("wal"), _checked(name), kind, address, now_ms, dict(caps or {}), **more)

    async def _document(self, wallet: Wallet, secrets: Mapping[str, bytes]) -> dict[str, Any]:
        wrapped = {label: await self._wrapped(secret, wallet.id, label) for label, secret in secrets.items()}
        return wallet.to_document() | {"secrets": wrapped}

    async def _insert(self, wallet: Wallet, document: dict[str, Any]) -> Wallet:
        try:
            await self._documents.insert(WALLETS.name, document)
        except DuplicateKey as error:
            if await self._documents.find(WALLETS.name, {"name": wallet.name}, limit=1):
                raise NameTaken(f"There is a wallet named {wallet.name!r}") from error
            raise AddressTaken(f"There is a wallet with the address {wallet.address}") from error
        return wallet

    # --- keeping ---

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

    async def list(self, *, archived: bool = False) -> list[Wallet]:
        """Wallets in the order they were made, with the archived ones or without; no deposit addresses."""
        where: dict[str, Any] = {"kind": {"$in": list(_LISTED)}} | ({} if archived else {"archived": False})
        found = await self._documents.find(WALLETS.name, where, sort=[("id", 1)])
        return [Wallet.from_document(document) for document in found]

    async def rename(self, wallet_id: str, name: str) -> Wallet:
        """Give a wallet another name.

        Raises
        ------
        NameTaken, WalletNotFound
            If another has it; if there is no such wallet.
        """
        wallet = await self.get(wallet_id)
        try:
            await self._documents.update(WALLETS.name, wallet.id, {"name": _checked(name)})
        except DuplicateKey as error:
            raise NameTaken(f"There is a wallet named {name!r}") from error
        return replace(wallet, name=_checked(name))

    async def archive(self, wallet_id: str, *, archived: bool = True) -> Wallet:
        """Put a wallet away (it signs nothing), or back. Its key is kept: funds may still arrive."""
        wallet = await self.get(wallet_id)
        await self._documents.update(WALLETS.name, wallet.id, {"archived": archived})
        return replace(wallet, archived=archived)

    async def set_caps(self, wallet_id: str, caps: Caps) -> Wallet:
        """Replace a wallet's caps. Who may ask for this is decided by the caller."""
        changed = replace(await self.get(wallet_id), caps=dict(caps))
        await self._documents.update(WALLETS.name, wallet_id, {"caps": changed.to_document()["caps"]})
        return changed

    async def set_signers(self, wallet_id: str, signers: Sequence[str]) -> Wallet:
        """Replace who may have a wallet and the deposit addresses of it sign."""
        wallet = await self.get(wallet_id)
        await self._documents.update(WALLETS.name, wallet_id, {"signers": sorted(set(signers))})
        return replace(wallet, signers=tuple(sorted(set(signers))))

    async def require_signer(self, wallet: Wallet, who: Principal) -> None:
        """Refuse whoever a wallet does not sign for; a deposit address signs for whom its parent signs.

        Raises
        ------
        Forbidden, NotItsSigner
            As `rules.require_signer` says.
        """
        deposit = wallet.kind == "deposit" and wallet.parent is not None
        require_signer(await self.get(str(wallet.parent)) if deposit else wallet, who)

    async def set_fee_cap(self, wallet_id: str, sun: int) -> Wallet:
        """Replace the highest `fee_limit` a wallet signs. Who may ask for this is decided by the caller."""
        wallet = await self.get(wallet_id)
        await self._documents.update(WALLETS.name, wallet_id, {"fee_cap": sun})
        return replace(wallet, fee_cap=sun)

    # --- signing ---

    async def sign(
        self, wallet_id: str, raw: RawTransaction, *, now_ms: int | None = None
    ) -> SignedTransaction:
        """Sign a transaction of this wallet, within its caps.

        `now_ms` says which UTC day it counts for; the payout processor gives the chain's time.
        Signing the same transaction again counts nothing and gives the same bytes.

        Raises
        ------
        WalletArchived, CannotSign, OutsideFamily
            If the wallet does not sign this.
        OverCap, ClockWentBack
            If a cap forbids it.
        """
        wallet = await self.get(wallet_id)
        require_fit(wallet, raw)
        encoded = transaction.encode(raw)
        spent = read(raw)
        await self._rules.require_family(wallet, raw, spent)
        moment = self._clock.now_ms() if now_ms is None else now_ms
        await self._spending.reserve(wallet, transaction.txid(encoded), spends(raw), moment)
        key = PrivateKey(await self._secret(wallet, "key"))
        if wallet.kind != "multisig" and key.address != wallet.address:
            raise CannotSign(f"The key of {wallet.name!r} is not that of {wallet.address}")
        return key.cosign(SignedTransaction(encoded))

    async def cosign(self, wallet_id: str, signed: SignedTransaction) -> SignedTransaction:
        """Add this wallet's signature to a transaction that others signed, within its caps.

        Raises
        ------
        WalletArchived, CannotSign, OverCap, ClockWentBack
            As `sign` does.
        CodecError
            If the bytes are not a canonical transaction.
        """
        ours = await self.sign(wallet_id, transaction.decode(signed.raw))
        (signature,) = ours.signatures
        if signature in signed.signatures:
            return signed
        return SignedTransaction(signed.raw, (*signed.signatures, signature))

    def moment(self, asked_ms: int | None) -> int:
        """The time a signature asked for by another process is counted for: never ahead of our own clock.

        Whoever could name any day would have the caps of all days. A day that is just over is allowed, for
        the chain's time may be a little behind.

        Raises
        ------
        ClockWentBack
            If it is asked to count for a time more than a day ago.
        """
        now_ms = self._clock.now_ms()
        if asked_ms is not None and asked_ms < now_ms - _DAY_MS:
            raise ClockWentBack(f"A signature is asked for {(now_ms - asked_ms) // 1000} s ago")
        return now_ms if asked_ms is None else min(asked_ms, now_ms)

    async def _secret(self, wallet: Wallet, label: str) -> bytes:
        document = await self._documents.get(WALLETS.name, wallet.id)
        wrapped = (document or {}).get("secrets", {}).get(label)
        if wrapped is None:
            raise CannotSign(f"{wallet.name!r} ({wallet.kind}) has no {label}")
        key = WrappedKey(bytes.fromhex(wrapped["bytes"]), wrapped["key_id"])
        return await self._custody.unwrap(key, _context(wallet.id, label))

    async def _wrapped(self, secret: bytes, wallet_id: str, label: str) -> dict[str, str]:
        wrapped = await self._custody.wrap(secret, _context(wallet_id, label))
        return {"bytes": wrapped.bytes.hex(), "key_id": wrapped.key_id}

    async def spent(self, wallet_id: str, asset: str) -> int:
        """What a wallet spent of an asset today (UTC)."""
        return await self._spending.spent(wallet_id, asset, self._clock.now_ms())


def _context(wallet_id: str, label: str) -> dict[str, str]:
    return {"plane": "wallet", "wallet": wallet_id, "secret": label}


def _checked(name: str) -> str:
    cleaned = " ".join(name.split())
    if not 1 <= len(cleaned) <= 64:
        raise InvalidName(f"A name has 1 to 64 characters, not {len(cleaned)}")
    return cleaned
