"""Events into chunks, chunks into the spool.

Chunks of one stretch of recording follow each other without a gap: the `to` of one is the `from` of the next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lucid.recording.events import HEADER, MAGIC, Buffer, header
from lucid.recording.sealing import Packer, Span, record_of

if TYPE_CHECKING:
    from lucid.recording.spool import Spool
    from lucid_proof.records import ChunkRecord, Seen

CUT_LEAD: Final = 100
"""Milliseconds by which a chunk is cut before its time is over, so that a late timer does not stretch it."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A chunk that is durable and acknowledged."""

    record: ChunkRecord
    file: str
    raw: int


class Chunker:
    """The running chunk of a session, and the way of each into the spool.

    Parameters
    ----------
    spool
        Where chunks become durable.
    session, key
        Whose chunks they are, and the 32 bytes that seal them.
    chunk_bytes
        Plaintext of a chunk, at most.
    seen
        The newest block that is known, asked when a chunk is sealed.
    announce
        Told of every chunk once it is durable.

    Attributes
    ----------
    chunks
        Sealed so far: the index of the running one.
    raw, stored
        Bytes of plaintext and ciphertext of the sealed ones.
    """

    def __init__(
        self,
        spool: Spool,
        session: str,
        key: bytes,
        chunk_bytes: int,
        seen: Callable[[], Seen],
        announce: Callable[[Sealed], None],
    ) -> None:
        self._spool = spool
        self._session = session
        self._key = key
        self._limit = chunk_bytes
        self._seen = seen
        self._announce = announce
        self._packer: Packer | None = None
        self.from_ms = 0
        self.chunks = 0
        self.raw = 0
        self.stored = 0

    @property
    def open(self) -> bool:
        """Whether a chunk is running."""
        return self._packer is not None

    @property
    def growth(self) -> int:
        """Bytes that compression has given so far, in all chunks."""
        return self.stored + (self._packer.stored if self._packer else 0)

    @property
    def room(self) -> int:
        """The largest payload that one event can have."""
        return self._limit - len(MAGIC) - HEADER.size

    def begin(self, now: int) -> None:
        """Start a chunk that covers the time from `now`, ms since 1970."""
        self._packer = Packer()
        self._packer.write(MAGIC)
        self.from_ms = now

    def put(self, now: int, type_: int, payload: Iterable[Buffer], length: int) -> None:
        """Add an event of `length` bytes, which is at most `room`; cut first if it does not fit.

        Raises
        ------
        SpoolFull, SpoolUnwritable
            If a cut was due and failed.
        """
        if self._packer is None:
            raise RuntimeError("no chunk is running")
        if self._packer.raw + HEADER.size + length > self._limit:
            self.cut(now)
        self._packer.write(b"".join((header(type_, max(0, now - self.from_ms), length), *payload)))

    def cut(self, now: int, *, go_on: bool = True) -> None:
        """Seal the running chunk, which ends at `now`, and begin the next unless told otherwise.

        Raises
        ------
        SpoolFull, SpoolUnwritable
            If it cannot be made durable; nothing was acknowledged then.
        """
        if self._packer is None:
            return
        packer, self._packer = self._packer, None
        index, seen, session = self.chunks, self._seen(), self._session
        ciphertext = packer.seal(self._key, session, index, seen)
        record = record_of(ciphertext, session, index, seen, Span(self.from_ms, now))
        file = self._spool.add(record, ciphertext)
        self.chunks += 1
        self.raw += packer.raw
        self.stored += len(ciphertext)
        if go_on:
            self.begin(now)
        self._announce(Sealed(record, file, packer.raw))
