"""Reads the container of a bundle: one pass over its structure, then each member's content as a stream.

Memory does not grow with the file: of the members only the few at the end are remembered; chunks are walked.
Everything here raises `UnusableBundle` for a file that is not of the one canonical form.
"""

from __future__ import annotations

import os
import stat
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from lucid_proof import domains, layout, zipform
from lucid_proof.errors import AlteredBundle, UnusableBundle
from lucid_proof.layout import FileEntry
from lucid_proof.zipform import Member

_HEADER: Final = zipform.LOCAL_FIXED + zipform.MAX_NAME + zipform.LOCAL_EXTRA
_BLOCK: Final = 256 * 1024


class BundleReader:
    """A bundle's members, in order. Opening it checks the whole container but the CRCs.

    Attributes
    ----------
    size : int
        Of the file, in bytes.
    chunk_members, evidence_members : int
        How many members of each sort there are.
    """

    def __init__(self, path: str | Path) -> None:
        self._where = str(path)
        self._fd = _open(self._where)
        try:
            self.size = os.fstat(self._fd).st_size
            self.chunk_members = 0
            self.evidence_members = 0
            self._evidence_at = 0
            self._named: dict[str, Member] = {}
            self._tail = self._read_tail()
            self._check_members()
        except BaseException:
            os.close(self._fd)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._fd)

    def chunks(self) -> Iterator[tuple[int, Member]]:
        """Index and place of each chunk in the file, in order."""
        at = 0
        for _ in range(self.chunk_members):
            member = self._member(at)
            index = layout.chunk_index(member.name)
            if index is None:
                raise UnusableBundle("the file changed while it was read", self._where)
            yield index, member
            at = member.end

    def evidence(self) -> Iterator[Member]:
        """The members under evidence/, in order."""
        at = self._evidence_at
        for _ in range(self.evidence_members):
            member = self._member(at)
            yield member
            at = member.end

    def named(self, name: str) -> Member:
        """One of the members that every bundle has once."""
        return self._named[name]

    def read(self, member: Member) -> bytes:
        """A member's whole content; for the bounded ones."""
        return self._pread(member.start, member.size)

    def lines(self, member: Member, seen: Fingerprint) -> Iterator[tuple[int, bytes]]:
        """Number (from 1) and content of each line of a member, without the newline; `seen` takes every byte.

        Raises
        ------
        AlteredBundle
            If a line is longer than any record, or the last one does not end.
        """
        rest, number, at = b"", 0, member.start
        while at < member.end:
            block = self._pread(at, min(_BLOCK, member.end - at))
            seen.update(block)
            at += len(block)
            *whole, rest = (rest + block).split(b"\n")
            for line in whole:
                number += 1
                yield number, line
            if len(rest) > layout.MAX_LINE:
                raise AlteredBundle("a line longer than any record", f"{member.name} line {number + 1}")
        if rest:
            raise AlteredBundle("the last line does not end in a newline", f"{member.name} line {number + 1}")

    def _read_tail(self) -> zipform.Tail:
        start = max(0, self.size - zipform.TAIL_SIZE)
        tail = zipform.read_tail(self._pread(start, self.size - start), self.size)
        if tail.members > layout.MAX_MEMBERS:
            raise UnusableBundle(
                f"{tail.members} members; a bundle has at most {layout.MAX_MEMBERS}", self._where
            )
        return tail

    def _check_members(self) -> None:
        """Walk the members from the first byte on; what they are determines the central directory."""
        directory, order, at = domains.hasher(), _Order(), 0
        for _ in range(self._tail.members):
            member = self._member(at)
            order.next(member)
            directory.update(zipform.central_header(member))
            if layout.chunk_index(member.name) is not None:
                self.chunk_members += 1
            elif layout.is_evidence(member.name):
                self._evidence_at = self._evidence_at or at
                self.evidence_members += 1
            else:
                self._named[member.name] = member
            at = member.end
        order.end()
        if at != self._tail.directory_at:
            raise UnusableBundle("the members do not end where the central directory begins", f"byte {at}")
        if directory.digest() != self._directory_digest():
            raise UnusableBundle("the central directory is not that of these members", f"byte {at}")

    def _directory_digest(self) -> bytes:
        digest, at = domains.hasher(), self._tail.directory_at
        end = at + self._tail.directory_size
        while at < end:
            block = self._pread(at, min(_BLOCK, end - at))
            digest.update(block)
            at += len(block)
        return digest.digest()

    def _member(self, at: int) -> Member:
        member = zipform.read_local(self._pread(at, min(_HEADER, self._tail.directory_at - at)), at)
        if member.size > layout.largest(member.name):
            what = f"{member.size} bytes, and at most {layout.largest(member.name)} are allowed"
            raise UnusableBundle(what, member.name)
        if member.end > self._tail.directory_at:
            raise UnusableBundle("it reaches beyond the members' part of the file", member.name)
        return member

    def _pread(self, at: int, size: int) -> bytes:
        if size < 0:
            raise UnusableBundle("the members reach beyond their part of the file", f"byte {at}")
        data = os.pread(self._fd, size, at)
        while len(data) < size:
            more = os.pread(self._fd, size - len(data), at + len(data))
            if not more:
                raise UnusableBundle("the file became shorter while it was read", self._where)
            data += more
        return data


