"""What can be asked of the chain. Everything is bounded by `Ledger.head`: what is not anchored is not
shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lucid_blocks.ledger import Ledger
from lucid_blocks.models import Entry
from lucid_blocks.tables import StoredBlock, StoredRecord
from lucid_blocks.tree import node
from lucid_kit.errors import NotFound
from lucid_proof import merkle
from lucid_proof.canonical import JSON
from lucid_proof.checkpoint import Checkpoint
from lucid_proof.errors import BadProof
from lucid_proof.note import Note
from lucid_proof.tlogproof import TlogProof


class BlockUnknown(NotFound):
    """The chain has no such block."""

    code = "LUCID_ERR_1204"
    advice = "GET /chain/height says how many blocks there are."


class TransactionUnknown(NotFound):
    """The transaction neither waits nor stands in a block."""

    code = "LUCID_ERR_1205"
    advice = "Send it: a transaction that was answered with 202 is never lost."


class SessionNotAnchored(NotFound):
    """No record of the session stands in a block."""

    code = "LUCID_ERR_1206"
    advice = "Check the id; a record stands in a block about ten seconds after it was accepted."


@dataclass(frozen=True, slots=True)
class Placed:
    """A transaction and where it is."""

    entry: Entry
    state: Literal["pending", "anchored"]
    height: int | None = None
    index: int | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """A record in the log, with the path to the root of the head's checkpoint."""

    entry: Entry
    record: StoredRecord
    path: list[bytes]


class View:
    """Reads of one chain. Usable from any thread."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._store = ledger.store

    def head(self) -> StoredBlock:
        """The newest anchored block."""
        return self._ledger.head

    def size(self) -> int:
        """The leaves that the head's checkpoint covers."""
        return self._ledger.head.header.log_size + 1

    def block(self, height: int) -> StoredBlock:
        """Raises `BlockUnknown`."""
        found = self._store.block(height) if height <= self.head().header.height else None
        if found is None:
            raise BlockUnknown(f"There is no block {height}; the newest is {self.head().header.height}.")
        return found

    def block_by_hash(self, block_hash: bytes) -> StoredBlock:
        """Raises `BlockUnknown`."""
        height = self._store.height_of(block_hash)
        if height is None:
            raise BlockUnknown(f"There is no block with hash {block_hash.hex()}.")
        return self.block(height)

    def blocks(self, before: int | None, limit: int) -> list[StoredBlock]:
        """Up to `limit` blocks from the newest below height `before` downwards."""
        newest = self.head().header.height
        top = newest if before is None else min(newest, before - 1)
        return self._store.blocks(top, max(0, top - limit + 1))

    def transaction_ids(self, block: StoredBlock) -> list[str]:
        """The ids of a block's transactions in order."""
        return self._store.ids(block.header)

    def place(self, tx_id: bytes) -> Placed:
        """A transaction wherever it is; raises `TransactionUnknown`."""
        head = self.head().header.height
        record = self._store.record(tx_id)
        if record is not None:
            entry = self._entry(record)
            if record.height > head:  # its block is stored and about to be anchored
                return Placed(entry, "pending")
            return Placed(entry, "anchored", record.height, record.position)
        waiting = self._ledger.pending(tx_id)
        if waiting is None:
            raise TransactionUnknown(f"There is no transaction {tx_id.hex()}.")
        return Placed(waiting.entry, "pending")

    def records(self, session: str) -> list[StoredRecord]:
        """The anchored records of a session by seq; raises `SessionNotAnchored` if there is none."""
        head = self.head().header.height
        records = [each for each in self._store.records_of(session) if each.height <= head]
        if not records:
            raise SessionNotAnchored(f"No record of session {session} stands in a block.", session=session)
        return records

    def evidence(self, record: StoredRecord, size: int) -> Evidence:
        """A record with its inclusion path in the log of `size` leaves."""
        path = merkle.inclusion_nodes(record.position, size, node(self._store.hashes))
        return Evidence(self._entry(record), record, path)

    def tlog_proof(self, session: str, seq: int | None) -> bytes:
        """The C2SP tlog-proof of a session's record (None: the newest); raises `SessionNotAnchored`."""
        head = self.head()
        records = [each for each in self.records(session) if seq is None or each.seq == seq]
        if not records:
            raise SessionNotAnchored(f"Session {session} has no anchored record {seq}.", session=session)
        found = self.evidence(records[-1], head.header.log_size + 1)
        return TlogProof(found.record.position, tuple(found.path), head.checkpoint).encode()

    def roots(self, root: bytes) -> list[dict[str, JSON]]:
        """Everything in the chain that commits to a tree with this root; empty if nothing does."""
        head = self.head().header.height
        found: list[dict[str, JSON]] = []
        height = self._store.height_of_root(root)
        if height is not None and height <= head:
            found.append({"tree": "log", "height": height, "size": self.block(height).header.log_size})
        found.extend(
            {
                "tree": "session",
                "session": record.session,
                "seq": record.seq,
                "size": self._entry(record).tx.body["chunks"],
                "height": record.height,
                "index": record.position,
            }
            for record in self._store.records_by_root(root, 100)
            if record.height <= head
        )
        return found

    def validate(self, session: str) -> tuple[list[StoredRecord], str | None]:
        """Check every record of a session against the log: its place, its path, its order.

        Returns
        -------
        tuple
            The records, and what is wrong with the first bad one (None: nothing).
        """
        signed = Checkpoint.parse(Note.parse(self.head().checkpoint).text)
        size, root = signed.size, signed.root
        records = self.records(session)
        for seq, record in enumerate(records):
            found = self.evidence(record, size)
            if record.seq != seq or found.entry.tx.seq != seq:
                return records, f"record {seq} is missing"
            try:
                merkle.verify_inclusion(found.entry.hash, record.position, size, found.path, root)
            except BadProof as error:
                return records, f"record {seq}: {error}"
        return records, None

    def _entry(self, record: StoredRecord) -> Entry:
        return Entry.parse(self._store.leaves(record.position, record.position + 1)[0])
