"""What the journal acknowledges is there after any end; what it does not is gone."""

from __future__ import annotations

from pathlib import Path

import pytest

from lucid.recording.errors import JournalDamaged, SpoolFull, SpoolInUse, SpoolUnwritable
from lucid.recording.sealing import Span, record_of
from lucid.recording.spool import JOURNAL, Spool, chunk_name, read_journal, recover
from lucid_kit.files import AlreadyRunning
from lucid_proof.records import ChunkRecord, Seen

SESSION = "ses_01920192019271928192019201920192"
SEEN = Seen(0, bytes(32))


def chunk(index: int) -> tuple[ChunkRecord, bytes]:
    data = bytes([index]) * (100 + index)
    return record_of(data, SESSION, index, SEEN, Span(index, index + 1)), data


@pytest.fixture
def spooled(tmp_path: Path) -> Path:
    """A spool with three acknowledged chunks, whose recorder has ended."""
    directory = tmp_path / SESSION
    spool = Spool(directory, 10_000)
    for index in range(3):
        assert spool.add(*chunk(index)) == f"chunks/0000000{index}.bin"
    spool.close()
    return directory


def test_chunks_and_journal_are_on_the_disk_for_the_owner_alone(spooled: Path) -> None:
    journal = read_journal(spooled / JOURNAL, SESSION)
    assert journal.records == tuple(chunk(index)[0] for index in range(3))
    assert not journal.torn
    assert [(spooled / chunk_name(index)).read_bytes() for index in range(3)] == [
        chunk(i)[1] for i in range(3)
    ]
    assert spooled.stat().st_mode & 0o077 == 0
    assert (spooled / JOURNAL).stat().st_mode & 0o077 == 0


def test_no_journal_acknowledges_nothing(tmp_path: Path) -> None:
    assert read_journal(tmp_path / JOURNAL, SESSION).records == ()
    assert recover(tmp_path / "new", SESSION).records == ()


@pytest.mark.parametrize("cut", [1, 50, 200])
def test_a_torn_last_line_is_dropped(spooled: Path, cut: int) -> None:
    path = spooled / JOURNAL
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    assert read_journal(path, SESSION).torn
    journal = recover(spooled, SESSION)
    assert journal.records == tuple(chunk(index)[0] for index in range(2))
    assert path.read_bytes() == b"".join(record.bytes() + b"\n" for record in journal.records)
    assert not (spooled / chunk_name(2)).exists()


def test_a_last_line_of_zeros_is_a_torn_one(spooled: Path) -> None:
    path = spooled / JOURNAL
    path.write_bytes(path.read_bytes() + bytes(300) + b"\n")
    assert len(recover(spooled, SESSION).records) == 3
    assert b"\x00" not in path.read_bytes()


@pytest.mark.parametrize("line", [0, 1, 2])
def test_a_damaged_line_is_an_error_and_nothing_is_changed(spooled: Path, line: int) -> None:
    path = spooled / JOURNAL
    lines = path.read_bytes().splitlines(keepends=True)
    lines[line] = lines[line].replace(b'"size":', b'"sixe":')
    path.write_bytes(b"".join(lines))
    with pytest.raises(JournalDamaged, match=f"line {line + 1}"):
        recover(spooled, SESSION)
    assert path.read_bytes() == b"".join(lines)
    assert (spooled / chunk_name(2)).exists()


def test_a_missing_line_is_an_error(spooled: Path) -> None:
    path = spooled / JOURNAL
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + lines[2])
    with pytest.raises(JournalDamaged, match="line 2"):
        read_journal(path, SESSION)


def test_the_journal_of_another_session_is_an_error(spooled: Path) -> None:
    with pytest.raises(JournalDamaged, match="line 1"):
        read_journal(spooled / JOURNAL, "ses_01930193019371938193019301930193")


def test_recovery_removes_what_no_line_names_and_can_be_repeated(spooled: Path) -> None:
    (spooled / chunk_name(3)).write_bytes(b"rest of a crash")
    (spooled / "chunks/.00000004.bin.0a.tmp").write_bytes(b"rest of a write")
    (spooled / chunk_name(0)).unlink()  # stored elsewhere already
    first = recover(spooled, SESSION)
    assert sorted(path.name for path in (spooled / "chunks").iterdir()) == ["00000001.bin", "00000002.bin"]
    assert recover(spooled, SESSION) == first


def test_recovery_waits_for_the_recorder_to_end(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "s", 1000)
    with pytest.raises(AlreadyRunning):
        recover(tmp_path / "s", SESSION)
    spool.close()
    recover(tmp_path / "s", SESSION)


def test_a_spool_is_never_recorded_into_twice(spooled: Path) -> None:
    with pytest.raises(SpoolInUse):
        Spool(spooled, 1000)


def test_a_spool_with_a_chunk_that_was_never_acknowledged_is_not_reused(tmp_path: Path) -> None:
    (tmp_path / "chunks").mkdir()
    (tmp_path / chunk_name(0)).write_bytes(b"sealed under index 0 already")
    with pytest.raises(SpoolInUse):
        Spool(tmp_path, 1000)


def test_the_limit_counts_what_waits(tmp_path: Path) -> None:
    spool = Spool(tmp_path, 210)
    spool.add(*chunk(0))
    spool.add(*chunk(1))
    with pytest.raises(SpoolFull, match="limit"):
        spool.add(*chunk(2))
    (tmp_path / chunk_name(0)).unlink()  # stored elsewhere: there is room again
    spool.add(*chunk(2))
    assert len(read_journal(tmp_path / JOURNAL, SESSION).records) == 3
    spool.close()


@pytest.mark.parametrize("place", ["file-write", "file-append"])
def test_a_full_disk_leaves_the_journal_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    spool = Spool(tmp_path, 10_000)
    spool.add(*chunk(0))
    before = (tmp_path / JOURNAL).read_bytes()
    monkeypatch.setenv("LUCID_FAULT_ERROR", place)
    with pytest.raises(SpoolFull, match="disk is full"):
        spool.add(*chunk(1))
    spool.close()
    assert (tmp_path / JOURNAL).read_bytes() == before
    assert [path.name for path in (tmp_path / "chunks").iterdir()] == ["00000000.bin"]


def test_a_spool_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(SpoolUnwritable):
        Spool(tmp_path / "file" / "spool", 1000)
