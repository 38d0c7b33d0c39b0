"""Is what a node built what we meant? Compared field by field before anything is signed.

A node that builds a transaction can change the receiver, the amount, the memo, the permission or the
lifetime, and answer with the txID of something else. Nothing of its answer is used but the bytes, and
those only when every field that was meant is there and no other.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from lucid_tron.codec import transaction
from lucid_tron.codec.contracts import Contract
from lucid_tron.codec.errors import CodecError
from lucid_tron.codec.transaction import RawTransaction


class BuiltDiffers(CodecError):
    """What was built is not what was meant."""

    code = "LUCID_ERR_1718"
    advice = "Do not sign it. The node that built it is faulty or lying: take it out of the pool."


@dataclass(frozen=True, slots=True)
class Intended:
    """What is to be signed. `expires_between` and `fee_limit_up_to` bound what a node may choose."""

    contract: Contract
    expires_between: tuple[int, int]
    fee_limit_up_to: int = 0
    data: bytes = b""
    permission_id: int = 0


def verify_built(raw: bytes, intended: Intended, *, stated_txid: str | None = None) -> RawTransaction:
    """Decode what a node built and compare every field.

    Parameters
    ----------
    raw
        The bytes of `raw_data` (a node's `raw_data_hex`).
    stated_txid
        The txID the node gave, if it gave one.

    Raises
    ------
    BuiltDiffers
        With every differing field, what was meant and what was built, in `facts`.
    CodecError
        If the bytes are not a canonical transaction.
    """
    built = transaction.decode(raw)
    differences: dict[str, dict[str, str]] = {}

    def compare(field: str, meant: Any, found: Any) -> None:
        if meant != found:
            differences[field] = {"meant": _show(meant), "built": _show(found)}

    if type(built.contract) is not type(intended.contract):
        compare("contract", type(intended.contract).__name__, type(built.contract).__name__)
    else:
        for field in fields(intended.contract):
            compare(
                f"contract.{field.name}",
                getattr(intended.contract, field.name),
                getattr(built.contract, field.name),
            )
    compare("data", intended.data, built.data)
    compare("permission_id", intended.permission_id, built.permission_id)
    earliest, latest = intended.expires_between
    if not earliest <= built.expiration <= latest:
        compare("expiration", f"{earliest} to {latest}", built.expiration)
    if not 0 <= built.fee_limit <= intended.fee_limit_up_to:
        compare("fee_limit", f"up to {intended.fee_limit_up_to}", built.fee_limit)
    if stated_txid is not None:
        compare("txID", transaction.txid(raw).hex(), stated_txid.lower())
    if differences:
        raise BuiltDiffers(f"The node changed {', '.join(sorted(differences))}", differences=differences)
    return built


def _show(value: Any) -> str:
    if isinstance(value, bytes) and not hasattr(value, "base58"):
        return value.hex()[:256]
    return str(value)[:256]
