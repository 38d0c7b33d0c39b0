"""The application an engine drives: state, mempool and disk together, and the order of their durable steps.

A block becomes durable in four steps: database, anchor, tiles, published checkpoint. What may be *seen*
(`head`) is what the anchor knows: nobody can have seen a block that a restored backup would not admit to.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path

from lucid_blocks import refusals as no
from lucid_blocks.anchor import Anchor
from lucid_blocks.engine import Finalized
from lucid_blocks.faults import DataDamaged, ForkDanger, NotDurable
from lucid_blocks.genesis import Genesis, first_block
from lucid_blocks.mempool import Bounds, Mempool
from lucid_blocks.models import Block, Entry
from lucid_blocks.state import State, apply, build
from lucid_blocks.store import Store
from lucid_blocks.tables import PendingRow, StoredBlock
from lucid_blocks.tlog import Publisher
from lucid_kit import fault
from lucid_kit.clock import Clock
from lucid_kit.errors import LucidError
from lucid_kit.logs import get_logger
from lucid_proof.checkpoint import Checkpoint, open_checkpoint
from lucid_proof.errors import ProofError

DATABASE = "chain.db"
ANCHOR = "anchor"
TLOG = "tlog"


class Ledger:
    """One chain on one disk. Its methods may be called from any thread.

    Parameters
    ----------
    directory : Path
        The data directory, locked by the caller.
    genesis : Genesis
        What the directory's chain began with.
    clock : Clock
        For the time a transaction arrived.

    Raises
    ------
    NotInitialised, AnchorMissing, ForkDanger, DataDamaged
        If the directory must not be gone on with.
    """

    def __init__(self, directory: Path, genesis: Genesis, clock: Clock, bounds: Bounds = Bounds()) -> None:
        self.genesis = genesis
        self.store = Store(directory / DATABASE)
        self._clock = clock
        self._turn = threading.Lock()  # the mempool and what is decided about it
        self._anchor = Anchor(directory / ANCHOR)
        self._publisher = Publisher(directory / TLOG, self.store)
        try:
            self.head, self._state = self._recover(genesis)
            self._mempool = Mempool(self._state, bounds)
            self._forget(self._mempool.restore(self._state, self.store.pending()))
        except (sqlite3.Error, ProofError) as error:
            self.store.close()
            raise DataDamaged(f"{directory / DATABASE} cannot be read: {error}.") from error
        except BaseException:
            self.store.close()
            raise
        self._newest = self.head

    def close(self) -> None:
        """Let go of the database."""
        self.store.close()

    @property
    def state(self) -> State:
        """After the newest committed block."""
        return self._state

    # ---- transactions ------------------------------------------------------------------------

    def accept(self, entries: Sequence[Entry]) -> list[PendingRow | LucidError | None]:
        """Take transactions in; the answers are durable once it returns.

        Returns
        -------
        list
            For each: the row that waits now (or waited already), None if it is in a block already, or why
            it is refused. A transaction may build on an earlier one of the same call.

        Raises
        ------
        NotDurable
            If the disk refuses; then none of them was accepted.
        """
        with self._turn:
            new: list[PendingRow] = []
            answers = [self._admit(entry, new) for entry in entries]
            if new:
                try:
                    self.store.accept(new)
                except (sqlite3.Error, OSError) as error:
                    self._mempool.rebase(self._state, [row.entry for row in new])
                    raise NotDurable(f"Transactions could not be stored: {error}.") from error
        # Ends here: accepted and unanswered; the sender sends it again and gets the answer it would have got.
        fault.point("chain-transaction-stored")
        return answers

    def waiting(self) -> list[PendingRow]:
        """The transactions that wait, in order."""
        with self._turn:
            return self._mempool.rows()

    def pending(self, tx_id: bytes) -> PendingRow | None:
        """A waiting transaction, or None."""
        with self._turn:
            return self._mempool.get(tx_id)

    def waiting_size(self) -> tuple[int, int]:
        """How many transactions wait, and their bytes."""
        with self._turn:
            return len(self._mempool), self._mempool.size

    def _admit(self, entry: Entry, new: list[PendingRow]) -> PendingRow | LucidError | None:
        known = self._mempool.get(entry.hash)
        if known is not None:
            return known
        if self.store.record(entry.hash) is not None:
            return None
        try:
            row = self._mempool.add(entry, self._clock.now_ms())
        except LucidError as refusal:
            return refusal
        new.append(row)
        return row

    # ---- what an engine drives ---------------------------------------------------------------

    def prepare_proposal(self) -> list[Entry]:
        """The waiting transactions that fit into the next block, in order."""
        params = self._state.params
        with self._turn:
            return self._mempool.take(params.max_block_txs, params.max_block_bytes)

    def process_proposal(self, block: Block) -> None:
        """Judge a block that is proposed to follow the newest one; raises `Refused`."""
        apply(self._state, block)

    def finalize_block(self, entries: Sequence[Entry], time_ms: int) -> Finalized:
        """The block of these transactions at this time; raises `Refused`. Changes nothing."""
        block, after = build(self._state, entries, time_ms)
        return Finalized(block, self._state, after)

    def commit(self, finalized: Finalized, checkpoint: bytes) -> None:
        """Make a finalised block durable, then let it be seen.

        Raises
        ------
        NotDurable
            If the disk refuses. Before the database has it, nothing has happened; afterwards `catch_up`
            goes on.
        """
        # Ends here: the block was never seen, its transactions wait in the database; another block is made.
        fault.point("chain-block-sealed")
        try:
            self.store.commit(finalized.block, finalized.before, finalized.after, checkpoint)
        except (sqlite3.Error, OSError) as error:
            raise NotDurable(
                f"Block {finalized.block.header.height} could not be stored: {error}."
            ) from error
        header = finalized.block.header
        self._newest = StoredBlock(header, header.hash(), checkpoint)
        self._state = finalized.after.settled()
        with self._turn:
            self._forget(self._mempool.rebase(self._state, finalized.block.entries))
        # Ends here: the database is one checkpoint ahead of the anchor; the next start anchors its bytes.
        fault.point("chain-block-committed")
        self.catch_up()

    def catch_up(self) -> None:
        """Anchor and publish the newest stored block, as far as that is not done; raises `NotDurable`."""
        if self.head is self._newest:
            return
        newest = self._newest
        try:
            if self._anchor.load() != newest.checkpoint:
                fault.refuse("chain-anchor-store")
                self._anchor.replace(self.head.checkpoint, newest.checkpoint)
            # Ends here: anchored, and its tiles are not written; the next start writes them.
            fault.point("chain-checkpoint-anchored")
            fault.refuse("chain-tiles-store")
            self._publisher.publish(newest.checkpoint)
        except OSError as error:
            raise NotDurable(f"Block {newest.header.height} could not be published: {error}.") from error
        self.head = newest

    def _forget(self, refused: Sequence[tuple[Entry, no.TransactionRefused]]) -> None:
        for entry, refusal in refused:
            get_logger().warning("transaction.dropped", tx=entry.id, rule=refusal.rule, detail=refusal.detail)
        if refused:
            self.store.drop_pending(entry.hash for entry, _ in refused)

    # ---- start-up ----------------------------------------------------------------------------

    def _recover(self, genesis: Genesis) -> tuple[StoredBlock, State]:
        """Bring database, anchor and files together after however the last process ended."""
        block, first = first_block(genesis, self.store)
        if self.store.block_hash(0) != block.header.hash():
            raise DataDamaged("The database begins with another block 0 than the genesis makes.")
        state = self.store.load(first)
        newest = self.store.newest()
        signed = _opened(newest.checkpoint, genesis, "the database")
        if (signed.size, signed.root) != (state.log.size, state.log.root()):
            raise DataDamaged(
                f"The checkpoint of block {newest.header.height} is not that of the stored log."
            )
        self._reconcile(newest)
        self._publisher.recover(newest.checkpoint)
        return newest, state

    def _reconcile(self, newest: StoredBlock) -> None:
        """Compare the anchor with the database: the same, or one block behind it, as a crash leaves them."""
        self._anchor.tidy()
        anchored = self._anchor.load()
        if anchored == newest.checkpoint:
            return
        before = self.store.block(newest.header.height - 1)
        if before is not None and anchored == before.checkpoint:
            self._anchor.replace(anchored, newest.checkpoint)
            return
        known = _opened(anchored, self.genesis, "the anchor")
        stored = _opened(newest.checkpoint, self.genesis, "the database")
        if known.size > stored.size:
            what = (
                f"The database ends at {stored.size} leaves; {known.size} were signed: the database is older."
            )
        elif known.size == stored.size:
            what = f"Two checkpoints of {known.size} leaves differ: the log was forked."
        else:
            what = (
                f"The anchor covers {known.size} leaves and the database {stored.size}: the anchor is older."
            )
        raise ForkDanger(what, anchored=known.size, stored=stored.size)


def _opened(note: bytes, genesis: Genesis, where: str) -> Checkpoint:
    try:
        return open_checkpoint(note, genesis.trust()).checkpoint
    except ProofError as error:
        raise DataDamaged(f"The checkpoint in {where} is not one of this chain: {error}") from error
