"""`/transactions`: what is to be decided. A transaction is its own authorisation: its signature."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from lucid_blocks.api.shapes import Chain, Closed, HexPath, TransactionIn
from lucid_blocks.intake import Answer
from lucid_blocks.models import Entry
from lucid_blocks.node import Node
from lucid_blocks.view import Placed
from lucid_kit.clock import rfc3339
from lucid_kit.errors import LucidError, problem

routes = APIRouter(prefix="/transactions", tags=["transactions"])
MAX_BATCH = 1_000
_BATCH_BYTES = 12 << 20


class TransactionState(BaseModel):
    """Where a transaction is."""

    id: str
    state: Literal["pending", "anchored"]
    height: int | None = Field(default=None, description="of its block")
    index: int | None = Field(default=None, description="its place in the log")


class TransactionOut(TransactionState):
    """Where a transaction is, and what it says."""

    leaf: str = Field(description="the exact canonical bytes, which are UTF-8")


class BatchResult(BaseModel):
    """What became of one transaction of a batch."""

    id: str
    state: Literal["pending", "anchored", "refused"]
    height: int | None = None
    index: int | None = None
    problem: dict[str, Any] | None = Field(default=None, description="RFC 9457, if it was refused")


class Batch(Closed):
    """Transactions in the order in which they are to be taken; a later one may build on an earlier."""

    transactions: Annotated[list[TransactionIn], Field(min_length=1, max_length=MAX_BATCH)]


class BatchOut(BaseModel):
    """One result for each transaction, in order."""

    results: list[BatchResult]


class PendingTransaction(BaseModel):
    """A transaction that waits."""

    id: str
    kind: str
    session: str | None
    seq: int | None
    arrived: str


class Pending(BaseModel):
    """What waits for the next block."""

    count: int
    bytes: int
    transactions: list[PendingTransaction] = Field(description="the first ones, in order")


@routes.post("", status_code=202)
async def post_transaction(node: Chain, transaction: TransactionIn) -> TransactionState:
    """Take a transaction. 202: it is durable and will be in a block. The same again gives the same answer."""
    entry = transaction.entry()
    (answer,) = await node.intake.submit([entry])
    if isinstance(answer, LucidError):
        raise answer
    return _state(placed(node, entry, answer))


@routes.post("/batch", status_code=202, max_body_size=_BATCH_BYTES)
async def post_batch(node: Chain, batch: Batch) -> BatchOut:
    """Take several transactions; each is answered for itself."""
    entries = [each.entry() for each in batch.transactions]
    answers = await node.intake.submit(entries)
    return BatchOut(results=[result(node, *each) for each in zip(entries, answers, strict=True)])


@routes.get("/pending")
def pending(node: Chain, limit: Annotated[int, Query(ge=1, le=1_000)] = 100) -> Pending:
    """What waits for the next block."""
    rows = node.ledger.waiting()
    return Pending(
        count=len(rows),
        bytes=sum(len(row.entry.data) for row in rows),
        transactions=[
            PendingTransaction(
                id=row.entry.id,
                kind=row.entry.tx.kind,
                session=_text(row.entry.tx.body.get("session")),
                seq=_number(row.entry.tx.body.get("seq")),
                arrived=rfc3339(row.arrived_ms),
            )
            for row in rows[:limit]
        ],
    )


@routes.get("/{tx_id}")
def get_transaction(node: Chain, tx_id: HexPath) -> TransactionOut:
    """A transaction, wherever it is."""
    found = node.view.place(bytes.fromhex(tx_id))
    return TransactionOut(**_state(found).model_dump(), leaf=found.entry.data.decode())


def placed(node: Node, entry: Entry, answer: Answer) -> Placed:
    """Where an accepted transaction is now."""
    return Placed(entry, "pending") if answer is not None else node.view.place(entry.hash)


def result(node: Node, entry: Entry, answer: Answer) -> BatchResult:
    """What became of one transaction of several."""
    if isinstance(answer, LucidError):
        return BatchResult(id=entry.id, state="refused", problem=dict(problem(answer, None)))
    return BatchResult(**_state(placed(node, entry, answer)).model_dump())


def _state(found: Placed) -> TransactionState:
    return TransactionState(id=found.entry.id, state=found.state, height=found.height, index=found.index)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _number(value: object) -> int | None:
    return value if isinstance(value, int) else None
