"""Signed notes, verifier keys, checkpoints: the examples of the C2SP pages, and what must be refused."""

import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from lucid_proof import ed25519
from lucid_proof.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint
from lucid_proof.errors import BadSignature, MalformedNote, MalformedPolicy, NotTrusted
from lucid_proof.note import COSIGNATURE_V1, CosignerKey, Note, SignerKey, VerifierKey, cosigned, sign
from lucid_proof.trust import TrustPolicy

LOG = SignerKey("lucid.local/test", Ed25519PrivateKey.from_private_bytes(b"\x01" * 32))
WITNESSES = [
    CosignerKey(f"lucid.local/test/validator-{n}", Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32))
    for n in (2, 3, 4)
]
HEAD = Checkpoint("lucid.local/test", 7, b"\x07" * 32)


def policy(quorum: int = 2, **changes) -> TrustPolicy:
    keys = tuple(each.verifier for each in WITNESSES)
    return TrustPolicy(
        **({"origin": "lucid.local/test", "log": LOG.verifier, "witnesses": keys, "quorum": quorum} | changes)
    )


def test_the_published_note_verifies_with_the_published_key(vectors):
    for case in vectors("notes.json")["notes"]:
        key = VerifierKey.parse(case["vkey"])
        assert str(key) == case["vkey"]
        note = Note.parse(case["note"].encode())
        assert note.bytes() == case["note"].encode()
        assert [each.key for each in note.verify([key])] == [key]


def test_published_checkpoints_are_read_and_written_alike(vectors):
    for case in vectors("notes.json")["checkpoints"]:
        note = Note.parse(case["note"].encode())
        head = Checkpoint.parse(note.text)
        assert (head.origin, head.size, head.root.hex()) == (case["origin"], case["size"], case["root"])
        assert [each.name for each in note.signatures] == case["signers"]
        assert head.text() == note.text
        assert note.bytes() == case["note"].encode()


def test_the_message_under_a_cosignature_is_the_published_one(vectors):
    case = vectors("notes.json")["cosigned_message"]
    assert cosigned(case["text"].encode(), case["time"]) == case["message"].encode()


def test_a_checkpoint_tells_who_signed_it_and_when():
    opened = open_checkpoint(sign_checkpoint(HEAD, LOG, WITNESSES[:2], 1_700_000_000), policy())
    assert opened.checkpoint == HEAD
    assert opened.signers == (LOG.verifier.name, *(each.verifier.name for each in WITNESSES[:2]))
    assert {each.time_s for each in opened.witnesses} == {1_700_000_000}


