"""HTTP routes of USDT: parse, authorise, call, shape. Amounts are in units (10⁻⁶ USDT)."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import Field

from lucid_kit.errors import ValidationFailed
from lucid_kit.http import needs
from lucid_kit.tokens import Principal
from lucid_tron.client.client import TronClient
from lucid_tron.codec.address import Address
from lucid_tron.sending.requests import MAX, Asked, Desk, OperationOut, Operations, Units, shown
from lucid_tron.usdt.manager import UsdtManager

routes = APIRouter(prefix="/usdt", tags=["usdt"])

Where = Annotated[str, Path(max_length=64, description="An address, T… or 41….")]
MOST_BLOCKS = 200


class TooManyBlocks(ValidationFailed):
    """So many blocks are not read in one request."""

    code = "LUCID_ERR_1851"
    advice = f"Ask for at most {MOST_BLOCKS} blocks, the last not before the first."


class NewTransfer(Asked):
    """A transfer of USDT, in units."""

    to: str = Field(max_length=64)
    amount: Units


class NewAllowance(Asked):
    """How much a spender may take, in units; 0 takes an allowance back."""

    spender: str = Field(max_length=64)
    amount: Annotated[int, Field(ge=0, le=MAX)]


def _usdt(request: Request) -> UsdtManager:
    usdt: UsdtManager = request.app.state.usdt
    return usdt


def _desk(request: Request) -> Desk:
    desk: Desk = request.app.state.desk
    return desk


Token = Annotated[UsdtManager, Depends(_usdt)]
Sending = Annotated[Desk, Depends(_desk)]
Reader = Annotated[Principal, needs("tron:read")]
Writer = Annotated[Principal, needs("tron:write")]


@routes.post("/transfer", status_code=202)
async def transfer(body: NewTransfer, who: Writer, desk: Sending) -> OperationOut:
    """Send USDT from a wallet."""
    return shown(await desk.ask("usdt-transfer", body, who.subject, body.to, body.amount))


@routes.post("/approve", status_code=202)
async def approve(body: NewAllowance, who: Writer, desk: Sending) -> OperationOut:
    """Let a contract or person take USDT from a wallet. The wallet's caps count it as spent."""
    return shown(await desk.ask("usdt-approve", body, who.subject, body.spender, body.amount))


@routes.get("/operations")
async def operations(
    address: Annotated[str, Query(max_length=64)], _who: Reader, desk: Sending
) -> Operations:
    """Transfers and allowances that were asked for from an address."""
    orders = await desk.book.about(str(Address.parse(address)))
    return Operations(operations=[shown(order) for order in orders])


@routes.get("/operations/{operation_id}")
async def operation(operation_id: str, _who: Reader, desk: Sending) -> OperationOut:
    """How far a transfer or allowance is, or why it waits."""
    return shown(await desk.book.get(operation_id))


@routes.get("/balance/{address}")
async def balance(address: Where, _who: Reader, usdt: Token) -> dict[str, Any]:
    """Units an address holds in solid blocks, and whether the issuer has frozen it."""
    where = Address.parse(address)
    return {
        "address": str(where),
        "units": await usdt.balance(where),
        "frozen": await usdt.is_frozen(where),
    }


@routes.get("/allowance")
async def allowance(
    owner: Annotated[str, Query(max_length=64)],
    spender: Annotated[str, Query(max_length=64)],
    _who: Reader,
    usdt: Token,
) -> dict[str, Any]:
    """Units that `spender` may still take from `owner`, in solid blocks."""
    whose, whom = Address.parse(owner), Address.parse(spender)
    return {"owner": str(whose), "spender": str(whom), "units": await usdt.allowance(whose, whom)}


@routes.get("/transactions/{address}")
async def transactions(
    request: Request,
    address: Where,
    _who: Reader,
    usdt: Token,
    first_block: Annotated[int | None, Query(ge=0, le=MAX)] = None,
    last_block: Annotated[int | None, Query(ge=0, le=MAX)] = None,
) -> dict[str, Any]:
    """Transfers from and to an address in these blocks; without them, in the last 50 solid ones."""
    client: TronClient = request.app.state.client
    solid = (await client.solid_head_agreed()).number
    last = solid if last_block is None else min(last_block, solid)
    first = max(0, last - 49) if first_block is None else first_block
    if not 0 <= last - first < MOST_BLOCKS:
        raise TooManyBlocks(f"Blocks {first} to {last} are {last - first + 1}", solid=solid)
    where = Address.parse(address)
    found = await usdt.history(where, first, last)
    return {
        "address": str(where),
        "first_block": first,
        "last_block": last,
        "transfers": [
            {
                "txid": each.txid.hex(),
                "log_index": each.log_index,
                "block": each.block_number,
                "from": str(each.sender),
                "to": str(each.recipient),
                "units": each.amount,
            }
            for each in found
        ],
    }
