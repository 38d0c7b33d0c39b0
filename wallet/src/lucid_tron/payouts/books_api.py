"""HTTP routes of the books: reconciliation, deposits, and bringing restored books up to the chain."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from lucid_kit.clock import rfc3339
from lucid_tron.payouts.access import MAX, Admin, Approver, Body, Desk, Reader, Why
from lucid_tron.payouts.progress import Progress
from lucid_tron.payouts.reconcile import Balance

routes = APIRouter(prefix="/payouts", tags=["books"])


class Deposit(Body):
    """A transaction that funded the payer: the hot wallet, or the router."""

    txid: str = Field(pattern=r"^[0-9a-f]{64}$")


class Begin(Body):
    """Where to begin to look through the chain; by itself after the newest payment that the books know."""

    first_block: Annotated[int, Field(ge=0, le=MAX)] | None = None


class Standing(BaseModel):
    """The books against the chain. `missing` and `surplus` must be 0."""

    funded: int
    settled: int
    in_flight: int
    held: int
    missing: int
    surplus: int


class Books(Standing):
    """… with whose books they are, the ledger's head, to be kept elsewhere, and why payouts are stopped."""

    payer: str
    ledger_entries: int
    ledger_hash: str
    halted: str | None


class RecoveryOut(BaseModel):
    """How far a recovery is. It is finished when it has looked at a block later than `until`.

    `entered` payouts were paid and the books did not know. `unknown` were paid and are not in the books (as
    the chain calls them), `contradictions` were paid otherwise than the books say, `again` twice.
    """

    first_block: int
    next_block: int
    until: str
    begun_by: str
    finished: bool
    entered: int
    unknown: list[str]
    contradictions: list[str]
    again: list[str]


def _standing(balance: Balance) -> dict[str, int]:
    return {**asdict(balance), "missing": balance.missing, "surplus": balance.surplus}


def _progress(progress: Progress) -> RecoveryOut:
    return RecoveryOut(
        first_block=progress.first,
        next_block=progress.next,
        until=rfc3339(progress.until_ms),
        begun_by=progress.by,
        finished=progress.finished,
        entered=progress.entered,
        unknown=list(progress.found.unknown),
        contradictions=list(progress.found.contradictions),
        again=list(progress.found.again),
    )


@routes.get("/reconciliation")
async def reconciliation(_who: Reader, desk: Desk) -> Books:
    """Compare the books with the chain, without consequences."""
    balance, head, halted = await desk.standing()
    return Books(
        **_standing(balance),
        payer=str(desk.reconciliation.payer),
        ledger_entries=head.count,
        ledger_hash=head.hash,
        halted=halted,
    )


@routes.post("/reconciliation")
async def reconcile(_who: Approver, desk: Desk) -> Standing:
    """Reconcile strictly now: anything missing or too much stops all payouts."""
    return Standing(**_standing(await desk.reconcile()))


@routes.post("/books/accept")
async def accept_books(body: Why, who: Admin, desk: Desk) -> dict[str, Any]:
    """Take restored books for the newest, after a recovery has found every payment since. Then resume."""
    head = await desk.accept_books(who.subject, body.why)
    return {"ledger_entries": head.count, "ledger_hash": head.hash}


@routes.post("/deposits", status_code=201)
async def deposit(body: Deposit, _who: Admin, desk: Desk) -> dict[str, Any]:
    """Enter a solid transaction that funded the payer. The same one is entered once."""
    return {"txid": body.txid, "units": await desk.reconciliation.fund(bytes.fromhex(body.txid))}


@routes.post("/recovery", status_code=202)
async def begin_recovery(body: Begin, who: Admin, desk: Desk) -> RecoveryOut:
    """Look through the chain for payments that restored books lack, while payouts are stopped."""
    return _progress(await desk.recovery.begin(who.subject, body.first_block))


@routes.get("/recovery")
async def recovery(_who: Reader, desk: Desk) -> RecoveryOut:
    """How far the newest recovery is, and what it found that a person must put right."""
    return _progress(await desk.recovery.progress())
