"""A bundle as it will be, byte for byte, before the first byte is sent (docs/specs/bundle.md). Pure.

Sizes and CRCs of the chunks are known, so every offset is; a download can start anywhere, and end anywhere.
"""

import zlib
from bisect import bisect_right
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass

from lucid_proof.domains import digest
from lucid_proof.layout import FileEntry, chunk_name, manifest
from lucid_proof.zipform import Member, Tail, central_header, local_header

ReadChunk = Callable[[int], Awaitable[bytes]]


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of the bundle: bytes that are known, or a chunk to be read when its turn comes."""

    at: int
    size: int
    data: bytes = b""
    chunk: int = -1


@dataclass(frozen=True, slots=True)
class Layout:
    """A whole bundle. `etag` is the same exactly if every byte is."""

    pieces: Sequence[Piece]
    size: int
    etag: str

    async def stream(self, start: int, stop: int, read: ReadChunk) -> AsyncIterator[bytes]:
        """The bytes from `start` up to `stop`; one chunk is in memory at a time."""
        first = bisect_right(self.pieces, start, key=lambda piece: piece.at) - 1
        for piece in self.pieces[max(first, 0) :]:
            if piece.at >= stop:
                return
            data = piece.data if piece.chunk < 0 else await read(piece.chunk)
            yield data[max(0, start - piece.at) : stop - piece.at]


def describe(
    origin: str, session: str, chunks: int, records: int, files: Sequence[tuple[str, bytes]]
) -> bytes:
    """The member that describes the others."""
    entries = {name: FileEntry(digest(data), len(data)) for name, data in files}
    return manifest(session, origin, chunks, records, entries)


def lay_out(chunks: Sequence[tuple[int, int]], files: Sequence[tuple[str, bytes]]) -> Layout:
    """Place chunks, given as (size, CRC-32) in order, and behind them the other members, the manifest
    last."""
    pieces: list[Piece] = []
    members: list[Member] = []
    at = 0

    def put(data: bytes) -> None:
        nonlocal at
        pieces.append(Piece(at, len(data), data))
        at += len(data)

    for index, (size, crc) in enumerate(chunks):
        members.append(Member(chunk_name(index), size, crc, at))
        put(local_header(members[-1]))
        pieces.append(Piece(at, size, chunk=index))
        at += size
    for name, data in files:
        members.append(Member(name, len(data), zlib.crc32(data), at))
        put(local_header(members[-1]))
        put(data)
    directory = b"".join(central_header(member) for member in members)
    directory_at = at
    put(directory)
    put(Tail(len(members), len(directory), directory_at).bytes())
    # The manifest has the digest of records.jsonl, and that has the digest of every chunk.
    return Layout(pieces, at, digest(files[-1][1]).hex()[:32])
