"""How far a recovery of the books is, and what it has found, as it is stored."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

from lucid_kit.documents import Collection

RECOVERY = Collection("payout_recovery")
ID: Final = "recovery"
"""There is one recovery: the newest."""
_MOST_NAMED: Final = 200
"""Names kept of each finding; what is beyond shows when the first were put right and it is run again."""


@dataclass(frozen=True, slots=True)
class Adopted:
    """What some blocks told.

    payouts         ids that were entered as settled
    unknown         what the chain calls payouts that it paid and the books lack
    contradictions  ids that the chain paid to somebody else, or another amount, than the books say
    again           ids that the chain paid in a transaction which is not the one the books know
    """

    payouts: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    contradictions: tuple[str, ...] = ()
    again: tuple[str, ...] = ()

    def __add__(self, other: Adopted) -> Adopted:
        def both(first: tuple[str, ...], second: tuple[str, ...]) -> tuple[str, ...]:
            return tuple(sorted({*first, *second}))[:_MOST_NAMED]

        ours, theirs = asdict(self), asdict(other)
        return Adopted(**{name: both(ours[name], theirs[name]) for name in ours})


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a recovery is: from block `first`, now at `next`; ends with a block after `until_ms` (UTC)."""

    first: int
    next: int
    until_ms: int
    by: str
    entered: int = 0
    found: Adopted = Adopted()
    finished: bool = False
    version: int = 0

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Progress:
        """As it was stored."""
        fields = {name: document[name] for name in cls.__dataclass_fields__}
        fields["found"] = Adopted(**{name: tuple(names) for name, names in document["found"].items()})
        return cls(**fields)

    def to_document(self) -> dict[str, Any]:
        """As it is stored."""
        document = asdict(self) | {"id": ID}
        document["found"] = {name: list(names) for name, names in document["found"].items()}
        return document
