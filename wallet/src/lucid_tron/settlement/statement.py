"""Settlement statements, `lucid-settlement/1`: read, proved, written (docs/specs/settlement.md).

The log's leaf holds the epoch and a Merkle root over the entitlements, so that it has one size for ten
operators and for ten thousand; the file carries the entitlements, the leaf, and the leaf's proof.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lucid_proof import domains, ed25519, fields, merkle
from lucid_proof.canonical import JSON, decode, encode
from lucid_proof.checkpoint import open_checkpoint
from lucid_proof.errors import (
    BadProof,
    BadSignature,
    MalformedNote,
    MalformedRecord,
    NotCanonical,
    NotTrusted,
    ProofError,
)
from lucid_proof.tlogproof import TlogProof
from lucid_proof.trust import TrustPolicy
from lucid_tron.settlement.errors import MalformedStatement, StatementAltered, UntrustedChain

FORMAT: Final = "lucid-settlement/1"
KIND: Final = "epoch.settlement"
MAX_FILE: Final = 32 * 1024 * 1024
MAX_ENTITLEMENTS: Final = 200_000
_BODY: Final = ("began", "count", "epoch", "format", "from", "root", "to", "total_credits")
_FILE: Final = ("entitlements", "format", "leaf", "proof")


@dataclass(frozen=True, slots=True)
class Entitlement:
    """What one operator (Ed25519 public key, 32 bytes) earned: credits, at least one."""

    operator: bytes
    credits: int

    def to_json(self) -> dict[str, JSON]:
        return {"credits": self.credits, "operator": self.operator.hex()}

    def leaf_hash(self) -> bytes:
        """Its leaf hash in the tree whose root the log's leaf holds."""
        return domains.leaf_hash(encode(self.to_json()))


@dataclass(frozen=True, slots=True)
class Statement:
    """What operators of a chain earned in one epoch.

    Attributes
    ----------
    origin : str
        The chain's id, which is its log's origin.
    first_block, last_block : int
        Heights of the epoch's blocks, both included (`from` and `to` in JSON).
    began_ms : int
        Time of the first block (`began` in JSON); it decides which rate policy counts.
    entitlements : tuple of Entitlement
        In the order of the operators' keys, no operator twice.
    """

    origin: str
    epoch: int
    first_block: int
    last_block: int
    began_ms: int
    entitlements: tuple[Entitlement, ...]

    def __post_init__(self) -> None:
        fields.text(self.origin, "chain")
        fields.integer(self.epoch, "epoch")
        fields.integer(self.last_block, "to", fields.integer(self.first_block, "from"))
        fields.integer(self.began_ms, "began")
        if len(self.entitlements) > MAX_ENTITLEMENTS:
            raise MalformedRecord(f"more than {MAX_ENTITLEMENTS} entitlements", "entitlements")
        before = b""
        for each in self.entitlements:
            fields.integer(each.credits, "credits", 1)
            if len(each.operator) != ed25519.KEY_SIZE or ed25519.is_weak(each.operator):
                raise MalformedRecord("not a usable Ed25519 public key", "operator")
            if each.operator <= before:
                raise MalformedRecord("not in ascending order, or twice there", "operator")
            before = each.operator
        fields.integer(self.total_credits, "total_credits")

    @property
    def total_credits(self) -> int:
        return sum(each.credits for each in self.entitlements)

    def root(self) -> bytes:
        """The Merkle root over the entitlements, 32 bytes."""
        return merkle.root(each.leaf_hash() for each in self.entitlements)

    def body(self) -> dict[str, JSON]:
        """The body of the log's leaf."""
        return {
            "began": self.began_ms,
            "count": len(self.entitlements),
            "epoch": self.epoch,
            "format": FORMAT,
            "from": self.first_block,
            "root": self.root().hex(),
            "to": self.last_block,
            "total_credits": self.total_credits,
        }


