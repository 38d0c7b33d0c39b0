"""Detection: what is in blocks that may still go. Shown to whoever waits; never credited.

A short memory of block ids finds a reorganisation and how deep it goes; one that is deeper than the memory
starts detection anew from the newest counted block, which costs nothing: sightings are hints.
"""

from __future__ import annotations

from typing import Any

from lucid_kit import fault
from lucid_kit.clock import Clock
from lucid_kit.documents import Collection, Documents, Index
from lucid_tron.codec.address import Address
from lucid_tron.gateway.addresses import ADDRESSES, AddressPool
from lucid_tron.gateway.blocks import Blocks
from lucid_tron.gateway.events import tell
from lucid_tron.gateway.models import PAYMENTS, Payment
from lucid_tron.gateway.movements import Movement
from lucid_tron.gateway.scanner import CURSOR, Scanner

SIGHTINGS = Collection("sightings", Index("payment"), Index("block"))
_HEAD = "head"


class Detection:
    """Sees payments before they are solid. `memory` is how many block ids are kept."""

    def __init__(
        self,
        documents: Documents,
        blocks: Blocks,
        pool: AddressPool,
        scanner: Scanner,
        clock: Clock,
        *,
        memory: int = 64,
    ) -> None:
        self._documents = documents
        self._blocks = blocks
        self._pool = pool
        self._scanner = scanner
        self._clock = clock
        self._memory = memory

    async def seen(self, payment_id: str) -> int:
        """Units on the way to a payment that are not credited yet."""
        found = await self._documents.find(SIGHTINGS.name, {"payment": payment_id})
        return sum(each["amount"] for each in found)

    async def run_once(self) -> int:
        """Look at blocks up to the head; how many."""
        solid = await self._scanner.cursor()
        stored = await self._documents.get(CURSOR.name, _HEAD)
        recent = await self._rolled_back(list(stored["recent"]) if stored else [], solid)
        head, looked = await self._blocks.head(), 0
        following = recent[-1][0] + 1 if recent else solid + 1
        for number in range(max(following, solid + 1), head + 1):
            header = await self._blocks.header(number)
            if recent and recent[-1][0] == number - 1 and header.parent != recent[-1][1]:
                break  # it changed while we looked: the next round rolls back
            moved = await self._blocks.movements(number, self._pool.watched)
            recent = [*recent, [number, header.id]][-self._memory :]
            fault.point("block-seen")
            # Ends here: the block is looked at again in the next run.
            await self._store(recent, moved, solid)
            looked += 1
        if not looked:
            await self._store(recent, [], solid)
        return looked

    async def _rolled_back(self, recent: list[list[Any]], solid: int) -> list[list[Any]]:
        """The memory without blocks that are gone; what was seen in those is forgotten."""
        kept = [each for each in recent if each[0] > solid]
        while kept and (await self._blocks.header(kept[-1][0])).id != kept[-1][1]:
            kept.pop()
        last = kept[-1][0] if kept else solid
        if len(kept) < len([each for each in recent if each[0] > solid]):
            for each in await self._documents.find(SIGHTINGS.name, {"block": {"$gt": last}}):
                await self._documents.delete(SIGHTINGS.name, each["id"])
        return kept

    async def _store(self, recent: list[list[Any]], moved: list[Movement], solid: int) -> None:
        async with self._documents.transaction() as inside:
            if not await inside.replace(CURSOR.name, {"id": _HEAD, "recent": recent}):
                await inside.insert(CURSOR.name, {"id": _HEAD, "recent": recent})
            # What is counted by now is credited, or was never true.
            for each in await inside.find(SIGHTINGS.name, {"block": {"$lte": solid}}):
                await inside.delete(SIGHTINGS.name, each["id"])
            for movement in moved:
                await self._see(inside, movement, movement.recipient)

    async def _see(self, inside: Documents, moved: Movement, recipient: Address) -> None:
        deposit = await inside.get(ADDRESSES.name, str(recipient))
        known = await inside.get(SIGHTINGS.name, moved.id)
        if deposit is None or deposit["payment"] is None or known is not None:
            return
        payment_id = deposit["payment"]
        document = {"id": moved.id, "payment": payment_id, "block": moved.block, "amount": moved.amount}
        await inside.insert(SIGHTINGS.name, document)
        stored = await inside.get(PAYMENTS.name, payment_id)
        assert stored is not None
        payment = Payment.from_document(stored)
        await tell(inside, payment, "payment.detected", moved.id, self._clock.now_ms())
