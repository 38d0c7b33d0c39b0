"""HTTP routes of payouts: parse, authorise, call, shape. Amounts are in units (10⁻⁶ USDT)."""

from __future__ import annotations

from typing import Annotated, Any, get_args

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, Field

from lucid_tron.payouts.access import MAX, Admin, Approver, Body, Desk, Reader, Why, Writer, signed_file
from lucid_tron.payouts.desk import Wanted
from lucid_tron.payouts.gate import Halter, TheGate
from lucid_tron.payouts.models import Payout, State

routes = APIRouter(prefix="/payouts", tags=["payouts"])

MOST_IN_BATCH = 30
PayoutId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
Id = Annotated[str, Path(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]


class NewPayout(Body):
    """A payment in units of USDT. Its id names it for ever; asking again does nothing twice."""

    payout_id: PayoutId
    epoch: Annotated[int, Field(ge=0, le=MAX)]
    recipient: str = Field(max_length=64)
    amount: Annotated[int, Field(ge=1, le=MAX)]


class Batch(Body):
    payouts: Annotated[list[NewPayout], Field(min_length=1, max_length=MOST_IN_BATCH)]


class ById(Body):
    payout_id: PayoutId


class Epoch(Body):
    """An accepted statement."""

    chain: str = Field(min_length=1, max_length=200)
    epoch: Annotated[int, Field(ge=0, le=MAX)]


class PayoutOut(BaseModel):
    """A payout; `reason` says why it waits, `txids` what was signed for it, oldest first."""

    payout_id: str
    epoch: int
    recipient: str
    amount: int
    state: State
    submitted_by: str
    approvals: list[str]
    txids: list[str]
    credited: int | None
    block: int | None
    reason: str | None


class OutcomeOut(BaseModel):
    payout_id: str
    payout: PayoutOut | None
    code: str | None
    detail: str | None


class BatchOut(BaseModel):
    accepted: int
    outcomes: list[OutcomeOut]


class History(BaseModel):
    payouts: list[PayoutOut]
    next: str | None


class SettlementOut(BaseModel):
    """What a statement came to, in units; `held` is owed and not paid yet."""

    payouts: int
    approved: int
    earned: int
    brought: int
    held: dict[str, int]


def _out(payout: Payout, waits: str | None = None) -> PayoutOut:
    """`waits` says what all approved payouts wait for."""
    reason = payout.reason
    if waits and payout.state == "approved":
        reason = f"{waits}; the last time: {reason}" if reason else waits
    return PayoutOut(
        payout_id=payout.id,
        epoch=payout.epoch,
        recipient=str(payout.recipient),
        amount=payout.amount,
        state=payout.state,
        submitted_by=payout.submitted_by,
        approvals=list(payout.approvals),
        txids=[attempt.txid for attempt in payout.attempts],
        credited=payout.credited,
        block=payout.block_number,
        reason=reason,
    )


# --- asking ---


@routes.post("/initiate", status_code=202)
async def initiate(body: NewPayout, who: Writer, desk: Desk) -> PayoutOut:
    """Ask for a payment; it waits for approval."""
    return _out(
        await desk.processor.submit(body.payout_id, body.epoch, body.recipient, body.amount, who.subject)
    )


@routes.post("/batch", status_code=202)
async def batch(body: Batch, who: Writer, desk: Desk) -> BatchOut:
    """Ask for up to 30 payments. Each stands for itself: one that is refused does not hold up the others."""
    wanted = [Wanted(each.payout_id, each.epoch, each.recipient, each.amount) for each in body.payouts]
    found = await desk.batch(wanted, who.subject)
    outcomes = [
        OutcomeOut(
            payout_id=each.payout_id,
            payout=_out(each.payout) if each.payout else None,
            code=each.error.code if each.error else None,
            detail=each.error.detail if each.error else None,
        )
        for each in found
    ]
    return BatchOut(accepted=sum(each.payout is not None for each in found), outcomes=outcomes)


@routes.post(
    "/statements",
    status_code=202,
    max_body_size=32 << 20,
    openapi_extra=signed_file("A settlement statement with its proof"),
)
async def statement(request: Request, _who: Writer, desk: Desk) -> SettlementOut:
    """Prove a settlement statement, price it, and ask for what it entitles."""
    settlement, approved = await desk.accept(await request.body())
    return SettlementOut(
        payouts=len(settlement.intents),
        approved=approved,
        earned=settlement.earned,
        brought=settlement.brought,
        held={operator.hex(): units for operator, units in settlement.held.items()},
    )


@routes.post("/statements/resubmit", status_code=202)
async def resubmit(body: Epoch, _who: Writer, desk: Desk) -> dict[str, int]:
    """Ask again for an accepted statement's payouts, after a cap was raised or a service died."""
    count, approved = await desk.resubmit(body.chain, body.epoch)
    return {"payouts": count, "approved": approved}


@routes.post("/rates", status_code=201, openapi_extra=signed_file("A signed rate policy"))
async def rates(request: Request, _who: Admin, desk: Desk) -> dict[str, Any]:
    """Publish a signed rate policy; it counts for epochs that begin at its time or later."""
    policy = await desk.settlements.publish(await request.body())
    return policy.to_json()


@routes.post("/bindings", status_code=201, openapi_extra=signed_file("A binding signed by both keys"))
async def bindings(request: Request, _who: Writer, desk: Desk) -> dict[str, Any]:
    """Bind an operator's payout address. A change counts a day later."""
    binding = await desk.settlements.bind(await request.body())
    return {"operator": binding.operator.hex(), "address": str(binding.address), "nonce": binding.nonce}


# --- deciding ---


@routes.post("/cancel")
async def cancel(body: ById, who: Approver, desk: Desk) -> PayoutOut:
    """Give a payment up, as long as its bytes have not left this machine."""
    return _out(await desk.processor.cancel(body.payout_id, who.subject))


@routes.post("/halt")
async def halt(body: Why, who: Halter, desk: Desk) -> dict[str, str]:
    """Stop all payouts until somebody resumes them: with `tron:approve`, or `tron:halt` for this alone."""
    await desk.book.halt(body.why, {"by": who.subject})
    return {"state": "halted"}


@routes.post("/resume")
async def resume(body: Why, who: Admin, desk: Desk, gate: TheGate) -> dict[str, str]:
    """Let payouts go on after the difference was found; not while the gateway's books are halted."""
    gate.shut()
    await desk.book.resume(who.subject, body.why)
    return {"state": "running"}


# --- looking ---


@routes.get("/history")
async def history(
    _who: Reader,
    desk: Desk,
    state: Annotated[list[State] | None, Query()] = None,
    epoch: Annotated[int | None, Query(ge=0, le=MAX)] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    after: Annotated[str | None, Query(max_length=500)] = None,
) -> History:
    """Payouts by id, of some states or all."""
    found, more = await desk.book.page(state or get_args(State), epoch=epoch, limit=limit, after=after)
    waits = await desk.waits()
    return History(payouts=[_out(payout, waits) for payout in found], next=more)


@routes.get("/{payout_id}")
async def payout(payout_id: Id, _who: Reader, desk: Desk) -> PayoutOut:
    """How far a payout is, or why it waits."""
    return _out(await desk.book.get(payout_id), await desk.waits())


@routes.post("/{payout_id}/approve")
async def approve(payout_id: Id, who: Approver, desk: Desk) -> PayoutOut:
    """Approve a payment. Large ones need two people, neither of them its submitter."""
    return _out(await desk.processor.approve(payout_id, who.subject))


@routes.post("/{payout_id}/retry")
async def retry(payout_id: Id, who: Approver, desk: Desk) -> PayoutOut:
    """Let a failed payment be tried anew."""
    return _out(await desk.processor.retry(payout_id, who.subject))
