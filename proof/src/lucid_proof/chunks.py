"""The chunks of a bundle against their records, and the records against the roots that the log holds."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from lucid_proof import domains, layout, merkle
from lucid_proof.blocks import Blocks, Moment
from lucid_proof.errors import AlteredBundle, ProofError
from lucid_proof.history import Entry, History, outside
from lucid_proof.reader import BundleReader, Fingerprint
from lucid_proof.records import ChunkRecord
from lucid_proof.report import Findings, Windows
from lucid_proof.zipform import Member

_THREADED_FROM: Final = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Content:
    """What a chunk's bytes are: SHA-256, CRC-32, and the root of their pieces."""

    index: int
    member: Member
    sha256: bytes
    crc: int
    pieces: bytes


def contents(bundle: BundleReader) -> Iterator[Content]:
    """Hash every chunk once, in order, in the memory of two chunks.

    Each chunk is hashed twice, whole and in pieces. hashlib lets go of the interpreter while it works, so one
    thread reads and hashes the next chunk whole while this one hashes the pieces of the last.
    """
    if bundle.size < _THREADED_FROM:
        for index, member in bundle.chunks():
            data = bundle.read(member)
            mark = Fingerprint(data)
            yield Content(index, member, mark.entry().sha256, mark.crc, merkle.piece_root(data))
        return
    with ThreadPoolExecutor(1, "lucid-hash") as pool:
        members = bundle.chunks()
        ahead = _submit(pool, bundle, next(members, None))
        while ahead is not None:
            index, member, data, mark = ahead.result()
            ahead = _submit(pool, bundle, next(members, None))
            yield Content(index, member, mark.entry().sha256, mark.crc, merkle.piece_root(data))


_Read = tuple[int, Member, bytes, Fingerprint]


def _submit(
    pool: ThreadPoolExecutor, bundle: BundleReader, chunk: tuple[int, Member] | None
) -> Future[_Read] | None:
    if chunk is None:
        return None
    index, member = chunk

    def read() -> _Read:
        data = bundle.read(member)
        return index, member, data, Fingerprint(data)

    return pool.submit(read)


