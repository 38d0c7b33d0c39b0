"""Batches in the books: a batch and all its payouts change together, with one entry of the ledger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from lucid_kit.documents import Documents
from lucid_tron.payouts import ledger
from lucid_tron.payouts.batch import BATCHES, OPEN_BATCHES, Batch, BatchState
from lucid_tron.payouts.book import PAYOUTS, Book, swap
from lucid_tron.payouts.errors import WrongState
from lucid_tron.payouts.models import Payout, State


class BatchBook:
    """The batches of a book. Every public method is one transaction."""

    def __init__(self, book: Book) -> None:
        self._book = book

    async def having(self, states: Sequence[BatchState] = OPEN_BATCHES) -> list[Batch]:
        """Batches in these states, by id."""
        where = {"state": {"$in": list(states)}}
        found = await self._book.documents.find(BATCHES.name, where, sort=[("id", 1)])
        return [Batch.from_document(document) for document in found]

    async def payouts(self, batch: Batch) -> list[Payout]:
        """The payouts of a batch, in its order."""
        return await _members(self._book.documents, batch)

    async def sign(self, batch: Batch, payouts: Sequence[Payout], facts: Mapping[str, Any]) -> Batch:
        """Store signed bytes with the payouts they pay, which were `approved` when they were read.

        Raises
        ------
        WrongState
            If one of them changed since: then nothing is stored, and the bytes must be forgotten.
        """
        attempt = replace(batch.attempt, envelope="")

        async def change(inside: Documents) -> Batch:
            for payout in payouts:
                await swap(inside, payout, "signed", attempts=(*payout.attempts, attempt))
            await inside.insert(BATCHES.name, batch.to_document())
            await self._tell(inside, "signed", batch, payouts, facts)
            return batch

        return await self._book.atomically(change)

    async def move(
        self, batch: Batch, state: BatchState, to: State, facts: Mapping[str, Any], **changes: Any
    ) -> Batch:
        """Change a batch and all its payouts, which must be where the batch is.

        Raises
        ------
        WrongState
            If the batch or one of its payouts changed meanwhile: then nothing is changed.
        """
        attempt = batch.attempt if state in OPEN_BATCHES else replace(batch.attempt, envelope="")
        moved = replace(batch, state=state, version=batch.version + 1, attempt=attempt)

        async def change(inside: Documents) -> Batch:
            expect = {"version": batch.version, "state": batch.state}
            if not await inside.replace(BATCHES.name, moved.to_document(), expect=expect):
                raise WrongState(f"Batch {batch.id} is no longer {batch.state} (version {batch.version})")
            payouts = await _members(inside, batch)
            for payout in payouts:
                if payout.state != batch.state:
                    raise WrongState(f"Payout {payout.id} of batch {batch.id} is {payout.state}")
                credited = {"credited": payout.amount} if to == "solid" else {}
                await swap(inside, payout, to, **credited, **changes)
            await self._tell(inside, to, moved, payouts, facts)
            return moved

        return await self._book.atomically(change)

    async def void(self, batch: Batch) -> Batch:
        """Forget a batch whose bytes never left, because a payout of it was cancelled; the rest go on."""
        attempt = replace(batch.attempt, envelope="")
        moved = replace(batch, state="void", version=batch.version + 1, attempt=attempt)

        async def change(inside: Documents) -> Batch:
            expect = {"version": batch.version, "state": "signed"}
            if not await inside.replace(BATCHES.name, moved.to_document(), expect=expect):
                raise WrongState(f"Batch {batch.id} is no longer signed (version {batch.version})")
            still = [payout for payout in await _members(inside, batch) if payout.state == "signed"]
            for payout in still:
                await swap(inside, payout, "approved")
            await self._tell(inside, "approved", moved, still, {"void": True})
            return moved

        return await self._book.atomically(change)

    async def _tell(
        self,
        inside: Documents,
        kind: str,
        batch: Batch,
        payouts: Sequence[Payout],
        facts: Mapping[str, Any],
    ) -> None:
        told = {"txid": batch.id, "payouts": [[each.id, each.amount] for each in payouts], **facts}
        await ledger.append(inside, kind, None, told, self._book.clock.now_ms())


async def _members(documents: Documents, batch: Batch) -> list[Payout]:
    found = await documents.find(PAYOUTS.name, {"id": {"$in": list(batch.payouts)}})
    by_id = {document["id"]: Payout.from_document(document) for document in found}
    return [by_id[id_] for id_ in batch.payouts]
