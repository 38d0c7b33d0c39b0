"""What is durable, what may be seen, and what a start-up does with every way a process can have ended."""

import shutil
import sqlite3
from pathlib import Path

import pytest

from lucid_blocks import signatures
from lucid_blocks.anchor import Anchor
from lucid_blocks.app import open_node
from lucid_blocks.faults import AnchorMissing, DataDamaged, ForkDanger, NotDurable, NotInitialised
from lucid_blocks.ledger import ANCHOR, DATABASE, TLOG
from lucid_blocks.state import apply
from lucid_blocks.tables import PendingRow
from lucid_blocks.view import TransactionUnknown
from lucid_proof.checkpoint import open_checkpoint

from .builders import RECORDER, STRANGER, DiskChain, public, session_id

SESSION = session_id(1)


def anchored(disk: DiskChain) -> bytes:
    return (disk.directory / ANCHOR / "checkpoint").read_bytes()


def published(disk: DiskChain) -> bytes:
    return (disk.directory / TLOG / "checkpoint").read_bytes()


def test_a_block_is_decided_whether_or_not_there_are_transactions(disk: DiskChain) -> None:
    heights = [disk.decide().header.height for _ in range(3)]
    assert heights == [1, 2, 3]
    assert disk.ledger.head.header.height == 3


def test_every_block_is_signed_by_log_and_validator(disk: DiskChain) -> None:
    disk.accept(disk.write.begin(SESSION))
    disk.decide()
    opened = open_checkpoint(disk.ledger.head.checkpoint, disk.node.genesis.trust())
    assert len(opened.witnesses) == 1
    assert opened.checkpoint.size == 3
    assert opened.checkpoint.root == disk.ledger.state.log.root()


def test_anchor_and_published_checkpoint_are_the_newest_blocks(disk: DiskChain) -> None:
    disk.decide()
    assert anchored(disk) == published(disk) == disk.ledger.head.checkpoint


def test_transactions_stand_in_the_next_block_in_the_order_in_which_they_came(disk: DiskChain) -> None:
    entries = [disk.write.begin(session_id(number)) for number in range(5)]
    disk.accept(*entries)
    assert [entry.id for entry in disk.decide().entries] == [entry.id for entry in entries]
    assert disk.ledger.waiting() == []


def test_later_records_are_accepted_while_earlier_ones_wait(disk: DiskChain) -> None:
    write = disk.write
    disk.accept(write.begin(SESSION), write.interim(SESSION, 1, 4))
    disk.accept(write.close(SESSION, 2, 4))
    assert disk.decide().header.txs == 3
    assert disk.ledger.state.was_closed(SESSION)


def test_the_same_transaction_gets_the_same_answer_waiting_anchored_and_after_a_restart(
    disk: DiskChain,
) -> None:
    entry = disk.write.begin(SESSION)
    (first,) = disk.ledger.accept([entry])
    (second,) = disk.ledger.accept([entry])
    assert isinstance(first, PendingRow)
    assert second is first
    disk.decide()
    assert disk.ledger.accept([entry, entry]) == [None, None]
    disk.reopen()
    assert disk.ledger.accept([entry]) == [None]
    disk.decide()
    assert [record.seq for record in disk.node.view.records(SESSION)] == [0]


def test_what_was_accepted_survives_a_restart(disk: DiskChain) -> None:
    entry = disk.write.begin(SESSION)
    disk.accept(entry)
    disk.reopen()
    assert [row.entry.id for row in disk.ledger.waiting()] == [entry.id]
    assert [each.id for each in disk.decide().entries] == [entry.id]


def test_a_refused_transaction_is_not_stored(disk: DiskChain) -> None:
    (answer,) = disk.ledger.accept([disk.write.begin(SESSION, STRANGER)])
    assert isinstance(answer, Exception)
    disk.reopen()
    assert disk.ledger.waiting() == []


def test_a_waiting_transaction_that_can_never_be_in_a_block_is_dropped(disk: DiskChain) -> None:
    entry = disk.write.begin(SESSION)
    disk.accept(entry)
    # Another node's block would do this; here a row that was put into the table by hand.
    with sqlite3.connect(disk.directory / DATABASE) as db:
        again = disk.write.begin(SESSION, time=5)
        db.execute("INSERT INTO pending (id, data, arrived_ms) VALUES (?, ?, 0)", (again.hash, again.data))
    db.close()
    disk.reopen()
    assert [row.entry.id for row in disk.ledger.waiting()] == [entry.id]
    disk.reopen()
    with pytest.raises(TransactionUnknown):
        disk.node.view.place(again.hash)


