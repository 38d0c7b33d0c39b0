"""The scanner: reads solid blocks in order, each once, and credits what they brought.

Its cursor is stored with what the blocks up to it brought, in one transaction: a process that dies has either
counted a block or not. Detection of what is not solid yet is `detection`; nothing is ever credited there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from lucid_kit import fault
from lucid_kit.clock import Clock
from lucid_kit.documents import Collection, Documents, DuplicateKey
from lucid_kit.errors import DomainError
from lucid_tron.codec.address import Address
from lucid_tron.gateway.addresses import ADDRESSES, AddressPool
from lucid_tron.gateway.blocks import Blocks, Header
from lucid_tron.gateway.errors import ChainRewritten
from lucid_tron.gateway.events import tell
from lucid_tron.gateway.models import PAYMENTS, WAITING, Payment
from lucid_tron.gateway.movements import MOVEMENTS, Kind, Movement
from lucid_tron.payouts import ledger
from lucid_tron.payouts.book import Book

CURSOR = Collection("scan_cursor")
_SOLID = "solid"
_BATCH = 25
_AT_ONCE = 5


class CursorMoved(DomainError):
    """Another scanner counted these blocks first."""

    code = "LUCID_ERR_4805"
    advice = "Nothing to do: they are counted once. Run one gateway for each database."


class Scanner:
    """Counts what solid blocks bring. `treasury` is the wallet that deposits are swept to."""

    def __init__(
        self,
        documents: Documents,
        blocks: Blocks,
        pool: AddressPool,
        treasury: Address,
        book: Book,
        clock: Clock,
    ) -> None:
        self._documents = documents
        self._blocks = blocks
        self._pool = pool
        self._treasury = treasury
        self._book = book
        self._clock = clock
        self._one = asyncio.Lock()

    async def cursor(self) -> int:
        """The newest block that is counted; at the first call, the newest solid one."""
        return int((await self._cursor())["number"])

    async def _cursor(self) -> dict[str, Any]:
        found = await self._documents.get(CURSOR.name, _SOLID)
        if found is None:
            header = await self._blocks.solid_header(await self._blocks.solid_head())
            found = {"id": _SOLID, "number": header.number, "hash": header.id, "time_ms": header.time_ms}
            try:
                await self._documents.insert(CURSOR.name, found)
            except DuplicateKey:
                return await self._cursor()
        return found

    async def time_ms(self) -> int:
        """The chain's time up to which everything is counted."""
        return int((await self._cursor())["time_ms"])

    async def run_once(self) -> int:
        """Count all blocks that have become solid; how many.

        Raises
        ------
        ChainRewritten
            If the last block that was counted is another one now; payouts are stopped then.
        NodesDisagree, TooFewNodes
            If nodes contradict each other; the cursor stays.
        """
        async with self._one:
            return await self._run()

    async def _run(self) -> int:
        cursor = await self._cursor()
        head = await self._blocks.solid_head()
        await self._check(cursor, head)
        counted = 0
        while cursor["number"] < head:
            first, last = cursor["number"] + 1, min(cursor["number"] + _BATCH, head)
            # After the head was read: an address made later cannot have been paid in these blocks.
            watched = self._pool.watched | {self._treasury.evm.hex()}
            header, moved = await asyncio.gather(
                self._blocks.solid_header(last), self._read(first, last, watched)
            )
            fault.point("blocks-read")
            # Ends here: nothing is counted; the next run reads the blocks again.
            cursor = await self._count(cursor, header, moved)
            fault.point("blocks-counted")
            # Ends here: they are counted, with the cursor behind them.
            counted += last - first + 1
        return counted

    async def _check(self, cursor: dict[str, Any], head: int) -> None:
        if cursor["number"] > head:
            return  # the nodes are behind where others were: wait
        found = await self._blocks.solid_header(cursor["number"])
        if found.id != cursor["hash"]:
            detail = f"Solid block {cursor['number']} was {cursor['hash']} and is {found.id}"
            await self._book.halt(detail, {"block": cursor["number"]})
            raise ChainRewritten(detail, block=cursor["number"])

    async def _read(self, first: int, last: int, watched: frozenset[str]) -> list[Movement]:
        gate = asyncio.Semaphore(_AT_ONCE)

        async def one(number: int) -> list[Movement]:
            async with gate:
                return await self._blocks.solid_movements(number, watched)

        found = await asyncio.gather(*(one(number) for number in range(first, last + 1)))
        return [movement for block in found for movement in block]

    async def _count(
        self, cursor: dict[str, Any], header: Header, moved: Sequence[Movement]
    ) -> dict[str, Any]:
        """Store what blocks brought and that they are counted: all or nothing."""
        after = {"id": _SOLID, "number": header.number, "hash": header.id, "time_ms": header.time_ms}
        async with self._documents.transaction() as inside:
            expect = {"number": cursor["number"], "hash": cursor["hash"]}
            if not await inside.replace(CURSOR.name, after, expect=expect):
                raise CursorMoved(f"Blocks after {cursor['number']} are counted already")
            for movement in moved:
                await self._book_in(inside, movement)
            await self._expire(inside, header.time_ms)
        return after

    async def _book_in(self, inside: Documents, moved: Movement) -> None:
        if await inside.get(MOVEMENTS.name, moved.id) is not None:
            return  # (txID, log index) is credited once, whatever else happens
        deposit = await inside.get(ADDRESSES.name, str(moved.recipient))
        from_us = await inside.get(ADDRESSES.name, str(moved.sender)) is not None
        kind: Kind = "outgoing"
        if deposit is not None:
            kind = "credit"
        elif moved.recipient == self._treasury:
            kind = "sweep" if from_us else "funding"
            facts = {"txid": moved.txid, "log": moved.log, "amount": moved.amount, "kind": kind}
            await ledger.append(inside, "funded", None, facts, self._clock.now_ms())
        payment_id = deposit["payment"] if deposit else None
        await inside.insert(MOVEMENTS.name, moved.to_document(kind, payment_id))
        if payment_id is not None:
            await self._credit(inside, payment_id, moved)

    async def _credit(self, inside: Documents, payment_id: str, moved: Movement) -> None:
        stored = await inside.get(PAYMENTS.name, payment_id)
        assert stored is not None
        payment = Payment.from_document(stored).credit(moved.amount, moved.time_ms)
        facts = {"payment": payment_id, "movement": moved.id, "amount": moved.amount, "block": moved.block}
        await ledger.append(inside, "credited", None, facts, self._clock.now_ms())
        await self._change(inside, payment, moved.time_ms, moved.id)

    async def _expire(self, inside: Documents, chain_ms: int) -> None:
        where = {"state": {"$in": list(WAITING)}, "expires_ms": {"$lt": chain_ms}}
        for stored in await inside.find(PAYMENTS.name, where):
            await self._change(inside, Payment.from_document(stored), chain_ms, "expiry")

    async def _change(self, inside: Documents, payment: Payment, chain_ms: int, what: str) -> None:
        changed = payment.at(max(chain_ms, 0))
        document = changed.to_document() | {"version": payment.version + 1}
        await inside.replace(PAYMENTS.name, document)
        told = Payment.from_document(document)
        await tell(inside, told, f"payment.{told.state}", what, self._clock.now_ms())
