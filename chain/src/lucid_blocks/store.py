"""What the chain remembers: one SQLite database, written by one process, one transaction a block.

WAL with synchronous=FULL: what a call here has written is durable once it returns, and a process that is
killed leaves the state before a transaction or after it.

Everything in the tables `closed`, `open_sessions` and `meta` follows from the leaves: `lucid-blocks
verify` derives it again and compares.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from lucid_blocks.models import Block
from lucid_blocks.reads import Reads, hashes
from lucid_blocks.state import State
from lucid_blocks.tables import LAYOUT, SCHEMA, PendingRow, transaction_row, write_state
from lucid_blocks.tree import grown
from lucid_kit import fault


class Store(Reads):
    """The chain's database, to be read and written. Usable from several threads: one writes at a time."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._writer = self._connect()

    @classmethod
    def create(cls, path: Path, first: Block, state: State, checkpoint: bytes) -> Store:
        """Make the database of a new chain with its block 0."""
        path.touch(0o600)
        db = sqlite3.connect(path, isolation_level=None)
        try:
            db.execute("PRAGMA journal_mode=WAL")
            db.executescript(f"BEGIN; {SCHEMA} PRAGMA user_version={LAYOUT}; COMMIT;")
        finally:
            db.close()
        store = cls(path)
        store.commit(first, None, state, checkpoint)
        return store

    def close(self) -> None:
        """Close every connection."""
        super().close()
        with self._lock:
            self._writer.close()

    def accept(self, rows: Iterable[PendingRow]) -> None:
        """Remember transactions that are about to be answered; all or none.

        Raises
        ------
        sqlite3.Error, OSError
            If the disk refuses; then none is remembered.
        """
        with self._write() as db:
            fault.refuse("chain-transaction-store")
            db.executemany(
                "INSERT INTO pending (id, data, arrived_ms) VALUES (?, ?, ?)",
                [(row.entry.hash, row.entry.data, row.arrived_ms) for row in rows],
            )

    def drop_pending(self, ids: Iterable[bytes]) -> None:
        """Forget transactions that can never be in a block any more."""
        with self._write() as db:
            db.executemany("DELETE FROM pending WHERE id = ?", [(each,) for each in ids])

    def commit(self, block: Block, before: State | None, after: State, checkpoint: bytes) -> None:
        """Remember a block with all that follows from it; in one transaction.

        Parameters
        ----------
        block, after
            The block and the state after it.
        before
            The state before it; None for block 0. What the two share is not written again.
        checkpoint
            The signed note over the log up to and with the block's header.

        Raises
        ------
        sqlite3.Error, OSError
            If the disk refuses; then nothing is remembered.
        """
        header = block.header
        leaves = [*((entry.data, entry.hash) for entry in block.entries), (header.bytes(), header.hash())]
        first = header.log_size - header.txs
        with self._write() as db:
            fault.refuse("chain-block-store")
            db.executemany(
                "INSERT INTO leaves VALUES (?, ?)",
                [(first + at, data) for at, (data, _) in enumerate(leaves)],
            )
            db.executemany(
                "INSERT INTO hashes VALUES (?, ?, ?)",
                grown(first, [hashed for _, hashed in leaves], lambda *where: hashes(db, *where)),
            )
            db.execute(
                "INSERT INTO blocks VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    header.height,
                    header.hash(),
                    header.time_ms,
                    header.log_size,
                    header.log_root,
                    header.txs,
                    checkpoint,
                ),
            )
            db.executemany(
                "INSERT INTO transactions VALUES (?, ?, ?, ?, ?, ?, ?)",
                [transaction_row(entry, first + at, header.height) for at, entry in enumerate(block.entries)],
            )
            db.executemany("DELETE FROM pending WHERE id = ?", [(entry.hash,) for entry in block.entries])
            write_state(db, before, after)

    @contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
                self._writer.execute("COMMIT")
            except BaseException:
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise
