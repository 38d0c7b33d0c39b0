"""`/consensus`: who decides blocks, and who signed them."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from lucid_blocks.api.shapes import MAX_INTEGER, Chain, Closed, Count, Hex32
from lucid_blocks.node import Node
from lucid_blocks.tables import StoredBlock
from lucid_kit.clock import rfc3339
from lucid_kit.errors import DomainError
from lucid_proof.note import Note

routes = APIRouter(prefix="/consensus", tags=["consensus"])


class NoVotes(DomainError):
    """One validator decides alone here: there is nothing to vote on."""

    code = "LUCID_ERR_4240"
    advice = "The cosignature on a block's checkpoint is the whole vote; see GET /consensus/history."


class Participant(BaseModel):
    """A validator."""

    name: str
    key: str
    cosigner: str
    power: int


class Signature(BaseModel):
    """Who signed a block's checkpoint; a witness states when, in seconds."""

    name: str
    role: Literal["log", "witness"]
    time: str | None


class Decision(BaseModel):
    """A block and its signatures."""

    height: int
    hash: str
    time: str
    size: int
    proposer: str
    signatures: list[Signature]


class ConsensusStatus(BaseModel):
    """How blocks are decided."""

    engine: str
    validators: int
    power: int
    quorum: int = Field(description="witnesses whose cosignature a checkpoint needs")
    block_ms: int
    late_ms: int
    last: Decision


class History(BaseModel):
    """Decisions, the newest first."""

    decisions: list[Decision]
    next: int | None = Field(description="give it as `before` to read on; null at block 0")


class Vote(Closed):
    """For networks of several validators: which block the signer prefers."""

    height: Count
    hash: Hex32
    key: Hex32
    sig: Annotated[str, Field(pattern=r"^[0-9a-f]{128}$")]


@routes.get("/status")
def status(node: Chain) -> ConsensusStatus:
    """How blocks are decided."""
    participants = node.engine.participants()
    return ConsensusStatus(
        engine=node.engine.name,
        validators=len(participants),
        power=sum(each.power for each in participants),
        quorum=node.genesis.trust().quorum,
        block_ms=node.genesis.params.block_ms,
        late_ms=node.delay_ms(),
        last=_decision(node, node.view.head()),
    )


@routes.get("/participants")
def participants(node: Chain) -> list[Participant]:
    """Everyone whose signature counts."""
    return [
        Participant(name=each.name, key=each.key, cosigner=each.cosigner, power=each.power)
        for each in node.engine.participants()
    ]


@routes.get("/history")
def history(
    node: Chain,
    before: Annotated[int | None, Query(ge=0, le=MAX_INTEGER)] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> History:
    """Who signed which block."""
    blocks = node.view.blocks(before, limit)
    oldest = blocks[-1].header.height if blocks else 0
    return History(decisions=[_decision(node, each) for each in blocks], next=oldest or None)


@routes.post("/vote", status_code=202)
def vote(node: Chain, vote: Vote) -> None:
    """Refused: the solo engine's validator decides alone."""
    raise NoVotes(f"The engine is {node.engine.name}; block {vote.height} needs no other vote.")


def _decision(node: Node, block: StoredBlock) -> Decision:
    genesis = node.genesis
    signed = Note.parse(block.checkpoint).verify((genesis.log, *(one.cosigner for one in genesis.validators)))
    return Decision(
        height=block.header.height,
        hash=block.hash.hex(),
        time=rfc3339(block.header.time_ms),
        size=block.header.log_size + 1,
        proposer=genesis.validators[0].cosigner.name,
        signatures=[
            Signature(
                name=each.key.name,
                role="log" if each.key == genesis.log else "witness",
                time=None if each.time_s is None else rfc3339(each.time_s * 1000),
            )
            for each in signed
        ],
    )
