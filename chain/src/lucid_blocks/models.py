"""The nouns of the chain, all immutable: blocks, sessions as the state knows them, the log's right edge."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from lucid_proof.canonical import JSON
from lucid_proof.domains import EMPTY_ROOT, leaf_hash
from lucid_proof.merkle import CompactRange
from lucid_proof.records import Header, Seen, Transaction


@dataclass(frozen=True, slots=True)
class Entry:
    """A transaction as it stands in the log: with its bytes and their leaf hash, so that neither is made
    twice."""

    tx: Transaction
    data: bytes  # canonical, at most 8,192 bytes
    hash: bytes  # leaf hash, 32 bytes

    @property
    def id(self) -> str:
        """The transaction's id: its leaf hash in hex."""
        return self.hash.hex()

    @classmethod
    def of(cls, tx: Transaction) -> Entry:
        """The entry of a transaction.

        Raises
        ------
        MalformedRecord
            If its bytes are more than a leaf may have.
        """
        data = tx.bytes()
        return cls(tx, data, leaf_hash(data))

    @classmethod
    def parse(cls, data: bytes) -> Entry:
        """The entry of a leaf's bytes. Does not check the signature.

        Raises
        ------
        NotCanonical, MalformedRecord
            If the bytes are not those of a transaction.
        """
        return cls(Transaction.parse(data), data, leaf_hash(data))


@dataclass(frozen=True, slots=True)
class Block:
    """A header and the transactions it commits to, in the order in which they stand in the log."""

    header: Header
    entries: tuple[Entry, ...] = ()


@dataclass(frozen=True, slots=True)
class Params:
    """What a chain's genesis fixes for all its blocks."""

    block_ms: int = 10_000  # from one block to the next
    max_block_bytes: int = 4_194_304  # canonical bytes of a block's transactions, together
    max_block_txs: int = 10_000


@dataclass(frozen=True, slots=True)
class Frontier:
    """A growing RFC 6962 tree as its compact range: enough to append and to know the root."""

    size: int = 0
    hashes: tuple[bytes, ...] = ()  # roots of the full subtrees, largest first

    def extended(self, leaf_hashes: Iterable[bytes]) -> Frontier:
        """The tree with these leaves added."""
        tree = CompactRange.from_hashes(self.size, self.hashes)
        tree.extend(leaf_hashes)
        return Frontier(tree.size, tree.hashes)

    def root(self) -> bytes:
        """The tree's root, 32 bytes."""
        return CompactRange.from_hashes(self.size, self.hashes).root()


@dataclass(frozen=True, slots=True)
class Session:
    """An open session: what its last record said, and what its begin record promised."""

    key: str  # the recorder's, hex
    key_commitment: str  # hex
    format: str
    on_failure: str  # "cut" or "mark"
    anchor_within_ms: int
    time: int  # of the last record, ms since 1970 on the recorder's clock
    seen: Seen
    seq: int = 0  # of the last record
    chunks: int = 0
    root: str = EMPTY_ROOT.hex()  # of the session tree over `chunks` leaves, hex
    paused: bool = False

    def to_json(self) -> dict[str, JSON]:
        """The session as the state root commits to it."""
        return {
            "anchor_within_ms": self.anchor_within_ms,
            "chunks": self.chunks,
            "format": self.format,
            "key": self.key,
            "key_commitment": self.key_commitment,
            "on_failure": self.on_failure,
            "paused": self.paused,
            "root": self.root,
            "seen": self.seen.to_json(),
            "seq": self.seq,
            "time": self.time,
        }

    @classmethod
    def from_json(cls, value: Any) -> Session:
        """The session that `to_json` wrote."""
        return cls(**{**value, "seen": Seen.from_json(value["seen"])})
