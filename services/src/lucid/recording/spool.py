"""The spool of a session: its chunks on disk, and the journal that acknowledges them.

    <spool>/.lock                    held by the recorder while it lives, and by `recover`
    <spool>/chunks/00000000.bin      ciphertexts; a file that no journal line names is the rest of a crash
    <spool>/journal.jsonl            one canonical chunk record a line; what stands here is acknowledged

Only the recorder writes here, except that whoever has stored a chunk elsewhere may delete its file.
"""

from __future__ import annotations

import contextlib
import errno
import os
from dataclasses import dataclass
from pathlib import Path

from lucid.recording.errors import JournalDamaged, SpoolFull, SpoolInUse, SpoolUnwritable
from lucid_kit import fault
from lucid_kit.files import (
    DirectoryLock,
    append_durable,
    fsync_dir,
    make_dirs,
    sweep_temporaries,
    write_atomic,
)
from lucid_proof.errors import ProofError
from lucid_proof.records import ChunkRecord

JOURNAL = "journal.jsonl"
CHUNKS = "chunks"
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT}


def chunk_name(index: int) -> str:
    """Path of a chunk below the spool: `chunks/00000000.bin`."""
    return f"{CHUNKS}/{index:08d}.bin"


@dataclass(frozen=True, slots=True)
class Journal:
    """What a journal acknowledges.

    Attributes
    ----------
    records
        In order, index 0 first, without gaps.
    size
        Bytes of the file that hold them.
    torn
        A line behind them was begun and never acknowledged.
    """

    records: tuple[ChunkRecord, ...]
    size: int
    torn: bool


def read_journal(path: Path, session: str) -> Journal:
    """Read a journal, strictly; a file that does not exist acknowledges nothing.

    Raises
    ------
    JournalDamaged
        If a whole line is not the canonical record of the next chunk of this session.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return Journal((), 0, torn=False)
    end = data.rfind(b"\n") + 1
    lines = data[:end].splitlines(keepends=True)
    # A power cut may leave the last line at its full length with blocks of zeros in it: also torn.
    if lines and b"\x00" in lines[-1]:
        end -= len(lines.pop())
    records = tuple(_line(line, number, session) for number, line in enumerate(lines))
    return Journal(records, end, torn=end != len(data))


def _line(line: bytes, number: int, session: str) -> ChunkRecord:
    try:
        record = ChunkRecord.parse(line.removesuffix(b"\n"))
    except ProofError as error:
        raise JournalDamaged(
            f"line {number + 1} of {JOURNAL} of {session}: {error}", line=number + 1
        ) from error
    if record.session != session or record.index != number:
        raise JournalDamaged(
            f"line {number + 1} of {JOURNAL} of {session} is chunk {record.index} of {record.session}",
            line=number + 1,
        )
    return record


def recover(directory: Path, session: str) -> Journal:
    """Bring the spool of a session whose recorder has ended to what its journal acknowledges.

    A torn last line, files of chunks that it never named and temporaries are removed, durably. Idempotent.

    Raises
    ------
    AlreadyRunning
        If the recorder still lives.
    JournalDamaged
        If an acknowledged line is damaged; then nothing is changed.
    """
    make_dirs(directory / CHUNKS)
    with DirectoryLock(directory, f"the recorder of {session}"):
        path = directory / JOURNAL
        journal = read_journal(path, session)
        if journal.torn:
            fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
            try:
                os.ftruncate(fd, journal.size)
                os.fsync(fd)
            finally:
                os.close(fd)
        named = {chunk_name(record.index) for record in journal.records}
        for file in (directory / CHUNKS).iterdir():
            if file.suffix == ".bin" and f"{CHUNKS}/{file.name}" not in named:
                file.unlink()
        sweep_temporaries(directory / CHUNKS)
        fsync_dir(directory / CHUNKS)
        return Journal(journal.records, journal.size, torn=False)


class Spool:
    """The writing side, for the one recorder of a session.

    Parameters
    ----------
    directory
        Made (0700) if missing.
    limit
        Bytes of chunk files that may wait here.

    Raises
    ------
    SpoolInUse
        If something was recorded here before, or is being recorded.
    SpoolUnwritable
        If it cannot be made.
    """

    def __init__(self, directory: Path, limit: int) -> None:
        self._directory = directory
        self._limit = limit
        try:
            make_dirs(directory / CHUNKS)
            self._lock = DirectoryLock(directory, "a recorder")
            self._lock.acquire()
            journal = directory / JOURNAL
            if (journal.exists() and journal.stat().st_size) or any((directory / CHUNKS).iterdir()):
                raise SpoolInUse(f"the spool {directory.name} holds a journal or chunks already")
            self._journal = os.open(journal, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            fsync_dir(directory)
        except OSError as error:
            raise _refused(error) from error

    def add(self, record: ChunkRecord, ciphertext: bytes) -> str:
        """Make a chunk durable and acknowledge it; its file, relative to the spool.

        Raises
        ------
        SpoolFull
            If the limit or the disk is reached. Then the journal is as it was.
        SpoolUnwritable
            If the disk refuses otherwise.
        """
        name = chunk_name(record.index)
        waiting = self.waiting()
        if waiting + len(ciphertext) > self._limit:
            raise SpoolFull(f"{waiting} bytes wait in the spool; its limit is {self._limit}")
        try:
            # Steps of its own: written to a temporary, fsync, rename, fsync of the directory.
            write_atomic(self._directory / name, ciphertext)
            # Ends here: a chunk that no line names; `recover` removes it.
            fault.point("chunk-durable")
            append_durable(self._journal, record.bytes() + b"\n")
        except OSError as error:
            with contextlib.suppress(OSError):
                (self._directory / name).unlink(missing_ok=True)
            raise _refused(error) from error
        # Ends here: the chunk is acknowledged though nobody was told; whoever reads the journal learns of it.
        fault.point("chunk-journalled")
        return name

    def waiting(self) -> int:
        """Bytes of chunk files in the spool."""
        total = 0
        with os.scandir(self._directory / CHUNKS) as entries:
            for entry in entries:
                # Whoever stored a chunk elsewhere may delete its file between these two steps.
                with contextlib.suppress(FileNotFoundError):
                    total += entry.stat().st_size
        return total

    def close(self) -> None:
        """Let the next reader in."""
        os.close(self._journal)
        self._lock.release()


def _refused(error: OSError) -> SpoolFull | SpoolUnwritable:
    if error.errno in _NO_ROOM:
        return SpoolFull(f"the disk is full: {error.strerror}")
    return SpoolUnwritable(f"the spool cannot be written: {error.strerror}")
