"""Payouts by the hundred under random faults and kill -9: each once, and ledger, chain and balances agree."""

import asyncio
import contextlib
import json
import os
import random
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from builders import ALICE
from router_plane import RouterPlane, deploy_router, recipient

from lucid_kit import fault
from lucid_tron import abi
from lucid_tron.codec.address import Address
from lucid_tron.keys.signing import PrivateKey
from lucid_tron.payouts import ledger
from lucid_tron.payouts.models import OPEN
from lucid_tron.sending import transmitter
from lucid_tron.usdt.manager import UNIT

pytestmark = pytest.mark.real
DRIVER = Path(__file__).with_name("router_plane.py")
FUNDS = 1_000_000 * UNIT
# Every durable step of paying.
ROOTS = (Path(ledger.__file__).parent, Path(transmitter.__file__).parent)
POINTS = sorted(name for name in fault.names(*ROOTS) if name.startswith(("transaction-", "guard-")))


@pytest.fixture
def devnet() -> Iterator[dict[str, Any]]:
    command = [sys.executable, "-m", "lucid_tron.devnet", "--port", "0", "--ports", "3", "--manual", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.terminate()


class Chaos:
    """A plane, its devnet, and somebody who spoils things."""

    def __init__(self, directory: Path, said: dict[str, Any], chance: random.Random) -> None:
        self.directory, self.urls, self.chance = directory, said["urls"], chance
        self.token = Address.parse(said["usdt"])
        self.faucet = PrivateKey.from_hex(said["faucet"]["private_key"])
        self.kills = 0

    async def begin(self, count: int) -> dict[int, int]:
        """Deploy and fund a router, ask for payouts and approve them; number → units."""
        self.router = await deploy_router(self.urls, self.token, self.faucet)
        async with self.plane() as plane:
            await plane.admin("faucet", address=ALICE.address.hex(), trx=10**15)
            answer = await plane.admin("faucet", address=self.router.hex(), usdt=FUNDS)
            await plane.admin("mine", blocks=21)
            (txid,) = answer["transactions"]  # type: ignore[misc]
            assert await plane.books.fund(bytes.fromhex(txid)) == FUNDS
            return await plane.ask_for(count)

    @contextlib.asynccontextmanager
    async def plane(self) -> AsyncIterator[RouterPlane]:
        plane = await RouterPlane().open(self.directory, self.token, self.router, self.urls)
        try:
            yield plane
        finally:
            await plane.close()

    async def run(self, point: str | None, seconds: float | None) -> int:
        """Run the payer until it ends, dies at a fault point, or is killed after some time."""
        fault_at = {"LUCID_FAULT": f"{point}:{self.chance.randint(1, 4)}"} if point else {}
        arguments = [str(self.directory), str(self.token), str(self.router), *self.urls]
        process = await asyncio.create_subprocess_exec(
            sys.executable, str(DRIVER), *arguments, env=os.environ | fault_at
        )
        try:
            return await asyncio.wait_for(process.wait(), seconds)
        except TimeoutError:
            process.kill()
            return await process.wait()

    async def spoil(self, plane: RouterPlane) -> None:
        """Turn knobs at random: one node may lie, others are busy, lose, throttle; blocks are reorganised."""
        chance = self.chance
        for node in range(3):
            lies = chance.sample(["balance", "receipt"], chance.randint(0, 2)) if node == 1 else []
            await plane.admin(
                "faults",
                node=node,
                lie=lies,
                lose=chance.choice((0, 0, 1, 3)),
                busy=chance.choice((0, 0, 2)),
                throttle=chance.choice((0, 0, 3)),
            )
        if chance.random() < 0.5:
            how = chance.choice(("again", "later", "lost"))
            await plane.admin("reorg", blocks=chance.randint(1, 6), transactions=how)
        if chance.random() < 0.2:
            await plane.admin("advance", seconds=chance.choice((30, 200)))

    async def calm(self, plane: RouterPlane) -> None:
        for node in range(3):
            await plane.admin("faults", node=node, lie=[], lose=0, busy=0, throttle=0)

    async def all_paid_once(self, owed: dict[int, int]) -> None:
        async with self.plane() as plane:
            await plane.admin("mine", blocks=21)
            await plane.guard.check(plane.book)
            assert await plane.book.having(OPEN) == []
            settled = {payout.id: payout.amount for payout in await plane.book.having(("settled",))}
            assert settled == {f"pay_{number:06}": units for number, units in owed.items()}
            told: dict[str, int] = {}
            async for entry in ledger.entries(plane.documents):
                if entry["kind"] == "settled":
                    for id_, amount in entry["facts"]["payouts"]:
                        assert id_ not in told
                        told[id_] = amount
            assert told == settled
            for number, units in owed.items():
                assert await _holds(plane, self.token, recipient(number)) == units
            balance = await plane.books.enforce(strict=True)
            assert (balance.missing, balance.surplus, balance.in_flight) == (0, 0, 0)
            assert balance.held == FUNDS - sum(owed.values())


async def _holds(plane: RouterPlane, token: Address, who: Address) -> int:
    arguments = abi.encode_call("balanceOf(address)", who)[4:]
    called = await plane.client.call(token, token, "balanceOf(address)", arguments)
    return int.from_bytes(called.output, "big")


async def chaos(directory: Path, said: dict[str, Any], count: int, lives: int, seed: int) -> None:
    chance = random.Random(seed)
    world = Chaos(directory, said, chance)
    owed = await world.begin(count)
    ends = []
    points = POINTS * (lives // len(POINTS) + 1)
    chance.shuffle(points)
    for life in range(lives):
        async with world.plane() as plane:
            await world.spoil(plane)
        at_random = life % 4 == 3
        code = await world.run(
            None if at_random else points[life], chance.uniform(2, 8) if at_random else 600
        )
        assert code in (0, -9), code
        ends.append(code)
    async with world.plane() as plane:
        await world.calm(plane)
    assert await world.run(None, 3_000) == 0
    await world.all_paid_once(owed)
    assert -9 in ends


@pytest.mark.slow
async def test_three_hundred_payouts_under_faults_and_kills_are_paid_once_each(
    devnet: dict[str, Any], tmp_path: Path
) -> None:
    await chaos(tmp_path, devnet, count=300, lives=8, seed=1)


@pytest.mark.soak
async def test_ten_thousand_payouts_under_faults_and_kills_are_paid_once_each(
    devnet: dict[str, Any], tmp_path: Path
) -> None:
    await chaos(tmp_path, devnet, count=10_000, lives=40, seed=2)
