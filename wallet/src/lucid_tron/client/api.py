"""HTTP routes of the client service: parse, authorise, call, shape. Amounts are in sun, times RFC 3339."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import Field

from lucid_kit.clock import rfc3339
from lucid_kit.errors import NotFound
from lucid_kit.http import needs
from lucid_kit.tokens import Principal
from lucid_tron.client.client import TronClient
from lucid_tron.codec.address import Address
from lucid_tron.sending.requests import Asked, Desk, OperationOut, Operations, Units, shown

routes = APIRouter(prefix="/tron", tags=["tron"])

Where = Annotated[str, Path(max_length=64, description="An address, T… or 41….")]


class TransactionNotSolid(NotFound):
    """No solid block of a quorum holds that transaction."""

    code = "LUCID_ERR_1850"
    advice = "Wait a minute for it to become solid, or check its id."


class NewTransfer(Asked):
    """A transfer of TRX, in sun."""

    to: str = Field(max_length=64)
    amount: Units


def _client(request: Request) -> TronClient:
    client: TronClient = request.app.state.client
    return client


def _desk(request: Request) -> Desk:
    desk: Desk = request.app.state.desk
    return desk


Tron = Annotated[TronClient, Depends(_client)]
Sending = Annotated[Desk, Depends(_desk)]
Reader = Annotated[Principal, needs("tron:read")]
Writer = Annotated[Principal, needs("tron:write")]


@routes.get("/network/info")
async def info(request: Request, client: Tron, _who: Reader) -> dict[str, Any]:
    """Which network this is, through which nodes, and how many of them must agree."""
    profile = client.profile
    return {
        "network": profile.name,
        "chain_id": profile.chain_id,
        "nodes": [node.name for node in client.pool.nodes],
        "quorum": profile.quorum,
        "usdt": str(request.app.state.token),
    }


@routes.get("/network/status")
async def status(client: Tron, _who: Reader) -> dict[str, Any]:
    """How each node is doing. `dissents` counts how often it stood against a quorum."""
    await client.pool.everyone("/wallet/getnowblock", {})
    nodes = [asdict(health) for health in client.pool.health]
    well = sum(not node["failures"] for node in nodes)
    return {"well": well >= client.pool.quorum, "quorum": client.pool.quorum, "nodes": nodes}


@routes.get("/network/height")
async def height(client: Tron, _who: Reader) -> dict[str, Any]:
    """The newest block of some node, and the newest that a quorum calls solid."""
    head, solid = await asyncio.gather(client.head(), client.solid_head_agreed())
    return {
        "head": head.number,
        "head_time": rfc3339(head.timestamp_ms),
        "solid": solid.number,
        "solid_time": rfc3339(solid.timestamp_ms),
        "solid_id": solid.id.hex(),
    }


@routes.get("/network/fees")
async def fees(client: Tron, _who: Reader) -> dict[str, int]:
    """What the chain charges, in sun, as a quorum states it."""
    prices = await client.parameters_agreed()
    return {
        "energy_price": prices.energy_price,
        "bandwidth_price": prices.bandwidth_price,
        "memo_fee": prices.memo_fee,
        "max_fee_limit": prices.max_fee_limit,
    }


@routes.get("/accounts/{address}")
async def account(address: Where, client: Tron, _who: Reader) -> dict[str, Any]:
    """TRX of an account in solid blocks, and what it can use before it pays."""
    where = Address.parse(address)
    balance, left = await asyncio.gather(client.balance_agreed(where), client.resources(where))
    return {
        "address": str(where),
        "balance_sun": balance,
        "energy_left": left.energy,
        "bandwidth_left": left.bandwidth,
    }


@routes.get("/transactions/{txid}")
async def receipt(
    txid: Annotated[str, Path(pattern=r"^[0-9a-f]{64}$")], client: Tron, _who: Reader
) -> dict[str, Any]:
    """What became of a transaction, from solid blocks and by a quorum."""
    found = await client.receipt_agreed(bytes.fromhex(txid))
    if found is None:
        raise TransactionNotSolid(f"Transaction {txid} is in no solid block")
    return {
        "txid": txid,
        "block": found.block_number,
        "time": rfc3339(found.block_timestamp_ms),
        "succeeded": found.succeeded,
        "result": found.result,
        "fee_sun": found.fee,
        "energy_used": found.energy_used,
    }


@routes.post("/transfers", status_code=202)
async def transfer(body: NewTransfer, who: Writer, desk: Sending) -> OperationOut:
    """Send TRX from a wallet."""
    return shown(await desk.ask("trx-transfer", body, who.subject, body.to, body.amount))


@routes.get("/transfers")
async def transfers(address: Annotated[str, Query(max_length=64)], _who: Reader, desk: Sending) -> Operations:
    """The transfers of TRX that were asked for from an address."""
    orders = await desk.book.about(str(Address.parse(address)))
    return Operations(operations=[shown(order) for order in orders])


@routes.get("/transfers/{operation_id}")
async def one_transfer(operation_id: str, _who: Reader, desk: Sending) -> OperationOut:
    """How far a transfer is, or why it waits."""
    return shown(await desk.book.get(operation_id))
