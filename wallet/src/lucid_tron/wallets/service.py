"""The use cases of wallets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lucid_kit.clock import Clock
from lucid_kit.custody import KeyCustody
from lucid_kit.documents import Documents
from lucid_kit.ids import new_id
from lucid_kit.tokens import Principal
from lucid_tron.codec import transaction
from lucid_tron.codec.address import Address
from lucid_tron.codec.transaction import RawTransaction, SignedTransaction
from lucid_tron.keys import mnemonic
from lucid_tron.keys.derivation import account_path, derive
from lucid_tron.keys.signing import PrivateKey
from lucid_tron.wallets.errors import (
    CannotSign,
    ClockWentBack,
    InvalidName,
)
from lucid_tron.wallets.models import BackupPhrase, Cap, Kind, Wallet
from lucid_tron.wallets.reading import read, spends
from lucid_tron.wallets.rules import Rules, require_fit, require_signer
from lucid_tron.wallets.spending import Spending
from lucid_tron.wallets.store import WALLETS, WalletStore

Caps = Mapping[str, Cap]
_DAY_MS = 86_400_000


class Wallets:
    """Wallets and their keys. Secrets enter and leave only wrapped, but for the moment of a signature."""

    collections = (WALLETS, *Spending.collections)

    def __init__(self, documents: Documents, custody: KeyCustody, clock: Clock) -> None:
        self._documents = documents
        self._store = WalletStore(documents, custody)
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
        return await self._store.insert(Wallet.from_document(document), document)

    async def derived(
        self, parent: Wallet, name: str, account: int, index: int, kind: Kind, caps: Caps | None
    ) -> dict[str, Any]:
        """A wallet derived from another, as it is to be stored: nothing is stored yet.

        Raises
        ------
        CannotSign, InvalidPath
            As `derive` says.
        """
        key = derive(await self._store.secret(parent, "seed"), account, index)
        path = account_path(account, index)
        wallet = self._made(name, kind, key.address, caps, parent=parent.id, path=path)
        return await self._store.sealed(wallet, {"key": key.reveal()})

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
        return await self._store.insert(wallet, await self._store.sealed(wallet, secrets or {}))

    def _made(self, name: str, kind: Kind, address: Address, caps: Caps | None, **more: Any) -> Wallet:
        now_ms = self._clock.now_ms()
        return Wallet(new_id("wal"), _checked(name), kind, address, now_ms, dict(caps or {}), **more)

    # --- keeping ---

    async def get(self, wallet_id: str) -> Wallet:
        """A wallet.

        Raises
        ------
        WalletNotFound
            If there is none with the id.
        """
        return await self._store.get(wallet_id)

    async def list(self, *, archived: bool = False) -> list[Wallet]:
        """Wallets in the order they were made, with the archived ones or without; no deposit addresses."""
        return await self._store.list(archived=archived)

    async def rename(self, wallet_id: str, name: str) -> Wallet:
        """Give a wallet another name.

        Raises
        ------
        NameTaken, WalletNotFound
            If another has it; if there is no such wallet.
        """
        return await self._store.change(wallet_id, name=_checked(name))

    async def archive(self, wallet_id: str, *, archived: bool = True) -> Wallet:
        """Put a wallet away (it signs nothing), or back. Its key is kept: funds may still arrive."""
        return await self._store.change(wallet_id, archived=archived)

    async def set_caps(self, wallet_id: str, caps: Caps) -> Wallet:
        """Replace a wallet's caps. Who may ask for this is decided by the caller."""
        return await self._store.change(wallet_id, caps=dict(caps))

    async def set_fee_cap(self, wallet_id: str, sun: int) -> Wallet:
        """Replace the highest `fee_limit` a wallet signs. Who may ask for this is decided by the caller."""
        return await self._store.change(wallet_id, fee_cap=sun)

    async def set_signers(self, wallet_id: str, signers: Sequence[str]) -> Wallet:
        """Replace who may have a wallet and the deposit addresses of it sign."""
        return await self._store.change(wallet_id, signers=tuple(sorted(set(signers))))

    async def require_signer(self, wallet: Wallet, who: Principal) -> None:
        """Refuse whoever a wallet does not sign for; a deposit address signs for whom its parent signs.

        Raises
        ------
        Forbidden, NotItsSigner
            As `rules.require_signer` says.
        """
        deposit = wallet.kind == "deposit" and wallet.parent is not None
        require_signer(await self.get(str(wallet.parent)) if deposit else wallet, who)

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
        key = PrivateKey(await self._store.secret(wallet, "key"))
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

    async def spent(self, wallet_id: str, asset: str) -> int:
        """What a wallet spent of an asset today (UTC)."""
        return await self._spending.spent(wallet_id, asset, self._clock.now_ms())


def _checked(name: str) -> str:
    cleaned = " ".join(name.split())
    if not 1 <= len(cleaned) <= 64:
        raise InvalidName(f"A name has 1 to 64 characters, not {len(cleaned)}")
    return cleaned
