"""The frozen vectors of docs/specs/recording.md: other implementations rely on them, so they never change."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from lucid.recording.events import MAGIC, decode, encode
from lucid.recording.replay import SealedChunks, frames
from lucid.recording.sealing import Span, open_chunk, record_of
from lucid_proof.records import ChunkRecord

VECTORS = Path(__file__).parents[3] / "docs/specs/vectors/recording"
VECTOR = json.loads((VECTORS / "chunk.json").read_text())
RECORD = ChunkRecord.from_json(VECTOR["record"])
RAW = (VECTORS / "chunk.bin").read_bytes()
SEALED = (VECTORS / "chunk.sealed").read_bytes()


def test_the_frozen_chunk_opens_to_the_frozen_plaintext() -> None:
    opened = open_chunk(SEALED, bytes.fromhex(VECTOR["key"]), RECORD.session, RECORD.index, RECORD.seen)
    assert opened == RAW


def test_the_frozen_record_is_of_the_frozen_ciphertext() -> None:
    span = Span(RECORD.from_ms, RECORD.to_ms)
    assert record_of(SEALED, RECORD.session, RECORD.index, RECORD.seen, span) == RECORD


def test_the_frozen_events_are_encoded_as_they_were() -> None:
    assert MAGIC + b"".join(encode(event) for event in decode(RAW)) == RAW


def test_the_frozen_chunk_shows_the_frozen_pictures() -> None:
    class Opened(SealedChunks):
        def plaintext(self, index: int) -> bytes:
            return RAW

    source = Opened([RECORD], bytes(32), lambda _: SEALED)
    assert [hashlib.sha256(frame.pixels).hexdigest() for frame in frames(source)] == VECTOR["frames"]
