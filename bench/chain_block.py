"""How many transactions fit into one solo block, and what that costs beside verifying their signatures alone.

    .venv/bin/python bench/chain_block.py [--txs 5000] [--rounds 3]

Every round makes a chain in a temporary directory, signs begin records of as many sessions, and measures
in the same run: bare Ed25519 verification of exactly those signatures; intake (parse, check, store durably);
the block (build, apply to itself, SQLite commit, anchor, tiles); and re-execution with nothing remembered.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from lucid_blocks import home, signatures
from lucid_blocks.app import open_node
from lucid_blocks.models import Block, Entry
from lucid_blocks.state import apply
from lucid_blocks.verify import verify
from lucid_kit.clock import ManualClock
from lucid_kit.ids import new_id
from lucid_proof import ed25519
from lucid_proof.domains import transaction_message
from lucid_proof.records import build_transaction

_FLOOR = 5_000  # transactions that one block must take


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _measure(txs: int, directory: Path) -> dict[str, float]:
    clock, recorder = ManualClock(), Ed25519PrivateKey.generate()
    key = ed25519.public_bytes(recorder)
    genesis = home.initialise(directory, "bench", [key.hex()], clock)
    node = open_node(directory, clock)
    seen = node.view.head().header.seen().to_json()
    leaves = [
        build_transaction(
            "session.begin",
            {
                "anchor_within_ms": 60_000,
                "format": "lucid-recording/1",
                "key_commitment": "11" * 32,
                "on_failure": "cut",
                "seen": seen,
                "seq": 0,
                "session": new_id("ses"),
                "time": clock.now_ms(),
            },
            genesis.chain,
            recorder,
        ).bytes()
        for _ in range(txs)
    ]
    public = Ed25519PublicKey.from_public_bytes(key)
    signed = []
    for leaf in leaves:
        tx = Entry.parse(leaf).tx
        unsigned = {name: value for name, value in tx.to_json().items() if name != "sig"}
        signed.append((tx.sig, transaction_message(unsigned)))
    found = {"verify alone": _timed(lambda: [public.verify(*each) for each in signed])}

    entries: list[Entry] = []

    def intake() -> None:
        entries.extend(Entry.parse(leaf) for leaf in leaves)
        for at in range(0, txs, 1_000):
            answers = node.ledger.accept(entries[at : at + 1_000])
            refused = [each for each in answers if isinstance(each, Exception)]
            assert not refused, refused[0]

    before = node.ledger.state
    found["intake"] = _timed(intake)
    clock.advance(genesis.params.block_ms)
    found["block"] = _timed(node.engine.decide)
    head = node.view.head()
    assert head.header.txs == txs, f"the block took {head.header.txs}"
    block = Block(head.header, tuple(entries))
    signatures.forget()
    found["apply, nothing remembered"] = _timed(lambda: apply(before, block))
    node.ledger.close()
    signatures.forget()
    found["lucid-blocks verify"] = _timed(lambda: verify(directory))
    return found


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--txs", type=int, default=_FLOOR)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    rounds = []
    for _ in range(args.rounds):
        with tempfile.TemporaryDirectory() as directory:
            rounds.append(_measure(args.txs, Path(directory) / "chain"))
    alone = statistics.median(each["verify alone"] for each in rounds)
    print(f"{args.txs} transactions in one block, median of {args.rounds} rounds\n")
    print(f"{'step':28}{'s':>8}{'tx/s':>10}{'× verify alone':>16}")
    for name in rounds[0]:
        seconds = statistics.median(each[name] for each in rounds)
        print(f"{name:28}{seconds:8.3f}{args.txs / seconds:10.0f}{seconds / alone:16.2f}")
    whole = statistics.median(each["intake"] + each["block"] for each in rounds)
    print(f"{'intake and block together':28}{whole:8.3f}{args.txs / whole:10.0f}{whole / alone:16.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
