"""The leaves of the log: chunk records, transactions, block headers (docs/specs/records.md).

In these classes binary values are `bytes`; in JSON and in a transaction's `body` they are lowercase hex.
Building a malformed record raises as parsing one does, so no malformed one exists.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lucid_proof import domains, ed25519, fields
from lucid_proof.canonical import JSON, decode, encode
from lucid_proof.domains import Digest
from lucid_proof.errors import BadSignature, MalformedRecord
from lucid_proof.merkle import piece_root

Leaf: TypeAlias = bytes
"""Canonical JSON of a record: what a tree's leaf holds."""

MAX_LEAF: Final = 8192
MAX_CHUNK: Final = 16 * 1024 * 1024
MAX_CHUNKS: Final = 1 << 20
MAX_SESSION_RECORDS: Final = 1 << 15

BEGIN: Final = "session.begin"
INTERIM: Final = "session.interim"
CLOSE: Final = "session.close"
ADMIT: Final = "recorder.admit"
REVOKE: Final = "recorder.revoke"


@dataclass(frozen=True, slots=True)
class Seen:
    """The newest block that someone knew: proof that what names it was not made earlier."""

    height: int
    hash: bytes

    def to_json(self) -> JSON:
        return {"hash": self.hash.hex(), "height": self.height}

    @classmethod
    def from_json(cls, value: object, where: str = "seen") -> Seen:
        """Raises `MalformedRecord` if `value` is not `{"hash":hex32,"height":n}`."""
        seen = fields.members(value, ("hash", "height"), where)
        return cls(
            fields.integer(seen["height"], f"{where}.height"), fields.binary(seen["hash"], f"{where}.hash")
        )


@dataclass(frozen=True, slots=True)
class ChunkRecord:
    """What is known of one chunk: a leaf of its session's tree.

    Attributes
    ----------
    size, sha256, pieces
        Length in bytes, SHA-256, and root of the 4,096-byte pieces of the ciphertext.
    from_ms, to_ms : int
        The stretch of time it holds, on the recorder's clock (`from` and `to` in JSON).
    seen : Seen
        Newest block the recorder knew when it sealed the chunk.
    """

    session: str
    index: int
    size: int
    sha256: bytes
    pieces: bytes
    from_ms: int
    to_ms: int
    seen: Seen

    def __post_init__(self) -> None:
        fields.session(self.session, "session")
        fields.integer(self.index, "index", 0, MAX_CHUNKS - 1)
        fields.integer(self.size, "size", 1, MAX_CHUNK)
        fields.integer(self.to_ms, "to", fields.integer(self.from_ms, "from"))

    def to_json(self) -> dict[str, JSON]:
        return {
            "from": self.from_ms,
            "index": self.index,
            "pieces": self.pieces.hex(),
            "seen": self.seen.to_json(),
            "session": self.session,
            "sha256": self.sha256.hex(),
            "size": self.size,
            "to": self.to_ms,
        }

    def bytes(self) -> Leaf:
        return encode(self.to_json())

    def leaf_hash(self) -> Digest:
        """Its leaf hash in the session tree."""
        return domains.leaf_hash(self.bytes())

    @classmethod
    def of(
        cls, session: str, index: int, ciphertext: domains.Buffer, from_ms: int, to_ms: int, seen: Seen
    ) -> ChunkRecord:
        """The record of a sealed chunk. It costs two passes of SHA-256 over the ciphertext."""
        return cls(
            session,
            index,
            len(ciphertext),
            domains.digest(ciphertext),
            piece_root(ciphertext),
            from_ms,
            to_ms,
            seen,
        )

    @classmethod
    def from_json(cls, value: object) -> ChunkRecord:
        """Raises `MalformedRecord` naming the member that is wrong."""
        names = ("from", "index", "pieces", "seen", "session", "sha256", "size", "to")
        record = fields.members(value, names, "chunk record")
        return cls(
            session=record["session"],
            index=record["index"],
            size=record["size"],
            sha256=fields.binary(record["sha256"], "sha256"),
            pieces=fields.binary(record["pieces"], "pieces"),
            from_ms=record["from"],
            to_ms=record["to"],
            seen=Seen.from_json(record["seen"]),
        )

    @classmethod
    def parse(cls, data: Leaf) -> ChunkRecord:
        """Raises `NotCanonical` or `MalformedRecord`."""
        return cls.from_json(decode(_bounded(data)))


