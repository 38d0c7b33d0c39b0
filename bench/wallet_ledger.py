"""How long it takes to verify the ledger of 100,000 payouts' last entries.

    .venv/bin/python bench/wallet_ledger.py

The ledger is written to a SQLite database as the processor writes it, in large transactions; then it is
verified from its first entry: read, canonical JSON, SHA-256, chain.
"""

import asyncio
import sys
import tempfile
import time
from pathlib import Path

from lucid_kit.documents import open_documents
from lucid_tron.payouts import ledger

ENTRIES, MAX_SECONDS = 100_000, 10.0


async def measure(directory: str) -> float:
    documents = await open_documents(f"sqlite:///{Path(directory) / 'ledger.db'}")
    await documents.ensure(ledger.LEDGER)
    facts = {"txid": "ab" * 32, "block": 70_000_000, "credited": 25_000_000, "from": "broadcast"}
    for first in range(0, ENTRIES, 1_000):
        async with documents.transaction() as inside:
            for number in range(first, first + 1_000):
                await ledger.append(inside, "solid", f"pay_{number:08}", facts, 1_800_000_000_000 + number)
    start = time.perf_counter()
    head = await ledger.verify(documents)
    took = time.perf_counter() - start
    await documents.close()
    if head.count != ENTRIES:
        raise RuntimeError(f"{head.count} entries, not {ENTRIES}")
    return took


def main() -> int:
    with tempfile.TemporaryDirectory() as directory:
        took = asyncio.run(measure(directory))
    print(f"{ENTRIES} entries verified in {took:.2f} s (must be < {MAX_SECONDS:.0f} s)")
    return 0 if took < MAX_SECONDS else 1


if __name__ == "__main__":
    sys.exit(main())
