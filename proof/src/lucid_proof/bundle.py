"""Writes proof bundles (docs/specs/bundle.md): incrementally, in canonical form, never half of one.

The chunks come first, so exporting the same session again keeps the chunks that are there already and writes
only what is new and the tail.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from tempfile import SpooledTemporaryFile
from types import TracebackType
from typing import BinaryIO, Final, Self

from lucid_proof import domains, layout, zipform
from lucid_proof.checkpoint import Checkpoint
from lucid_proof.errors import AlteredBundle, UnusableBundle
from lucid_proof.layout import Block, FileEntry
from lucid_proof.note import Note
from lucid_proof.records import ChunkRecord, Transaction
from lucid_proof.tlogproof import TlogProof

_IN_MEMORY: Final = 4 * 1024 * 1024
_BLOCK: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class Evidence:
    """A session record, its index in the log, and its path under the bundle's checkpoint."""

    record: Transaction
    index: int
    path: tuple[bytes, ...]


class BundleWriter:
    """Writes one bundle, chunk by chunk, then the tail.

    Parameters
    ----------
    target : Path or binary file
        With a path the bundle is written beside it as `<name>.part` and moved there when it is whole; what an
        earlier export left under either name is kept as far as its chunks are the same. With a file object
        the bytes are written forward only, so it may be a socket or a pipe; closing it is the caller's.

    Raises
    ------
    AlteredBundle
        From `add_chunk`, if the bytes are not those of the record, or the record is not the next.
    """

    def __init__(self, target: Path | BinaryIO) -> None:
        self._records = SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 — closed by close()
        self._directory = SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115
        self._digest = domains.hasher()
        self._records_crc = 0
        self._next = 0
        self._at = 0
        self._members = 0
        self._session = ""
        self._files: dict[str, FileEntry] = {}
        self._path = target if isinstance(target, Path) else None
        self._kept = _Kept(None)
        if isinstance(target, Path):
            self._file: BinaryIO = _resume(target)
            self._kept = _Kept(self._file)
        else:
            self._file = target

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file. Without `finish`, what is written stays as `<name>.part` for a later try."""
        self._records.close()
        self._directory.close()
        if self._path is not None:
            self._file.close()

    def has(self, record: ChunkRecord) -> bool:
        """Whether the file already holds this chunk at its place; then `add_chunk` needs no bytes."""
        return self._kept.matches(record, self._at)

    def add_chunk(self, record: ChunkRecord, ciphertext: domains.Buffer | None = None) -> None:
        """Append the next chunk.

        Parameters
        ----------
        ciphertext : buffer, optional
            Its bytes. Not needed where `has(record)`. Where neither is there the record goes in without its
            chunk, and the bundle will be judged *incomplete*, naming it.

        Raises
        ------
        AlteredBundle
            If the bytes are not those of the record, or the record is not the next of this session.
        """
        where = layout.chunk_name(record.index)
        self._session = self._session or record.session
        if record.index != self._next or record.session != self._session:
            raise AlteredBundle(f"chunk {self._next} of {self._session} comes next", where)
        if self.has(record):
            self._note_member(self._kept.take())
        elif ciphertext is not None:
            if len(ciphertext) != record.size or domains.digest(ciphertext) != record.sha256:
                raise AlteredBundle("the chunk's bytes are not those of its record", where)
            self._cut()
            self._member(where, ciphertext)
        line = record.bytes() + b"\n"
        self._records.write(line)
        self._digest.update(line)
        self._records_crc = zlib.crc32(line, self._records_crc)
        self._next += 1

    def finish(self, evidence: Iterable[Evidence], blocks: Iterable[Block], checkpoint: bytes) -> None:
        """Write the tail and make the bundle durable under its name.

        Parameters
        ----------
        evidence : iterable of Evidence
            The session's records in order of `seq`.
        blocks : iterable of Block
            In ascending height: exactly those that chunks and records name in `seen`, and those that
            anchor the records.
        checkpoint : bytes
            The signed note under which all paths were made.

        Raises
        ------
        MalformedNote
            If `checkpoint` is none.
        """
        origin = Checkpoint.parse(Note.parse(checkpoint).text).origin
        self._cut()
        self._write_records()
        count = 0
        for count, each in enumerate(evidence, 1):
            self._session = self._session or each.record.session
            self._listed(layout.leaf_name(count - 1), each.record.bytes())
            proof = TlogProof(each.index, each.path, checkpoint)
            self._listed(layout.proof_name(count - 1), proof.encode())
        self._listed(layout.BLOCKS, b"".join(block.line() for block in blocks))
        self._listed(layout.CHECKPOINT, checkpoint)
        described = layout.manifest(self._session, origin, self._next, count, self._files)
        self._member(layout.MANIFEST, described)
        self._write_directory()
        self._file.flush()
        if self._path is not None:
            os.fsync(self._file.fileno())
            # Ends here: the bundle is whole under its .part name; the next export finds and keeps it.
            _part(self._path).replace(self._path)
            _sync_directory(self._path.parent)

    def _write_records(self) -> None:
        size = self._records.tell()
        self._files[layout.RECORDS] = FileEntry(self._digest.digest(), size)
        self._head(layout.RECORDS, size, self._records_crc)
        self._copy(self._records)

    def _write_directory(self) -> None:
        directory_at, size = self._at, self._directory.tell()
        self._copy(self._directory)
        self._write(zipform.Tail(self._members, size, directory_at).bytes())

    def _listed(self, name: str, content: bytes) -> None:
        self._files[name] = FileEntry(domains.digest(content), len(content))
        self._member(name, content)

    def _member(self, name: str, content: domains.Buffer) -> None:
        self._head(name, len(content), zlib.crc32(content))
        self._write(content)

    def _head(self, name: str, size: int, crc: int) -> None:
        member = zipform.Member(name, size, crc, self._at)
        self._write(zipform.local_header(member))
        self._members += 1
        self._directory.write(zipform.central_header(member))

    def _note_member(self, member: zipform.Member) -> None:
        """A member that stands in the file already."""
        self._members += 1
        self._directory.write(zipform.central_header(member))
        self._at = member.end

    def _cut(self) -> None:
        """Drop what an earlier export left behind this place."""
        if self._kept.drop():
            self._file.seek(self._at)
            self._file.truncate()

    def _copy(self, source: SpooledTemporaryFile[bytes]) -> None:
        source.seek(0)
        while block := source.read(_BLOCK):
            self._write(block)

    def _write(self, data: domains.Buffer) -> None:
        self._file.write(data)
        self._at += len(data)


class _Kept:
    """The chunks that an earlier export left at the beginning of the file, looked at one by one."""

    def __init__(self, file: BinaryIO | None) -> None:
        self._file = file
        self._member: zipform.Member | None = None

    def matches(self, record: ChunkRecord, at: int) -> bool:
        """Whether the member at this offset is the record's chunk, by digest."""
        if self._file is None:
            return False
        if self._member is not None and self._member.at == at:
            return self._member.name == layout.chunk_name(record.index)
        self._member = None
        self._file.seek(at)
        header_size = zipform.LOCAL_FIXED + zipform.MAX_NAME + zipform.LOCAL_EXTRA
        try:
            member = zipform.read_local(self._file.read(header_size), at)
        except UnusableBundle:
            return False
        if member.name != layout.chunk_name(record.index) or member.size != record.size:
            return False
        self._file.seek(member.start)
        content = self._file.read(member.size)
        if domains.digest(content) != record.sha256 or zlib.crc32(content) != member.crc:
            return False
        self._member = member
        return True

    def take(self) -> zipform.Member:
        member, self._member = self._member, None
        if member is None:
            raise RuntimeError("take() follows a match")
        return member

    def drop(self) -> bool:
        """From here on nothing is kept; says whether there was a file to keep from."""
        had, self._file, self._member = self._file is not None, None, None
        return had


def _part(path: Path) -> Path:
    return path.with_name(path.name + ".part")


def _resume(path: Path) -> BinaryIO:
    """The working file of an export: an earlier attempt, else the earlier bundle, else a new file."""
    part = _part(path)
    if not part.exists() and path.exists():
        path.replace(part)
    # Not O_APPEND and not O_TRUNC: the chunks at its beginning are to be kept.
    return os.fdopen(os.open(part, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644), "r+b")


def _sync_directory(path: Path) -> None:
    directory = os.open(path, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