@dataclass(frozen=True, slots=True)
class Transaction:
    """A signed statement: a leaf of the log. `body` is the JSON of its kind; treat it as frozen."""

    kind: str
    body: dict[str, JSON]
    chain: str
    key: bytes
    sig: bytes

    def __post_init__(self) -> None:
        check = _BODIES.get(self.kind)
        if check is None:
            raise MalformedRecord(f"the kind {self.kind[:64]!r} is unknown", "kind")
        fields.text(self.chain, "chain")
        if len(self.key) != ed25519.KEY_SIZE or len(self.sig) != ed25519.SIGNATURE_SIZE:
            raise MalformedRecord("a key has 32 bytes and a signature 64", "key")
        check(self.body)

    def to_json(self) -> dict[str, JSON]:
        return {**_unsigned(self.kind, self.body, self.chain, self.key), "sig": self.sig.hex()}

    def bytes(self) -> Leaf:
        """The leaf: canonical JSON.

        Raises
        ------
        MalformedRecord
            If it is larger than 8,192 bytes.
        """
        return _bounded(encode(self.to_json()))

    def leaf_hash(self) -> Digest:
        return domains.leaf_hash(self.bytes())

    def id(self) -> str:
        """The leaf hash in hex."""
        return self.leaf_hash().hex()

    def verify(self) -> None:
        """Raises `BadSignature` if the signature is not the key's over this transaction."""
        message = domains.transaction_message(_unsigned(self.kind, self.body, self.chain, self.key))
        if not ed25519.verify(self.key, self.sig, message):
            raise BadSignature("the signature does not verify; this is not what the key signed", self.kind)

    @property
    def session(self) -> str:
        """The session of a session record; KeyError for another kind, as for the properties below."""
        return str(self.body["session"])

    @property
    def seq(self) -> int:
        return _int(self.body["seq"])

    @property
    def time_ms(self) -> int:
        return _int(self.body["time"])

    @property
    def seen(self) -> Seen:
        return Seen.from_json(self.body["seen"])

    @classmethod
    def from_json(cls, value: object) -> Transaction:
        """Raises `MalformedRecord` naming the member that is wrong. Does not check the signature."""
        record = fields.members(value, ("body", "chain", "key", "kind", "sig", "v"), "transaction")
        if record["v"] != 1 or isinstance(record["v"], bool):
            raise MalformedRecord("a version other than 1", "v")
        return cls(
            kind=fields.text(record["kind"], "kind", 64),
            body=record["body"],
            chain=record["chain"],
            key=fields.binary(record["key"], "key"),
            sig=fields.binary(record["sig"], "sig", 64),
        )

    @classmethod
    def parse(cls, data: Leaf) -> Transaction:
        """Raises `NotCanonical` or `MalformedRecord`. Does not check the signature: `verify` does."""
        return cls.from_json(decode(_bounded(data)))


def build_transaction(
    kind: str, body: Mapping[str, JSON], chain: str, signer: Ed25519PrivateKey
) -> Transaction:
    """Sign a transaction.

    Raises
    ------
    MalformedRecord
        If `body` is not of its kind, or the whole is larger than a leaf may be.
    """
    key = ed25519.public_bytes(signer)
    message = domains.transaction_message(_unsigned(kind, dict(body), chain, key))
    transaction = Transaction(kind, dict(body), chain, key, signer.sign(message))
    transaction.bytes()
    return transaction


