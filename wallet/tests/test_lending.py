"""Sweeps with energy that the treasury's stake yields: lent, used, and taken back whatever happens."""

from pathlib import Path
from typing import Any

import pytest
from builders import BOB
from gateway_room import Room

from lucid_kit import fault
from lucid_tron.codec.contracts import DelegateResourceContract, FreezeBalanceV2Contract, ResourceCode
from lucid_tron.devnet.accounts import SUN
from lucid_tron.gateway.models import Payment
from lucid_tron.sending.orders import ORDERS
from lucid_tron.staking.service import status_of
from lucid_tron.usdt.manager import UNIT
from lucid_tron.wallets.errors import OutsideFamily

ENERGY = ResourceCode.ENERGY


async def a_room(directory: Path, staked_trx: int) -> Room:
    room = await Room().open(directory)
    room.chain.give(room.treasury.address, trx=30_000 * SUN)
    room.network.solidify()
    contract = FreezeBalanceV2Contract(room.treasury.address, staked_trx * SUN, ENERGY)
    raw = await room.client.prepare(contract)
    await room.client.broadcast(await room.signing.sign(room.treasury.id, raw, now_ms=raw.timestamp))
    room.network.solidify()
    return room


async def paid(room: Room, reference: str = "a") -> Payment:
    payment = await room.payment(reference=reference)
    room.pay(payment.address, 10 * UNIT)
    await room.solid()
    return payment


async def orders_of(room: Room, payment: Payment) -> dict[str, str]:
    return {order.kind: order.state for order in await room.gateway.orders.about(str(payment.address))}


async def staked(room: Room) -> tuple[int, int]:
    """Sun that is staked for energy and not lent, and that is lent."""
    status = await status_of(room.client, room.treasury.address)
    return status.staked[ENERGY], status.lent[ENERGY]


async def test_energy_is_lent_for_a_sweep_and_taken_back(tmp_path: Path) -> None:
    room = await a_room(tmp_path, 20_000)
    payment = await paid(room)
    before = await room.client.balance_agreed(room.treasury.address)
    await room.work(20)
    assert await orders_of(room, payment) == dict.fromkeys(("fund", "lend", "sweep", "back"), "settled")
    assert room.chain.usdt_of(room.treasury.address) == 10 * UNIT
    assert await room.client.balance_agreed(payment.address) == 1  # what opened the account
    room.network.solidify()
    assert before - await room.client.balance_agreed(room.treasury.address) < 2 * SUN
    assert await staked(room) == (20_000 * SUN, 0)
    assert (await room.gateway.reconciliation.enforce()).balances
    await room.close()


@pytest.mark.parametrize(
    ("staked_trx", "bandwidth_price"), [(1, 1_000), (20_000, 100_000)], ids=["little", "dear"]
)
async def test_without_enough_stake_or_where_lending_costs_more_the_fee_is_bought(
    tmp_path: Path, staked_trx: int, bandwidth_price: int
) -> None:
    room = await a_room(tmp_path, staked_trx)
    room.chain.ledger.parameters.change("getTransactionFee", bandwidth_price)
    payment = await paid(room)
    await room.work()
    assert await orders_of(room, payment) == dict.fromkeys(("fund", "sweep"), "settled")
    await room.close()


class Died(BaseException):
    """Stands for the end of the process."""


@pytest.mark.parametrize(
    "point", ["return-ordered", "transaction-stored", "transaction-sent", "transaction-solid"]
)
async def test_nothing_stays_lent_by_a_gateway_that_dies_on_the_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    room = await a_room(tmp_path, 20_000)
    payment = await paid(room)
    deaths = 0

    def die(name: str) -> None:
        nonlocal deaths
        if name == point and deaths < 4:
            deaths += 1
            raise Died

    monkeypatch.setattr(fault, "point", die)
    for _ in range(5):
        try:
            await room.work(20)
        except Died:
            room = await room.again()
    assert deaths
    assert await orders_of(room, payment) == dict.fromkeys(("fund", "lend", "sweep", "back"), "settled")
    room.network.solidify()
    assert await staked(room) == (20_000 * SUN, 0)
    assert room.chain.usdt_of(room.treasury.address) == 10 * UNIT
    await room.close()


async def test_where_lending_fails_the_fee_is_bought_and_nothing_is_taken_back(tmp_path: Path) -> None:
    room = await a_room(tmp_path, 20_000)
    payment = await paid(room)
    for _ in range(12):
        await room.gateway.sweeps.run_once()
        if "lend" in await orders_of(room, payment):
            break
        room.network.seal(10)
    lend: Any = next(o for o in await room.gateway.orders.having() if o.kind == "lend")
    await room.documents.update(ORDERS.name, lend.id, {"state": "failed"})
    await room.work(20)
    found = await orders_of(room, payment)
    assert (found["back"], found["sweep"], found["lend"]) == ("cancelled", "settled", "failed")
    assert room.chain.usdt_of(room.treasury.address) == 10 * UNIT
    await room.close()


async def test_energy_stays_in_the_family_as_the_treasurys_trx_does(tmp_path: Path) -> None:
    room = await a_room(tmp_path, 20_000)
    payment = await room.payment()
    for receiver, refused in ((payment.address, False), (BOB.address, True)):
        contract = DelegateResourceContract(room.treasury.address, receiver, SUN, ENERGY)
        raw = await room.client.prepare(contract)
        if refused:
            with pytest.raises(OutsideFamily):
                await room.signing.sign(room.treasury.id, raw, now_ms=raw.timestamp)
        else:
            await room.signing.sign(room.treasury.id, raw, now_ms=raw.timestamp)
    await room.close()
