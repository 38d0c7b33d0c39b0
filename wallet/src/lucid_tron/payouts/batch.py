"""A batch: up to thirty payouts that one transaction of the router pays, all or none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from lucid_kit.documents import Collection, Index
from lucid_proof import domains
from lucid_tron.sending.attempt import Attempt

BatchState = Literal["signed", "broadcast", "solid", "settled", "failed", "expired", "void"]
"""
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
    """One signed transaction for some payouts. `id` is its txID in hex; a batch is never signed twice."""

    id: str
    payouts: tuple[str, ...]
    attempt: Attempt
    state: BatchState = "signed"
    version: int = 0

    def to_document(self) -> dict[str, Any]:
        """As it is stored."""
        return asdict(self) | {"payouts": list(self.payouts)}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Batch:
        """As it was stored."""
        return cls(
            document["id"],
            tuple(document["payouts"]),
            Attempt(**document["attempt"]),
            document["state"],
            document["version"],
        )


def router_id(payout_id: str) -> bytes:
    """The 32 bytes by which the router knows a payout (docs/specs/settlement.md § Payout ids)."""
    return domains.digest(_ROUTER_ID + payout_id.encode("ascii"))


def batch_label(payout_ids: tuple[str, ...]) -> bytes:
    """The 32 bytes that label a batch's events: the same payouts have the same label."""
    return domains.digest(_BATCH_ID + "\n".join(payout_ids).encode("ascii"))
