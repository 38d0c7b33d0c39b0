"""HTTP routes of staking: parse, authorise, call, shape. Amounts are in sun, times RFC 3339."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from lucid_kit.clock import rfc3339
from lucid_kit.http import needs
from lucid_kit.tokens import Principal
from lucid_tron.codec.address import Address
from lucid_tron.sending.orders import Order
from lucid_tron.staking.service import Staking

routes = APIRouter(tags=["staking"])

Resource = Literal["ENERGY", "BANDWIDTH"]
Where = Annotated[str, Path(max_length=64, description="An address, T… or 41….")]
Sun = Annotated[int, Field(ge=1, le=(1 << 53) - 1, description="Sun (10⁻⁶ TRX).")]


class Operation(BaseModel):
    """What every operation says: its id names it for ever; sending it again does nothing twice."""

    model_config = ConfigDict(extra="forbid")

    operation_id: str = Field(pattern=r"^[A-Za-z0-9_.:-]{1,96}$")
    wallet_id: str | None = Field(default=None, description="Another wallet than the service's own.")


class Amount(Operation):
    amount: Sun
    resource: Resource = "ENERGY"


class Withdraw(Operation):
    what: Literal["unfrozen", "rewards"] = "unfrozen"


class Loan(Amount):
    receiver: str = Field(max_length=64)
    lock_blocks: int = Field(default=0, ge=0, description="Blocks of 3 s for which it cannot be taken back.")


class TakeBack(Amount):
    receiver: str = Field(max_length=64)


class Votes(Operation):
    votes: dict[str, int] = Field(description="Representative → votes; they replace all others.")


class OperationOut(BaseModel):
    """An operation: `approved`, `signed`, `broadcast`, `solid`, `settled`, `failed` or `cancelled`."""

    operation_id: str
    kind: str
    address: str
    terms: dict[str, Any]
    state: str
    txid: str | None
    reason: str | None
    result: dict[str, Any]


def _staking(request: Request) -> Staking:
    staking: Staking = request.app.state.staking
    return staking


Service = Annotated[Staking, Depends(_staking)]
Writer = Annotated[Principal, needs("tron:write")]
Reader = Annotated[Principal, needs("tron:read")]


def _out(order: Order) -> OperationOut:
    return OperationOut(
        operation_id=order.id,
        kind=order.kind,
        address=order.subject,
        terms=dict(order.terms),
        state=order.state,
        txid=order.txid,
        reason=order.reason,
        result=dict(order.result),
    )


async def _ask(
    request: Request, staking: Staking, kind: str, body: Operation, who: Principal
) -> OperationOut:
    terms = body.model_dump(exclude={"operation_id", "wallet_id", "what"})
    wallet = body.wallet_id or request.app.state.wallet_id
    return _out(await staking.ask(body.operation_id, kind, wallet, terms, who.subject))


@routes.post("/staking/stake", status_code=202)
async def stake(request: Request, body: Amount, who: Writer, staking: Service) -> OperationOut:
    """Stake TRX for energy or bandwidth."""
    return await _ask(request, staking, "stake", body, who)


@routes.post("/staking/unstake", status_code=202)
async def unstake(request: Request, body: Amount, who: Writer, staking: Service) -> OperationOut:
    """Begin to take a stake back; 32 at once at most."""
    return await _ask(request, staking, "unstake", body, who)


@routes.post("/staking/withdraw", status_code=202)
async def withdraw(request: Request, body: Withdraw, who: Writer, staking: Service) -> OperationOut:
    """Withdraw what has finished unfreezing, or claim rewards."""
    return await _ask(request, staking, "claim" if body.what == "rewards" else "withdraw", body, who)


@routes.post("/staking/cancel", status_code=202)
async def cancel(request: Request, body: Operation, who: Writer, staking: Service) -> OperationOut:
    """Stake again whatever is unfreezing."""
    return await _ask(request, staking, "cancel", body, who)


@routes.post("/staking/delegate", status_code=202)
async def delegate(request: Request, body: Loan, who: Writer, staking: Service) -> OperationOut:
    """Lend what a stake yields."""
    return await _ask(request, staking, "delegate", body, who)


@routes.post("/staking/undelegate", status_code=202)
async def undelegate(request: Request, body: TakeBack, who: Writer, staking: Service) -> OperationOut:
    """Take a loan back."""
    return await _ask(request, staking, "undelegate", body, who)


@routes.post("/staking/vote", status_code=202)
async def vote(request: Request, body: Votes, who: Writer, staking: Service) -> OperationOut:
    """Vote for representatives."""
    return await _ask(request, staking, "vote", body, who)


@routes.get("/staking/operations/{operation_id}")
async def operation(operation_id: str, _who: Reader, staking: Service) -> OperationOut:
    """How far an operation is, or why it waits."""
    return _out(await staking.book.get(operation_id))


@routes.get("/staking/status/{address}")
async def status(address: Where, _who: Reader, staking: Service) -> dict[str, Any]:
    """What an account has staked, lent and unfreezing, and what it can use now."""
    found = await staking.position(Address.parse(address))
    held = found.status
    return {
        "address": str(held.address),
        "at": rfc3339(found.now_ms),
        "balance_sun": held.balance,
        "staked": {resource.name: amount for resource, amount in held.staked.items()},
        "lent": {resource.name: amount for resource, amount in held.lent.items()},
        "borrowed": {resource.name: amount for resource, amount in held.borrowed.items()},
        "energy_left": found.energy_left,
        "bandwidth_left": found.bandwidth_left,
        "power": held.power,
        "votes": {str(who): count for who, count in held.votes.items()},
        "unfreezing": [
            {"resource": e.resource.name, "amount": e.amount, "until": rfc3339(e.expires_ms)}
            for e in held.waiting(found.now_ms)
        ],
        "withdrawable": held.withdrawable(found.now_ms),
        "queue_left": found.queue_left,
    }


@routes.get("/staking/rewards/{address}")
async def rewards(address: Where, _who: Reader, staking: Service) -> dict[str, Any]:
    """Sun that votes have earned."""
    where = Address.parse(address)
    return {"address": str(where), "reward_sun": await staking.rewards(where)}


@routes.get("/staking/plan/{address}")
async def energy_plan(
    address: Where,
    payouts_per_day: Annotated[int, Query(ge=1, le=10_000_000)],
    _who: Reader,
    staking: Service,
    recipient: Annotated[str | None, Query(max_length=64)] = None,
) -> dict[str, Any]:
    """What to stake for so many payouts a day; `recipient` is a typical one, without it a new holder."""
    to = Address.parse(recipient) if recipient else None
    return asdict(await staking.plan(Address.parse(address), payouts_per_day, to))
