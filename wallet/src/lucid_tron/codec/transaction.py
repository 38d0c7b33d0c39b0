"""Transactions: `raw_data`, whose SHA-256 is the txID, and the envelope with its signatures."""

# ruff: noqa: RUF009 -- a field's default carries its number and kind; nothing mutable is shared

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from lucid_tron.codec import wire
from lucid_tron.codec.contracts import CLASSES, TYPES, Contract, ContractType
from lucid_tron.codec.errors import (
    ContractCount,
    ContractTypeMismatch,
    MissingField,
    UnknownContract,
    ValueOutOfRange,
)
from lucid_tron.codec.wire import varint

_URL = "type.googleapis.com/protocol."
SIGNATURE_LENGTH = 65


@dataclass(frozen=True, slots=True)
class RawTransaction:
    """What is signed.

    `ref_block_bytes` are bytes 6–8 of a recent block's number (big-endian), `ref_block_hash` bytes 8–16 of
    its id; `expiration` and `timestamp` are milliseconds UTC; `fee_limit` is in sun; `data` is the memo.
    `permission_id` 0 is the owner permission, 2… are active ones.

    Raises
    ------
    ContractCount
        If there is not exactly one contract.
    ValueOutOfRange
        If the reference to a block has other lengths than 2 and 8 bytes.
    """

    ref_block_bytes: bytes
    ref_block_hash: bytes
    expiration: int
    timestamp: int
    contracts: tuple[Contract, ...]
    fee_limit: int = 0
    data: bytes = b""
    permission_id: int = 0

    def __post_init__(self) -> None:
        if len(self.contracts) != 1:
            raise ContractCount(f"A transaction holds one contract, not {len(self.contracts)}")
        if len(self.ref_block_bytes) != 2 or len(self.ref_block_hash) != 8:
            raise ValueOutOfRange("ref_block_bytes has 2 bytes and ref_block_hash has 8")

    @property
    def contract(self) -> Contract:
        """The one contract."""
        return self.contracts[0]


@dataclass(frozen=True, slots=True)
class SignedTransaction:
    """The exact bytes of `raw_data`, and its signatures (r ‖ s ‖ v, 65 bytes) in the order they were made."""

    raw: bytes
    signatures: tuple[bytes, ...] = ()

    @property
    def txid(self) -> bytes:
        """32 bytes, computed here."""
        return txid(self.raw)


@wire.message
@dataclass(frozen=True, slots=True)
class _Any(wire.Message):
    type_url: str = wire.tagged(1, wire.TEXT)
    value: bytes = wire.tagged(2, wire.BYTES)


@wire.message
@dataclass(frozen=True, slots=True)
class _Contract(wire.Message):
    parameter: _Any = wire.tagged(2, wire.nested(_Any, required=True))
    type: int = wire.tagged(1, wire.INT32)
    permission_id: int = wire.tagged(5, wire.INT32)


@wire.message
@dataclass(frozen=True, slots=True)
class _Raw(wire.Message):
    ref_block_bytes: bytes = wire.tagged(1, wire.BYTES)
    ref_block_hash: bytes = wire.tagged(4, wire.BYTES)
    expiration: int = wire.tagged(8, wire.INT64)
    data: bytes = wire.tagged(10, wire.BYTES)
    contract: tuple[_Contract, ...] = wire.repeated(11, wire.nested(_Contract))
    timestamp: int = wire.tagged(14, wire.INT64)
    fee_limit: int = wire.tagged(18, wire.INT64)


@wire.message
@dataclass(frozen=True, slots=True)
class _Envelope(wire.Message):
    raw_data: bytes = wire.tagged(1, wire.BYTES)
    signature: tuple[bytes, ...] = wire.repeated(2, wire.BYTES)


write_int64 = wire.INT64.write
# What stands before every parameter: the contract's number, and the URL of its type.
_HEADS = {
    cls: (b"\x08" + varint(kind), b"\x0a" + wire.TEXT.write(_URL + kind.name)) for cls, kind in TYPES.items()
}


def encode(raw: RawTransaction) -> bytes:
    """The canonical bytes of `raw_data`.

    Raises
    ------
    CodecError
        If a value does not fit its field.
    """
    contract = raw.contracts[0]
    head = _HEADS.get(type(contract))
    if head is None:
        raise UnknownContract(f"{type(contract).__name__} is no contract")
    kind, url = head
    value = wire.encode(contract)
    any_ = url + b"\x12" + varint(len(value)) + value
    inner = kind + b"\x12" + varint(len(any_)) + any_
    if raw.permission_id:
        inner += b"\x28" + wire.INT32.write(raw.permission_id)
    # The fields of `_Raw`, which decodes this, in its order; a test holds the two together.
    out = b"\x0a\x02" + raw.ref_block_bytes + b"\x22\x08" + raw.ref_block_hash
    if raw.expiration:
        out += b"\x40" + write_int64(raw.expiration)
    if raw.data:
        out += b"\x52" + wire.BYTES.write(raw.data)
    out += b"\x5a" + varint(len(inner)) + inner
    if raw.timestamp:
        out += b"\x70" + write_int64(raw.timestamp)
    if raw.fee_limit:
        out += b"\x90\x01" + write_int64(raw.fee_limit)
    return out


def decode(raw_bytes: bytes) -> RawTransaction:
    """Read `raw_data` strictly: `encode(decode(b)) == b` for every `b` that is accepted.

    Raises
    ------
    CodecError
        Of the class that names the rule that was broken.
    """
    outer = wire.decode(_Raw, raw_bytes)
    if len(outer.contract) != 1:
        raise ContractCount(f"A transaction holds one contract, not {len(outer.contract)}")
    (inner,) = outer.contract
    try:
        kind = ContractType(inner.type)
    except ValueError:
        raise UnknownContract(f"Contract type {inner.type} is not one Lucid signs") from None
    if inner.parameter.type_url != _URL + kind.name:
        raise ContractTypeMismatch(f"Contract type {kind.name} carries a {inner.parameter.type_url[:128]!r}")
    if not outer.ref_block_bytes:
        raise MissingField("Raw.ref_block_bytes is missing")
    if not outer.ref_block_hash:
        raise MissingField("Raw.ref_block_hash is missing")
    return RawTransaction(
        ref_block_bytes=outer.ref_block_bytes,
        ref_block_hash=outer.ref_block_hash,
        expiration=outer.expiration,
        timestamp=outer.timestamp,
        contracts=(wire.decode(CLASSES[kind], inner.parameter.value),),
        fee_limit=outer.fee_limit,
        data=outer.data,
        permission_id=inner.permission_id,
    )


def txid(raw_bytes: bytes) -> bytes:
    """The id of a transaction: SHA-256 of the bytes of its `raw_data`, 32 bytes."""
    return sha256(raw_bytes).digest()


def encode_signed(signed: SignedTransaction) -> bytes:
    """The envelope, as `/wallet/broadcasthex` takes it (in hexadecimal)."""
    return wire.encode(_Envelope(signed.raw, signed.signatures))


def decode_signed(envelope: bytes) -> SignedTransaction:
    """Read an envelope strictly; its `raw_data` is decoded too, and refused for the same reasons.

    Raises
    ------
    CodecError
        Of the class that names the rule that was broken.
    """
    found = wire.decode(_Envelope, envelope)
    decode(found.raw_data)
    if any(len(signature) != SIGNATURE_LENGTH for signature in found.signature):
        raise ValueOutOfRange("A signature has 65 bytes")
    return SignedTransaction(found.raw_data, found.signature)
