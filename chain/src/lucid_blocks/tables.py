"""The tables of the chain's database, and how a block and a state become rows."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Any, Final

from lucid_blocks.models import Entry, Frontier
from lucid_blocks.state import State
from lucid_proof.canonical import encode
from lucid_proof.records import Header

LAYOUT: Final = 1
SCHEMA: Final = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
-- Every leaf of the log. A block's header stands at its log_size.
CREATE TABLE leaves (position INTEGER PRIMARY KEY, data BLOB NOT NULL);
-- Level 0: leaf hashes; level n: roots of 256 hashes of level n-1: the rows of C2SP tiles.
CREATE TABLE hashes (
    level INTEGER, position INTEGER, hash BLOB NOT NULL, PRIMARY KEY (level, position)) WITHOUT ROWID;
CREATE TABLE blocks (
    height INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE, time_ms INTEGER NOT NULL,
    log_size INTEGER NOT NULL UNIQUE, log_root BLOB NOT NULL, txs INTEGER NOT NULL, checkpoint BLOB NOT NULL);
CREATE INDEX blocks_by_root ON blocks (log_root);
CREATE TABLE transactions (
    id BLOB PRIMARY KEY, position INTEGER NOT NULL UNIQUE, height INTEGER NOT NULL, kind TEXT NOT NULL,
    session TEXT, seq INTEGER, root BLOB) WITHOUT ROWID;
CREATE INDEX records_of_session ON transactions (session, seq) WHERE session IS NOT NULL;
CREATE INDEX records_by_root ON transactions (root) WHERE root IS NOT NULL;
CREATE TABLE open_sessions (session TEXT PRIMARY KEY, data BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE closed (session TEXT PRIMARY KEY, height INTEGER NOT NULL) WITHOUT ROWID;
-- Transactions that were answered and are not in a block yet, in the order in which they came.
CREATE TABLE pending (
    arrival INTEGER PRIMARY KEY AUTOINCREMENT, id BLOB NOT NULL UNIQUE, data BLOB NOT NULL, arrived_ms
    INTEGER NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class StoredBlock:
    """A block as it was committed, with the checkpoint that signs it."""

    header: Header
    hash: bytes
    checkpoint: bytes


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """Where a transaction stands."""

    id: bytes
    position: int
    height: int
    kind: str
    session: str | None
    seq: int | None


@dataclass(frozen=True, slots=True)
class PendingRow:
    """A transaction that waits for its block."""

    entry: Entry
    arrived_ms: int


def transaction_row(entry: Entry, position: int, height: int) -> tuple[object, ...]:
    """A transaction as the table `transactions` has it."""
    body: Any = entry.tx.body
    root = body.get("root")
    return (
        entry.hash,
        position,
        height,
        entry.tx.kind,
        body.get("session"),
        body.get("seq"),
        None if root is None else bytes.fromhex(root),
    )


def write_state(db: sqlite3.Connection, before: State | None, after: State) -> None:
    """Write what `after` has and `before` (None: nothing) had not; inside the caller's transaction."""
    was = {} if before is None else before.open
    db.executemany(
        "INSERT INTO open_sessions VALUES (?, ?) ON CONFLICT DO UPDATE SET data = excluded.data",
        [
            (name, encode(session.to_json()))
            for name, session in after.open.items()
            if was.get(name) is not session
        ],
    )
    newly = [(name, height) for name, height in after.recent_closed.items() if height == after.height]
    db.executemany("DELETE FROM open_sessions WHERE session = ?", [(name,) for name, _ in newly])
    db.executemany("INSERT INTO closed VALUES (?, ?)", newly)
    db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", meta_rows(after).items())


def derived_rows(state: State) -> dict[str, bytes]:
    """What `Store.stored_state` gives for this state."""
    rows = {f"meta {name}": value for name, value in meta_rows(state).items()}
    rows.update((f"open {name}", encode(session.to_json())) for name, session in state.open.items())
    return rows


def meta_rows(state: State) -> dict[str, bytes]:
    """The small parts of a state, as the table `meta` has them."""
    return {
        "closed": encode(edge(state.closed)),
        "log": encode(edge(state.log)),
        "nonces": encode(dict(state.nonces)),
        "recorders": encode(dict(state.recorders)),
    }


def edge(tree: Frontier) -> Any:
    """A tree's compact range as JSON."""
    return {"hashes": [each.hex() for each in tree.hashes], "size": tree.size}


def frontier(value: Any) -> Frontier:
    """The compact range that `edge` wrote."""
    return Frontier(value["size"], tuple(bytes.fromhex(each) for each in value["hashes"]))
