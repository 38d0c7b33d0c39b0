"""Valid settlements for tests and demonstrations: a real log with real signatures, from fixed keys.

    log = TestLog("lucid.local/testing")
    data = a_statement(log, epoch=1, credits={"ann": 100, "bob": 250})
    settlements.accept(data)

The product never imports it: its keys are in the open.
"""

from __future__ import annotations

from collections.abc import Mapping

from lucid_proof import ed25519
from lucid_proof.testing import TestLog, a_key
from lucid_proof.tlogproof import TlogProof
from lucid_tron.keys.signing import PrivateKey, keccak256
from lucid_tron.settlement.bindings import Binding, SignedBinding
from lucid_tron.settlement.rates import RatePolicy, SignedRatePolicy
from lucid_tron.settlement.statement import Entitlement, SettlementRecord, Statement, write_statement

AUTHORITY = ed25519.public_bytes(a_key("rates"))
"""Who signs the rate policies made here."""


def operator(name: str) -> bytes:
    """The Ed25519 public key of an operator of that name."""
    return ed25519.public_bytes(a_key(f"operator {name}"))


def tron_key(name: str) -> PrivateKey:
    """The TRON key of an operator of that name."""
    return PrivateKey(keccak256(f"payout {name}".encode()))


def statement_of(
    log: TestLog,
    epoch: int,
    credits: Mapping[str, int],  # noqa: A002
    *,
    blocks: int = 10,
) -> Statement:
    """What these operators earned: epoch n is blocks n·`blocks` … n·`blocks`+`blocks`−1 of the log."""
    first = epoch * blocks
    while log.newest.height < first + blocks - 1:
        log.block([])
    earned = sorted((operator(name), amount) for name, amount in credits.items())
    entitlements = tuple(Entitlement(key, amount) for key, amount in earned)
    return Statement(log.origin, epoch, first, first + blocks - 1, log.headers[first].time_ms, entitlements)


def prove(log: TestLog, statement: Statement) -> bytes:
    """Put a statement into a block of the log; its file."""
    record = SettlementRecord.sign(statement, a_key("validator"))
    index = log.tree.size
    log.block([record])  # type: ignore[list-item]  # a leaf is what has bytes()
    proof = TlogProof(index, log.path(index), log.checkpoint())
    return write_statement(statement, record, proof)


def a_statement(log: TestLog, epoch: int, credits: Mapping[str, int]) -> bytes:  # noqa: A002
    """The file of a proven statement."""
    return prove(log, statement_of(log, epoch, credits))


def a_policy(
    log: TestLog,
    version: int = 1,
    *,
    from_ms: int = 0,
    units: int = 1000,
    credits: int = 1,  # noqa: A002
    minimum: int = 1,
) -> bytes:
    """The file of a signed rate policy."""
    policy = RatePolicy(log.origin, version, from_ms, units, credits, minimum)
    return SignedRatePolicy.sign(policy, a_key("rates")).encoded()


def a_binding(
    log: TestLog, name: str, now_ms: int, *, nonce: int = 1, key: PrivateKey | None = None
) -> bytes:
    """The file of a binding of an operator to their TRON key's address, good for an hour."""
    key = key or tron_key(name)
    binding = Binding(log.origin, operator(name), key.address, nonce, now_ms + 3_600_000)
    return SignedBinding.sign(binding, a_key(f"operator {name}"), key).encoded()
