"""A chain's beginning: its name, keys and parameters, and block 0 (docs/specs/chain.md)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from lucid_blocks.models import Block, Frontier, Params
from lucid_blocks.state import History, State, commitment
from lucid_proof import domains
from lucid_proof.canonical import JSON, decode, encode
from lucid_proof.errors import MalformedRecord
from lucid_proof.note import VerifierKey
from lucid_proof.records import Header
from lucid_proof.trust import TrustPolicy

GENESIS_RECORDER = "genesis"
"""The name that recorders of the genesis have in the state."""


@dataclass(frozen=True, slots=True)
class Validator:
    """Who takes part in deciding blocks."""

    key: bytes  # Ed25519, 32 bytes: signs transactions
    cosigner: VerifierKey  # cosignature/v1: witnesses checkpoints


@dataclass(frozen=True, slots=True)
class Genesis:
    """What a chain's first block follows from; never changed afterwards."""

    chain: str  # the log's origin
    time_ms: int
    log: VerifierKey
    validators: tuple[Validator, ...]
    recorders: tuple[bytes, ...] = ()
    params: Params = field(default_factory=Params)

    def to_json(self) -> dict[str, JSON]:
        """The document of docs/specs/chain.md § Genesis."""
        return {
            "chain": self.chain,
            "log": str(self.log),
            "params": {
                "block_ms": self.params.block_ms,
                "max_block_bytes": self.params.max_block_bytes,
                "max_block_txs": self.params.max_block_txs,
            },
            "recorders": [key.hex() for key in self.recorders],
            "time": self.time_ms,
            "v": 1,
            "validators": [{"cosigner": str(one.cosigner), "key": one.key.hex()} for one in self.validators],
        }

    def encode(self) -> bytes:
        """Canonical JSON."""
        return encode(self.to_json())

    @classmethod
    def parse(cls, data: bytes) -> Genesis:
        """Read a genesis document.

        Raises
        ------
        NotCanonical, MalformedRecord, MalformedNote
            If it is none.
        """
        names = ("chain", "log", "params", "recorders", "time", "v", "validators")
        value = _members(decode(data), names, "genesis")
        params = _members(value["params"], ("block_ms", "max_block_bytes", "max_block_txs"), "params")
        if value["v"] != 1 or not value["validators"]:
            raise MalformedRecord("version 1 and at least one validator are needed", "genesis")
        for name, number in params.items():
            if not isinstance(number, int) or number < 1:
                raise MalformedRecord("not a positive number", f"params.{name}")
        return cls(
            chain=value["chain"],
            time_ms=value["time"],
            log=VerifierKey.parse(value["log"]),
            validators=tuple(
                Validator(bytes.fromhex(one["key"]), VerifierKey.parse(one["cosigner"]))
                for one in (_members(each, ("cosigner", "key"), "validator") for each in value["validators"])
            ),
            recorders=tuple(bytes.fromhex(key) for key in value["recorders"]),
            params=Params(**params),
        )

    def hash(self) -> bytes:
        """What block 0 names as its predecessor."""
        return domains.genesis_hash(self.to_json())

    def trust(self) -> TrustPolicy:
        """The policy to give to whoever is to check this chain's evidence: its log key and all its
        validators."""
        witnesses: Sequence[VerifierKey] = [one.cosigner for one in self.validators]
        return TrustPolicy(self.chain, self.log, tuple(witnesses), len(witnesses))


def first_block(genesis: Genesis, history: History) -> tuple[Block, State]:
    """Block 0, which holds no transaction, and the state after it.

    `history` is asked only about later states' pasts; it may be empty.
    """
    header = Header(
        chain=genesis.chain,
        height=0,
        log_root=domains.EMPTY_ROOT,
        log_size=0,
        prev=genesis.hash(),
        state_root=domains.EMPTY_ROOT,  # filled in below: the commitment needs a state to be of
        time_ms=genesis.time_ms,
        txs=0,
    )
    state = State(
        chain=genesis.chain,
        params=genesis.params,
        validators=tuple(one.key.hex() for one in genesis.validators),
        history=history,
        tip=header,
        log=Frontier(),
        closed=Frontier(),
        open={},
        recorders={key.hex(): GENESIS_RECORDER for key in genesis.recorders},
        nonces={},
    )
    header = replace(header, state_root=domains.state_root(commitment(state, 0)))
    block = Block(header)
    return block, replace(
        state, tip=header, log=Frontier().extended([header.hash()]), recent_blocks={0: header.hash()}
    )


def _members(value: object, names: Sequence[str], where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict) or value.keys() != set(names):
        raise MalformedRecord(f"not an object with exactly the members {', '.join(names)}", where)
    return value
