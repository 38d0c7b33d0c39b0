"""Re-execution: every block again from genesis through `apply`, compared with everything that is stored.

Nothing derived is taken from the database: leaves come in, and headers, state, tree, checkpoints, tiles,
published files and the anchor must follow from them. It only reads, and may run while the chain does.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from lucid_blocks.anchor import Anchor
from lucid_blocks.genesis import Genesis, first_block
from lucid_blocks.home import load_genesis
from lucid_blocks.ledger import ANCHOR, DATABASE, TLOG
from lucid_blocks.models import Block
from lucid_blocks.refusals import Refused
from lucid_blocks.state import MemoryHistory, State, apply
from lucid_blocks.store import Store
from lucid_blocks.tables import StoredBlock, derived_rows, transaction_row
from lucid_blocks.tlog import resources
from lucid_blocks.tree import grown
from lucid_kit.errors import LucidError
from lucid_proof.canonical import JSON
from lucid_proof.checkpoint import Checkpoint, open_checkpoint
from lucid_proof.errors import ProofError
from lucid_proof.note import Note

Progress = Callable[[int, int], None]
"""`progress(height, newest)` after each block."""


@dataclass(frozen=True, slots=True)
class Difference:
    """The first thing that does not follow from the leaves before it."""

    height: int
    where: str
    what: str


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What re-execution found."""

    chain: str
    height: int
    leaves: int
    transactions: int
    difference: Difference | None

    def to_json(self) -> dict[str, JSON]:
        """For `--json`."""
        found = self.difference
        return {
            "chain": self.chain,
            "height": self.height,
            "leaves": self.leaves,
            "transactions": self.transactions,
            "valid": found is None,
            "difference": None
            if found is None
            else {"height": found.height, "where": found.where, "what": found.what},
        }


class _Differs(Exception):
    def __init__(self, height: int, where: str, what: str) -> None:
        super().__init__(what)
        self.difference = Difference(height, where, what)


def verify(directory: Path, progress: Progress = lambda _height, _newest: None) -> VerifyReport:
    """Execute the chain in a data directory again and compare.

    Raises
    ------
    NotInitialised, DataDamaged, AnchorMissing
        If there is no chain to verify.
    """
    genesis = load_genesis(directory)
    # The anchor first: a chain that runs meanwhile only adds to the database that is read next.
    anchored = Anchor(directory / ANCHOR).load()
    store = Store(directory / DATABASE)
    memory = MemoryHistory()
    height, state, transactions = -1, None, 0
    try:
        with store.snapshot():
            for state, block in _execute(genesis, store, memory):
                height = state.height
                transactions += len(block.entries)
                progress(height, store.newest().header.height)
            assert state is not None
            _compare_state(store, state, memory.closed)
            _compare_anchor(genesis, store, anchored)
            _compare_files(directory / TLOG, store, state)
        found = None
    except _Differs as differs:
        found = differs.difference
    except (sqlite3.Error, ProofError, LucidError, IndexError, ValueError) as error:
        found = Difference(height + 1, "database", f"block {height + 1} cannot be read: {error}")
    finally:
        store.close()
    leaves = 0 if state is None else state.log.size
    return VerifyReport(genesis.chain, height, leaves, transactions, found)


def _execute(genesis: Genesis, store: Store, memory: MemoryHistory) -> Iterator[tuple[State, Block]]:
    """Every state from genesis on, each compared with what is stored of its block."""
    newest = store.newest().header.height
    first, state = first_block(genesis, memory)
    for height in range(newest + 1):
        try:
            stored = store.block(height)
            block = None if stored is None else Block(stored.header, store.entries(stored.header))
        except ProofError as error:
            raise _Differs(height, "leaves", str(error)) from error
        if stored is None or block is None:
            raise _Differs(height, "leaves", "the block is missing")
        if height == 0:
            if stored.header != first.header:
                raise _Differs(0, "header", "block 0 is not the one that the genesis makes")
        else:
            try:
                state = apply(state, block)
            except Refused as refusal:
                raise _Differs(height, refusal.rule, refusal.detail) from refusal
        _compare_block(genesis, store, stored, block, state)
        state = memory.learn(state)
        yield state, block


def _compare_block(genesis: Genesis, store: Store, stored: StoredBlock, block: Block, state: State) -> None:
    height, header = stored.header.height, stored.header
    if stored.hash != header.hash():
        raise _Differs(height, "hash", "the stored hash is not the header's")
    try:
        signed = open_checkpoint(stored.checkpoint, genesis.trust()).checkpoint
    except ProofError as error:
        raise _Differs(height, "signature", str(error)) from error
    if (signed.size, signed.root) != (state.log.size, state.log.root()):
        raise _Differs(height, "checkpoint", f"it is signed over {signed.size} leaves with another root")
    first = header.log_size - header.txs
    hashes = [*(entry.hash for entry in block.entries), header.hash()]
    for level, position, hashed in grown(first, hashes, store.hashes):
        if store.hashes(level, position, position + 1) != [hashed]:
            raise _Differs(height, "tree", f"hash {position} of level {level} is another")
    rows = [transaction_row(entry, first + at, height) for at, entry in enumerate(block.entries)]
    if store.transaction_rows(height) != rows:
        raise _Differs(height, "index", "the index of transactions says something else")


def _compare_state(store: Store, state: State, closed: dict[str, int]) -> None:
    """The stored state against the executed one; raises `_Differs`."""
    stored, derived = store.stored_state(), derived_rows(state)
    wrong = sorted(name for name in stored.keys() | derived.keys() if stored.get(name) != derived.get(name))
    if wrong:
        raise _Differs(state.height, "state", f"the stored {wrong[0]} is not the executed one")
    if store.closed_sessions() != closed:
        raise _Differs(state.height, "state", "the stored closed sessions are not the executed ones")


def _compare_anchor(genesis: Genesis, store: Store, anchored: bytes) -> None:
    newest = store.newest().header.height
    try:
        signed = open_checkpoint(anchored, genesis.trust()).checkpoint
    except ProofError as error:
        raise _Differs(newest, "anchor", str(error)) from error
    height = store.height_at(signed.size - 1)
    block = None if height is None else store.block(height)
    if height is None or block is None or block.checkpoint != anchored:
        raise _Differs(
            newest, "anchor", f"the anchor's checkpoint of {signed.size} leaves is not in the database"
        )


def _compare_files(directory: Path, store: Store, state: State) -> None:
    """The published files against what they must be for the checkpoint that lies beside them."""
    try:
        published = Checkpoint.parse(Note.parse((directory / "checkpoint").read_bytes()).text)
    except (OSError, ProofError) as error:
        raise _Differs(state.height, "tlog", f"checkpoint: {error}") from error
    height = store.height_at(published.size - 1)
    block = None if height is None else store.block(height)
    if height is None or block is None or block.checkpoint != (directory / "checkpoint").read_bytes():
        raise _Differs(
            state.height, "tlog", f"the published checkpoint of {published.size} leaves is not stored"
        )
    for name, data in resources(store, 0, published.size):
        try:
            same = (directory / name).read_bytes() == data
        except OSError as error:
            # A chain that runs may have replaced a partial tile by a wider one meanwhile.
            if ".p/" in name and (directory / name.partition(".p/")[0]).exists():
                continue
            raise _Differs(height, "tlog", f"{name}: {error.strerror}") from error
        if not same:
            raise _Differs(height, "tlog", f"{name} has other bytes")
