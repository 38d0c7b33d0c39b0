"""Batches in the books: a batch and all its payouts change together, with one entry of the ledger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from lucid_kit.documents import Document, Documents
from lucid_tron.payouts.batch import BATCHES, OPEN_BATCHES, Batch, BatchState
from lucid_tron.payouts.book import PAYOUTS, Book
from lucid_tron.payouts.errors import WrongState
from lucid_tron.payouts.models import Payout, State
from lucid_tron.sending.books import Books
from lucid_tron.sending.transmitter import Stage


class BatchBook(Books[Batch]):
    """The batches of a book. Every public method is one transaction."""

    kept = BATCHES
    moved = WrongState

    def __init__(self, book: Book) -> None:
        super().__init__(book.documents, book.clock)
        self._book = book

    async def having(self, states: Sequence[BatchState] = OPEN_BATCHES) -> list[Batch]:
        """Batches in these states, by id."""
        where = {"state": {"$in": list(states)}}
        found = await self.documents.find(BATCHES.name, where, sort=[("id", 1)])
        return [Batch.from_document(document) for document in found]

    async def payouts(self, batch: Batch) -> list[Payout]:
        """The payouts of a batch, in its order."""
        return [Payout.from_document(each) for each in await _members(self.documents, batch)]

    async def move(self, batch: Batch, /, state: Stage, facts: Mapping[str, Any], **changes: Any) -> Batch:
        """Change a batch and all its payouts, which must be where the batch is.

        To `signed` it is stored for the first time. To `approved` its payouts go, into new batches, when
        its bytes can pay nobody any more; and when it `failed`, unless it held a single one: all or
        nothing, so nobody was paid, and a solid transaction cannot be mined again.

        Raises
        ------
        WrongState
            If the batch or one of its payouts changed meanwhile: then nothing is changed.
        """
        to: State = "approved" if state == "failed" and len(batch.payouts) > 1 else state
        own: BatchState = "expired" if state == "approved" else state

        async def change(inside: Documents) -> Batch:
            if own == "signed":
                moved = replace(batch, state=own, **changes)
                await self._take_along(inside, moved, batch.state, to, {}, facts)
                await inside.insert(BATCHES.name, moved.to_document())
            else:
                moved = await self.swap(inside, batch, own, reason=changes.get("reason"))
                await self._take_along(inside, moved, batch.state, to, _alike(moved, to, changes), facts)
            return moved

        return await self.atomically(change)

    async def void(self, batch: Batch) -> Batch:
        """Forget a batch whose bytes never left, because a payout of it was cancelled; the rest go on."""

        async def change(inside: Documents) -> Batch:
            moved = await self.swap(inside, batch.without_bytes(), "void")
            await self._take_along(inside, moved, "signed", "approved", {}, {"void": True}, all_of_it=False)
            return moved

        return await self.atomically(change)

    async def _take_along(
        self,
        inside: Documents,
        batch: Batch,
        origin: str,
        to: State,
        alike: Mapping[str, Any],
        facts: Mapping[str, Any],
        *,
        all_of_it: bool = True,
    ) -> None:
        """Change the payouts as their batch changed, and tell it."""
        members = await _members(inside, batch)
        there = [each for each in members if each["state"] == origin]
        if all_of_it and len(there) < len(members):
            away = next(each for each in members if each["state"] != origin)
            raise WrongState(f"Payout {away['id']} of a batch is {away['state']}, not {origin}")
        swaps = [(each, _moved(each, batch, to, alike)) for each in there]
        await self._book.swap_all(inside, swaps)
        told = {"txid": batch.id, "payouts": [[each["id"], each["amount"]] for each in there]}
        await self.tell(inside, to, None, told | dict(facts))


def _alike(batch: Batch, to: State, changes: Mapping[str, Any]) -> dict[str, Any]:
    """What changes in every payout of a batch in the same way."""
    if batch.state == "failed" and to == "approved":
        return {"batch_limit": -(-len(batch.payouts) // 2)}
    if to == "failed":
        return {"reason": (batch.reason or "")[:500]}
    return {name: value for name, value in changes.items() if name == "block_number"}


def _moved(payout: Document, batch: Batch, to: State, alike: Mapping[str, Any]) -> Document:
    new = {**payout, "state": to, "version": payout["version"] + 1, "reason": None, **alike}
    if to == "signed":
        new["attempts"] = [*payout["attempts"], asdict(replace(batch.attempt, envelope=""))]
    elif to == "solid":
        new["credited"] = payout["amount"]
    return new


async def _members(documents: Documents, batch: Batch) -> list[Document]:
    found = await documents.find(PAYOUTS.name, {"id": {"$in": list(batch.payouts)}})
    by_id = {document["id"]: document for document in found}
    return [by_id[id_] for id_ in batch.payouts]
