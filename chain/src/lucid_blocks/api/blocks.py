"""`/blocks`: what was decided."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from lucid_blocks.api.shapes import (
    MAX_INTEGER,
    BlockOut,
    Chain,
    Closed,
    HeaderIn,
    HexPath,
    TransactionIn,
    WholeBlockOut,
)
from lucid_blocks.models import Block
from lucid_blocks.refusals import Refused
from lucid_blocks.view import BlockUnknown

routes = APIRouter(prefix="/blocks", tags=["blocks"])
_JUDGED = 1_000  # transactions; each costs an Ed25519 verification


class Page(BaseModel):
    """Blocks, the newest first."""

    blocks: list[BlockOut]
    next: int | None = Field(description="give it as `before` to read on; null at block 0")


class Proposal(Closed):
    """A block that someone has."""

    header: HeaderIn
    transactions: Annotated[list[TransactionIn], Field(max_length=_JUDGED, default_factory=list)]


class Judgement(BaseModel):
    """Whether a block is valid here."""

    valid: bool
    known: bool = Field(description="it is a block of this chain already")
    rule: str | None = Field(default=None, description="the rule it breaks, as docs/specs/chain.md names it")
    code: str | None = None
    detail: str | None = None


@routes.get("")
def list_blocks(
    node: Chain,
    before: Annotated[int | None, Query(ge=0, le=MAX_INTEGER)] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> Page:
    """Blocks below height `before`, the newest first."""
    blocks = node.view.blocks(before, limit)
    oldest = blocks[-1].header.height if blocks else 0
    return Page(blocks=[BlockOut.of(each) for each in blocks], next=oldest or None)


@routes.get("/latest")
def latest(node: Chain) -> WholeBlockOut:
    """The newest block."""
    head = node.view.head()
    return WholeBlockOut.with_ids(head, node.view.transaction_ids(head))


@routes.get("/height/{height}")
def by_height(node: Chain, height: Annotated[int, Path(ge=0, le=MAX_INTEGER)]) -> WholeBlockOut:
    """The block at a height."""
    block = node.view.block(height)
    return WholeBlockOut.with_ids(block, node.view.transaction_ids(block))


@routes.get("/{block_id}")
def by_hash(node: Chain, block_id: HexPath) -> WholeBlockOut:
    """The block with a hash."""
    block = node.view.block_by_hash(bytes.fromhex(block_id))
    return WholeBlockOut.with_ids(block, node.view.transaction_ids(block))


@routes.post("/validate")
def validate(node: Chain, proposal: Proposal) -> Judgement:
    """Judge a block: is it one of this chain, or could it be the next?"""
    header = proposal.header.header()
    block = Block(header, tuple(each.entry() for each in proposal.transactions))
    try:
        node.view.block_by_hash(header.hash())
    except BlockUnknown:
        pass
    else:
        return Judgement(valid=True, known=True)
    try:
        node.ledger.process_proposal(block)
    except Refused as refusal:
        return Judgement(
            valid=False, known=False, rule=refusal.rule, code=refusal.code, detail=refusal.detail
        )
    return Judgement(valid=True, known=False)
