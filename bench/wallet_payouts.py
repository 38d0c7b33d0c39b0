"""Payouts a second through the router to a devnet, in batches of thirty, the processor on one core.

    .venv/bin/python bench/wallet_payouts.py [--payouts 3000]

The whole way is measured: approved → rehearsed → signed bytes stored → head kept → broadcast → solid →
settled, every step durable (SQLite, synchronous=FULL), on the devnet's real EVM. It is measured twice: with
every batch rehearsed on a node (`all`, the default: the devnet's EVM runs each batch twice), and with the
first only. Beside it, in the same run, the least that a program without books can do: encode, sign, send over
HTTP, read the receipt, one batch after the other.

The processor is pinned to one core and the devnet to another where there are two: they are two machines in
life. What must be reached, in both modes, is payouts a second by the clock. It wants an otherwise idle
machine: how long each process waited for its core is printed, and what its core could do by the time it ran.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "wallet" / "tests"))

from builders import ALICE
from router_plane import RouterPlane, deploy_router, recipient

from lucid_tron import abi
from lucid_tron.client.client import TronClient
from lucid_tron.codec.address import Address
from lucid_tron.codec.contracts import TriggerSmartContract
from lucid_tron.keys.signing import PrivateKey
from lucid_tron.payouts.batch import router_id
from lucid_tron.payouts.router import PAY_BATCH

BATCH, MIN_RATE = 30, 200.0
FUNDS = 10**13


CORES = sorted(os.sched_getaffinity(0))


def pin(pid: int, core: int) -> None:
    """Give a process one core of those that are there."""
    os.sched_setaffinity(pid, {CORES[core % len(CORES)]})


async def bare(client: TronClient, router: Address, count: int) -> float:
    """Seconds for encoding, signing, sending and reading receipts, without books, rules or a second look."""
    started = time.perf_counter()
    for first in range(0, count, BATCH):
        numbers = range(10**6 + first, 10**6 + min(first + BATCH, count))
        entries = [(router_id(f"bare_{n}"), recipient(n), 1000) for n in numbers]
        data = abi.encode_call(PAY_BATCH, bytes(32), entries)
        raw = await client.prepare(TriggerSmartContract(ALICE.address, router, data=data), fee_limit=10**9)
        signed = ALICE.sign(raw)
        sent = await client.broadcast(signed)
        receipt = await client.receipt_agreed(signed.txid)
        if sent.outcome != "accepted" or receipt is None or not receipt.succeeded:
            raise RuntimeError(f"a batch failed: {sent} {receipt}")
    return time.perf_counter() - started


@dataclass(frozen=True)
class Used:
    """Seconds that a process ran, and that it was ready and waited for its core.

    All its threads are counted: some of the waiting is for each other.
    """

    ran: float
    waited: float

    @classmethod
    def by(cls, pid: int) -> "Used":
        """So far, from /proc/PID/task/*/schedstat (Linux, Documentation/scheduler/sched-stats.rst)."""
        told = [(task / "schedstat").read_text().split() for task in Path(f"/proc/{pid}/task").iterdir()]
        return cls(sum(int(each[0]) for each in told) / 1e9, sum(int(each[1]) for each in told) / 1e9)

    def since(self, before: "Used") -> "Used":
        return Used(self.ran - before.ran, self.waited - before.waited)


async def measure(directory: Path, said: dict[str, Any], count: int, devnet: int, rehearse: str) -> bool:
    urls, token = [str(said["url"])], Address.parse(said["usdt"])
    router = await deploy_router(urls, token, PrivateKey.from_hex(said["faucet"]["private_key"]))
    plane = await RouterPlane().open(directory, token, router, urls, rehearse=rehearse)
    await plane.admin("faucet", address=ALICE.address.hex(), trx=10**15)
    funded = await plane.admin("faucet", address=router.hex(), usdt=FUNDS)
    await plane.books.fund(bytes.fromhex(funded["transactions"][0]))  # type: ignore[index]
    started = time.perf_counter()
    await plane.ask_for(count)
    asking = time.perf_counter() - started

    ours, theirs, started = Used.by(os.getpid()), Used.by(devnet), time.perf_counter()
    await plane.finish(mine=0)
    paying = time.perf_counter() - started
    ours, theirs = Used.by(os.getpid()).since(ours), Used.by(devnet).since(theirs)
    balance = await plane.books.enforce(strict=True)
    alone = await bare(plane.client, router, min(count, 900)) * count / min(count, 900)
    await plane.close()
    print(f"rehearse={rehearse}")
    print(f"  asked for and approved   {count / asking:6.0f} payouts/s")
    print(f"  bare signing and HTTP    {count / alone:6.0f} payouts/s")
    print(
        f"  Lucid, approved→settled  {count / paying:6.0f} payouts/s by the clock (must be ≥ {MIN_RATE:.0f})"
    )
    print(f"  ratio to bare            {paying / alone:6.2f}")
    for name, used in (("processor", ours), ("devnet", theirs)):
        busy = f"ran {used.ran / paying:.0%} of the time, waited for its core {used.waited / paying:.0%}"
        print(f"  {name:<9} on one core    {count / used.ran:6.0f} payouts/s, {busy}")
    print(f"  missing {balance.missing}, surplus {balance.surplus}, settled {balance.settled}")
    return count / paying >= MIN_RATE and not balance.missing and not balance.surplus


def run(count: int, rehearse: str) -> bool:
    """Measure one mode on a devnet of its own."""
    command = [sys.executable, "-m", "lucid_tron.devnet", "--port", "0", "--json"]
    command += ["--block-time", "0", "--solid-lag", "0"]
    with (
        tempfile.TemporaryDirectory() as directory,
        subprocess.Popen(command, stdout=subprocess.PIPE) as devnet,
    ):
        try:
            if devnet.stdout is None:
                raise RuntimeError("the devnet says nothing")
            said = json.loads(devnet.stdout.readline())
            pin(devnet.pid, 1)
            return asyncio.run(measure(Path(directory), said, count, devnet.pid, rehearse))
        finally:
            devnet.terminate()


def main() -> int:
    parser = argparse.ArgumentParser(description="Payouts a second, in batches of thirty")
    parser.add_argument("--payouts", type=int, default=3000)
    count = parser.parse_args().payouts
    pin(0, 0)
    reached = [run(count, rehearse) for rehearse in ("all", "first")]
    return 0 if all(reached) else 1


if __name__ == "__main__":
    sys.exit(main())
