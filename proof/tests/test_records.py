"""Chunk records, transactions, headers: every member checked, every byte signed or hashed."""

import copy

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lucid_proof import domains, records
from lucid_proof.canonical import encode
from lucid_proof.errors import BadSignature, MalformedRecord, NotCanonical
from lucid_proof.records import ChunkRecord, Header, Seen, Transaction, build_transaction

KEY = Ed25519PrivateKey.from_private_bytes(b"\x05" * 32)
SESSION = "ses_01927b6e4f5a7c3d8e9f0a1b2c3d4e5f"
SEEN = Seen(4, b"\x44" * 32)
COMMON = {"seen": SEEN.to_json(), "session": SESSION, "time": 1_700_000_000_000}
BODIES = {
    "session.begin": COMMON
    | {
        "anchor_within_ms": 30_000,
        "format": "lucid-recording/1",
        "key_commitment": "ab" * 32,
        "on_failure": "cut",
        "seq": 0,
    },
    "session.interim": COMMON | {"chunks": 2, "event": "tick", "root": "cd" * 32, "seq": 1},
    "session.close": COMMON
    | {"chunks": 2, "outcome": "closed", "reason": "user-left", "root": "cd" * 32, "seq": 2},
    "recorder.admit": {"name": "recorder of host 3", "nonce": 0, "recorder": "ee" * 32},
    "recorder.revoke": {"nonce": 1, "recorder": "ee" * 32},
}
CHUNK = ChunkRecord.of(SESSION, 3, b"ciphertext" * 1000, 10, 20, SEEN)
HEADER = Header("lucid.local/test", 5, b"\x01" * 32, 9, b"\x02" * 32, b"\x03" * 32, 1_700_000_000_000, 2)


@pytest.fixture(params=BODIES)
def transaction(request) -> Transaction:
    return build_transaction(request.param, BODIES[request.param], "lucid.local/test", KEY)


def test_a_transaction_is_read_as_it_is_written(transaction):
    again = Transaction.parse(transaction.bytes())
    again.verify()
    assert again == transaction
    assert again.id() == domains.leaf_hash(transaction.bytes()).hex()


def test_no_member_of_a_transaction_can_change_under_its_signature(transaction):
    for member in transaction.body:
        body = copy.deepcopy(transaction.body)
        value = body[member]
        if member == "seen":
            value["height"] += 1
        elif isinstance(value, int):
            body[member] = value + 1
        elif member in ("name", "reason"):
            body[member] = "another"
        elif len(str(value)) == 64:
            body[member] = "ba" * 32
        else:
            body[member] = {
                "cut": "mark",
                "tick": "pause",
                "closed": "abandoned",
                SESSION: SESSION[:-1] + "0",
            }.get(value)
        if body[member] is None or (member == "seq" and transaction.kind == "session.begin"):
            continue
        changed = Transaction(transaction.kind, body, transaction.chain, transaction.key, transaction.sig)
        with pytest.raises(BadSignature, match=transaction.kind):
            changed.verify()
    for other in [
        Transaction(
            transaction.kind, transaction.body, "lucid.local/other", transaction.key, transaction.sig
        ),
        Transaction(transaction.kind, transaction.body, transaction.chain, b"\x77" * 32, transaction.sig),
        Transaction(transaction.kind, transaction.body, transaction.chain, transaction.key, bytes(64)),
    ]:
        with pytest.raises(BadSignature):
            other.verify()


def test_a_body_with_a_member_missing_or_unknown_is_malformed(transaction):
    for member in transaction.body:
        less = {name: value for name, value in transaction.body.items() if name != member}
        with pytest.raises(MalformedRecord, match=f"'{member}' is missing"):
            build_transaction(transaction.kind, less, "lucid.local/test", KEY)
    with pytest.raises(MalformedRecord, match="'more' is unknown"):
        build_transaction(transaction.kind, transaction.body | {"more": 1}, "lucid.local/test", KEY)


@pytest.mark.parametrize(
    ("kind", "member", "value"),
    [
        ("session.begin", "seq", 1),
        ("session.begin", "anchor_within_ms", 0),
        ("session.begin", "format", "lucid-recording/2"),
        ("session.begin", "key_commitment", "AB" * 32),
        ("session.begin", "key_commitment", "ab" * 31),
        ("session.begin", "on_failure", "go on"),
        ("session.begin", "time", -1),
        ("session.begin", "time", True),
        ("session.begin", "time", "1"),
        ("session.begin", "session", "ses_1"),
        ("session.begin", "session", SESSION.replace("ses_", "usr_")),
        ("session.begin", "session", SESSION.upper()),
        ("session.begin", "seen", {"height": 1}),
        ("session.begin", "seen", []),
        ("session.begin", "seen", {"hash": "44" * 32, "height": -1}),
        ("session.interim", "seq", 0),
        ("session.interim", "seq", 1 << 15),
        ("session.interim", "event", "nap"),
        ("session.interim", "event", ["tick"]),
        ("session.interim", "chunks", -1),
        ("session.interim", "chunks", (1 << 20) + 1),
        ("session.interim", "root", domains.EMPTY_ROOT.hex()),
        ("session.interim", "root", None),
        ("session.close", "outcome", "lost"),
        ("session.close", "reason", ""),
        ("session.close", "reason", "a" * 65),
        ("session.close", "reason", "User left"),
        ("recorder.admit", "name", ""),
        ("recorder.admit", "name", "n" * 65),
        ("recorder.admit", "name", "a\nb"),
        ("recorder.admit", "nonce", -1),
        ("recorder.admit", "recorder", "01" + "00" * 31),
        ("recorder.revoke", "recorder", "x"),
    ],
)
def test_a_member_of_the_wrong_form_is_named(kind, member, value):
    with pytest.raises(MalformedRecord, match=f"body.{member}"):
        build_transaction(kind, BODIES[kind] | {member: value}, "lucid.local/test", KEY)


