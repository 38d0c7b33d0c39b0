"""A batch: up to thirty payouts that one transaction of the router pays, all or none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from lucid_kit.documents import Collection, Index
from lucid_proof import domains
from lucid_tron.sending.attempt import Attempt

BatchState = Literal["approved", "signed", "broadcast", "solid", "settled", "failed", "expired", "void"]
"""
approved   put together, in memory only: nothing is signed
signed     the bytes are stored and have not left this machine
broadcast  the bytes may have left this machine
solid      mined successfully in a solid block; each payout's transfer is logged
settled    in the books; final
failed     mined and reverted: nobody was paid, and these bytes can pay nobody any more; final
expired    never mined, and can never be; final
void       a payout was cancelled before the bytes left; they are forgotten; final
"""
BATCHES = Collection("payout_batches", Index("state"))
OPEN_BATCHES: tuple[BatchState, ...] = ("signed", "broadcast", "solid")
_ROUTER_ID = b"lucid-router-id/1\n"
_BATCH_ID = b"lucid-router-batch/1\n"


@dataclass(frozen=True, slots=True)
class Batch:
    """One transaction for some payouts; a batch is never signed twice.

    `energy` is what a rehearsal says it takes, known until it is signed. `reason` says why it failed.
    """

    payouts: tuple[str, ...]
    attempts: tuple[Attempt, ...] = ()
    state: BatchState = "approved"
    version: int = 0
    reason: str | None = None
    energy: int = 0

    @property
    def id(self) -> str:
        """Its txID in hex; a batch that is not signed has no name."""
        return self.attempts[0].txid if self.attempts else ""

    @property
    def attempt(self) -> Attempt:
        """The bytes that were signed."""
        return self.attempts[0]

    def without_bytes(self) -> Batch:
        """The same with the bytes forgotten; the txID stays."""
        return replace(self, attempts=(replace(self.attempt, envelope=""),))

    def to_document(self) -> dict[str, Any]:
        """As it is stored."""
        return {
            "id": self.id,
            "payouts": list(self.payouts),
            "attempt": asdict(self.attempt),
            "state": self.state,
            "version": self.version,
            "reason": self.reason,
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Batch:
        """As it was stored."""
        return cls(
            tuple(document["payouts"]),
            (Attempt(**document["attempt"]),),
            document["state"],
            document["version"],
            document.get("reason"),
        )


def router_id(payout_id: str) -> bytes:
    """The 32 bytes by which the router knows a payout (docs/specs/settlement.md § Payout ids)."""
    return domains.digest(_ROUTER_ID + payout_id.encode("ascii"))


def batch_label(payout_ids: tuple[str, ...]) -> bytes:
    """The 32 bytes that label a batch's events: the same payouts have the same label."""
    return domains.digest(_BATCH_ID + "\n".join(payout_ids).encode("ascii"))
