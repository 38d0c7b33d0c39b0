"""Which transactions a wallet signs, and for whom, besides what its caps say."""

from __future__ import annotations

from collections.abc import Sequence

from lucid_kit.documents import Documents
from lucid_kit.errors import Forbidden
from lucid_kit.tokens import Principal
from lucid_tron.codec.address import Address
from lucid_tron.codec.contracts import DelegateResourceContract, TriggerSmartContract
from lucid_tron.codec.transaction import RawTransaction
from lucid_tron.wallets.errors import CannotSign, NotItsSigner, OutsideFamily, WalletArchived
from lucid_tron.wallets.models import TRX, Wallet
from lucid_tron.wallets.reading import Spend

SIGN, SIGN_OWN = "tron:sign", "tron:sign-own"
"""Scopes: signatures of all wallets that name no signer; of those alone that name the token's subject."""


def require_scope(who: Principal) -> None:
    """Refuse whoever may ask for no signature at all, before anything is looked up.

    Raises
    ------
    Forbidden
        If the token grants neither scope.
    """
    if not (who.may(SIGN) or who.may(SIGN_OWN)):
        raise Forbidden(f"The token grants neither {SIGN} nor {SIGN_OWN}", missing=[SIGN])


def require_signer(wallet: Wallet, who: Principal) -> None:
    """Refuse whoever this wallet does not sign for.

    Raises
    ------
    NotItsSigner
        Unless it names them, or names nobody and they may ask for signatures of any wallet.
    """
    require_scope(who)
    named = who.subject in wallet.signers if wallet.signers else who.may(SIGN)
    if not named:
        raise NotItsSigner(f"{wallet.name!r} does not sign for {who.subject}")


def require_fit(wallet: Wallet, raw: RawTransaction) -> None:
    """Refuse what is not this wallet's to sign.

    Raises
    ------
    WalletArchived, CannotSign
        Naming what is wrong.
    """
    if wallet.archived:
        raise WalletArchived(f"{wallet.name!r} is archived")
    if raw.contract.owner_address != wallet.address:
        raise CannotSign(f"The transaction is {raw.contract.owner_address}'s, not {wallet.address}'s")
    if raw.permission_id != wallet.permission_id:
        raise CannotSign(f"{wallet.name!r} signs permission {wallet.permission_id}, not {raw.permission_id}")
    if raw.fee_limit > wallet.fee_cap:
        raise CannotSign(f"{wallet.name!r} signs fee limits up to {wallet.fee_cap} sun, not {raw.fee_limit}")
    if wallet.kind == "deposit" and not isinstance(raw.contract, TriggerSmartContract):
        raise CannotSign(f"{wallet.name!r} takes payments: it signs nothing but transfers of its token")


class Rules:
    """Rules that depend on other wallets."""

    def __init__(self, documents: Documents, wallets: str) -> None:
        self._documents = documents
        self._wallets = wallets

    async def require_family(self, wallet: Wallet, raw: RawTransaction, spends: Sequence[Spend]) -> None:
        """Refuse to send an asset that stays in the family to a stranger, be it nothing at all.

        Where TRX stays in the family, so does what its stake yields.

        Raises
        ------
        OutsideFamily
            Naming the stranger.
        """
        loan = raw.contract
        lent = [Spend(TRX, 0, loan.receiver_address)] if isinstance(loan, DelegateResourceContract) else []
        for spend in (*spends, *lent):
            cap = wallet.caps.get(spend.asset)
            if cap is not None and cap.family and not await self._related(wallet, spend.to):
                raise OutsideFamily(
                    f"{wallet.name!r} sends {spend.asset} only to its parent and its children, not to"
                    f" {spend.to or 'a new contract'}",
                    asset=spend.asset,
                )

    async def _related(self, wallet: Wallet, other: Address | None) -> bool:
        if other is None:
            return False
        if wallet.parent is not None:
            parent = await self._documents.get(self._wallets, wallet.parent)
            if parent is not None and parent["address"] == str(other):
                return True
        child = {"address": str(other), "parent": wallet.id}
        return bool(await self._documents.find(self._wallets, child, limit=1))
