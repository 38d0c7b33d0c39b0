"""Payouts a second through the router to a devnet, in batches of thirty, the processor on one core.

    .venv/bin/python bench/wallet_payouts.py [--payouts 3000]

The whole way is measured: approved → signed bytes stored → head kept → broadcast → solid → settled, every
step durable (SQLite, synchronous=FULL), on the devnet's real EVM. Beside it, in the same run, the least that
a program without books can do: encode, sign, send over HTTP, read the receipt. The processor is pinned to one
core and the devnet to another where there are two: they are two machines in life. What must be reached is
what the processor's own core can do, from its processor time, so that a busy machine or a slow chain does not
decide; what the clock said is printed beside it.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx

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


def pin(pid: int, core: int) -> None:
    """Give a process one core of those that are there."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(pid, {cores[core % len(cores)]})


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


async def measure(directory: Path, said: dict[str, object], count: int, devnet_pid: int) -> int:
    urls, token = [str(said["url"])], Address.parse(str(said["usdt"]))
    faucet = PrivateKey.from_hex(str(said["faucet"]["private_key"]))  # type: ignore[index]
    router = await deploy_router(urls, token, faucet)
    plane = await RouterPlane().open(directory, token, router, urls, rehearse="first")
    await plane.admin("faucet", address=ALICE.address.hex(), trx=10**15)
    async with httpx.AsyncClient() as http:
        answer = await http.post(f"{urls[0]}/admin/faucet", json={"address": router.hex(), "usdt": FUNDS})
        await plane.books.fund(bytes.fromhex(answer.json()["transactions"][0]))
    started = time.perf_counter()
    await plane.ask_for(count)
    asking = time.perf_counter() - started

    cpu = time.process_time()
    started = time.perf_counter()
    theirs = _cpu(devnet_pid)
    await plane.finish(mine=0)
    paying, cpu, theirs = time.perf_counter() - started, time.process_time() - cpu, _cpu(devnet_pid) - theirs
    balance = await plane.books.enforce(strict=True)
    alone = await bare(plane.client, router, min(count, 900)) * count / min(count, 900)
    await plane.close()
    print(f"asked for and approved   {count / asking:8.0f} payouts/s")
    print(f"bare signing and HTTP    {count / alone:8.0f} payouts/s")
    print(f"Lucid, approved→settled  {count / paying:8.0f} payouts/s by the clock")
    print(f"ratio to bare            {paying / alone:8.2f}")
    busy = f"busy {cpu / paying:.0%}"
    print(f"one core, processor      {count / cpu:8.0f} payouts/s, {busy} (must be ≥ {MIN_RATE:.0f})")
    print(f"one core, devnet         {count / theirs:8.0f} payouts/s, busy {theirs / paying:.0%}")
    print(f"missing {balance.missing}, surplus {balance.surplus}, settled {balance.settled}")
    return 0 if count / cpu >= MIN_RATE and not balance.missing and not balance.surplus else 1


def _cpu(pid: int) -> float:
    """Seconds of processor time that a process has used (proc(5), fields 14 and 15)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> int:
    parser = argparse.ArgumentParser(description="Payouts a second, in batches of thirty")
    parser.add_argument("--payouts", type=int, default=3000)
    count = parser.parse_args().payouts
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
            pin(0, 0)
            return asyncio.run(measure(Path(directory), said, count, devnet.pid))
        finally:
            devnet.terminate()


if __name__ == "__main__":
    sys.exit(main())
