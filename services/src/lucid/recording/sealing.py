"""From a chunk's plaintext to its ciphertext and record, and back (docs/specs/encoding.md, Chunk encryption).

Compression is the costly step: a recorder feeds `Packer` while the chunk grows, and the cut itself is short.
Plaintext stays in memory; nothing here writes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, cast

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from zlib_ng import zlib_ng

from lucid.recording.errors import MalformedRecording, SealBroken
from lucid.recording.events import MAX_RAW, Buffer
from lucid_proof.domains import chunk_aad, chunk_nonce, digest, key_commitment
from lucid_proof.merkle import piece_root
from lucid_proof.records import ChunkRecord, Seen

__all__ = ["Packer", "Span", "key_commitment", "open_chunk", "record_of", "seal"]

LEVEL: Final = 6
GZIP: Final = 31  # window of 32 KiB, and the gzip wrapper, whose mtime zlib leaves 0
_DeflateError: Final = cast("type[Exception]", zlib_ng.error)
TAG_SIZE: Final = 16
KEY_SIZE: Final = 32


@dataclass(frozen=True, slots=True)
class Span:
    """The stretch of the recorder's clock that a chunk covers, in ms since 1970."""

    from_ms: int
    to_ms: int


class Packer:
    """One growing chunk: takes plaintext, keeps it compressed.

    Attributes
    ----------
    raw
        Bytes of plaintext taken so far.
    stored
        Bytes that compression has given so far; up to one block (~100 KiB of text) behind `raw`.
    """

    def __init__(self) -> None:
        self._deflate = zlib_ng.compressobj(LEVEL, zlib_ng.DEFLATED, GZIP)
        self._parts: list[bytes] = []
        self.raw = 0
        self.stored = 0

    def write(self, data: Buffer) -> None:
        """Take more plaintext.

        Raises
        ------
        MalformedRecording
            If the chunk would pass the format's bound; then it is as it was.
        """
        if self.raw + len(data) > MAX_RAW:
            raise MalformedRecording(f"a chunk of more than {MAX_RAW} bytes")
        self.raw += len(data)
        if part := self._deflate.compress(data):
            self.stored += len(part)
            self._parts.append(part)

    def seal(self, key: bytes, session: str, index: int, seen: Seen) -> bytes:
        """Ciphertext of the chunk. The packer is used up."""
        self._parts.append(self._deflate.flush())
        packed = b"".join(self._parts)
        self._parts.clear()
        return AESGCM(key).encrypt(chunk_nonce(index), packed, chunk_aad(session, index, seen))


def seal(raw: Buffer, key: bytes, session: str, index: int, seen: Seen) -> bytes:
    """Ciphertext of a whole chunk: gzip level 6 (zlib-ng, mtime 0), then AES-256-GCM; the tag is last.

    Never call it twice with one key and index: the nonce is the index.

    Raises
    ------
    MalformedRecording
        If the chunk is larger than the format allows.
    """
    if len(raw) > MAX_RAW:
        raise MalformedRecording(f"a chunk of {len(raw)} bytes; at most {MAX_RAW} are allowed")
    packed = zlib_ng.compress(raw, LEVEL, GZIP)
    return AESGCM(key).encrypt(chunk_nonce(index), packed, chunk_aad(session, index, seen))


def open_chunk(ciphertext: Buffer, key: bytes, session: str, index: int, seen: Seen) -> bytes:
    """Plaintext of a chunk.

    Memory is bounded by the format's limits, whatever the bytes say.

    Raises
    ------
    SealBroken
        If the bytes are not what was sealed as this chunk of this session with this key.
    MalformedRecording
        If they are, and yet are not one gzip member of at most 10,000,000 bytes.
    """
    if not TAG_SIZE <= len(ciphertext) <= MAX_RAW:
        raise MalformedRecording(f"a ciphertext of {len(ciphertext)} bytes")
    try:
        packed = AESGCM(key).decrypt(chunk_nonce(index), ciphertext, chunk_aad(session, index, seen))
    except InvalidTag as error:
        raise SealBroken(f"chunk {index} of {session} does not open", index=index) from error
    inflate = zlib_ng.decompressobj(GZIP)
    try:
        raw = inflate.decompress(packed, MAX_RAW + 1)
    except _DeflateError as error:
        raise MalformedRecording(f"chunk {index} is not gzip: {error}") from error
    if len(raw) > MAX_RAW:
        raise MalformedRecording(f"chunk {index} unpacks to more than {MAX_RAW} bytes")
    if not inflate.eof or inflate.unused_data or inflate.unconsumed_tail:
        raise MalformedRecording(f"chunk {index} is not exactly one gzip member")
    return raw


def record_of(ciphertext: Buffer, session: str, index: int, seen: Seen, span: Span) -> ChunkRecord:
    """The leaf of the session tree for a chunk (docs/specs/records.md)."""
    return ChunkRecord(
        session=session,
        index=index,
        sha256=digest(ciphertext),
        size=len(ciphertext),
        pieces=piece_root(ciphertext),
        from_ms=span.from_ms,
        to_ms=span.to_ms,
        seen=seen,
    )