@dataclass(frozen=True, slots=True)
class SettlementRecord:
    """A leaf of the log: a statement's body in the envelope of a transaction of kind `epoch.settlement`."""

    body: Mapping[str, JSON]
    chain: str
    key: bytes
    sig: bytes

    @classmethod
    def sign(cls, statement: Statement, signer: Ed25519PrivateKey) -> SettlementRecord:
        """The leaf of a statement, signed by the validator who puts it into a block."""
        key, body = ed25519.public_bytes(signer), statement.body()
        message = domains.transaction_message(_unsigned(body, statement.origin, key))
        return cls(body, statement.origin, key, signer.sign(message))

    @classmethod
    def from_json(cls, value: object) -> SettlementRecord:
        """Read the envelope; `MalformedRecord` names what is wrong, `BadSignature` that it was changed."""
        leaf = fields.members(value, ("body", "chain", "key", "kind", "sig", "v"), "leaf")
        fields.one_of(leaf["kind"], (KIND,), "leaf.kind")
        fields.integer(leaf["v"], "leaf.v", 1, 1)
        body = fields.members(leaf["body"], _BODY, "leaf.body")
        fields.one_of(body["format"], (FORMAT,), "leaf.body.format")
        record = cls(
            body,
            fields.text(leaf["chain"], "leaf.chain"),
            fields.binary(leaf["key"], "leaf.key"),
            fields.binary(leaf["sig"], "leaf.sig", 64),
        )
        message = domains.transaction_message(_unsigned(body, record.chain, record.key))
        if not ed25519.verify(record.key, record.sig, message):
            raise BadSignature("the signature does not verify", "leaf")
        return record

    def to_json(self) -> dict[str, JSON]:
        return {**_unsigned(self.body, self.chain, self.key), "sig": self.sig.hex()}

    def bytes(self) -> bytes:
        """What the log's tree holds."""
        return encode(self.to_json())


@dataclass(frozen=True, slots=True)
class Proven:
    """A statement that stands in a trusted log. `id` is its leaf hash in hex."""

    statement: Statement
    id: str
    index: int
    signers: tuple[str, ...]


def _unsigned(body: Mapping[str, JSON], chain: str, key: bytes) -> dict[str, JSON]:
    return {"body": dict(body), "chain": chain, "key": key.hex(), "kind": KIND, "v": 1}


def write_statement(statement: Statement, record: SettlementRecord, proof: TlogProof) -> bytes:
    """The file: canonical JSON of the entitlements, the leaf, and its tlog-proof."""
    return encode(
        {
            "entitlements": [each.to_json() for each in statement.entitlements],
            "format": FORMAT,
            "leaf": record.to_json(),
            "proof": proof.encode().decode(),
        }
    )


def read_statement(data: bytes, trusted: Sequence[TrustPolicy]) -> Proven:
    """Read a statement's file and prove it, offline, under one of the trusted chains' policies.

    Raises
    ------
    MalformedStatement
        If it is not of its form.
    UntrustedChain
        If its chain is not among them, or too few of the chain's keys signed.
    StatementAltered
        If a signature or the proof does not hold, or the entitlements are not those of the leaf.
    """
    if len(data) > MAX_FILE:
        raise MalformedStatement(f"The file has {len(data)} bytes; at most {MAX_FILE} are read")
    try:
        file = fields.members(decode(data), _FILE, "statement")
        fields.one_of(file["format"], (FORMAT,), "format")
        record = SettlementRecord.from_json(file["leaf"])
        policy = next((each for each in trusted if each.origin == record.chain), None)
        if policy is None:
            raise UntrustedChain(f"The chain {record.chain!r} is not among those that are paid for")
        proof = TlogProof.parse(_proof_text(file["proof"]))
        opened = open_checkpoint(proof.checkpoint, policy)
        leaf = record.bytes()
        proof.verify(domains.leaf_hash(leaf), opened.checkpoint)
        statement = _statement(record, file["entitlements"])
    except (NotCanonical, MalformedRecord, MalformedNote) as error:
        raise MalformedStatement(f"The statement cannot be read: {error}") from error
    except NotTrusted as error:
        raise UntrustedChain(f"The statement is not trusted: {error}") from error
    except (BadSignature, BadProof, ProofError) as error:
        raise StatementAltered(f"The statement does not hold: {error}") from error
    if statement.body() != record.body:
        raise StatementAltered("The entitlements are not those whose root and sum the log holds")
    return Proven(statement, domains.leaf_hash(leaf).hex(), proof.index, opened.signers)


def _proof_text(value: object) -> bytes:
    if not isinstance(value, str):
        raise MalformedRecord("not a text", "proof")
    return value.encode()


def _statement(record: SettlementRecord, listed: object) -> Statement:
    if not isinstance(listed, list):
        raise MalformedRecord("not a list", "entitlements")
    body: Mapping[str, Any] = record.body
    found = []
    for at, each in enumerate(listed):
        members = fields.members(each, ("credits", "operator"), f"entitlements[{at}]")
        found.append(Entitlement(fields.binary(members["operator"], "operator"), members["credits"]))
    return Statement(record.chain, body["epoch"], body["from"], body["to"], body["began"], tuple(found))
