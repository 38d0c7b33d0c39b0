"""The whole way on a real chain over HTTP: three nodes of the devnet, and processes that are killed."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from builders import ALICE, BOB, CAROL
from payout_driver import Plane

from lucid_tron.codec.address import Address
from lucid_tron.keys.signing import PrivateKey
from lucid_tron.payouts import ledger
from lucid_tron.usdt.manager import UNIT

pytestmark = pytest.mark.real
DRIVER = Path(__file__).with_name("payout_driver.py")
FUNDS = 1_000 * UNIT


class Devnet:
    def __init__(self, said: dict[str, Any]) -> None:
        self.urls: list[str] = said["urls"]
        self.token = Address.parse(said["usdt"])

    def post(self, name: str, node: int = 0, **body: Any) -> dict[str, Any]:
        answer = httpx.post(f"{self.urls[node]}/admin/{name}", json=body)
        answer.raise_for_status()
        return answer.json()  # type: ignore[no-any-return]

    def mine(self, blocks: int = 1) -> None:
        self.post("mine", blocks=blocks)


@pytest.fixture
def devnet() -> Iterator[Devnet]:
    command = [sys.executable, "-m", "lucid_tron.devnet", "--port", "0", "--ports", "3", "--manual", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        network = Devnet(json.loads(process.stdout.readline()))
        try:
            yield network
        finally:
            process.terminate()


@pytest.fixture
async def plane(devnet: Devnet, tmp_path: Path) -> Any:
    made = await Plane().open(tmp_path, devnet.token, devnet.urls)
    (_, usdt) = devnet.post("faucet", address=ALICE.address.hex(), trx=10**10, usdt=FUNDS)["transactions"]
    devnet.mine(21)
    assert await made.books.fund(bytes.fromhex(usdt)) == FUNDS
    yield made
    await made.close()


async def approve(plane: Plane, count: int, first: int = 0) -> dict[Address, int]:
    owed = {}
    for n in range(first, first + count):
        to = PrivateKey((1000 + n).to_bytes(32, "big")).address
        owed[to] = (n + 1) * 1000
        await plane.processor.submit(f"pay_{n:03}", 1, str(to), owed[to], "service")
        await plane.processor.approve(f"pay_{n:03}", "carla")
    return owed


async def all_paid(plane: Plane, owed: dict[Address, int]) -> None:
    await plane.mine(21)
    for to, amount in owed.items():
        assert await plane.usdt.balance(to) == amount
    assert await plane.usdt.balance(ALICE.address) == FUNDS - sum(owed.values())
    balance = await plane.books.enforce(strict=True)
    assert (balance.missing, balance.surplus, balance.settled) == (0, 0, sum(owed.values()))
    await ledger.verify(plane.documents)


async def test_operators_are_paid_through_nodes_that_lie_lose_and_refuse(
    plane: Plane, devnet: Devnet
) -> None:
    owed = await approve(plane, 4)
    devnet.post("faults", node=1, lie=["balance", "receipt"])
    devnet.post("faults", node=2, lose=-1, throttle=3)
    devnet.post("faults", node=0, busy=4, mute=1)
    await plane.finish()
    devnet.post("faults", node=1, lie=[])
    await all_paid(plane, owed)
    assert len([wallet for wallet in plane.client.pool.health if wallet.dissents]) >= 1


async def test_a_reorganisation_that_loses_payments_pays_them_again_as_the_same_bytes(
    plane: Plane, devnet: Devnet
) -> None:
    owed = await approve(plane, 3)
    await plane.processor.run_once()
    await plane.processor.run_once()
    devnet.mine(4)
    await plane.processor.run_once()
    lost = devnet.post("reorg", blocks=4, transactions="lost")["transactions"]
    assert len(lost) == 3
    await plane.finish()
    await all_paid(plane, owed)
    payouts = await plane.book.having(("settled",))
    assert sorted(payout.attempt.txid for payout in payouts) == sorted(lost)
    assert all(len(payout.attempts) == 1 for payout in payouts)


async def test_a_payment_that_expired_unseen_is_signed_anew_and_paid_once(
    plane: Plane, devnet: Devnet
) -> None:
    owed = await approve(plane, 1)
    for node in range(3):
        devnet.post("faults", node=node, lose=-1)
    await plane.processor.run_once()
    await plane.processor.run_once()
    devnet.post("advance", seconds=200)
    devnet.mine(20)
    for node in range(3):
        devnet.post("faults", node=node, lose=0)
    await plane.finish()
    await all_paid(plane, owed)
    (paid,) = await plane.book.having(("settled",))
    assert len(paid.attempts) == 2


async def test_a_process_killed_anywhere_pays_each_once_when_started_again(
    plane: Plane, devnet: Devnet, tmp_path: Path
) -> None:
    command = [sys.executable, str(DRIVER), str(tmp_path), str(devnet.token), *devnet.urls]
    owed: dict[Address, int] = {}
    for point in (
        "transaction-signed",
        "transaction-stored",
        "transaction-released",
        "transaction-sent",
        "transaction-solid",
    ):
        owed |= await approve(plane, 2, first=len(owed))
        # The second passage: one payment is through this point, the other is not.
        killed = await asyncio.create_subprocess_exec(
            *command, env=os.environ | {"LUCID_FAULT": f"{point}:2"}
        )
        assert await killed.wait() == -9, point
    again = await asyncio.create_subprocess_exec(*command)
    assert await again.wait() == 0
    await all_paid(plane, owed)


async def test_prices_estimates_and_history_are_those_of_the_chain(plane: Plane, devnet: Devnet) -> None:
    prepared = await plane.usdt.prepare_transfer(ALICE.address, BOB.address, 5)
    assert prepared.fee.energy > 100_000  # a new holder
    signed = ALICE.sign(prepared.raw)
    assert (await plane.client.broadcast(signed)).outcome == "accepted"
    assert (await plane.client.broadcast(signed)).outcome == "already_sent"
    devnet.mine(21)
    receipt = await plane.client.receipt_agreed(signed.txid)
    assert receipt is not None
    assert receipt.energy_used == prepared.fee.energy
    assert receipt.fee <= prepared.fee.burned
    (transfer,) = await plane.usdt.history(BOB.address, receipt.block_number - 1, receipt.block_number + 1)
    assert (transfer.txid, transfer.amount, transfer.sender) == (signed.txid, 5, ALICE.address)
    again = await plane.usdt.prepare_transfer(ALICE.address, BOB.address, 5)
    assert again.fee.energy < prepared.fee.energy
    assert not await plane.usdt.is_frozen(CAROL.address)
    state = await plane.usdt.state()
    assert (state.paused, state.fee_basis_points) == (False, 0)
    assert await plane.usdt.allowance(ALICE.address, CAROL.address) == 0
