"""What durability costs: documents in SQLite and blobs in a directory, beside the same work without it.

.venv/bin/python bench/kit_stores.py
"""

import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import obstore
from obstore.store import LocalStore

from lucid_kit.blobs import open_blobs
from lucid_kit.documents import Collection, Index, open_documents

THINGS = Collection("things", Index("kind", "made_ms"))


async def timed(calls: int, call: Callable[[int], Awaitable[object]]) -> list[float]:
    taken = []
    for n in range(calls):
        began = time.perf_counter()
        await call(n)
        taken.append((time.perf_counter() - began) * 1000)
    return taken


def line(what: str, taken: list[float]) -> None:
    p95 = statistics.quantiles(taken, n=20)[18]
    print(f"{what:52} p50 {statistics.median(taken):8.3f} ms   p95 {p95:8.3f} ms")


async def main() -> None:
    with tempfile.TemporaryDirectory() as home:
        documents = await open_documents(f"sqlite://{home}/x.db")
        await documents.ensure(THINGS)

        async def insert(n: int) -> None:
            await documents.insert(
                "things", {"id": f"{n:08}", "kind": str(n % 50), "made_ms": n, "pad": "x" * 300}
            )

        line("documents: insert, committed to disk", await timed(2000, insert))
        began = time.perf_counter()
        await asyncio.gather(*(insert(n) for n in range(10_000, 12_000)))
        print(f"documents: 2000 inserts at once {2000 / (time.perf_counter() - began):,.0f}/s")

        async def find(n: int) -> None:
            await documents.find("things", {"kind": str(n % 50)}, sort=[("made_ms", -1)], limit=20)

        line("documents: find by index, newest 20 of 80", await timed(1000, find))
        line("documents: get by id", await timed(1000, lambda n: documents.get("things", f"{n:08}")))
        await documents.close()

        data = os.urandom(1 << 20)
        blobs, plain = open_blobs(f"file://{home}/durable"), LocalStore(Path(home) / "plain", mkdir=True)
        durable = await timed(100, lambda n: blobs.put(f"a/{n}", data))
        quick = await timed(100, lambda n: obstore.put_async(plain, f"a/{n}", data))
        line("blobs: put 1 MiB, durable", durable)
        line("blobs: put 1 MiB, obstore's LocalStore, not durable", quick)
        print(f"ratio of medians {statistics.median(durable) / statistics.median(quick):.1f}")


if __name__ == "__main__":
    asyncio.run(main())
