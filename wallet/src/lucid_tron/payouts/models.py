"""What a payout is, and the states it walks through."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from lucid_tron.codec.address import Address
from lucid_tron.codec.errors import CodecError
from lucid_tron.payouts.errors import InvalidPayout
from lucid_tron.sending.attempt import Attempt

State = Literal["intent", "approved", "signed", "broadcast", "solid", "settled", "failed", "cancelled"]
"""
intent     it is known what is to be paid; waits for approval
approved   may be signed
signed     the bytes are stored and have not left this machine
broadcast  the bytes may have left this machine: from here on only the chain says what became of them
solid      mined successfully in a solid block, with its transfer logged
settled    in the books; final
failed     mined without effect (the fee is lost); a person decides whether to try again
cancelled  will not be paid; final
"""
MAX_BATCH = 30
"""The most payouts that the router takes in one transaction."""
OPEN: tuple[State, ...] = ("approved", "signed", "broadcast", "solid")
FINAL: tuple[State, ...] = ("settled", "cancelled")
_MAX_INTEGER = (1 << 53) - 1  # what canonical JSON holds exactly
_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}")


def _is_natural(value: object) -> bool:
    return type(value) is int and 0 <= value <= _MAX_INTEGER


@dataclass(frozen=True, slots=True)
class Payout:
    """A payment of `amount` units of USDT to one recipient, named for ever by its id.

    `version` counts its changes and is what compare-and-swap compares. `reason` says why it waits.
    `batch_limit` is how many payouts its next batch may hold: halved when a batch with it reverted, so that
    the one at fault ends up alone. Bytes of a batch are kept with the batch, not in `attempts`.
    """

    id: str
    epoch: int
    recipient: Address
    amount: int
    submitted_by: str
    state: State = "intent"
    version: int = 0
    approvals: tuple[str, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    credited: int | None = None
    block_number: int | None = None
    reason: str | None = None
    batch_limit: int = MAX_BATCH

    @classmethod
    def read(cls, id_: str, epoch: int, recipient: str, amount: int, submitted_by: str) -> Payout:
        """A payout as it is asked for.

        Raises
        ------
        InvalidPayout
            If the id, the recipient (a wrong checksum, too) or the amount is not valid.
        """
        if not _ID.fullmatch(id_):
            raise InvalidPayout(f"{id_[:80]!r} is no id of a payout")
        if not (_is_natural(amount) and amount and _is_natural(epoch)):
            raise InvalidPayout(f"The amount ({amount}) and epoch ({epoch}) of {id_} are positive integers")
        try:
            address = Address.parse(recipient)
        except CodecError as error:
            raise InvalidPayout(f"The recipient of {id_}: {error.detail}") from error
        return cls(id_, epoch, address, amount, submitted_by)

    @property
    def attempt(self) -> Attempt:
        """The newest attempt."""
        return self.attempts[-1]

    @property
    def in_batch(self) -> bool:
        """Whether its newest bytes are kept with a batch."""
        return self.state in ("signed", "broadcast", "solid") and not self.attempt.envelope

    def says_the_same(self, other: Payout) -> bool:
        """Whether both stand for the same payment."""
        return (self.id, self.epoch, self.recipient, self.amount) == (
            other.id,
            other.epoch,
            other.recipient,
            other.amount,
        )

    def without_bytes(self) -> Payout:
        """The same with the newest attempt's bytes forgotten; its txID stays."""
        return replace(self, attempts=(*self.attempts[:-1], replace(self.attempt, envelope="")))

    def to_document(self) -> dict[str, Any]:
        """As it is stored."""
        document = {name: getattr(self, name) for name in self.__dataclass_fields__}
        document["recipient"] = str(self.recipient)
        document["approvals"] = list(self.approvals)
        document["attempts"] = [asdict(attempt) for attempt in self.attempts]
        return document

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Payout:
        """As it was stored."""
        fields = {name: document[name] for name in cls.__dataclass_fields__ if name in document}
        fields["recipient"] = Address.parse(document["recipient"])
        fields["approvals"] = tuple(document["approvals"])
        fields["attempts"] = tuple(Attempt(**attempt) for attempt in document["attempts"])
        return cls(**fields)


@dataclass(frozen=True, slots=True)
class PayoutPolicy:
    """Limits in units of USDT, and how long a signed transaction lives.

    Above `two_person_above` a payout needs two approvals, neither of them its submitter's.
    """

    per_payout: int
    per_epoch: int
    two_person_above: int
    lifetime_ms: int = 120_000
