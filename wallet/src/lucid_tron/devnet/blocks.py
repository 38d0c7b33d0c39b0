"""Blocks: headers as TRON hashes and signs them, and what is kept of every transaction in them."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256

import coincurve

from lucid_tron.codec import transaction, wire
from lucid_tron.codec.address import Address
from lucid_tron.codec.transaction import RawTransaction, SignedTransaction
from lucid_tron.devnet.actuators import Effect

VERSION = 31
BLOCK_MS = 3_000
ZERO_HASH = b"\x00" * 32


@wire.message
@dataclass(frozen=True, slots=True)
class _RawHeader(wire.Message):
    timestamp: int = wire.tagged(1, wire.INT64)
    tx_trie_root: bytes = wire.tagged(2, wire.BYTES)
    parent_hash: bytes = wire.tagged(3, wire.BYTES)
    number: int = wire.tagged(7, wire.INT64)
    witness_address: bytes = wire.tagged(9, wire.BYTES)
    version: int = wire.tagged(10, wire.INT32)


@dataclass(frozen=True, slots=True)
class Entry:
    """A transaction that was carried out, and its receipt. Fees in sun, usage in bytes."""

    signed: SignedTransaction
    raw: RawTransaction
    txid: bytes
    effect: Effect
    net_usage: int
    net_fee: int
    fee: int

    @property
    def contract_result(self) -> str:
        return self.effect.result


@dataclass(frozen=True, slots=True)
class Block:
    """A sealed block. `id` begins with the block's number in eight bytes."""

    number: int
    timestamp: int
    parent: bytes
    witness: Address
    tx_root: bytes
    signature: bytes
    id: bytes
    entries: tuple[Entry, ...] = field(repr=False)


def merkle_root(leaves: list[bytes]) -> bytes:
    """Root over the transactions' hashes: pairs hashed with SHA-256, an odd one carried up as it is."""
    if not leaves:
        return ZERO_HASH
    while len(leaves) > 1:
        pairs = [leaves[at : at + 2] for at in range(0, len(leaves), 2)]
        leaves = [sha256(pair[0] + pair[1]).digest() if len(pair) == 2 else pair[0] for pair in pairs]
    return leaves[0]


def forge(
    number: int, timestamp: int, parent: bytes, key: coincurve.PrivateKey, entries: tuple[Entry, ...]
) -> Block:
    """Make the block a super representative with this key would make of these transactions."""
    witness = address_of(key)
    root = merkle_root([sha256(transaction.encode_signed(entry.signed)).digest() for entry in entries])
    header = wire.encode(_RawHeader(timestamp, root, parent, number, bytes(witness), VERSION))
    digest = sha256(header).digest()
    return Block(
        number=number,
        timestamp=timestamp,
        parent=parent,
        witness=witness,
        tx_root=root,
        signature=key.sign_recoverable(digest, hasher=None),
        id=number.to_bytes(8, "big") + digest[8:],
        entries=entries,
    )


def address_of(key: coincurve.PrivateKey) -> Address:
    return Address.of_public_key(key.public_key.format(compressed=False))