class Chunks:
    """Walks the chunk records and, beside them, the chunks; collects what is wrong with either.

    Parameters
    ----------
    session : str
        Whose chunks they must be; empty if the session's records could not be read.
    blocks, history
        What was proved before. With an incomplete history, roots, pauses and times are not judged.
    """

    def __init__(
        self,
        session: str,
        blocks: Blocks,
        history: History,
        skew_ms: int,
        findings: Findings,
        *,
        judged: bool,
    ) -> None:
        self.session = session
        self._blocks = blocks
        self._history = history
        self._skew_ms = skew_ms
        self._findings = findings
        self._judged = judged
        self._tree = merkle.CompactRange()
        self._entry = 0
        self._agreed = 0
        self._before: ChunkRecord | None = None
        self._seen: Moment | None = None
        self.windows = Windows()
        self.present = 0
        self.bytes = 0
        self.bad_crcs: list[str] = []

    @property
    def count(self) -> int:
        """Chunk records so far."""
        return self._tree.size

    def examine(self, bundle: BundleReader, seen: Fingerprint) -> None:
        """Go through all of them; `seen` takes every byte of records.jsonl."""
        chunks = contents(bundle)
        chunk = next(chunks, None)
        self._skip_to(0)
        for number, line in bundle.lines(bundle.named(layout.RECORDS), seen):
            record = self._record(number, line)
            if chunk is not None and chunk.index == record.index:
                self._compare(chunk, record)
                chunk = next(chunks, None)
            else:
                self._findings.incomplete(
                    "chunk-missing", f"chunk {record.index}", "its record is here, but not its bytes"
                )
            self._tree.append(domains.leaf_hash(line))
            self._judge(record)
            self._before = record
            self._skip_to(self.count)
        if chunk is not None:
            self._findings.altered("order", layout.chunk_name(chunk.index), "a chunk without a record")
        self._judge_end()

    def _record(self, number: int, line: bytes) -> ChunkRecord:
        where = f"{layout.RECORDS} line {number}"
        try:
            record = ChunkRecord.parse(line)
        except ProofError as error:
            raise AlteredBundle(str(error), where) from error
        if record.index != self.count:
            raise AlteredBundle(f"the record of chunk {record.index} stands where {self.count} should", where)
        self.session = self.session or record.session
        if record.session != self.session:
            raise AlteredBundle(f"it is of the session {record.session}, not of {self.session}", where)
        return record

    def _compare(self, chunk: Content, record: ChunkRecord) -> None:
        self.present += 1
        self.bytes += chunk.member.size
        where = f"chunk {record.index}"
        if chunk.member.size != record.size:
            said = f"it has {chunk.member.size} bytes, and its record says {record.size}"
            self._findings.altered("chunk-bytes", where, said)
        elif chunk.sha256 != record.sha256:
            self._findings.altered(
                "chunk-bytes",
                where,
                "its bytes are not those that were recorded (SHA-256 differs from its record)",
            )
        elif chunk.pieces != record.pieces:
            self._findings.altered(
                "chunk-bytes", where, "its record states a root that its 4,096-byte pieces do not have"
            )
        elif chunk.crc != chunk.member.crc:
            self.bad_crcs.append(chunk.member.name)

    def _skip_to(self, count: int) -> None:
        """Hold the tree of the first `count` chunks against each session record that commits to it."""
        if not self._judged:
            return
        entries = self._history.entries
        while self._entry < len(entries) and entries[self._entry].chunks <= count:
            entry = entries[self._entry]
            if entry.root != self._tree.root():
                self._findings.altered("root", self._range(entry), self._disagreement())
            self._entry += 1
            self._agreed = count

    def _disagreement(self) -> str:
        return f"their records are not the ones that session record {self._entry} anchored (the roots differ)"

    def _range(self, entry: Entry) -> str:
        return _chunks(self._agreed, entry.chunks - 1)

    def _judge(self, record: ChunkRecord) -> None:
        """Time: no gap without a pause, and within the window that the blocks prove."""
        if not self._judged:
            return
        where = f"chunk {record.index}"
        self._judge_continuity(record, where)
        if self._entry == len(self._history.entries):
            return  # no record covers it; that is said once, at the end
        try:
            seen = self._blocks.seen(record.seen)
        except AlteredBundle as error:
            self._findings.altered("block", where, error.what)
            return
        anchor = self._history.entries[self._entry].anchor
        before = self._seen or self._history.entries[0].seen
        if seen.height < before.height:
            self._findings.altered("time", where, f"it names {seen}, and what came before it names {before}")
        elif explained := outside(record.to_ms, seen, anchor, self._skew_ms):
            self._findings.altered("time", where, explained)
        self._seen = seen
        self.windows.add(record.index, (seen.time_ms, seen.height), (anchor.time_ms, anchor.height))

    def _judge_continuity(self, record: ChunkRecord, where: str) -> None:
        if self._before is None:
            begun = self._history.entries[0].time_ms
            if record.from_ms < begun - self._skew_ms:
                self._findings.altered(
                    "time", where, f"it begins {begun - record.from_ms} ms before the session"
                )
            return
        hole = record.from_ms - self._before.to_ms
        if hole < 0:
            self._findings.altered("time", where, f"it begins {-hole} ms before the chunk before it ends")
        elif hole > 0 and not self._paused(record, self._before):
            said = f"{hole} ms are missing before it, and no pause in the log accounts for them"
            self._findings.incomplete("gap", where, said)

    def _paused(self, record: ChunkRecord, before: ChunkRecord) -> bool:
        """Whether a pause in the log covers the hole between two chunks, give or take the tolerance."""
        if record.index not in self._history.pauses:
            return False
        since, until = self._history.pauses[record.index]
        covers_end = until is not None and record.from_ms <= until + self._skew_ms
        return covers_end and before.to_ms >= since - self._skew_ms

    def _judge_end(self) -> None:
        if not self._judged:
            return
        said = self._history.entries[-1].chunks
        if self.count < said:
            where = _chunks(self.count, said - 1)
            record = "close record" if self._history.closed else "newest session record"
            self._findings.incomplete(
                "gap", where, f"missing: the {record} counts {said}, here are {self.count}"
            )
        elif self.count > said:
            self._findings.altered("order", _chunks(said, self.count - 1), "no session record covers them")


def _chunks(first: int, last: int) -> str:
    return f"chunk {first}" if first >= last else f"chunks {first}–{last}"
