"""Where payouts are kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lucid_kit.documents import Collection, Documents, Index, Sort, page_cursor
from lucid_tron.payouts import ledger
from lucid_tron.payouts.batch import BATCHES
from lucid_tron.payouts.errors import OverEpochCap, PayoutConflict, PayoutNotFound, PayoutsHalted, WrongState
from lucid_tron.payouts.models import OPEN, Payout, PayoutPolicy, State
from lucid_tron.sending.books import Books

PAYOUTS = Collection("payouts", Index("state"), Index("epoch"))
EPOCHS = Collection("payout_epochs")
HALT = Collection("payout_halt")


class Book(Books[Payout]):
    """Payouts with their ledger. Every public method is one transaction."""

    collections = (PAYOUTS, EPOCHS, HALT, BATCHES, ledger.LEDGER)
    kept = PAYOUTS
    moved = WrongState

    async def get(self, payout_id: str) -> Payout:
        """A payout.

        Raises
        ------
        PayoutNotFound
            If there is none with the id.
        """
        document = await self.documents.get(PAYOUTS.name, payout_id)
        if document is None:
            raise PayoutNotFound(f"There is no payout {payout_id[:80]!r}")
        return Payout.from_document(document)

    async def get_all(self, payout_ids: Sequence[str]) -> list[Payout]:
        """Payouts in the order of these ids.

        Raises
        ------
        PayoutNotFound
            If one is not there.
        """
        found = await self.documents.find(PAYOUTS.name, {"id": {"$in": list(payout_ids)}})
        by_id = {document["id"]: Payout.from_document(document) for document in found}
        if missing := [id_ for id_ in payout_ids if id_ not in by_id]:
            raise PayoutNotFound(f"There is no payout {missing[0][:80]!r}")
        return [by_id[id_] for id_ in payout_ids]

    async def having(self, states: Sequence[State] = OPEN, limit: int | None = None) -> list[Payout]:
        """Payouts in these states, by id."""
        where = {"state": {"$in": list(states)}}
        found = await self.documents.find(PAYOUTS.name, where, sort=[("id", 1)], limit=limit)
        return [Payout.from_document(document) for document in found]

    async def page(
        self, states: Sequence[State], *, epoch: int | None, limit: int, after: str | None
    ) -> tuple[list[Payout], str | None]:
        """Payouts in these states, by id, and the cursor of the next page if there may be one."""
        where: dict[str, Any] = {"state": {"$in": list(states)}}
        if epoch is not None:
            where["epoch"] = epoch
        sort: Sort = [("id", 1)]
        found = await self.documents.find(PAYOUTS.name, where, sort=sort, limit=limit, after=after)
        more = page_cursor(found[-1], sort) if len(found) == limit else None
        return [Payout.from_document(document) for document in found], more

    async def halted(self) -> str | None:
        """Why payouts are stopped, or None."""
        found = await self.documents.get(HALT.name, "halt")
        return None if found is None else str(found["reason"])

    async def add(self, payout: Payout, policy: PayoutPolicy) -> Payout:
        """Store a new payout within its epoch's cap; give back the stored one if it exists.

        Raises
        ------
        PayoutConflict
            If one with this id says something else.
        OverEpochCap
            If it is above a cap; nothing is stored.
        """

        return (await self.add_all([payout], policy))[0]

    async def add_all(self, payouts: Sequence[Payout], policy: PayoutPolicy) -> list[Payout]:
        """`add` for several, all or none."""

        async def change(inside: Documents) -> list[Payout]:
            return [await self._add(inside, payout, policy) for payout in payouts]

        return await self.atomically(change)

    async def _add(self, inside: Documents, payout: Payout, policy: PayoutPolicy) -> Payout:
        stored = await inside.get(PAYOUTS.name, payout.id)
        if stored is not None:
            known = Payout.from_document(stored)
            if not known.says_the_same(payout):
                raise PayoutConflict(f"Payout {payout.id} exists for {known.amount} to {known.recipient}")
            return known
        await self._count(inside, payout, policy)
        await inside.insert(PAYOUTS.name, payout.to_document())
        facts = {"epoch": payout.epoch, "recipient": str(payout.recipient), "amount": payout.amount}
        await self.tell(inside, "intent", payout.id, facts | {"by": payout.submitted_by})
        return payout

    async def _count(self, inside: Documents, payout: Payout, policy: PayoutPolicy) -> None:
        key = str(payout.epoch)
        found = await inside.get(EPOCHS.name, key)
        total = (int(found["submitted"]) if found else 0) + payout.amount
        if payout.amount > policy.per_payout or total > policy.per_epoch:
            raise OverEpochCap(
                f"{payout.id} ({payout.amount}) is above {policy.per_payout}, or makes {total} in epoch {key}"
                f" where {policy.per_epoch} are allowed"
            )
        if found is None:
            await inside.insert(EPOCHS.name, {"id": key, "submitted": total})
        else:
            await inside.update(EPOCHS.name, key, {"submitted": total})

    async def move(self, payout: Payout, /, state: State, facts: Mapping[str, Any], **changes: Any) -> Payout:
        """Change a payout and tell it in the ledger.

        Raises
        ------
        WrongState
            If it was changed since it was read: read it again.
        """
        return (await self.move_all([(payout, state, changes)], facts))[0]

    async def move_all(
        self, moves: Sequence[tuple[Payout, State, Mapping[str, Any]]], facts: Mapping[str, Any]
    ) -> list[Payout]:
        """`move` for several, all or none; each has its entry in the ledger."""

        async def change(inside: Documents) -> list[Payout]:
            found = []
            for payout, state, changes in moves:
                moved = await self.swap(inside, payout, state, **changes)
                await self.tell(inside, state, moved.id, {"from": payout.state, **facts})
                found.append(moved)
            return found

        return await self.atomically(change)

    async def record(self, kind: str, facts: Mapping[str, Any]) -> None:
        """An entry of the ledger that is about no payout: funding, a halt, a resumption."""

        async def change(inside: Documents) -> None:
            await self.tell(inside, kind, None, facts)

        await self.atomically(change)

    async def halt(self, reason: str, facts: Mapping[str, Any]) -> None:
        """Stop all payouts until somebody resumes them."""

        async def change(inside: Documents) -> None:
            if await inside.get(HALT.name, "halt") is None:
                await inside.insert(HALT.name, {"id": "halt", "reason": reason, "facts": dict(facts)})
                await self.tell(inside, "halted", None, {"reason": reason, **facts})

        await self.atomically(change)

    async def resume(self, who: str, why: str) -> None:
        """Let payouts go on, on a person's word."""

        async def change(inside: Documents) -> None:
            if await inside.delete(HALT.name, "halt"):
                await self.tell(inside, "resumed", None, {"by": who, "why": why})

        await self.atomically(change)

    async def require_running(self) -> None:
        """Check that payouts are not stopped.

        Raises
        ------
        PayoutsHalted
            With the reason.
        """
        found = await self.documents.get(HALT.name, "halt")
        if found is not None:
            raise PayoutsHalted(found["reason"], **found["facts"])
