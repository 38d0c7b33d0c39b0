"""Re-execution finds whatever was changed, and says at which height."""

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from lucid_blocks.anchor import Anchor
from lucid_blocks.faults import AnchorMissing, NotInitialised
from lucid_blocks.ledger import ANCHOR, DATABASE, TLOG
from lucid_blocks.verify import verify

from .builders import START_MS, STRANGER, DiskChain, public, session_id


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A chain of five blocks with every kind of transaction, at rest."""
    disk = DiskChain.make(tmp_path_factory.mktemp("original") / "chain")
    disk.accept(*(disk.write.begin(session_id(number)) for number in range(3)))
    disk.accept(disk.write.admit(public(STRANGER), 0, disk.validator))
    disk.decide()
    disk.accept(disk.write.interim(session_id(0), 1, 4), disk.write.interim(session_id(1), 1, event="pause"))
    disk.decide()
    disk.accept(disk.write.close(session_id(0), 2, 5, time=START_MS + 9))
    disk.accept(disk.write.revoke(public(STRANGER), 1, disk.validator))
    disk.decide()
    disk.decide()
    disk.close()
    return disk.directory


@pytest.fixture
def copy(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "chain"))


def sql(statement: str, *values: object) -> Callable[[Path], None]:
    def change(directory: Path) -> None:
        db = sqlite3.connect(directory / DATABASE)
        with db:
            assert db.execute(statement, values).rowcount > 0, "nothing was changed"
        db.close()

    return change


def flipped(name: str) -> Callable[[Path], None]:
    def change(directory: Path) -> None:
        path = directory / name
        data = bytearray(path.read_bytes())
        data[-1] ^= 1
        path.write_bytes(data)

    return change


def test_a_chain_that_nobody_touched_is_as_stored_and_signed(copy: Path) -> None:
    told: list[tuple[int, int]] = []
    report = verify(copy, lambda height, newest: told.append((height, newest)))
    assert report.difference is None
    assert (report.height, report.transactions, report.leaves) == (4, 8, 13)
    assert told == [(height, 4) for height in range(5)]
    assert report.to_json()["valid"] is True


@pytest.mark.parametrize(
    ("change", "height", "where"),
    [
        (sql("UPDATE leaves SET data = x'7b7d' WHERE position = 1"), 1, "leaves"),
        (sql("UPDATE leaves SET data = x'7b7d' WHERE position = 8"), 2, "leaves"),
        (
            sql(
                "UPDATE leaves SET data = CAST(replace(data, '\"cut\"', '\"mark\"') AS BLOB)"
                " WHERE position = 1"
            ),
            1,
            "BadSignature",
        ),
        (
            sql("UPDATE leaves SET data = (SELECT data FROM leaves WHERE position = 2) WHERE position = 1"),
            1,
            "SessionUsed",
        ),
        (sql("DELETE FROM leaves WHERE position = 6"), 2, "WrongCount"),
        (sql("UPDATE blocks SET hash = x'00' WHERE height = 3"), 3, "hash"),
        (
            sql(
                "UPDATE blocks SET checkpoint = (SELECT checkpoint FROM blocks WHERE height = 1)"
                " WHERE height = 2"
            ),
            2,
            "checkpoint",
        ),
        (sql("UPDATE blocks SET checkpoint = x'41' WHERE height = 2"), 2, "signature"),
        (sql("UPDATE hashes SET hash = zeroblob(32) WHERE level = 0 AND position = 9"), 3, "tree"),
        (sql("UPDATE transactions SET seq = 7 WHERE position = 1"), 1, "index"),
        (sql("DELETE FROM transactions WHERE position = 2"), 1, "index"),
        (sql("UPDATE open_sessions SET data = x'7b7d'"), 4, "state"),
        (sql("DELETE FROM open_sessions"), 4, "state"),
        (sql("DELETE FROM closed"), 4, "state"),
        (sql("UPDATE closed SET height = 2"), 4, "state"),
        (sql("UPDATE meta SET value = x'7b7d' WHERE name = 'recorders'"), 4, "state"),
        (sql("DELETE FROM blocks WHERE height = 2"), 2, "leaves"),
        (flipped(f"{TLOG}/tile/0/000.p/13"), 4, "tlog"),
        (flipped(f"{TLOG}/tile/entries/000.p/13"), 4, "tlog"),
        (flipped(f"{TLOG}/checkpoint"), 4, "tlog"),
        (lambda directory: shutil.rmtree(directory / TLOG / "tile"), 4, "tlog"),
        (lambda directory: shutil.rmtree(directory / TLOG), 4, "tlog"),
        (flipped(f"{ANCHOR}/checkpoint"), 4, "anchor"),
    ],
)
def test_a_change_is_found_at_its_height(
    copy: Path, change: Callable[[Path], None], height: int, where: str
) -> None:
    change(copy)
    found = verify(copy).difference
    assert found is not None
    assert (found.height, found.where) == (height, where), found.what
    assert found.what


def test_a_database_that_lost_its_newest_block_differs_from_the_anchor(copy: Path) -> None:
    sql("DELETE FROM blocks WHERE height = 4")(copy)
    sql("DELETE FROM leaves WHERE position = 12")(copy)
    found = verify(copy).difference
    assert found is not None
    assert found.where in ("anchor", "state")


def test_a_genesis_that_names_another_recorder_differs_at_block_0(copy: Path) -> None:
    path = copy / "genesis.json"
    path.write_bytes(path.read_bytes().replace(b'"block_ms":10000', b'"block_ms":10001'))
    found = verify(copy).difference
    assert found is not None
    assert (found.height, found.where) == (0, "header")


def test_without_a_chain_there_is_nothing_to_verify(tmp_path: Path, copy: Path) -> None:
    with pytest.raises(NotInitialised):
        verify(tmp_path)
    (copy / ANCHOR / "checkpoint").unlink()
    with pytest.raises(AnchorMissing):
        verify(copy)


def test_a_chain_may_be_verified_while_it_runs(disk: DiskChain) -> None:
    for number in range(3):
        disk.accept(disk.write.begin(session_id(number)))
        disk.decide()
    assert verify(disk.directory).difference is None
    Anchor(disk.directory / ANCHOR).load()
    assert disk.decide().header.height == 4
