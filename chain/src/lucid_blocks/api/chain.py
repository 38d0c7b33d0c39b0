"""`/chain`: what this chain is, and how it does."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from lucid_blocks.api.shapes import Chain
from lucid_kit.clock import rfc3339

routes = APIRouter(prefix="/chain", tags=["chain"])


class Recorder(BaseModel):
    """A key that may begin sessions."""

    key: str
    name: str


class Validator(BaseModel):
    """Who signs blocks, and the nonce of its next transaction."""

    name: str
    key: str
    cosigner: str
    power: int
    nonce: int


class Info(BaseModel):
    """What never changes about the chain, and where it stands."""

    chain: str = Field(description="the log's origin")
    log: str = Field(description="the log's verifier key, c2sp.org/signed-note")
    genesis: str = Field(description="genesis hash, hex")
    params: dict[str, int]
    height: int
    size: int = Field(description="leaves of the log")
    hash: str = Field(description="of the newest block")
    time: str
    engine: str
    validators: list[Validator]
    recorders: list[Recorder]
    trust: dict[str, Any] = Field(description="a trust.json for this chain")


class Status(BaseModel):
    """How the chain does."""

    status: Literal["ok", "late"]
    engine: str
    height: int
    size: int
    time: str
    late_ms: int = Field(description="by how much the next block is overdue")
    next_block_in_ms: int
    pending: int
    open_sessions: int
    closed_sessions: int


class Height(BaseModel):
    """The newest block."""

    height: int
    size: int
    hash: str
    time: str


class Network(BaseModel):
    """With whom this node decides blocks."""

    engine: str
    peers: list[str]
    validators: int


@routes.get("/info")
def info(node: Chain) -> Info:
    """What the chain is."""
    head, state = node.view.head(), node.ledger.state
    return Info(
        chain=node.genesis.chain,
        log=str(node.genesis.log),
        genesis=node.genesis.hash().hex(),
        params={
            "block_ms": state.params.block_ms,
            "max_block_bytes": state.params.max_block_bytes,
            "max_block_txs": state.params.max_block_txs,
        },
        height=head.header.height,
        size=node.view.size(),
        hash=head.hash.hex(),
        time=rfc3339(head.header.time_ms),
        engine=node.engine.name,
        validators=[
            Validator(
                name=each.name,
                key=each.key,
                cosigner=each.cosigner,
                power=each.power,
                nonce=state.nonces.get(each.key, 0),
            )
            for each in node.engine.participants()
        ],
        recorders=[Recorder(key=key, name=name) for key, name in sorted(state.recorders.items())],
        trust=node.genesis.trust().to_json(),
    )


@routes.get("/status")
def status(node: Chain) -> Status:
    """How the chain does."""
    head, state = node.view.head(), node.ledger.state
    late = node.delay_ms()
    return Status(
        status="late" if late > state.params.block_ms else "ok",
        engine=node.engine.name,
        height=head.header.height,
        size=node.view.size(),
        time=rfc3339(head.header.time_ms),
        late_ms=late,
        next_block_in_ms=max(0, node.engine.next_block_in_ms()),
        pending=node.ledger.waiting_size()[0],
        open_sessions=len(state.open),
        closed_sessions=state.closed.size,
    )


@routes.get("/height")
def height(node: Chain) -> Height:
    """The newest block, briefly."""
    head = node.view.head()
    return Height(
        height=head.header.height,
        size=node.view.size(),
        hash=head.hash.hex(),
        time=rfc3339(head.header.time_ms),
    )


@routes.get("/network")
def network(node: Chain) -> Network:
    """With whom this node decides blocks; the solo engine has no peers."""
    return Network(engine=node.engine.name, peers=[], validators=len(node.engine.participants()))