def test_the_state_after_a_restart_is_the_state_before(disk: DiskChain) -> None:
    write = disk.write
    disk.accept(
        write.begin(SESSION), write.begin(session_id(2)), write.admit(public(STRANGER), 0, disk.validator)
    )
    disk.decide()
    disk.accept(disk.write.close(SESSION, 1), disk.write.interim(session_id(2), 1, 3, event="pause"))
    disk.decide()
    before = disk.ledger.state
    disk.reopen()
    assert disk.ledger.state == before
    assert disk.ledger.state.was_closed(SESSION)
    block = disk.ledger.finalize_block([], disk.clock.now_ms() + 1).block
    assert apply(before, block) == apply(disk.ledger.state, block)


# ---- forks -----------------------------------------------------------------------------------


def reopened_with(disk: DiskChain, change: object) -> pytest.ExceptionInfo[BaseException]:
    disk.ledger.close()
    assert callable(change)
    change(disk.directory)
    with pytest.raises((ForkDanger, DataDamaged, AnchorMissing, NotInitialised)) as caught:
        open_node(disk.directory, disk.clock)
    return caught


def backup(disk: DiskChain, to: Path) -> Path:
    with sqlite3.connect(disk.directory / DATABASE) as source, sqlite3.connect(to) as target:
        source.backup(target)
    source.close()
    target.close()
    return to


