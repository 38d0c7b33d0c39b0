"""Transactions that were accepted and wait for their block.

Nothing costs a fee here. What keeps rubbish out: only keys that could sign the record at all are looked at
(admitted recorders, validators, the key of an open session), a transaction must be valid *after* those that
already wait, and there are bounds for all and for each key. What was answered survives kill -9: it is stored
before it is answered.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

from lucid_blocks import refusals as no
from lucid_blocks.models import Entry
from lucid_blocks.rules import Draft, transact
from lucid_blocks.state import State
from lucid_blocks.tables import PendingRow
from lucid_kit.errors import Forbidden, LimitExceeded


class UnknownKey(Forbidden):
    """The key may not write to this chain."""

    code = "LUCID_ERR_2200"
    advice = "Have a validator admit the recorder: `lucid-blocks admit`."


class MempoolFull(LimitExceeded):
    """Too many transactions wait for their block."""

    code = "LUCID_ERR_3200"
    advice = "Send the same transaction again after the next block; it is not stored."


class KeyQuotaExceeded(LimitExceeded):
    """Too many transactions of this key wait for their block."""

    code = "LUCID_ERR_3201"
    advice = "Send the same transaction again after the next block; it is not stored."


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much may wait, together and for one key."""

    count: int = 50_000
    bytes: int = 32 << 20
    key_count: int = 10_000
    key_bytes: int = 8 << 20


class Mempool:
    """The waiting transactions in the order in which they came, and the state they lead to.

    Not for two threads at once: `Ledger` takes turns. Knows no disk.
    """

    def __init__(self, state: State, bounds: Bounds) -> None:
        self._bounds = bounds
        self._rows: OrderedDict[bytes, PendingRow] = OrderedDict()
        self._size = 0
        self._key_count: Counter[bytes] = Counter()
        self._key_size: Counter[bytes] = Counter()
        self._draft = Draft(state)

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def size(self) -> int:
        """Bytes that wait."""
        return self._size

    def rows(self) -> list[PendingRow]:
        """All that wait, in order."""
        return list(self._rows.values())

    def get(self, tx_id: bytes) -> PendingRow | None:
        """A waiting transaction, or None."""
        return self._rows.get(tx_id)

    def add(self, entry: Entry, now_ms: int) -> PendingRow:
        """Let a transaction wait.

        Raises
        ------
        UnknownKey
            Before anything that costs time is done.
        MempoolFull, KeyQuotaExceeded
            If there is no room.
        TransactionRefused
            If it is not valid after those that wait.
        """
        self._check_room(entry)
        if not self._draft.knows(entry.tx):
            raise UnknownKey(
                f"Key {entry.tx.key.hex()} is neither an admitted recorder's nor a validator's.", tx=entry.id
            )
        transact(self._draft, entry)
        row = PendingRow(entry, now_ms)
        self._insert(row)
        return row

    def take(self, max_txs: int, max_bytes: int) -> list[Entry]:
        """The first transactions that fit into a block; they keep waiting until `rebase`."""
        taken: list[Entry] = []
        for row in self._rows.values():
            max_bytes -= len(row.entry.data)
            if max_bytes < 0 or len(taken) == max_txs:
                break
            taken.append(row.entry)
        return taken

    def rebase(self, state: State, gone: Iterable[Entry] = ()) -> list[tuple[Entry, no.TransactionRefused]]:
        """Follow a new block: forget what it holds, and judge the rest anew.

        Returns
        -------
        list
            What can never be in a block any more, with the reason; it is forgotten too.
        """
        done = {entry.hash for entry in gone}
        rows = [row for row in self._rows.values() if row.entry.hash not in done]
        return self.restore(state, rows)

    def restore(self, state: State, rows: Iterable[PendingRow]) -> list[tuple[Entry, no.TransactionRefused]]:
        """Begin anew with these; gives those that are not valid."""
        self._rows.clear()
        self._size = 0
        self._key_count.clear()
        self._key_size.clear()
        self._draft = Draft(state)
        refused: list[tuple[Entry, no.TransactionRefused]] = []
        for row in rows:
            try:
                transact(self._draft, row.entry)
            except no.TransactionRefused as refusal:
                refused.append((row.entry, refusal))
            else:
                self._insert(row)
        return refused

    def _check_room(self, entry: Entry) -> None:
        size, key, bounds = len(entry.data), entry.tx.key, self._bounds
        if len(self._rows) >= bounds.count or self._size + size > bounds.bytes:
            raise MempoolFull(
                f"{len(self._rows)} transactions of {self._size} bytes wait.", waiting=len(self._rows)
            )
        if self._key_count[key] >= bounds.key_count or self._key_size[key] + size > bounds.key_bytes:
            raise KeyQuotaExceeded(
                f"{self._key_count[key]} transactions of key {key.hex()} wait.", waiting=self._key_count[key]
            )

    def _insert(self, row: PendingRow) -> None:
        size = len(row.entry.data)
        self._rows[row.entry.hash] = row
        self._size += size
        self._key_count[row.entry.tx.key] += 1
        self._key_size[row.entry.tx.key] += size
