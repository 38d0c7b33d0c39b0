"""Valid things to break: a chain in memory, the records of a session, a data directory with an engine."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lucid_blocks import home
from lucid_blocks.app import open_node
from lucid_blocks.genesis import Genesis, Validator, first_block
from lucid_blocks.ledger import Ledger
from lucid_blocks.mempool import Bounds
from lucid_blocks.models import Block, Entry, Params
from lucid_blocks.node import Node
from lucid_blocks.state import MemoryHistory, State, apply, build
from lucid_blocks.tables import PendingRow
from lucid_kit.clock import ManualClock
from lucid_proof import domains
from lucid_proof.note import CosignerKey, SignerKey
from lucid_proof.records import build_transaction

START_MS = 1_767_225_600_000
ORIGIN = "lucid.local/test-00000000"


def a_key(number: int) -> Ed25519PrivateKey:
    """The same key for the same number, so that vectors stay."""
    return Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32)


def public(key: Ed25519PrivateKey) -> str:
    return key.public_key().public_bytes_raw().hex()


def session_id(number: int) -> str:
    """A valid session id (a UUIDv7 in hex) with this number in it."""
    return f"ses_{number:012x}70008{number:015x}"


LOG, VALIDATOR, RECORDER, OTHER, STRANGER = (a_key(number) for number in range(1, 6))
LOG_SIGNER = SignerKey(ORIGIN, LOG)
COSIGNER = CosignerKey(f"{ORIGIN}/validator-1", VALIDATOR)


def a_genesis(**params: int) -> Genesis:
    return Genesis(
        chain=ORIGIN,
        time_ms=START_MS,
        log=LOG_SIGNER.verifier,
        validators=(Validator(COSIGNER.verifier.public, COSIGNER.verifier),),
        recorders=tuple(bytes.fromhex(public(key)) for key in (RECORDER, OTHER)),
        params=Params(**params),
    )


def a_root(chunks: int) -> str:
    """Some root for that many chunks; the empty tree's for none."""
    return domains.EMPTY_ROOT.hex() if chunks == 0 else domains.digest(b"chunks %d" % chunks).hex()


@dataclass
class Writer:
    """Signs transactions that name the state's newest block."""

    state: State

    def sign(
        self, kind: str, body: dict[str, Any], key: Ed25519PrivateKey, chain: str | None = None
    ) -> Entry:
        return Entry.of(build_transaction(kind, body, chain or self.state.chain, key))

    def begin(self, session: str, key: Ed25519PrivateKey = RECORDER, **changes: Any) -> Entry:
        body = {
            "anchor_within_ms": 60_000,
            "format": "lucid-recording/1",
            "key_commitment": "11" * 32,
            "on_failure": "cut",
            "seen": self.seen(),
            "seq": 0,
            "session": session,
            "time": START_MS,
        }
        return self.sign("session.begin", {**body, **changes}, key)

    def interim(
        self, session: str, seq: int, chunks: int = 0, key: Ed25519PrivateKey = RECORDER, **changes: Any
    ) -> Entry:
        body = {**self._later(session, seq, chunks), "event": "tick"}
        return self.sign("session.interim", {**body, **changes}, key)

    def close(
        self, session: str, seq: int, chunks: int = 0, key: Ed25519PrivateKey = RECORDER, **changes: Any
    ) -> Entry:
        body = {**self._later(session, seq, chunks), "outcome": "closed", "reason": "stopped"}
        return self.sign("session.close", {**body, **changes}, key)

    def admit(self, recorder: str, nonce: int, key: Ed25519PrivateKey = VALIDATOR) -> Entry:
        return self.sign("recorder.admit", {"name": "desk", "nonce": nonce, "recorder": recorder}, key)

    def revoke(self, recorder: str, nonce: int, key: Ed25519PrivateKey = VALIDATOR) -> Entry:
        return self.sign("recorder.revoke", {"nonce": nonce, "recorder": recorder}, key)

    def seen(self, height: int | None = None) -> dict[str, Any]:
        height = self.state.height if height is None else height
        hashed = self.state.block_hash(height)
        assert hashed is not None
        return {"hash": hashed.hex(), "height": height}

    def _later(self, session: str, seq: int, chunks: int) -> dict[str, Any]:
        return {
            "chunks": chunks,
            "root": a_root(chunks),
            "seen": self.seen(),
            "seq": seq,
            "session": session,
            "time": START_MS + seq,
        }


@dataclass
class MemoryChain:
    """A chain that exists only as states: `add` builds a block, applies it, and goes on from there."""

    genesis: Genesis = field(default_factory=a_genesis)
    history: MemoryHistory = field(default_factory=MemoryHistory)
    blocks: list[Block] = field(default_factory=list)

    def __post_init__(self) -> None:
        block, self.state = first_block(self.genesis, self.history)
        self.blocks.append(block)

    @property
    def write(self) -> Writer:
        return Writer(self.state)

    def next(self, *entries: Entry) -> Block:
        """The valid block of these transactions ten seconds later; the chain does not take it."""
        block, _ = build(self.state, entries, self.state.tip.time_ms + 10_000)
        return block

    def add(self, *entries: Entry) -> Block:
        block = self.next(*entries)
        self.state = apply(self.state, block)
        self.blocks.append(block)
        return block

    def settle(self) -> None:
        """Let the history learn what the state carried until now."""
        self.state = self.history.learn(self.state)


@dataclass
class DiskChain:
    """A chain in a directory, with an engine that decides when it is told to and a clock that it is given."""

    directory: Path
    clock: ManualClock
    node: Node

    @classmethod
    def make(cls, directory: Path, bounds: Bounds | None = None, **params: int) -> DiskChain:
        clock = ManualClock(START_MS)
        home.initialise(directory, "test", [public(RECORDER), public(OTHER)], clock, Params(**params))
        return cls(directory, clock, open_node(directory, clock, bounds))

    @property
    def ledger(self) -> Ledger:
        return self.node.ledger

    @property
    def write(self) -> Writer:
        return Writer(self.ledger.state)

    @property
    def validator(self) -> Ed25519PrivateKey:
        return home.load_identity(self.directory, self.node.genesis).private

    def accept(self, *entries: Entry) -> None:
        """Let transactions wait; fails the test if one is refused."""
        for answer in self.ledger.accept(entries):
            if not isinstance(answer, PendingRow):
                raise answer or AssertionError("it stands in a block already")

    def decide(self) -> Block:
        """Ten seconds later, a block."""
        self.clock.advance(self.node.genesis.params.block_ms)
        finalized = self.node.engine.decide()
        assert finalized is not None, "the disk refused"
        return finalized.block

    def reopen(self) -> None:
        """As a process that ends and one that starts."""
        self.ledger.close()
        self.node = open_node(self.directory, self.clock)

    def close(self) -> None:
        self.ledger.close()