def restore(copy: Path, directory: Path) -> None:
    for name in (DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm"):
        (directory / name).unlink(missing_ok=True)
    shutil.copy(copy, directory / DATABASE)


def test_yesterdays_backup_of_the_database_refuses_to_start(disk: DiskChain, tmp_path: Path) -> None:
    disk.decide()
    copy = backup(disk, tmp_path / "backup.db")
    disk.accept(disk.write.begin(SESSION))
    disk.decide()
    caught = reopened_with(disk, lambda directory: restore(copy, directory))
    assert caught.type is ForkDanger
    assert caught.value.facts == {"anchored": 4, "stored": 2}
    assert "anchor/checkpoint" in caught.value.advice


def test_a_backup_of_the_newest_block_starts(disk: DiskChain, tmp_path: Path) -> None:
    disk.decide()
    copy = backup(disk, tmp_path / "backup.db")
    disk.ledger.close()
    restore(copy, disk.directory)
    disk.node = open_node(disk.directory, disk.clock)
    assert disk.decide().header.height == 2


def test_an_older_anchor_than_a_crash_can_leave_refuses_to_start(disk: DiskChain) -> None:
    old = anchored(disk)
    disk.decide()
    disk.decide()
    caught = reopened_with(disk, lambda directory: Anchor(directory / ANCHOR).create(old))
    assert caught.type is ForkDanger


def test_a_database_and_anchor_of_yesterday_are_found_out_by_the_published_log(
    disk: DiskChain, tmp_path: Path
) -> None:
    old, copy = anchored(disk), backup(disk, tmp_path / "backup.db")
    disk.decide()

    def back(directory: Path) -> None:
        restore(copy, directory)
        Anchor(directory / ANCHOR).create(old)

    assert reopened_with(disk, back).type is ForkDanger


def test_another_history_of_the_same_length_refuses_to_start(disk: DiskChain, tmp_path: Path) -> None:
    disk.decide()
    twin = tmp_path / "twin"
    disk.ledger.close()
    shutil.copytree(disk.directory, twin)
    disk.node = open_node(disk.directory, disk.clock)
    disk.decide()
    other = DiskChain(twin, disk.clock, open_node(twin, disk.clock))
    other.decide()
    other.close()
    caught = reopened_with(disk, lambda directory: restore(twin / DATABASE, directory))
    assert caught.type is ForkDanger
    assert "differ" in caught.value.detail


def test_a_missing_anchor_refuses_to_start_and_is_never_made_anew(disk: DiskChain) -> None:
    caught = reopened_with(disk, lambda directory: (directory / ANCHOR / "checkpoint").unlink())
    assert caught.type is AnchorMissing
    assert not (disk.directory / ANCHOR / "checkpoint").exists()


def test_an_anchor_that_someone_else_moved_stops_the_chain(disk: DiskChain) -> None:
    Anchor(disk.directory / ANCHOR).create(b"something else")
    disk.clock.advance(10_000)
    with pytest.raises(ForkDanger):
        disk.node.engine.decide()


def test_rubbish_in_the_anchor_refuses_to_start(disk: DiskChain) -> None:
    caught = reopened_with(disk, lambda directory: Anchor(directory / ANCHOR).create(b"rubbish"))
    assert caught.type is DataDamaged


def test_a_database_of_another_chain_refuses_to_start(disk: DiskChain, tmp_path: Path) -> None:
    other = DiskChain.make(tmp_path / "other")
    other.close()
    caught = reopened_with(disk, lambda directory: restore(other.directory / DATABASE, directory))
    assert caught.type is DataDamaged


def test_a_changed_state_refuses_to_start(disk: DiskChain) -> None:
    disk.accept(disk.write.begin(SESSION))
    disk.decide()

    def tamper(directory: Path) -> None:
        with sqlite3.connect(directory / DATABASE) as db:
            db.execute("DELETE FROM open_sessions")
        db.close()

    assert reopened_with(disk, tamper).type is DataDamaged


def test_a_file_that_is_no_database_is_named(disk: DiskChain) -> None:
    def ruin(directory: Path) -> None:
        (directory / f"{DATABASE}-wal").unlink(missing_ok=True)
        (directory / DATABASE).write_bytes(b"rubbish" * 1_000)

    assert "no database" in str(reopened_with(disk, ruin).value)


@pytest.mark.parametrize("statement", ["UPDATE leaves SET data = x'7b'", "UPDATE pending SET data = x'7b'"])
def test_a_leaf_that_cannot_be_read_refuses_to_start(disk: DiskChain, statement: str) -> None:
    disk.decide()
    disk.accept(disk.write.begin(SESSION))

    def tamper(directory: Path) -> None:
        with sqlite3.connect(directory / DATABASE) as db:
            db.execute(statement)
        db.close()

    assert reopened_with(disk, tamper).type is DataDamaged


def test_a_database_of_another_layout_is_named(disk: DiskChain) -> None:
    def newer(directory: Path) -> None:
        with sqlite3.connect(directory / DATABASE) as db:
            db.execute("PRAGMA user_version=99")
        db.close()

    assert "layout 99" in str(reopened_with(disk, newer).value)


def test_a_missing_database_is_not_made_anew(disk: DiskChain) -> None:
    assert reopened_with(disk, lambda directory: (directory / DATABASE).unlink()).type is NotInitialised


def test_tlog_files_that_were_deleted_are_written_again(disk: DiskChain) -> None:
    disk.accept(*(disk.write.begin(session_id(number)) for number in range(300)))
    disk.decide()
    tree = disk.directory / TLOG
    before = {path.relative_to(tree): path.read_bytes() for path in tree.rglob("*") if path.is_file()}
    disk.ledger.close()
    shutil.rmtree(tree)
    disk.node = open_node(disk.directory, disk.clock)
    after = {path.relative_to(tree): path.read_bytes() for path in tree.rglob("*") if path.is_file()}
    assert after == before


# ---- a disk that refuses ---------------------------------------------------------------------


def test_a_full_disk_refuses_a_transaction_and_forgets_it(
    disk: DiskChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = disk.write.begin(SESSION)
    monkeypatch.setenv("LUCID_FAULT_ERROR", "chain-transaction-store")
    with pytest.raises(NotDurable):
        disk.ledger.accept([entry])
    assert disk.ledger.waiting() == []
    monkeypatch.delenv("LUCID_FAULT_ERROR")
    disk.accept(entry)
    assert disk.decide().header.txs == 1


def test_a_full_disk_skips_a_block_and_loses_nothing(
    disk: DiskChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk.accept(disk.write.begin(SESSION))
    monkeypatch.setenv("LUCID_FAULT_ERROR", "chain-block-store")
    disk.clock.advance(10_000)
    assert disk.node.engine.decide() is None
    assert disk.ledger.head.header.height == 0
    monkeypatch.delenv("LUCID_FAULT_ERROR")
    block = disk.decide()
    assert (block.header.height, block.header.txs) == (1, 1)


@pytest.mark.parametrize("where", ["chain-anchor-store", "chain-tiles-store"])
def test_a_block_that_could_not_be_anchored_is_not_seen_and_no_other_follows(
    disk: DiskChain, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    entry = disk.write.begin(SESSION)
    disk.accept(entry)
    monkeypatch.setenv("LUCID_FAULT_ERROR", where)
    for _ in range(2):
        disk.clock.advance(10_000)
        assert disk.node.engine.decide() is None
    assert disk.ledger.store.newest().header.height == 1
    assert disk.ledger.head.header.height == 0
    assert disk.node.view.place(entry.hash).state == "pending"
    assert disk.node.view.blocks(None, 10)[0].header.height == 0
    signed = disk.ledger.store.newest().checkpoint
    monkeypatch.delenv("LUCID_FAULT_ERROR")
    assert disk.decide().header.height == 2
    block = disk.ledger.store.block(1)
    assert block is not None
    assert block.checkpoint == signed
    assert disk.node.view.place(entry.hash).height == 1


def test_a_signature_that_was_checked_once_is_not_checked_again(disk: DiskChain) -> None:
    entry = disk.write.begin(SESSION, RECORDER)
    disk.accept(entry)
    assert signatures.is_signed(entry)
    signatures.forget()
    assert signatures.is_signed(entry)
