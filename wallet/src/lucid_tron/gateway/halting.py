"""Books that do not balance stop the payout service too, until a person has said that they may go on.

The halt that is stored in our own books is what is owed. As long as it is there the payout service is told in
every round; being told again changes nothing for it. So no record of having told can be wrong, and payouts
that somebody resumes before the gateway's books are settled are stopped again. A payout service that was
down asks us by itself before it pays (`payouts.gate`).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from lucid_kit import fault
from lucid_kit.documents import Collection, Documents
from lucid_kit.http import Client, RemoteProblem, RemoteUnavailable
from lucid_tron.gateway.errors import HaltOwed
from lucid_tron.payouts.book import HALT, Book

ACCEPTED = Collection("accepted_findings")
_MOST_CHARACTERS = 500


@dataclass(frozen=True, slots=True)
class Halted:
    """Why the books are halted; `owed` says why payouts are not known to be stopped, None if they are."""

    reason: str
    facts: dict[str, Any]
    owed: str | None


class Halting:
    """Stops and resumes. `payouts` is the payout service, None where there is none."""

    def __init__(self, documents: Documents, book: Book, payouts: Client | None) -> None:
        self._documents = documents
        self._book = book
        self._payouts = payouts
        self._owed: str | None = "the payout service was not told yet"
        self._one = asyncio.Lock()

    async def standing(self) -> Halted | None:
        """Whether and why the books are halted."""
        found = await self._documents.get(HALT.name, "halt")
        if found is None:
            return None
        return Halted(found["reason"], found["facts"], self._owed if self._payouts else None)

    async def require_told(self) -> None:
        """A readiness check: no halt is owed to the payout service.

        Raises
        ------
        HaltOwed
            With what the payout service answered.
        """
        found = await self.standing()
        if found is not None and found.owed is not None:
            raise HaltOwed(f"Payouts may go on although {found.reason}: {found.owed}")

    async def tell(self) -> None:
        """Tell the payout service to stop, if the books are halted.

        Raises
        ------
        HaltOwed
            If it did not take it; it is told again in the next round.
        """
        async with self._one:
            found = await self.standing()
            if found is None or self._payouts is None:
                return
            try:
                why = f"Payment gateway: {found.reason}"[:_MOST_CHARACTERS]
                await self._payouts.post("/payouts/halt", json={"why": why})
            except (RemoteProblem, RemoteUnavailable) as error:
                self._owed = error.detail
            else:
                fault.point("halt-told")
                # Ends here: payouts are stopped; after the next start they are told again.
                self._owed = None
        await self.require_told()

    async def accept(self, findings: list[str], who: str, why: str) -> None:
        """Go on, on a person's word, with exactly these differences: one that is new or changed halts again.

        Payouts stay stopped until they are resumed where they are made.
        """
        async with self._one:
            for finding in findings:
                known = {"id": _id(finding), "finding": finding, "by": who, "why": why}
                if not await self._documents.replace(ACCEPTED.name, known):
                    await self._documents.insert(ACCEPTED.name, known)
            fault.point("findings-accepted")
            # Ends here: the books are halted still; whoever asked asks again.
            await self._book.resume(who, why)
            self._owed = "the payout service was not told yet"

    async def unaccepted(self, findings: list[str]) -> list[str]:
        """Those findings that nobody has accepted."""
        return [each for each in findings if not await self._documents.get(ACCEPTED.name, _id(each))]


def _id(finding: str) -> str:
    return sha256(finding.encode()).hexdigest()