@given(st.integers(0, 10_000))
def test_no_single_flipped_bit_of_a_checkpoint_goes_unnoticed(place):
    data = bytearray(sign_checkpoint(HEAD, LOG, WITNESSES[:2], 1_700_000_000))
    data[place % len(data)] ^= 1 << (place // len(data) % 8)
    with pytest.raises((MalformedNote, BadSignature, NotTrusted)):
        open_checkpoint(bytes(data), policy())


def test_a_log_signature_that_is_missing_is_not_trusted():
    only_witnesses = sign(HEAD.text(), WITNESSES, 5)
    with pytest.raises(NotTrusted, match=r"lacks the signature of the log's key lucid\.local/test\+"):
        open_checkpoint(only_witnesses, policy())


def test_fewer_cosignatures_than_the_quorum_are_not_trusted():
    with pytest.raises(NotTrusted, match="1 of the trust policy's witnesses cosigned it, and 2 must"):
        open_checkpoint(sign_checkpoint(HEAD, LOG, WITNESSES[:1], 5), policy())


def test_the_same_cosignature_twice_counts_once():
    with pytest.raises(NotTrusted, match="1 of the trust policy's witnesses"):
        open_checkpoint(sign(HEAD.text(), [LOG, WITNESSES[0], WITNESSES[0]], 5), policy())


def test_a_cosigner_cannot_count_by_a_plain_signature():
    plain = SignerKey(WITNESSES[0].verifier.name, Ed25519PrivateKey.from_private_bytes(b"\x02" * 32))
    with pytest.raises(NotTrusted, match="0 of the trust policy's witnesses"):
        open_checkpoint(sign(HEAD.text(), [LOG, plain], 5), policy(quorum=1))


def test_a_false_signature_under_a_known_name_is_no_unknown_one():
    stranger = SignerKey("lucid.local/test", Ed25519PrivateKey.from_private_bytes(b"\x09" * 32))
    note = Note.parse(sign(HEAD.text(), [stranger], 5))
    line = note.signatures[0]
    forged = Note(note.text, (type(line)(line.name, LOG.verifier.id, line.signature),)).bytes()
    with pytest.raises(BadSignature, match=r"lucid\.local/test: the signature does not verify"):
        open_checkpoint(forged, policy(quorum=0))
    with pytest.raises(NotTrusted):
        open_checkpoint(note.bytes(), policy(quorum=0))


def test_signatures_of_strangers_are_ignored():
    stranger = SignerKey("example.com/x", Ed25519PrivateKey.from_private_bytes(b"\x09" * 32))
    assert open_checkpoint(sign(HEAD.text(), [stranger, LOG, *WITNESSES], 5), policy()).checkpoint == HEAD


def test_another_log_is_not_trusted_whatever_signed_it():
    other = Checkpoint("lucid.local/other", 7, b"\x07" * 32)
    with pytest.raises(NotTrusted, match=r"of the log 'lucid\.local/other'"):
        open_checkpoint(sign_checkpoint(other, LOG, WITNESSES, 5), policy())


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text.replace("\n\n", "\n"),
        lambda text: text[:-1],
        lambda text: text.replace("— ", "- ", 1),
        lambda text: text.replace("— ", "—  ", 1),
        lambda text: text.replace("\n7\n", "\n07\n"),
        lambda text: text.replace("\n7\n", "\n+7\n"),
        lambda text: text.replace("\n7\n", "\n٧\n"),
        lambda text: text.replace("\n7\n", "\n9223372036854775808\n"),
        lambda text: text.replace("\n7\n", "\n\n"),
        lambda text: text.replace("\n7\n", "\n7\r\n"),
        lambda text: text.replace("\n7\n", "\n7\t\n"),
        lambda text: text.replace("=\n\n", "\n\n"),
        lambda text: text.replace("Bwc=\n\n", "Bwd=\n\n"),
        lambda text: text.replace("Bwc=\n\n", "Bw==\n\n"),
        lambda text: text + "— x AAAA\n",
        lambda text: text + "— x+y AAAAAAAA\n",
        lambda text: text + "— AAAAAAAA\n",
        lambda text: text + "— x AAAAAAAA\n" * 128,
        lambda text: "x" * 300_000 + text,
        lambda text: text.encode().replace(b"lucid", b"\xff", 1),
        lambda _: "",
        lambda _: "\n\n",
        lambda _: "text\n\n",
    ],
)
def test_a_damaged_checkpoint_is_malformed(damage):
    damaged = damage(sign_checkpoint(HEAD, LOG, WITNESSES, 5).decode())
    with pytest.raises(MalformedNote):
        open_checkpoint(damaged if isinstance(damaged, bytes) else damaged.encode(), policy())


@pytest.mark.parametrize("text", ["no newline", "tab\t\n", "bell\x07\n"])
def test_a_text_that_no_note_can_hold_is_not_signed(text):
    with pytest.raises(MalformedNote):
        sign(text, [LOG], 0)


def test_a_cosignature_of_the_wrong_length_or_time_does_not_verify():
    key = WITNESSES[0].verifier
    with pytest.raises(BadSignature, match="malformed"):
        key.verify(b"x\n", bytes(71))
    with pytest.raises(BadSignature, match="malformed"):
        key.verify(b"x\n", b"\xff" * 72)
    with pytest.raises(ValueError, match="no time"):
        WITNESSES[0].sign(b"x\n", -1)


@pytest.mark.parametrize(
    "vkey",
    [
        "example.com/foo",
        "example.com/foo+530d903a",
        "example.com/foo+530d903b+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "example.com/foo+530D903A+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "example.com/foo+530d903a+AukyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U0=",
        "example.com/foo+530d903a+",
        "example.com/foo+530d903a+!",
        "exam ple+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
    ],
)
def test_a_damaged_verifier_key_is_refused(vkey):
    with pytest.raises(MalformedNote):
        VerifierKey.parse(vkey)


def test_keys_under_which_any_signature_fits_are_refused():
    identity = bytes([1]) + bytes(31)
    assert ed25519.is_weak(identity)
    assert ed25519.is_weak(identity[:31] + b"\x80")
    # R = identity, s = 0 satisfies the equation for every message; the library alone would accept it.
    assert not ed25519.verify(identity, identity + bytes(32), b"anything")
    with pytest.raises(MalformedNote, match="not a usable"):
        VerifierKey("x", 1, identity)


def test_a_key_that_is_no_point_verifies_nothing():
    assert not ed25519.verify(b"short", bytes(64), b"")
    assert not ed25519.verify(b"\x02" + bytes(31), bytes(64), b"")


def test_a_policy_is_read_as_it_is_written():
    for each in [policy(), policy(quorum=0, recorders=frozenset({b"r" * 32}), max_clock_skew_ms=5)]:
        assert TrustPolicy.parse(json.dumps(each.to_json())) == each


def test_two_witnesses_with_one_key_are_refused():
    twin = VerifierKey("another/name", COSIGNATURE_V1, WITNESSES[0].verifier.public)
    with pytest.raises(MalformedPolicy, match="same key"):
        policy(witnesses=(WITNESSES[0].verifier, twin))