@dataclass(frozen=True, slots=True)
class Header:
    """A block's header: the leaf that stands at index `log_size`.

    Attributes
    ----------
    log_size, log_root
        The log after the block's transactions and before this header.
    time_ms : int
        The block's time (`time` in JSON).
    txs : int
        How many transactions the block holds.
    """

    chain: str
    height: int
    log_root: bytes
    log_size: int
    prev: bytes
    state_root: bytes
    time_ms: int
    txs: int

    def __post_init__(self) -> None:
        fields.text(self.chain, "chain")
        fields.integer(self.height, "height")
        fields.integer(self.log_size, "log_size")
        fields.integer(self.time_ms, "time")
        fields.integer(self.txs, "txs", 0, self.log_size)

    def to_json(self) -> dict[str, JSON]:
        return {
            "chain": self.chain,
            "height": self.height,
            "kind": "block",
            "log_root": self.log_root.hex(),
            "log_size": self.log_size,
            "prev": self.prev.hex(),
            "state_root": self.state_root.hex(),
            "time": self.time_ms,
            "txs": self.txs,
            "v": 1,
        }

    def bytes(self) -> Leaf:
        return encode(self.to_json())

    def hash(self) -> Digest:
        """The block's hash: the leaf hash of its header."""
        return domains.leaf_hash(self.bytes())

    def seen(self) -> Seen:
        """This block as records name it."""
        return Seen(self.height, self.hash())

    @classmethod
    def from_json(cls, value: object) -> Header:
        """Raises `MalformedRecord` naming the member that is wrong."""
        names = ("chain", "height", "kind", "log_root", "log_size", "prev", "state_root", "time", "txs", "v")
        header = fields.members(value, names, "header")
        if header["kind"] != "block" or header["v"] != 1 or isinstance(header["v"], bool):
            raise MalformedRecord("a header is of kind block and version 1", "header")
        return cls(
            chain=header["chain"],
            height=header["height"],
            log_root=fields.binary(header["log_root"], "log_root"),
            log_size=header["log_size"],
            prev=fields.binary(header["prev"], "prev"),
            state_root=fields.binary(header["state_root"], "state_root"),
            time_ms=header["time"],
            txs=header["txs"],
        )

    @classmethod
    def parse(cls, data: Leaf) -> Header:
        """Raises `NotCanonical` or `MalformedRecord`."""
        return cls.from_json(decode(_bounded(data)))


def _unsigned(kind: str, body: dict[str, JSON], chain: str, key: bytes) -> dict[str, JSON]:
    return {"body": body, "chain": chain, "key": key.hex(), "kind": kind, "v": 1}


def _bounded(data: Leaf) -> Leaf:
    if len(data) > MAX_LEAF:
        raise MalformedRecord(f"a leaf of {len(data)} bytes; at most {MAX_LEAF} are allowed")
    return data


def _int(value: JSON) -> int:
    if not isinstance(value, int):
        raise MalformedRecord("not an integer")
    return value


def _record(body: object, *names: str) -> dict[str, Any]:
    """The members that every session record has, and those of its kind."""
    record = fields.members(body, ("seen", "seq", "session", "time", *names), "body")
    fields.session(record["session"], "body.session")
    fields.integer(record["seq"], "body.seq", 0, MAX_SESSION_RECORDS - 1)
    fields.integer(record["time"], "body.time")
    Seen.from_json(record["seen"], "body.seen")
    return record


def _begin(body: object) -> None:
    record = _record(body, "anchor_within_ms", "format", "key_commitment", "on_failure")
    fields.integer(record["anchor_within_ms"], "body.anchor_within_ms", 1)
    fields.one_of(record["format"], (domains.RECORDING_FORMAT,), "body.format")
    fields.binary(record["key_commitment"], "body.key_commitment")
    fields.one_of(record["on_failure"], ("cut", "mark"), "body.on_failure")
    fields.integer(record["seq"], "body.seq", 0, 0)


def _later(body: object, *names: str) -> dict[str, Any]:
    record = _record(body, "chunks", "root", *names)
    fields.integer(record["seq"], "body.seq", 1)
    fields.integer(record["chunks"], "body.chunks", 0, MAX_CHUNKS)
    root = fields.binary(record["root"], "body.root")
    if (record["chunks"] == 0) != (root == domains.EMPTY_ROOT):
        raise MalformedRecord("the root of no chunks is that of the empty tree, and of no other", "body.root")
    return record


def _interim(body: object) -> None:
    fields.one_of(_later(body, "event")["event"], ("tick", "pause", "resume"), "body.event")


def _close(body: object) -> None:
    record = _later(body, "outcome", "reason")
    fields.one_of(record["outcome"], ("closed", "abandoned"), "body.outcome")
    fields.reason(record["reason"], "body.reason")


def _admit(body: object) -> None:
    record = fields.members(body, ("name", "nonce", "recorder"), "body")
    fields.text(record["name"], "body.name", 64)
    _recorder(record)


def _revoke(body: object) -> None:
    _recorder(fields.members(body, ("nonce", "recorder"), "body"))


def _recorder(record: dict[str, Any]) -> None:
    fields.integer(record["nonce"], "body.nonce")
    if ed25519.is_weak(fields.binary(record["recorder"], "body.recorder")):
        raise MalformedRecord("a key of small order, under which a signature means nothing", "body.recorder")


_BODIES: Final[dict[str, Callable[[object], None]]] = {
    BEGIN: _begin,
    INTERIM: _interim,
    CLOSE: _close,
    ADMIT: _admit,
    REVOKE: _revoke,
}
