"""What can be read of the chain's database: blocks, leaves, records, the state, all of one commit or another.

Reads see the newest commit; what must not be seen before it is anchored is kept back by whoever asks
(`lucid_blocks.ledger`). `lucid_blocks.store` writes.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from lucid_blocks.faults import DataDamaged, NotInitialised
from lucid_blocks.models import Entry, Session
from lucid_blocks.state import State, state_root
from lucid_blocks.tables import LAYOUT, PendingRow, StoredBlock, StoredRecord, frontier
from lucid_proof.canonical import decode
from lucid_proof.records import Header


class Reads:
    """The chain's database as it is read, each thread on its own connection.

    Parameters
    ----------
    path : Path
        The database file; `Store.create` makes it.

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
        try:
            layout = self._one("PRAGMA user_version")[0]
            if layout != LAYOUT:
                raise DataDamaged(f"{path} has layout {layout}; this version reads {LAYOUT}.", path=path)
        except sqlite3.DatabaseError as error:
            Reads.close(self)  # a subclass has opened nothing yet
            raise DataDamaged(f"{path} is no database: {error}.", path=path) from error
        except DataDamaged:
            Reads.close(self)  # a subclass has opened nothing yet
            raise

    def close(self) -> None:
        """Close every connection."""
        with self._lock:
            for db in self._readers:
                db.close()
            self._readers.clear()

    # ---- the history that the state machine asks ---------------------------------------------

    def closed_at(self, session: str) -> int | None:
        """The height of the block that closed the session, or None."""
        row = self._one("SELECT height FROM closed WHERE session = ?", session)
        return None if row is None else int(row[0])

    def block_hash(self, height: int) -> bytes | None:
        """The hash of the block at that height, or None."""
        row = self._one("SELECT hash FROM blocks WHERE height = ?", height)
        return None if row is None else bytes(row[0])

    # ---- blocks and leaves -------------------------------------------------------------------

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
        return hashes(self._reader(), level, start, end)

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


def hashes(db: sqlite3.Connection, level: int, start: int, end: int) -> list[bytes]:
    """The tile hashes [start, end) of a level, as far as there are any."""
    rows = db.execute(
        "SELECT hash FROM hashes WHERE level = ? AND position >= ? AND position < ? ORDER BY position",
        (level, start, end),
    )
    return [row[0] for row in rows]
