"""A ciphertext opens as the chunk that it was sealed as, and as nothing else."""

from __future__ import annotations

import gzip
import hashlib

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from lucid.recording.errors import MalformedRecording, SealBroken
from lucid.recording.events import MAX_RAW
from lucid.recording.sealing import Packer, Span, key_commitment, open_chunk, record_of, seal
from lucid_proof.domains import chunk_aad, chunk_nonce
from lucid_proof.records import Seen

SESSION = "ses_01920192019271928192019201920192"
OTHER = "ses_01930193019371938193019301930193"
KEY = bytes(range(32))
SEEN = Seen(7, b"\x11" * 32)


def sealed_gzip(packed: bytes) -> bytes:
    return AESGCM(KEY).encrypt(chunk_nonce(0), packed, chunk_aad(SESSION, 0, SEEN))


@given(st.binary(max_size=5000), st.integers(0, 2**40))
def test_a_sealed_chunk_opens(raw: bytes, index: int) -> None:
    assert open_chunk(seal(raw, KEY, SESSION, index, SEEN), KEY, SESSION, index, SEEN) == raw


@given(st.lists(st.binary(max_size=3000), max_size=5))
def test_a_chunk_packed_in_parts_opens_as_the_whole(parts: list[bytes]) -> None:
    packer = Packer()
    for part in parts:
        packer.write(part)
    assert packer.raw == sum(map(len, parts))
    assert open_chunk(packer.seal(KEY, SESSION, 3, SEEN), KEY, SESSION, 3, SEEN) == b"".join(parts)


def test_the_plaintext_is_a_gzip_member_without_a_time() -> None:
    packed = AESGCM(KEY).decrypt(
        chunk_nonce(0), seal(b"LRC1", KEY, SESSION, 0, SEEN), chunk_aad(SESSION, 0, SEEN)
    )
    assert packed[:8] == b"\x1f\x8b\x08\x00\x00\x00\x00\x00"
    assert gzip.decompress(packed) == b"LRC1"


@pytest.mark.parametrize(
    ("key", "session", "index", "seen"),
    [
        (bytes(32), SESSION, 0, SEEN),
        (KEY, OTHER, 0, SEEN),
        (KEY, SESSION, 1, SEEN),
        (KEY, SESSION, 0, Seen(8, SEEN.hash)),
        (KEY, SESSION, 0, Seen(7, bytes(32))),
    ],
    ids=["key", "session", "index", "seen height", "seen hash"],
)
def test_a_chunk_opens_nowhere_else(key: bytes, session: str, index: int, seen: Seen) -> None:
    with pytest.raises(SealBroken):
        open_chunk(seal(b"LRC1", KEY, SESSION, 0, SEEN), key, session, index, seen)


@given(st.data())
def test_a_chunk_with_a_flipped_bit_does_not_open(data: st.DataObject) -> None:
    whole = bytearray(seal(b"LRC1" * 9, KEY, SESSION, 0, SEEN))
    whole[data.draw(st.integers(0, len(whole) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(SealBroken):
        open_chunk(bytes(whole), KEY, SESSION, 0, SEEN)


def test_a_decompression_bomb_is_refused() -> None:
    bomb = sealed_gzip(gzip.compress(bytes(MAX_RAW * 30), 9, mtime=0))
    with pytest.raises(MalformedRecording, match="more than"):
        open_chunk(bomb, KEY, SESSION, 0, SEEN)


@pytest.mark.parametrize(
    "packed",
    [
        b"not gzip",
        gzip.compress(b"LRC1")[:-1],
        gzip.compress(b"LRC1") + b"\x00",
        gzip.compress(b"LRC1") + gzip.compress(b"more"),
        b"",
    ],
    ids=["no gzip", "cut off", "a byte behind", "two members", "nothing"],
)
def test_only_one_whole_gzip_member_is_a_chunk(packed: bytes) -> None:
    with pytest.raises(MalformedRecording):
        open_chunk(sealed_gzip(packed), KEY, SESSION, 0, SEEN)


@pytest.mark.parametrize("size", [0, 15, MAX_RAW + 1])
def test_a_ciphertext_of_an_impossible_size_is_refused_unread(size: int) -> None:
    with pytest.raises(MalformedRecording, match="ciphertext"):
        open_chunk(bytes(size), KEY, SESSION, 0, SEEN)


def test_too_much_plaintext_is_not_sealed() -> None:
    with pytest.raises(MalformedRecording):
        seal(bytes(MAX_RAW + 1), KEY, SESSION, 0, SEEN)
    packer = Packer()
    packer.write(bytes(MAX_RAW))
    with pytest.raises(MalformedRecording):
        packer.write(b"x")
    assert packer.raw == MAX_RAW


def test_a_record_commits_to_the_ciphertext() -> None:
    ciphertext = seal(b"LRC1", KEY, SESSION, 5, SEEN)
    record = record_of(ciphertext, SESSION, 5, SEEN, Span(10, 20))
    assert record.sha256 == hashlib.sha256(ciphertext).digest()
    assert record.pieces == hashlib.sha256(b"\x00" + ciphertext).digest()
    assert (record.size, record.index, record.from_ms, record.to_ms) == (len(ciphertext), 5, 10, 20)


def test_the_commitment_is_the_key_under_its_domain() -> None:
    assert key_commitment(KEY) == hashlib.sha256(b"lucid-key-commitment/v1\n" + KEY).digest()
