"""What the chain remembers: one SQLite database, written by one process, one transaction a block.

WAL with synchronous=FULL: what a call here has written is durable once it returns, and a process that is
killed leaves the state before a transaction or after it. Reads see the newest commit; what must not be seen
before it is anchored is kept back by whoever asks (`lucid_blocks.ledger`).

Everything in the tables `closed`, `open_sessions` and `meta` follows from the leaves: `lucid-blocks
verify` derives it again and compares.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from lucid_blocks.faults import DataDamaged, NotInitialised
from lucid_blocks.models import Block, Entry, Session
from lucid_blocks.state import State, state_root
from lucid_blocks.tables import (
    LAYOUT,
    SCHEMA,
    PendingRow,
    StoredBlock,
    StoredRecord,
    frontier,
    transaction_row,
    write_state,
)
from lucid_blocks.tree import grown
from lucid_kit import fault
from lucid_proof.canonical import decode
from lucid_proof.records import Header


class Store:
    """The chain's database. Usable from several threads: one writes at a time, each reads on its own
    connection.

    Parameters
    ----------
    path : Path
        The database file; `create` makes it.

    Raises
    ------
    NotInitialised
        If there is no such file.
    DataDamaged
        If it is no database of this layout.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise NotInitialised(f"{path} does not exist.", path=path)
        self._path = path
        self._lock = threading.Lock()
        self._local = threading.local()
        self._readers: list[sqlite3.Connection] = []
        self._writer = self._connect()
        try:
            layout = self._writer.execute("PRAGMA user_version").fetchone()[0]
            if layout != LAYOUT:
                raise DataDamaged(f"{path} has layout {layout}; this version reads {LAYOUT}.", path=path)
        except sqlite3.DatabaseError as error:
            self._writer.close()
            raise DataDamaged(f"{path} is no database: {error}.", path=path) from error
        except DataDamaged:
            self._writer.close()
            raise

    @classmethod
    def create(cls, path: Path, first: Block, state: State, checkpoint: bytes) -> Store:
        """Make the database of a new chain with its block 0."""
        db = sqlite3.connect(path, isolation_level=None)
        try:
            db.execute("PRAGMA journal_mode=WAL")
            db.executescript(f"BEGIN; {SCHEMA} PRAGMA user_version={LAYOUT}; COMMIT;")
        finally:
            db.close()
        path.chmod(0o600)
        store = cls(path)
        store.commit(first, None, state, checkpoint)
        return store

    def close(self) -> None:
        """Close every connection."""
        with self._lock:
            for db in [*self._readers, self._writer]:
                db.close()
            self._readers.clear()

    # ---- writing -----------------------------------------------------------------------------

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
                grown(first, [hashed for _, hashed in leaves], lambda *where: _hashes(db, *where)),
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

    # ---- the history that the state machine asks ---------------------------------------------

    def closed_at(self, session: str) -> int | None:
        """The height of the block that closed the session, or None."""
        row = self._one("SELECT height FROM closed WHERE session = ?", session)
        return None if row is None else int(row[0])

    def block_hash(self, height: int) -> bytes | None:
        """The hash of the block at that height, or None."""
        row = self._one("SELECT hash FROM blocks WHERE height = ?", height)
        return None if row is None else bytes(row[0])

    # ---- reading -----------------------------------------------------------------------------

    def newest(self) -> StoredBlock:
        """The newest block that was committed."""
        row = self._one("SELECT height FROM blocks ORDER BY height DESC LIMIT 1")
        block = None if row is None else self.block(row[0])
        if block is None:
            raise DataDamaged(f"{self._path} holds no block.", path=self._path)
        return block

    def block(self, height: int) -> StoredBlock | None:
        """The block at that height, or None."""
        row = self._one(
            "SELECT b.hash, b.checkpoint, l.data FROM blocks b JOIN leaves l ON l.position = b.log_size"
            " WHERE b.height = ?",
            height,
        )
        return None if row is None else StoredBlock(Header.parse(row[2]), row[0], row[1])

    def blocks(self, newest: int, oldest: int) -> list[StoredBlock]:
        """The blocks from `newest` down to `oldest`, both included."""
        rows = self._all(
            "SELECT b.hash, b.checkpoint, l.data FROM blocks b JOIN leaves l ON l.position = b.log_size"
            " WHERE b.height BETWEEN ? AND ? ORDER BY b.height DESC",
            oldest,
            newest,
        )
        return [StoredBlock(Header.parse(data), hashed, checkpoint) for hashed, checkpoint, data in rows]

    def height_of(self, block_hash: bytes) -> int | None:
        """The height of the block with that hash, or None."""
        row = self._one("SELECT height FROM blocks WHERE hash = ?", block_hash)
        return None if row is None else int(row[0])

    def height_of_root(self, log_root: bytes) -> int | None:
        """The first block whose header commits to that root of the log, or None."""
        row = self._one("SELECT min(height) FROM blocks WHERE log_root = ?", log_root)
        return None if row is None or row[0] is None else int(row[0])

    def entries(self, header: Header) -> tuple[Entry, ...]:
        """The transactions of a block."""
        data = self.leaves(header.log_size - header.txs, header.log_size)
        return tuple(Entry.parse(leaf) for leaf in data)

    def ids(self, header: Header) -> list[str]:
        """The ids of a block's transactions."""
        return [each.hex() for each in self.hashes(0, header.log_size - header.txs, header.log_size)]

    def leaves(self, start: int, end: int) -> list[bytes]:
        """The leaves [start, end) of the log, as far as there are any."""
        rows = self._all(
            "SELECT data FROM leaves WHERE position >= ? AND position < ? ORDER BY position", start, end
        )
        return [row[0] for row in rows]

    def hashes(self, level: int, start: int, end: int) -> list[bytes]:
        """The tile hashes [start, end) of a level, as far as there are any."""
        return _hashes(self._reader(), level, start, end)

    def record(self, tx_id: bytes) -> StoredRecord | None:
        """Where the transaction with that id stands, or None if it is in no block."""
        rows = self._records("id = ?", tx_id)
        return rows[0] if rows else None

    def records_of(self, session: str) -> list[StoredRecord]:
        """The records of a session in the order of seq."""
        return self._records("session = ? ORDER BY seq", session)

    def records_by_root(self, root: bytes, limit: int) -> list[StoredRecord]:
        """Records that commit to a session tree with that root, oldest first."""
        return self._records("root = ? ORDER BY position LIMIT ?", root, limit)

    def pending(self) -> list[PendingRow]:
        """The transactions that wait, in the order in which they came."""
        rows = self._all("SELECT data, arrived_ms FROM pending ORDER BY arrival")
        return [PendingRow(Entry.parse(data), arrived_ms) for data, arrived_ms in rows]

    def load(self, first: State) -> State:
        """The state after the newest block, as it was stored.

        Parameters
        ----------
        first
            The state after block 0; it gives what never changes.

        Raises
        ------
        DataDamaged
            If the newest header commits to another state than the stored one.
        """
        meta: dict[str, Any] = {
            name: decode(value) for name, value in self._all("SELECT name, value FROM meta")
        }
        tip = self.newest()
        state = replace(
            first,
            history=self,
            tip=tip.header,
            log=frontier(meta["log"]),
            closed=frontier(meta["closed"]),
            open={
                name: Session.from_json(decode(data))
                for name, data in self._all("SELECT session, data FROM open_sessions")
            },
            recorders=meta["recorders"],
            nonces=meta["nonces"],
            recent_blocks={tip.header.height: tip.hash},
        )
        if state_root(state) != tip.header.state_root:
            raise DataDamaged(f"The stored state is not the one block {tip.header.height} commits to.")
        return state

    def stored_state(self) -> dict[str, bytes]:
        """Rows that follow from the leaves, by name, for whoever derives them again."""
        rows: dict[str, bytes] = dict(self._all("SELECT 'meta ' || name, value FROM meta"))
        rows.update(self._all("SELECT 'open ' || session, data FROM open_sessions"))
        return rows

    def closed_sessions(self) -> dict[str, int]:
        """Every closed session and the height of the block that closed it."""
        return dict(self._all("SELECT session, height FROM closed"))

    def transaction_rows(self, height: int) -> list[tuple[object, ...]]:
        """The rows of a block's transactions, in order; for whoever derives them again."""
        return self._all("SELECT * FROM transactions WHERE height = ? ORDER BY position", height)

    def height_at(self, log_size: int) -> int | None:
        """The height of the block whose header stands at that index of the log, or None."""
        row = self._one("SELECT height FROM blocks WHERE log_size = ?", log_size)
        return None if row is None else int(row[0])

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Let all reads of this thread see one moment."""
        db = self._reader()
        db.execute("BEGIN")
        try:
            yield
        finally:
            db.execute("ROLLBACK")

    def ping(self) -> None:
        """Raise `sqlite3.Error` if the database does not answer."""
        self._one("SELECT 1")

    def _records(self, where: str, *values: object) -> list[StoredRecord]:
        columns = "id, position, height, kind, session, seq"
        return [
            StoredRecord(*row)
            for row in self._all(f"SELECT {columns} FROM transactions WHERE {where}", *values)  # noqa: S608 — constants
        ]

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False, timeout=30)
        with suppress(sqlite3.DatabaseError):  # a damaged file is named by whatever is asked of it first
            db.execute("PRAGMA synchronous=FULL")
        return db

    def _reader(self) -> sqlite3.Connection:
        db: sqlite3.Connection | None = getattr(self._local, "db", None)
        if db is None:
            db = self._connect()
            db.execute("PRAGMA query_only=1")
            self._local.db = db
            with self._lock:
                self._readers.append(db)
        return db

    def _one(self, query: str, *values: object) -> Any:
        return self._reader().execute(query, values).fetchone()

    def _all(self, query: str, *values: object) -> list[Any]:
        return self._reader().execute(query, values).fetchall()

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


def _hashes(db: sqlite3.Connection, level: int, start: int, end: int) -> list[bytes]:
    rows = db.execute(
        "SELECT hash FROM hashes WHERE level = ? AND position >= ? AND position < ? ORDER BY position",
        (level, start, end),
    )
    return [row[0] for row in rows]