def test_a_session_without_chunks_has_the_empty_root():
    with pytest.raises(MalformedRecord, match="root of no chunks"):
        build_transaction("session.close", BODIES["session.close"] | {"chunks": 0}, "lucid.local/test", KEY)
    body = BODIES["session.close"] | {"chunks": 0, "root": domains.EMPTY_ROOT.hex()}
    assert build_transaction("session.close", body, "lucid.local/test", KEY).body["chunks"] == 0


@pytest.mark.parametrize(
    "change",
    [
        {"v": 2},
        {"v": True},
        {"kind": "session.pause"},
        {"kind": 7},
        {"chain": ""},
        {"chain": "a\nb"},
        {"key": "00"},
        {"sig": "00"},
        {"body": None},
        {"more": 1},
    ],
)
def test_a_malformed_transaction_is_refused(transaction, change):
    with pytest.raises(MalformedRecord):
        Transaction.parse(encode(transaction.to_json() | change))


def test_a_transaction_is_read_in_canonical_form_only(transaction):
    with pytest.raises(NotCanonical):
        Transaction.parse(transaction.bytes() + b"\n")


def test_a_leaf_larger_than_8192_bytes_is_refused():
    with pytest.raises(MalformedRecord, match="at most 8192"):
        Transaction.parse(b" " * 8193)


def test_what_a_session_record_says_can_be_asked_for():
    record = build_transaction("session.interim", BODIES["session.interim"], "lucid.local/test", KEY)
    assert (record.session, record.seq, record.time_ms, record.seen) == (SESSION, 1, 1_700_000_000_000, SEEN)


def test_a_chunk_record_is_read_as_it_is_written():
    assert ChunkRecord.parse(CHUNK.bytes()) == CHUNK
    assert CHUNK.leaf_hash() == domains.leaf_hash(CHUNK.bytes())
    assert CHUNK.bytes().startswith(b'{"from":10,"index":3,"pieces":"')


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("size", 0),
        ("size", 16 * 1024 * 1024 + 1),
        ("index", -1),
        ("index", 1 << 20),
        ("to", 9),
        ("from", -1),
        ("sha256", "0"),
        ("pieces", 5),
        ("session", "x"),
        ("seen", None),
        ("more", 1),
    ],
)
def test_a_malformed_chunk_record_is_refused(member, value):
    with pytest.raises(MalformedRecord):
        ChunkRecord.parse(encode(CHUNK.to_json() | {member: value}))


def test_a_header_is_read_as_it_is_written():
    assert Header.parse(HEADER.bytes()) == HEADER
    assert HEADER.seen() == Seen(5, domains.leaf_hash(HEADER.bytes()))


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("kind", "header"),
        ("v", 2),
        ("v", True),
        ("txs", 10),
        ("height", -1),
        ("time", None),
        ("log_size", -1),
        ("log_root", ""),
        ("prev", "zz" * 32),
        ("state_root", 1),
        ("chain", ""),
        ("more", 1),
    ],
)
def test_a_malformed_header_is_refused(member, value):
    with pytest.raises(MalformedRecord):
        Header.parse(encode(HEADER.to_json() | {member: value}))


def test_nothing_is_hashed_under_two_names():
    same = b"same bytes"
    state = {"a": 1}
    found = [
        domains.leaf_hash(same),
        domains.digest(same),
        domains.key_commitment(same),
        domains.state_root(state),
        domains.genesis_hash(state),
        domains.digest(encode(state)),
        domains.leaf_hash(encode(state)),
    ]
    assert len(set(found)) == len(found)


def test_a_chunk_is_bound_to_its_place():
    assert domains.chunk_nonce(1) == bytes(11) + b"\x01"
    assert len({domains.chunk_nonce(index) for index in range(300)}) == 300
    with pytest.raises(OverflowError):
        domains.chunk_nonce(-1)
    base = domains.chunk_aad(SESSION, 3, SEEN)
    assert base.startswith(b'lucid-chunk/v1\n{"format":"lucid-recording/1","index":3,"seen":{')
    others = {
        domains.chunk_aad(SESSION, 4, SEEN),
        domains.chunk_aad(SESSION[:-1] + "0", 3, SEEN),
        domains.chunk_aad(SESSION, 3, Seen(5, SEEN.hash)),
        domains.chunk_aad(SESSION, 3, SEEN, "lucid-recording/2"),
    }
    assert base not in others
    assert len(others) == 4


def test_hashes_are_computed_in_one_module_only():
    from pathlib import Path

    source = Path(records.__file__).parent
    users = {path.name for path in source.glob("*.py") if "import hashlib" in path.read_text()}
    assert users == {"domains.py"}