class Fingerprint:
    """SHA-256, CRC-32 and size of a stream."""

    def __init__(self, data: bytes = b"") -> None:
        self._digest = domains.hasher()
        self.crc = 0
        self.size = 0
        if data:
            self.update(data)

    def update(self, data: bytes) -> None:
        self._digest.update(data)
        self.crc = zlib.crc32(data, self.crc)
        self.size += len(data)

    def entry(self) -> FileEntry:
        return FileEntry(self._digest.digest(), self.size)


class _Order:
    """The order of members: chunks ascending, records, evidence in pairs, blocks, checkpoint, manifest."""

    def __init__(self) -> None:
        self._last_chunk = -1
        self._evidence = 0
        self._tail = iter((layout.BLOCKS, layout.CHECKPOINT, layout.MANIFEST))
        self._in_chunks = True
        self._expected = layout.RECORDS

    def next(self, member: Member) -> None:
        """Raises `UnusableBundle` if this member does not belong here."""
        index = layout.chunk_index(member.name)
        if index is not None and self._in_chunks and index > self._last_chunk:
            self._last_chunk = index
        elif self._in_chunks and member.name == layout.RECORDS:
            self._in_chunks = False
            self._expected = layout.leaf_name(0)
        elif not self._in_chunks and member.name == self._expected:
            self._after_evidence()
        elif not self._in_chunks and self._between_pairs() and member.name == layout.BLOCKS:
            next(self._tail)
            self._expected = next(self._tail)
        else:
            expected = "a chunk" if self._in_chunks else self._expected
            raise UnusableBundle(f"{member.name!r} stands where {expected} should", f"byte {member.at}")

    def end(self) -> None:
        if self._expected:
            raise UnusableBundle(f"the member {self._expected} is missing", "central directory")

    def _between_pairs(self) -> bool:
        return self._expected == layout.leaf_name(self._evidence)

    def _after_evidence(self) -> None:
        if self._between_pairs():
            self._expected = layout.proof_name(self._evidence)
        elif self._expected == layout.proof_name(self._evidence):
            self._evidence += 1
            self._expected = layout.leaf_name(self._evidence)
        else:
            self._expected = next(self._tail, "")


def _open(path: str) -> int:
    """Open a regular file for reading; a FIFO or device must neither block nor be read."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        raise UnusableBundle(
            f"cannot be opened: {getattr(error, 'strerror', None) or error}", path
        ) from error
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise UnusableBundle("not a file", path)
    return fd
