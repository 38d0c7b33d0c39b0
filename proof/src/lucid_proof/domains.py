"""Every use of a hash, with its domain: the only module that may call SHA-256.

What is hashed under one name can never be mistaken for what is hashed under another. The formulas are the
table "Hashes" in docs/specs/encoding.md. All digests are 32 bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final, TypeAlias

from lucid_proof.canonical import encode

if TYPE_CHECKING:
    from hashlib import _Hash

    from lucid_proof.canonical import JSON
    from lucid_proof.records import Seen

Buffer: TypeAlias = bytes | bytearray | memoryview

Digest: TypeAlias = bytes
"""32 bytes."""

DIGEST_SIZE: Final = 32
PIECE_SIZE: Final = 4096
RECORDING_FORMAT: Final = "lucid-recording/1"

_sha256: Callable[..., _Hash] = hashlib.sha256


def digest(data: Buffer) -> bytes:
    """Plain SHA-256 of a file, a ciphertext or a note's key: no domain of our own."""
    return _sha256(data).digest()


def hasher() -> _Hash:
    """Plain SHA-256 that is fed in parts."""
    return _sha256()


def leaf_hash(data: Buffer) -> bytes:
    """Hash of a leaf (RFC 6962 § 2.1)."""
    return _sha256(b"\x00" + data).digest()


def leaf_hashes(leaves: Iterable[bytes]) -> list[bytes]:
    """`leaf_hash` of each, at the speed of hashing alone."""
    sha256 = _sha256
    return [sha256(b"\x00" + leaf).digest() for leaf in leaves]


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of an inner node (RFC 6962 § 2.1)."""
    return _sha256(b"\x01" + left + right).digest()


def node_hashes(children: list[bytes]) -> list[bytes]:
    """`node_hash` of each pair of an even list: one level of a tree at the speed of hashing alone."""
    sha256 = _sha256
    pairs = iter(children)
    return [sha256(b"\x01" + left + right).digest() for left, right in zip(pairs, pairs, strict=True)]


def piece_hashes(data: Buffer) -> list[bytes]:
    """Leaf hashes of the 4,096-byte pieces of `data`; the last piece may be shorter; none for no data."""
    # A copied state that has taken the 0x00 saves one copy of every piece.
    start = _sha256(b"\x00")
    hashes = []
    with memoryview(data) as view:
        for at in range(0, len(view), PIECE_SIZE):
            piece = start.copy()
            piece.update(view[at : at + PIECE_SIZE])
            hashes.append(piece.digest())
    return hashes


EMPTY_ROOT: Final = digest(b"")
"""Root of a tree without leaves (RFC 6962 § 2.1)."""


def key_commitment(key: bytes) -> bytes:
    """What a begin record says of the session's key: it can be checked later, and does not tell the key."""
    return _sha256(b"lucid-key-commitment/v1\n" + key).digest()


def state_root(state: JSON) -> bytes:
    """Commitment to the chain's whole state (docs/specs/chain.md).

    Raises
    ------
    NotCanonical
        If the state has no canonical form.
    """
    return _sha256(b"lucid-state/v1\n" + encode(state)).digest()


def genesis_hash(genesis: JSON) -> bytes:
    """What block 0 names as its predecessor (docs/specs/chain.md).

    Raises
    ------
    NotCanonical
        If the genesis document has no canonical form.
    """
    return _sha256(b"lucid-genesis/v1\n" + encode(genesis)).digest()


def transaction_message(unsigned: JSON) -> bytes:
    """The bytes that a transaction's Ed25519 signature covers; `unsigned` is the transaction without `sig`.

    Raises
    ------
    NotCanonical
        If the transaction has no canonical form.
    """
    return b"lucid-transaction/v1\n" + encode(unsigned)


def chunk_aad(session: str, index: int, seen: Seen, fmt: str = RECORDING_FORMAT) -> bytes:
    """Authenticated data of a chunk's AES-256-GCM: a ciphertext opens only as chunk `index` of `session`."""
    place: JSON = {"format": fmt, "index": index, "seen": seen.to_json(), "session": session}
    return b"lucid-chunk/v1\n" + encode(place)


def chunk_nonce(index: int) -> bytes:
    """The 12-byte nonce of chunk `index`, big-endian.

    Raises
    ------
    OverflowError
        If `index` is negative or does not fit.
    """
    return index.to_bytes(12, "big")
