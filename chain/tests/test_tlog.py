"""The published files against an independent reader of c2sp.org/tlog-tiles."""

from pathlib import Path

import pytest

from lucid_blocks.ledger import TLOG
from lucid_blocks.store import Store
from lucid_blocks.tree import grown, node
from lucid_proof import merkle
from lucid_proof.checkpoint import Checkpoint
from lucid_proof.domains import leaf_hash
from lucid_proof.note import Note
from lucid_proof.receipt import Answer, Receipt, check
from lucid_proof.tiles import TileReader

from .builders import DiskChain, session_id


def a_log(disk: DiskChain, *blocks: int) -> None:
    """Blocks with that many transactions each."""
    number = 0
    for count in blocks:
        disk.accept(*(disk.write.begin(session_id(number + each)) for each in range(count)))
        number += count
        disk.decide()


def reader(disk: DiskChain) -> TileReader:
    root = disk.directory / TLOG
    signed = Checkpoint.parse(Note.parse((root / "checkpoint").read_bytes()).text)
    return TileReader(lambda name: (root / name).read_bytes(), signed.size, signed.root)


@pytest.mark.parametrize("blocks", [(0,), (1, 0, 3), (254,), (255,), (300, 300)])
def test_the_files_are_a_log_that_any_reader_of_tiles_can_check(
    disk: DiskChain, blocks: tuple[int, ...]
) -> None:
    a_log(disk, *blocks)
    log = reader(disk)
    store = disk.ledger.store
    for index in {0, 1, log.size // 2, log.size - 1}:
        assert store.leaves(index, index + 1) == [log.entry(index)]
    hashes = list(log.leaf_hashes(0, log.size))
    assert [each for _, each in hashes] == store.hashes(0, 0, log.size)


def test_a_partial_tile_goes_when_its_full_tile_comes(disk: DiskChain) -> None:
    a_log(disk, 3)
    partial = disk.directory / TLOG / "tile/0/000.p"
    assert {path.name for path in partial.iterdir()} == {"1", "5"}
    a_log_more = [disk.write.begin(session_id(1_000 + number)) for number in range(260)]
    disk.accept(*a_log_more)
    disk.decide()
    assert not partial.exists()
    assert (disk.directory / TLOG / "tile/0/000").stat().st_size == 8_192


def test_any_two_blocks_are_consistent(disk: DiskChain) -> None:
    a_log(disk, 5, 0, 290)
    read = node(disk.ledger.store.hashes)
    blocks = disk.ledger.store.blocks(3, 0)[::-1]
    for old in blocks:
        for new in blocks[old.header.height :]:
            sizes = old.header.log_size, new.header.log_size
            path = merkle.consistency_nodes(*sizes, read)
            merkle.verify_consistency(*sizes, path, old.header.log_root, new.header.log_root)


def test_rows_grow_as_the_tree_does(disk: DiskChain) -> None:
    rows: dict[tuple[int, int], bytes] = {}

    def read(level: int, start: int, end: int) -> list[bytes]:
        return [rows[level, at] for at in range(start, end)]

    leaves = [leaf_hash(b"%d" % number) for number in range(70_000)]
    first = 0
    for size in (1, 255, 256, 257, 65_536, 70_000):
        rows.update(((level, at), each) for level, at, each in grown(first, leaves[first:size], read))
        first = size
        assert merkle.range_root(0, size, node(read)) == merkle.root(leaves[:size])
    assert sum(level == 1 for level, _ in rows) == 273
    assert sum(level == 2 for level, _ in rows) == 1


def test_a_store_gives_only_what_is_there(disk: DiskChain) -> None:
    store: Store = disk.ledger.store
    assert store.leaves(5, 9) == []
    assert store.hashes(0, 5, 9) == []
    assert store.block(9) is None
    assert store.height_of_root(b"x") is None


def test_a_receipt_is_checked_against_the_published_files(disk: DiskChain, tmp_path: Path) -> None:
    promised, lost = disk.write.begin(session_id(1)), disk.write.begin(session_id(2), anchor_within_ms=1)
    disk.accept(promised)
    for _ in range(3):
        disk.decide()
    for entry, answer in ((promised, Answer.KEPT), (lost, Answer.BROKEN)):
        path = tmp_path / "receipt"
        path.write_bytes(Receipt(entry.tx, disk.node.genesis.log).bytes())
        report = check(path, str(disk.directory / TLOG), disk.node.genesis.trust())
        assert report.answer is answer, report
