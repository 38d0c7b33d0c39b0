"""Whether a transaction is signed by enough of the right keys. Texts are java-tron's."""

from __future__ import annotations

from dataclasses import dataclass

from lucid_tron.codec.address import Address
from lucid_tron.codec.contracts import TYPES
from lucid_tron.codec.transaction import RawTransaction, SignedTransaction
from lucid_tron.devnet import accounts
from lucid_tron.devnet.accounts import Account, Permission
from lucid_tron.devnet.evm.host import PREFIX
from lucid_tron.devnet.evm.precompiles import recover
from lucid_tron.devnet.state import Reader


class BadSignature(Exception):
    """SIGERROR, or a code of /wallet/getsignweight: `code` is PERMISSION_ERROR, SIGNATURE_FORMAT_ERROR, …."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Weight:
    """Who signed so far under which permission, and what it adds up to."""

    permission: Permission
    approved: tuple[bytes, ...]
    current: int

    @property
    def enough(self) -> bool:
        return self.current >= self.permission.threshold


def permission_for(state: Reader, raw: RawTransaction) -> Permission:
    """Return the permission a transaction names, when it may sign that type of contract.

    Raises
    ------
    BadSignature
        If there is no such permission or it does not cover the contract's type.
    """
    address: bytes = raw.contract.owner_address
    holder = accounts.account(state, address) or Account(address)
    if raw.permission_id == 0:
        return holder.owner()
    for permission in holder.actives():
        if permission.id == raw.permission_id:
            kind = int(TYPES[type(raw.contract)])
            if not permission.operations[kind // 8] >> (kind % 8) & 1:
                raise BadSignature("PERMISSION_ERROR", "Permission denied")
            return permission
    raise BadSignature("PERMISSION_ERROR", "permission isn't exit")


def weigh(state: Reader, raw: RawTransaction, signed: SignedTransaction) -> Weight:
    """Add up the weights of a transaction's signers.

    Raises
    ------
    BadSignature
        If a signature is nobody's, a stranger's, or one signer's second.
    """
    permission = permission_for(state, raw)
    weights = dict(permission.keys)
    if len(signed.signatures) > len(weights):
        raise BadSignature(
            "PERMISSION_ERROR",
            f"Signature count is {len(signed.signatures)} "
            f"more than key counts of permission : {len(weights)}",
        )
    approved: list[bytes] = []
    for signature in signed.signatures:
        body = recover(signed.txid, signature)
        if body is None:
            raise BadSignature("COMPUTE_ADDRESS_ERROR", f"{signature.hex()} can't be recovered to an address")
        signer = PREFIX + body
        if signer not in weights:
            raise BadSignature(
                "PERMISSION_ERROR",
                f"{signature.hex()} is signed by {Address(signer).base58} "
                "but it is not contained of permission.",
            )
        if signer in approved:
            raise BadSignature("PERMISSION_ERROR", f"{Address(signer).base58} has signed twice!")
        approved.append(signer)
    return Weight(permission, tuple(approved), sum(weights[each] for each in approved))
